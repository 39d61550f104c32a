"""Findings about numbers: not finite, out of a format, and far from unit scale."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from stability.i18n import N_, LazySentence, lazy_gettext, lazy_ngettext
from stability.modules import sizes
from stability.modules.examination import Examination
from stability.modules.finding import ModuleFinding, named
from stability.modules.lineage import owner_of
from stability.modules.measuring import FLOAT16_MAX
from stability.modules.operation import LOSS, MODULE, Operation
from stability.modules.operations import MASKED, REGRESSIONS
from stability.modules.paths import Paths
from stability.modules.tensors import tensors_in
from stability.text import number

MOST_INPUT, LEAST_INPUT, MOST_OFFSET = 10, 0.01, 10
MOST_TARGET, LEAST_TARGET = 30, 0.001


def non_finite_inputs(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find NaN or inf in inputs or targets that reach the loss or a gradient."""
    if math.isfinite(look.loss_value) and gradients_are_finite(look):
        return
    for name, given in ((N_("inputs"), look.inputs), (N_("targets"), look.targets)):
        for tensor in tensors_in(given):
            if sizes.is_measurable(tensor):
                numbers = sizes.plain(tensor)
                bad = ~numbers.isfinite()
                if bad.any() and numbers[~bad].any():  # zeros and -inf alone are a mask
                    word = str(numbers[bad][0].item()).replace("nan", "NaN")
                    yield ModuleFinding(
                        "non_finite_input", "",
                        lazy_gettext(
                            "The {name} hold {value} in {bad} of {all} numbers, and they reach the "
                            "loss or a gradient.", name=lazy_gettext(name), value=word,
                            bad=int(bad.sum()), all=bad.numel(),
                        ),
                        without_bad_numbers(name, look),
                    )  # fmt: skip
                    return


def without_bad_numbers(name: str, look: Examination) -> str:
    """Return the line that leaves out the examples with such numbers; "" for several inputs."""
    if not isinstance(look.inputs, torch.Tensor) or not isinstance(look.targets, torch.Tensor):
        return ""
    keep = f"keep = {name}.isfinite().flatten(1).all(1)"
    if (look.targets if name == "targets" else look.inputs).dim() == 1:
        keep = f"keep = {name}.isfinite()"
    return f"{keep}; inputs, targets = inputs[keep], targets[keep]"


def gradients_are_finite(look: Examination) -> bool:
    return all(facts.gradient_is_finite for facts in look.parameters)


def outputs_are_finite(look: Examination) -> bool:
    if look.loss:
        return math.isfinite(look.loss_value)
    return all(look.operations[i].is_finite for i in look.outputs)


