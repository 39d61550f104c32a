"""Findings about the loss: what it is given, in which shape, and what it says at first."""

import math
from collections.abc import Iterator
from math import prod

from torch import Tensor

from stability.i18n import N_, LazySentence, lazy_gettext
from stability.modules.examination import Examination
from stability.modules.finding import ModuleFinding, named
from stability.modules.operation import MODULE, LossComparison, Operation
from stability.modules.operations import (
    ACTIVATION_KINDS,
    COMBINATIONS,
    DIFFERENCES,
    ELEMENTWISE_LOSSES,
)
from stability.modules.paths import Paths
from stability.text import number

ON_LOGITS = {"cross_entropy", "binary_cross_entropy_with_logits"}
ON_LOGARITHMS = {"nll_loss", "kl_div", "ctc_loss"}
MOST_MISSED = 0.05  # of 1, by summed probabilities, in logarithms
OUT_OF_RANGE = 0.1  # standard deviations of the targets: what a range may miss
CROSS_ENTROPY_NAMES = {
    "cross_entropy": N_("cross entropy"),
    "nll_loss": N_("nll loss"),
    "binary_cross_entropy": N_("binary cross entropy"),
    "binary_cross_entropy_with_logits": N_("binary cross entropy with logits"),
}
MORE_NATS, MORE_TIMES = 5, 2  # of the first loss than guessing


