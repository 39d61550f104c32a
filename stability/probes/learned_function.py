"""What the networks have learned, on the grid of input space: which class a point gets, and what to say of it."""

from dataclasses import dataclass

import numpy as np

from stability.catalogues.datasets import DATASETS
from stability.engine.measurement import Measurement
from stability.engine.runs import Run
from stability.records.experiment import Experiment
from stability.text import join_words, number, number_of_log10, share_in_words

CLASS_WORDS = ("dark circles on blue", "light triangles on yellow")
REGIONS_NOTE = (
    "The first network of each initialization over the plane of inputs, in standard deviations from their mean. "
    f"Training points: {'; '.join(f'{words}, class {label}' for label, words in enumerate(CLASS_WORDS))}. "
    "The fainter a region, the less likely its class."
)
CURVES_NOTE = (
    "The first network of each initialization over its one input, in standard deviations of input and target. "
    "Distances are root mean squares; always the mean would be about 1 away. The dashed line ends where the data do."
)
MIXED_NOTE = (
    "{} standardises over all that passes together: here over the grid, not over a batch of data, so what is drawn is not "
    "exactly the function in training."
)
INDISTINGUISHABLE = 0.01  # of a probability, or of a standard deviation of the target: what differs by less over the grid looks the same


@dataclass(frozen=True)
class Classification:
    """One network on the grid. `winner` (points,): the number of the likeliest class, -1 where an output is not finite.

    `probability` (points, classes): the softmax; NaN there.
    """

    likeliest_class: np.ndarray
    probability: np.ndarray

    @property
    def is_constant(self) -> bool:
        """Whether it says the same everywhere."""
        return bool(np.ptp(self.probability, axis=0).max() < INDISTINGUISHABLE)


def why_not_drawn(e: Experiment) -> str:
    """Why there is no picture, in a sentence; empty where there is one."""
    if e.dataset_row.plotted_dimensions:
        return ""
    regions, curves = (join_words([row.label for row in DATASETS.values() if row.plotted_dimensions == inputs], "or") for inputs in (2, 1))
    return f"{e.dataset_row.label}: a function of so many inputs cannot be drawn. Choose {regions} for regions, {curves} for a curve."


def learned_function_notes(e: Experiment) -> list[str]:
    """What the picture is, and what it is not."""
    return [REGIONS_NOTE if e.dataset_row.classes else CURVES_NOTE, *[MIXED_NOTE.format(e.normalization_row.label)] * e.normalization_row.mixes_examples]


def classify(outputs: np.ndarray) -> Classification:
    """Of the outputs `(points, classes)` of one network."""
    finite = np.isfinite(outputs).all(axis=1)
    shown = np.where(finite[:, None], outputs.astype(float), 0.0)
    with np.errstate(over="ignore", under="ignore"):  # float64 outputs may be further apart than the range; that is -inf
        weight = np.exp(shown - shown.max(axis=1, keepdims=True))
    probability = np.where(finite[:, None], weight / weight.sum(axis=1, keepdims=True), np.nan)
    return Classification(np.where(finite, shown.argmax(axis=1), -1), probability)


def learned_function_sentences(run: Run, count: int, step: int) -> list[str]:
    """One a scheme, of the newest picture up to `step`. He (normal): class 1 on 47 % of the square; ..."""
    seen, words = run.snapshot(count, step), describe_regions if run.experiment.dataset_row.classes else describe_curve
    return [f"{row.title}: {words(run, seen, index)}" for index, row in enumerate(run.experiment.scheme_rows)]


def describe_regions(run: Run, seen: Measurement, index: int) -> str:
    found = classify(seen.learned_outputs[index])
    lost = (found.likeliest_class < 0).mean()
    if lost == 1:
        return describe_nonfinite(run, seen, index)
    gone = f", not a finite number on {share_in_words(lost)} of it" if lost else ""
    right = share_in_words(seen.test_accuracy[index, 0])
    return f"{describe_class_shares(found)}{gone}; {right} of the held-out points are on the right side at step {seen.step}."


def describe_class_shares(found: Classification) -> str:
    """Which class gets how much of the square."""
    classes = found.probability.shape[1]
    held = np.bincount(found.likeliest_class[found.likeliest_class >= 0], minlength=classes) / len(found.likeliest_class)
    likeliest = int(held.argmax())
    if found.is_constant:
        share = found.probability[0, likeliest]
        answer = "no class is likelier" if share < 1 / classes + INDISTINGUISHABLE else f"class {likeliest} with probability {share_in_words(share)}"
        return f"the same answer everywhere, {answer}"
    if held[likeliest] == 1:
        return f"class {likeliest} everywhere, with probabilities that differ"
    return f"{join_words([f'class {label} on {share_in_words(share)}' for label, share in enumerate(held)])} of the square"


def describe_curve(run: Run, seen: Measurement, index: int) -> str:
    values = seen.learned_outputs[index, :, 0].astype(float)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return describe_nonfinite(run, seen, index)
    height, lost = number(round(float(np.median(finite)), 2) + 0.0), 1 - len(finite) / len(values)
    flat = f"flat at {height}, the same answer everywhere; " if np.ptp(finite) < INDISTINGUISHABLE else ""
    gone = f"not a finite number at {share_in_words(lost)} of the points; " if lost else ""
    return f"{flat}{gone}{describe_distance(float(seen.test_loss[index, 0]))} from the held-out points at step {seen.step}."


def describe_distance(loss: float) -> str:
    """The root of a mean square, in words."""
    if not np.isfinite(loss):
        return "too far to be squared"
    return f"{number_of_log10(np.log10(loss) / 2) if loss else 0} standard deviations"


def describe_nonfinite(run: Run, seen: Measurement, index: int) -> str:
    """Nothing on the grid is a number: since when the network is known to be so."""
    event = run.breaks.get((index, 0))
    since = f"from step {event.step} on" if event and event.step <= seen.step else f"at step {seen.step}"
    return f"not a finite number anywhere {since}."