def non_finite_forward(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find the first operation whose result leaves the finite numbers, masks excepted."""
    if outputs_are_finite(look):
        return
    for o in look.operations:
        if o.name in MASKED or o.is_finite:
            continue
        before = [look.operations[parent] for parent in o.parents]
        fresh = all(parent.is_finite for parent in before)
        if o.has_nan and not any(parent.has_nan for parent in before):
            word = "NaN"
        elif o.has_inf and fresh:
            word = "inf"
        elif o.has_negative_inf and fresh and "parameter" in o.origins:
            word = "-inf"
        else:
            continue
        place = o.place if o.phase == MODULE else ""
        yield ModuleFinding("non_finite_forward", place, first_not_finite(o, word))
        return
    if look.loss and not math.isfinite(look.loss_value):
        sentence = lazy_gettext("The loss is {value}.", value=number(look.loss_value))
        yield ModuleFinding("non_finite_forward", "", sentence)


def first_not_finite(o: Operation, value: str) -> LazySentence:
    """Return the sentence about the operation that gives the first value that is not finite."""
    sentence = lazy_gettext(
        "The first value that is not finite is {value}, out of `{function}` in {place}.",
        value=value, function=o.name,
        place=named(o.place) if o.phase == MODULE else lazy_gettext("the loss"),
    )  # fmt: skip
    if o.name not in STABLE_FORMS:
        return sentence
    advice = lazy_gettext(STABLE_FORMS[o.name])
    return lazy_gettext("{sentence} {advice}", sentence=sentence, advice=advice)


STABLE_FORMS = {
    "log": N_("If its input is a softmax, use log_softmax instead."),
    "exp": N_("Clamp its input from above."),
    "sqrt": N_("Keep its input above 0."),
}


def non_finite_backward(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find where a gradient is no longer finite although all values are."""
    bad = [facts for facts in look.parameters if not facts.gradient_is_finite]
    if not bad or not math.isfinite(look.loss_value):
        return
    place, cause = place_of_bad_gradient(look, owner_of(bad[0].name))
    where = named(place) if place else lazy_gettext("the loss")
    beginning = lazy_gettext("it begins at a parameter in {place}", place=where)
    if cause:
        beginning = lazy_gettext(
            "it begins on the way back through `{function}` in {place}", function=cause, place=where
        )
    sentence = lazy_ngettext(
        "Loss and values are finite, but the gradient of one parameter is not: {beginning}.",
        "Loss and values are finite, but the gradients of {count} parameters are not: {beginning}.",
        len(bad), beginning=beginning,
    )  # fmt: skip
    yield ModuleFinding("non_finite_backward", place, sentence, larger_epsilon(look, place))


def place_of_bad_gradient(look: Examination, otherwise: str) -> tuple[str, str]:
    """Return the module, or "" for the loss, and the function whose way back is not finite."""
    for o in reversed(look.operations):
        if o.gradient_largest != -1 and not math.isfinite(o.gradient_largest):
            takers = [look.operations[i] for i in o.children]
            fine = [t for t in takers if t.gradient_largest == -1 or
                    math.isfinite(t.gradient_largest)]  # fmt: skip
            if not fine:
                return (o.place if o.phase == MODULE else ""), o.name
            taker = fine[-1]
            return (taker.place if taker.phase == MODULE else ""), taker.name
    return otherwise, ""


def larger_epsilon(look: Examination, place: str) -> str:
    module = dict(look.module.named_modules()).get(place)
    return f"model.{place}.eps = 1e-5" if place and getattr(module, "eps", 1) < 1e-6 else ""


def input_scale(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find inputs far from unit scale that reach a layer with weights as they are."""
    for layer in look.layers:
        if not layer.input_is_raw or not math.isfinite(layer.input_rms) or not layer.input_rms:
            continue
        size, shift = layer.input_rms, layer.input_offset
        if LEAST_INPUT <= size <= MOST_INPUT and shift <= MOST_OFFSET:
            continue
        size_in_words = lazy_gettext("an RMS of {size}", size=number(size))
        if size <= MOST_INPUT and shift > MOST_OFFSET:
            size_in_words = lazy_gettext(
                "a mean {shift} standard deviations away from 0", shift=number(shift)
            )
        sentence = lazy_gettext(
            "The inputs reach {layer} with {size}; weight layers are made for inputs of mean 0 and "
            "standard deviation 1.", layer=named(layer.place), size=size_in_words,
        )  # fmt: skip
        yield ModuleFinding("input_scale", "", sentence, standardizing_line(look.inputs))
        return


def standardizing_line(inputs: Any) -> str:
    """Return the line that gives inputs mean 0 and standard deviation 1."""
    if isinstance(inputs, torch.Tensor):
        axis = "0" if inputs.dim() == 2 else ""
        return f"inputs = (inputs - inputs.mean({axis})) / (inputs.std({axis}) + 1e-8)"
    made = (
        "{k: f(v) for k, v in inputs.items()}"
        if isinstance(inputs, dict)
        else "tuple(map(f, inputs))"
    )
    return (f"f = lambda v: (v - v.mean(0)) / (v.std(0) + 1e-8) if v.is_floating_point() else v; "
            f"inputs = {made}")  # fmt: skip


def target_scale(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find regression targets far from unit scale where the loss compares them."""
    for o in look.operations:
        c = o.comparison
        if not c or o.name not in REGRESSIONS or not c.targets_are_real or not c.target_rms:
            continue
        large = c.target_rms > MOST_TARGET and not c.output_rms > c.target_rms / 10
        small = c.target_rms < LEAST_TARGET and not c.output_rms < c.target_rms * 10
        if large or small:
            yield ModuleFinding(
                "target_scale", "",
                lazy_gettext(
                    "The targets have an RMS of {targets}, the outputs one of {outputs}, so the "
                    "first steps learn nothing but the scale.",
                    targets=number(c.target_rms), outputs=number(c.output_rms),
                ),
                "targets = (targets - targets.mean(0)) / (targets.std(0) + 1e-8)"
                if isinstance(look.targets, torch.Tensor) else "",
            )  # fmt: skip
            return


def leaves_float16(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find the first value that float32 holds and float16 does not, masks excepted."""
    for o in look.operations:
        if o.phase == LOSS or o.dtype is not torch.float32 or not made_large(o):
            continue
        yield ModuleFinding(
            "leaves_float16", o.place,
            lazy_gettext(
                "`{function}` in {layer} reaches {value}; beyond {most} a float16 is inf.",
                function=o.name, layer=named(o.place), value=number(o.largest), most=FLOAT16_MAX,
            ),
            f'autocast = torch.autocast("{device_of(look)}", dtype=torch.bfloat16)',
        )  # fmt: skip
        return


def device_of(look: Examination) -> str:
    return look.parameters[0].parameter.device.type


def made_large(o: Operation) -> bool:
    """Return True if an operation makes a number too large for float16 out of smaller ones."""
    if not FLOAT16_MAX < o.largest < math.inf or o.name in MASKED:
        return False
    return bool(o.origins) and o.given_largest <= FLOAT16_MAX
