"""Faults that lie in the data or the settings, whatever the initialization, and their repair.

To add one, add a row: its sentence stands in the verdict on a network that does not learn, its
repair is the first suggestion, and the search for a cure and the audit try it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stability.i18n import Translated, _
from stability.records.experiment import Experiment
from stability.text import number, percent, rough_number

FAR = 10.0  # times too large or too small: a factor of 100 on what a step does
OFF_CENTRE = 3.0  # standard deviations: all but one input of a thousand are of one sign
MOSTLY = 0.75  # of the labels: with fewer wrong ones a network can still learn
LARGE_EPSILON = 0.01  # larger than nearly all entries of the gradients that training meets
SMALL_EPSILON = 1e-6  # that no format rounds to 0
LARGE_BIASES = 3.0  # standard deviations, beside signals of about 1
ONE_SIDED = 0.5  # standard deviations: from here on two weights of three have one sign


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A row. `clause` says what is wrong with an experiment, and is empty where nothing is.

    `repair` are the settings that mend it, `label` says so on a button.
    """

    key: str
    label: Translated = Translated()
    repair: Mapping[str, Any]
    clause: Callable[[Experiment], str]


def unscaled_inputs(e: Experiment) -> str:
    """Return that the inputs are far from size 1, or from mean 0."""
    scaling, offset = e.dataset_row.scaling, abs(e.input_offset)
    if not 1 / FAR < scaling.input_scale < FAR:
        clause = _(
            "the inputs are not scaled: their RMS is {size}, and first weights are made for inputs "
            "of about 1"
        )
        return clause.format(size=rough_number(scaling.input_size))
    if offset > OFF_CENTRE:
        clause = _(
            "the inputs are not centred: their mean is {offset} standard deviations from 0, so all "
            "units of the first layer move together"
        )
        return clause.format(offset=rough_number(offset))
    return ""


def unscaled_targets(e: Experiment) -> str:
    """Return that the targets of a regression are far from size 1, or from mean 0."""
    scaling, offset = e.dataset_row.scaling, abs(e.target_offset)
    if e.dataset_row.classes:
        return ""
    if not 1 / FAR < scaling.target_scale < FAR:
        clause = _(
            "the targets are not scaled: their RMS is {size}, and a network starts with outputs of "
            "about 1"
        )
        return clause.format(size=rough_number(scaling.target_size))
    if offset > OFF_CENTRE:
        clause = _(
            "the targets are not centred: their mean is {offset} standard deviations from 0, and a "
            "network starts with outputs around 0"
        )
        return clause.format(offset=rough_number(offset))
    return ""


def shifted_weights(e: Experiment) -> str:
    """Return that the first weights are mostly of one sign."""
    if abs(e.weight_mean) < ONE_SIDED:
        return ""
    if e.weight_mean > 0:
        return _(
            "the first weights are mostly positive, as by rand instead of randn: all units of a "
            "layer get nearly the same signal"
        )
    return _(
        "the first weights are mostly negative, as by rand instead of randn: all units of a layer "
        "get nearly the same signal"
    )


def large_biases(e: Experiment) -> str:
    """Return that the first biases are far larger than what the weights make of the inputs."""
    if e.bias_std < LARGE_BIASES:
        return ""
    clause = _(
        "the first biases have a standard deviation of {size}, and drown what comes from the "
        "inputs, whose size is about 1"
    )
    return clause.format(size=number(e.bias_std))


def harmful_output(e: Experiment) -> str:
    """Return what the function behind the last layer does before the loss."""
    row, classes = e.output_row, e.dataset_row.classes
    harm = row.harm_to_classes if classes else row.harm_to_values
    if not harm:
        return ""
    least = row.least_loss(classes)
    clause = _("a {activation} stands before the loss, and {harm}")
    if least:
        clause = _(
            "a {activation} stands before the loss, and {harm}: no loss below {least} is possible"
        )
    return clause.format(activation=row.label, harm=harm, least=number(least))


def wrong_labels(e: Experiment) -> str:
    """Return that most labels are wrong, so that they teach nothing."""
    if not e.dataset_row.classes or e.label_noise < MOSTLY:
        return ""
    clause = _("{share} of the training labels are wrong, and those held out are right")
    return clause.format(share=percent(e.label_noise))


def endless_warmup(e: Experiment) -> str:
    """Return that the run ends long before the learning rate has reached its value."""
    if e.warmup < 2 * e.steps:
        return ""
    clause = _(
        "the warm-up is longer than the run: in {steps} steps the learning rate only rises to "
        "{share} of its value"
    )
    return clause.format(steps=e.steps, share=percent(e.rate_factor(e.steps - 1)))


def large_epsilon(e: Experiment) -> str:
    """Return that the optimizer divides by its epsilon, and hardly by the gradient's size."""
    if not e.optimizer_row.has_epsilon or e.epsilon < LARGE_EPSILON:
        return ""
    clause = _(
        "{optimizer} divides each gradient by its usual size plus an epsilon of {epsilon}, which "
        "is far more than that size: the steps are much smaller than the learning rate says"
    )
    return clause.format(optimizer=e.optimizer_row.label, epsilon=number(e.epsilon))


FAULTS = (
    Fault(
        key="scaled inputs", label="Scale the inputs", clause=unscaled_inputs,
        repair={"input_scale": 1.0, "input_offset": 0.0},
    ),
    Fault(
        key="scaled targets", label="Scale the targets", clause=unscaled_targets,
        repair={"target_scale": 1.0, "target_offset": 0.0},
    ),
    Fault(
        key="centred weights", label="Draw the weights around 0", clause=shifted_weights,
        repair={"weight_mean": 0.0},
    ),
    Fault(
        key="zero biases", label="Start the biases at 0", clause=large_biases,
        repair={"bias_std": 0.0},
    ),
    Fault(
        key="raw output", label="Leave out the output activation", clause=harmful_output,
        repair={"output_activation": "none"},
    ),
    Fault(
        key="right labels", label="Set the labels right", clause=wrong_labels,
        repair={"label_noise": 0.0},
    ),
    Fault(
        key="no warm-up", label="Leave out the warm-up", clause=endless_warmup,
        repair={"warmup": 0},
    ),
    Fault(
        key="small epsilon", label="Make epsilon small", clause=large_epsilon,
        repair={"epsilon": SMALL_EPSILON},
    ),
)  # fmt: skip


def faults_of(e: Experiment) -> Iterator[tuple[Fault, str]]:
    """Yield the faults of an experiment, each with its clause."""
    for fault in FAULTS:
        if clause := fault.clause(e):
            yield fault, clause


def repair_label(settings: Mapping[str, Any]) -> str:
    """Return what these settings repair, as the label of a button; nothing if they do not."""
    return next((fault.label for fault in FAULTS if fault.repair == settings), "")