def output_activations(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find a last function that does not fit the loss."""
    for o in look.operations:
        if o.is_softmax_of_one and is_last(o, look, paths):
            yield ModuleFinding(
                "output_activation", o.place,
                lazy_gettext(
                    "The softmax in {layer} is taken over a single value, and is 1 whatever comes "
                    "in.", layer=named(o.place),
                ),
                replace_module(look, o.place, "torch.nn.Sigmoid()"),
            )  # fmt: skip
            return
        if not o.comparison:
            continue
        last = paths.last_function(o.comparison.output)
        if reason := misfit(o, o.comparison, last):
            layer = paths.layer_before(o.comparison.output)
            place = last.place if last and last.phase == MODULE and last.place else ""
            place = place or (layer.place if layer else "")
            remedy = replace_module(look, place, "torch.nn.Identity()")
            if not remedy and o.name in ON_LOGITS and last:
                remedy = without_module(look, last.name)
            if o.name in ON_LOGARITHMS:
                remedy = replace_module(look, place, "torch.nn.LogSoftmax(dim=-1)")
                if not remedy and o.name == "nll_loss":
                    remedy = "loss = torch.nn.functional.cross_entropy"
            yield ModuleFinding("output_activation", place, reason, remedy)
            return


def is_last(o: Operation, look: Examination, paths: Paths) -> bool:
    ends = [*look.outputs, *(p.comparison.output for p in look.operations if p.comparison)]
    return any(paths.last_function(index) is o for index in ends)


def misfit(o: Operation, c: LossComparison, last: Operation | None) -> LazySentence | None:
    """Return the sentence that says why the last function does not fit; None if it does."""
    name = last.name if last else ""
    if o.name in ON_LOGITS:
        low, high = range_of(name)
        if low > -math.inf or high < math.inf:
            return lazy_gettext(
                "`{loss}` takes logits, which may be any real numbers, but gets the output of "
                "`{function}`, {consequence}",
                loss=o.name, function=name, consequence=cut(low, high),
            )  # fmt: skip
    elif o.name in ON_LOGARITHMS:
        if c.log_total > MOST_MISSED:
            return lazy_gettext(
                "`{loss}` takes log-probabilities, whose exponentials sum to 1, but what it gets "
                "sums to up to e^{exponent} times more or less.",
                loss=o.name, exponent=number(c.log_total),
            )  # fmt: skip
    elif o.name in DIFFERENCES and c.targets_are_real and last and last.phase == MODULE:
        low, high = range_of(name)
        if -math.inf < low or high < math.inf:
            missed = max(low - c.target_low, c.target_high - high)
            if missed > max(1e-6, OUT_OF_RANGE * c.target_std):
                return lazy_gettext(
                    "The outputs end in `{function}`, which gives numbers from {low} to {high}; "
                    "the targets lie between {least} and {most}.",
                    function=name, low=number(low), high=number(high),
                    least=number(c.target_low), most=number(c.target_high),
                )  # fmt: skip
    return None


def range_of(name: str) -> tuple[float, float]:
    """Return between which numbers the results of a function lie."""
    if name == "softmax":
        return 0.0, 1.0
    kind = ACTIVATION_KINDS.get(name)
    return (kind.low, kind.high) if kind else (-math.inf, math.inf)


def cut(low: float, high: float) -> LazySentence:
    """Return what a range does to logits, as the end of a sentence."""
    if low > -math.inf and high < math.inf:
        return lazy_gettext(
            "between {low} and {high}: however right the network is, its loss stays far above 0.",
            low=number(low), high=number(high),
        )  # fmt: skip
    if low > -math.inf:
        return lazy_gettext(
            "never below {low}: what is cut off passes on hardly any gradient.", low=number(low)
        )
    return lazy_gettext(
        "never above {high}: what is cut off passes on hardly any gradient.", high=number(high)
    )


def without_module(look: Examination, name: str) -> str:
    """Return the line that gives the loss what it expects where a last function has no module."""
    if not all(look.operations[i].name == name for i in look.outputs):
        return ""
    lines = {
        "softmax": "loss = lambda p, y: torch.nn.functional.nll_loss(torch.log(p + 1e-9), y)",
        "sigmoid": "loss = torch.nn.functional.binary_cross_entropy",
    }
    return lines.get(name, "")


def replace_module(look: Examination, place: str, by: str) -> str:
    """Return the line that puts another module in the place of one; "" if it has weights."""
    module = dict(look.module.named_modules()).get(place)
    if not place or module is None or next(module.parameters(), None) is not None:
        return ""
    return f'model.set_submodule("{place}", {by})'


def broadcast_losses(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find outputs and targets of different shapes that are broadcast against each other."""
    for o in look.operations:
        c = o.comparison
        if not c or c.output_shape == c.target_shape:
            continue
        grows = prod(o.shape) > max(prod(c.output_shape), prod(c.target_shape))
        crosses = o.name in COMBINATIONS and grows and len(c.output_shape) != len(c.target_shape)
        if crosses or (o.name in ELEMENTWISE_LOSSES and o.name != "kl_div"):
            shape = ", ".join(map(str, c.output_shape))
            yield ModuleFinding(
                "broadcast_loss", "",
                lazy_gettext(
                    "Outputs of shape {outputs} meet targets of shape {targets}: every output is "
                    "also compared with the targets of other examples.",
                    outputs=c.output_shape, targets=c.target_shape,
                ),
                f"targets = targets.reshape({shape})"
                if prod(c.output_shape) == prod(c.target_shape)
                and isinstance(look.targets, Tensor) else "",
            )  # fmt: skip
            return


def first_losses(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find a cross-entropy that begins far above guessing."""
    for o in look.operations:
        if not o.comparison or not o.comparison.classes:
            continue
        guess, first = math.log(o.comparison.classes or 1), o.comparison.mean
        if first > max(guess + MORE_NATS, MORE_TIMES * guess) and first < math.inf:
            layer = paths.layer_before(o.comparison.output)
            place = layer.place if layer else ""
            yield ModuleFinding(
                "first_loss", place,
                lazy_gettext(
                    "The first {loss} is {first}, while guessing costs {guess}: the outputs of "
                    "{layer} are far too large, and the first steps only shrink them.",
                    loss=lazy_gettext(CROSS_ENTROPY_NAMES.get(o.name, o.name)),
                    first=number(first), guess=number(guess), layer=named(place),
                ),
                smaller_layer(look, layer, guess / first),
            )  # fmt: skip
            return


def smaller_layer(look: Examination, layer: Operation | None, factor: float) -> str:
    """Return the line that shrinks the weights of the last layer; "" for one without a module."""
    if layer is None or not layer.weight_names or ".parametrizations." in layer.weight_names[0]:
        return ""
    return f'model.get_parameter("{layer.weight_names[0]}").data.mul_({0.1 * factor:.2g})'
