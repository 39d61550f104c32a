"""The sentences about learned functions: what each network answers on the grid of input space."""

import numpy as np

from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.i18n import N_, _
from stability.page.probe_sentences import of_scheme
from stability.probes.learned_function import INDISTINGUISHABLE, Classification, classify
from stability.records.experiment import Experiment
from stability.text import join_words, number, number_of_log10, share_in_words

REGIONS_NOTE = N_(
    "The first network of each initialization over the plane of inputs, in standard deviations "
    "from their mean. Training points: dark circles on blue, class 0; light triangles on yellow, "
    "class 1. The fainter a region, the less likely its class."
)
CURVES_NOTE = N_(
    "The first network of each initialization over its one input, in standard deviations of input "
    "and target. Distances are root mean squares; always the mean would be about 1 away. "
    "The dashed line ends where the data do."
)
MIXED_NOTE = N_(
    "{normalization} standardises over all that passes together: here over the grid, not over a "
    "batch of data, so what is drawn is not exactly the function in training."
)


def learned_function_notes(e: Experiment) -> list[str]:
    """Return how to read the picture, and why it may be inexact."""
    notes = [REGIONS_NOTE if e.dataset_row.classes else CURVES_NOTE]
    if e.normalization_row.mixes_examples:
        notes.append(_(MIXED_NOTE).format(normalization=e.normalization_row.label))
    return notes


def sentences_about_learned_function(run: Run, count: int, step: int) -> list[str]:
    """He (normal): class 1 on 47 % of the square; ... At the newest snapshot up to `step`."""
    snapshot, e = run.snapshot(count, step), run.experiment
    describe = describe_regions if e.dataset_row.classes else describe_curve
    return [
        of_scheme(row, describe(run, snapshot, scheme)) for scheme, row in enumerate(e.scheme_rows)
    ]


def describe_regions(run: Run, snapshot: Measurement, scheme: int) -> str:
    found = classify(snapshot.learned_outputs[scheme])
    lost = float((found.likeliest_class < 0).mean())
    if lost == 1:
        return describe_nonfinite(run, snapshot, scheme)
    shares = describe_class_shares(found)
    if lost:
        partly = _("{shares}, not a finite number on {share} of it")
        shares = partly.format(shares=shares, share=share_in_words(lost))
    right = share_in_words(snapshot.test_accuracy[scheme, 0])
    sentence = _("{shares}; {right} of the held-out points are on the right side at step {step}.")
    return sentence.format(shares=shares, right=right, step=snapshot.step)


def describe_class_shares(found: Classification) -> str:
    """Return the share of the square that each class gets."""
    classes = found.probability.shape[1]
    winners = found.likeliest_class
    shares = np.bincount(winners[winners >= 0], minlength=classes) / len(winners)
    likeliest = int(shares.argmax())
    if found.is_constant:
        probability = found.probability[0, likeliest]
        if probability < 1 / classes + INDISTINGUISHABLE:
            return _("the same answer everywhere, no class is likelier")
        same = _("the same answer everywhere, class {label} with probability {share}")
        return same.format(label=likeliest, share=share_in_words(probability))
    if shares[likeliest] == 1:
        one = _("class {label} everywhere, with probabilities that differ")
        return one.format(label=likeliest)
    part = _("class {label} on {share}")
    parts = [
        part.format(label=label, share=share_in_words(share)) for label, share in enumerate(shares)
    ]
    return _("{parts} of the square").format(parts=join_words(parts))


def describe_curve(run: Run, snapshot: Measurement, scheme: int) -> str:
    scaling = run.experiment.dataset_row.scaling
    values = scaling.standardize_outputs(snapshot.learned_outputs[scheme, :, 0].astype(float))
    finite = values[np.isfinite(values)]
    if not len(finite):
        return describe_nonfinite(run, snapshot, scheme)
    clauses = []
    if np.ptp(finite) < INDISTINGUISHABLE:
        height = number(round(float(np.median(finite)), 2) + 0.0)  # no negative zero
        clauses.append(_("flat at {height}, the same answer everywhere").format(height=height))
    if lost := 1 - len(finite) / len(values):
        partly = _("not a finite number at {share} of the points")
        clauses.append(partly.format(share=share_in_words(lost)))
    distance = describe_distance(float(snapshot.test_loss[scheme, 0]) / scaling.target_scale**2)
    away = _("{distance} from the held-out points at step {step}.")
    clauses.append(away.format(distance=distance, step=snapshot.step))
    return _("; ").join(clauses)


def describe_distance(loss: float) -> str:
    """Return the root of a mean square in words."""
    if not np.isfinite(loss):
        return _("too far to be squared")
    distance = number_of_log10(np.log10(loss) / 2) if loss else 0
    return _("{distance} standard deviations").format(distance=distance)


def describe_nonfinite(run: Run, snapshot: Measurement, scheme: int) -> str:
    """Return that no output on the grid is finite, and since which step."""
    event = run.breaks.get((scheme, 0))
    if event and event.step <= snapshot.step:
        return _("not a finite number anywhere from step {step} on.").format(step=event.step)
    return _("not a finite number anywhere at step {step}.").format(step=snapshot.step)
