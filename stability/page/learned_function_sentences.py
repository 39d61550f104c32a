"""The sentences about learned functions: what each network answers on the grid of input space."""

import numpy as np

from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.probes.learned_function import INDISTINGUISHABLE, Classification, classify
from stability.records.experiment import Experiment
from stability.text import join_words, number, number_of_log10, share_in_words

POINT_LOOKS = "dark circles on blue", "light triangles on yellow"  # of class 0 and class 1
REGIONS_NOTE = (
    "The first network of each initialization over the plane of inputs, in standard deviations "
    "from their mean. Training points: "
    f"{'; '.join(f'{look}, class {label}' for label, look in enumerate(POINT_LOOKS))}. "
    "The fainter a region, the less likely its class."
)
CURVES_NOTE = (
    "The first network of each initialization over its one input, in standard deviations of input "
    "and target. Distances are root mean squares; always the mean would be about 1 away. "
    "The dashed line ends where the data do."
)
MIXED_NOTE = (
    "{} standardises over all that passes together: here over the grid, not over a batch of data, "
    "so what is drawn is not exactly the function in training."
)


def learned_function_notes(e: Experiment) -> list[str]:
    """Return how to read the picture, and why it may be inexact."""
    notes = [REGIONS_NOTE if e.dataset_row.classes else CURVES_NOTE]
    if e.normalization_row.mixes_examples:
        notes.append(MIXED_NOTE.format(e.normalization_row.label))
    return notes


def sentences_about_learned_function(run: Run, count: int, step: int) -> list[str]:
    """He (normal): class 1 on 47 % of the square; ... At the newest snapshot up to `step`."""
    snapshot, e = run.snapshot(count, step), run.experiment
    describe = describe_regions if e.dataset_row.classes else describe_curve
    return [
        f"{row.title}: {describe(run, snapshot, scheme)}"
        for scheme, row in enumerate(e.scheme_rows)
    ]


def describe_regions(run: Run, snapshot: Measurement, scheme: int) -> str:
    found = classify(snapshot.learned_outputs[scheme])
    lost = float((found.likeliest_class < 0).mean())
    if lost == 1:
        return describe_nonfinite(run, snapshot, scheme)
    text = describe_class_shares(found)
    if lost:
        text += f", not a finite number on {share_in_words(lost)} of it"
    right = share_in_words(snapshot.test_accuracy[scheme, 0])
    return f"{text}; {right} of the held-out points are on the right side at step {snapshot.step}."


def describe_class_shares(found: Classification) -> str:
    """Return the share of the square that each class gets."""
    classes = found.probability.shape[1]
    winners = found.likeliest_class
    shares = np.bincount(winners[winners >= 0], minlength=classes) / len(winners)
    likeliest = int(shares.argmax())
    if found.is_constant:
        probability = found.probability[0, likeliest]
        answer = f"class {likeliest} with probability {share_in_words(probability)}"
        if probability < 1 / classes + INDISTINGUISHABLE:
            answer = "no class is likelier"
        return f"the same answer everywhere, {answer}"
    if shares[likeliest] == 1:
        return f"class {likeliest} everywhere, with probabilities that differ"
    parts = [f"class {label} on {share_in_words(share)}" for label, share in enumerate(shares)]
    return f"{join_words(parts)} of the square"


def describe_curve(run: Run, snapshot: Measurement, scheme: int) -> str:
    scaling = run.experiment.dataset_row.scaling
    values = scaling.standardize_outputs(snapshot.learned_outputs[scheme, :, 0].astype(float))
    finite = values[np.isfinite(values)]
    if not len(finite):
        return describe_nonfinite(run, snapshot, scheme)
    text = ""
    if np.ptp(finite) < INDISTINGUISHABLE:
        height = number(round(float(np.median(finite)), 2) + 0.0)  # no negative zero
        text += f"flat at {height}, the same answer everywhere; "
    if lost := 1 - len(finite) / len(values):
        text += f"not a finite number at {share_in_words(lost)} of the points; "
    distance = describe_distance(float(snapshot.test_loss[scheme, 0]) / scaling.target_scale**2)
    return f"{text}{distance} from the held-out points at step {snapshot.step}."


def describe_distance(loss: float) -> str:
    """Return the root of a mean square in words."""
    if not np.isfinite(loss):
        return "too far to be squared"
    return f"{number_of_log10(np.log10(loss) / 2) if loss else 0} standard deviations"


def describe_nonfinite(run: Run, snapshot: Measurement, scheme: int) -> str:
    """Return that no output on the grid is finite, and since which step."""
    event = run.breaks.get((scheme, 0))
    if event and event.step <= snapshot.step:
        return f"not a finite number anywhere from step {event.step} on."
    return f"not a finite number anywhere at step {snapshot.step}."
