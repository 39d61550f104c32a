"""Findings about what learns at all: parameters without a gradient, twins, exact zeros."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch
from torch import nn

from stability.i18n import LazySentence, lazy_gettext, lazy_ngettext
from stability.modules.examination import Examination, ParameterFacts
from stability.modules.finding import REPAIR, ListedNames, ModuleFinding, named
from stability.modules.findings_of_chains import underflows
from stability.modules.lineage import owner_of
from stability.modules.operations import CELLS, RECURRENT
from stability.modules.paths import Paths
from stability.modules.sizes import plain
from stability.modules.trials import weights_that_open
from stability.modules.twins import Twins
from stability.text import percent

RANDOM_SHARE = 0.5  # of all entries: so many different numbers make a random matrix
MOST_LISTED = 3
FIRST_NUMBERS = 64  # of a weight: where they are equal, all are compared


def unregistered(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find leaves of the loss's graph that no optimizer is given."""
    by_name: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for stranger in look.strangers:
        by_name[stranger.name].append(stranger.shape)
    for name, shapes in by_name.items():
        remedy = register(look.module, name)
        yield ModuleFinding("unregistered", name, not_listed(name, shapes), remedy)


def not_listed(name: str, shapes: list[tuple[int, ...]]) -> LazySentence:
    """Return the sentence about tensors that are no parameters, and hang on an attribute or not."""
    if name:
        return lazy_ngettext(
            "A tensor of shape {shape} in `{name}` would learn, but `parameters()` does not list "
            "it: no optimizer moves it.",
            "{count} tensors in `{name}` would learn, but `parameters()` does not list them: no "
            "optimizer moves them.",
            len(shapes), shape=shapes[0], name=name,
        )  # fmt: skip
    return lazy_ngettext(
        "A tensor of shape {shape} would learn, but `parameters()` does not list it: no optimizer "
        "moves it.",
        "{count} tensors would learn, but `parameters()` does not list them: no optimizer moves "
        "them.",
        len(shapes), shape=shapes[0],
    )  # fmt: skip


def register(module: nn.Module, name: str) -> str:
    """Return the line that registers what hangs on an attribute."""
    owner, _, key = name.rpartition(".")
    if not name:
        return ""
    value = getattr(module.get_submodule(owner), key, None)
    parts = list(value.values() if isinstance(value, dict) else value or ()) if isinstance(
        value, list | tuple | dict) else []  # fmt: skip
    kind = "Dict" if isinstance(value, dict) else "List"
    if isinstance(value, torch.Tensor):
        made = f"torch.nn.Parameter(model.{name}.detach())"
    elif parts and all(isinstance(part, nn.Module) for part in parts):
        made = f"torch.nn.Module{kind}(model.{name})"
    else:
        made = f"torch.nn.Parameter{kind}(model.{name})"
    return f"model.{name} = {made}"


def without_gradient(look: Examination, took_part: bool) -> set[str]:
    return {
        facts.name for facts in look.parameters
        if facts.parameter.requires_grad and facts.gradient is None
        and facts.took_part == took_part
    }  # fmt: skip


def detached(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find parameters that took part and that no gradient comes back to."""
    for where, count in modules_of(look, without_gradient(look, took_part=True)):
        yield ModuleFinding(
            "detached", where,
            lazy_gettext(
                "{parameters} took part in the forward pass, but no path leads back from the loss: "
                "a detach, a no_grad, or an output that the loss does not use.",
                parameters=count_of(count, where, look),
            ),
        )  # fmt: skip


def unused(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find parameters that the forward pass never touched."""
    modules = dict(look.module.named_modules())
    for where, count in modules_of(look, without_gradient(look, took_part=False)):
        yield ModuleFinding(
            "unused", where,
            lazy_gettext(
                "{parameters} never took part in the forward pass.",
                parameters=count_of(count, where, look),
            ),
            f'model.get_submodule("{where}").requires_grad_(False)' if where in modules else "",
        )  # fmt: skip


def count_of(count: int, where: str, look: Examination) -> LazySentence:
    if where in look.by_name:
        return lazy_gettext("The parameter `{name}`", name=where)
    return lazy_ngettext(
        "A parameter of {module}", "{count} parameters of {module}", count, module=named(where)
    )


def modules_of(look: Examination, names: set[str]) -> Iterator[tuple[str, int]]:
    """Yield the largest modules all of whose trainable parameters are among these, with counts.

    A parameter that stands alone in its module is named itself.
    """
    left = {name: None for name in (f.name for f in look.parameters) if name in names}
    for prefix, module in look.module.named_modules():
        if prefix:
            inside = [
                f"{prefix}.{name}" for name, p in module.named_parameters() if p.requires_grad
            ]
            if inside and all(name in left for name in inside):
                yield prefix, len(inside)
                for name in inside:
                    del left[name]
    for name in left:
        yield name, 1


def symmetric(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find hidden layers whose units have equal weights and equal gradients."""
    places: dict[str, Twins] = {}
    for layer in look.layers:
        for facts in (look.by_name[name] for name in layer.weight_names[:1]):
            if facts.twins and facts.twins.share >= 0.5 and paths.downstream(layer):
                places.setdefault(layer.place, facts.twins)
    if places:
        first, twins = next(iter(places.items()))
        gated = {layer.place for layer in look.layers if layer.name in RECURRENT | CELLS}
        sentence = lazy_gettext(
            "{units} of {layer} have a twin with equal weights and equal gradients, so every step "
            "changes them alike and they never become different.",
            units=twin_units(twins, first in gated), layer=named(first),
        )  # fmt: skip
        if len(places) > 1:
            sentence = lazy_ngettext(
                "{units} of {layer} have a twin with equal weights and equal gradients, so every "
                "step changes them alike and they never become different; the same holds for "
                "{count} more layer.",
                "{units} of {layer} have a twin with equal weights and equal gradients, so every "
                "step changes them alike and they never become different; the same holds for "
                "{count} more layers.",
                len(places) - 1, units=twin_units(twins, first in gated), layer=named(first),
            )  # fmt: skip
        yield ModuleFinding("symmetric", first, sentence, REPAIR)


def twin_units(twins: Twins, in_gates: bool) -> LazySentence:
    """Return how many units have a twin; of a layer with gates a unit is a row of weights."""
    if twins.share == 1:
        return lazy_gettext("All {count} rows of weights", count=twins.units) if in_gates else (
            lazy_gettext("All {count} units", count=twins.units))  # fmt: skip
    values = {"share": percent(twins.share), "count": twins.units}
    if in_gates:
        return lazy_gettext("{share} of the {count} rows of weights", **values)
    return lazy_gettext("{share} of the {count} units", **values)


def zero_gradients(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find weights whose gradient is exactly 0 and stays so while all others are trained."""
    moving = {owner_of(f.name) for f in look.parameters if f.gradient}
    zero = [
        f for f in look.parameters
        if f.gradient_is_zero and not rounded_to_0(look, f, paths) and not takes_one_step(look, f)
        # A bias that all units share, or that a norm takes away again, has none by right.
        and not (f.name.endswith("bias") and owner_of(f.name) in moving)
    ]  # fmt: skip
    if not zero:
        return
    names = {facts.name for facts in zero}
    closed = names - weights_that_open(look, names)
    open_owners = {owner_of(f.name) for f in look.parameters
                   if not f.name.endswith("bias") and f.name not in closed}  # fmt: skip
    places = list(dict.fromkeys(
        name if (owner := owner_of(name)) in open_owners or not owner else owner
        for name in (f.name for f in zero) if name in closed
    ))  # fmt: skip
    if places:
        yield ModuleFinding(
            "zero_gradient", places[0],
            lazy_gettext(
                "The gradient of {names} is exactly 0, and remained 0 in trial steps of all other "
                "weights, so it never begins to learn.", names=ListedNames(places, MOST_LISTED),
            ),
            REPAIR if any(not f.parameter.any() for f in zero) else "",
        )  # fmt: skip


def takes_one_step(look: Examination, facts: ParameterFacts) -> bool:
    """Return True for the weights of a recurrent state that is used once: it begins at 0."""
    calls = [o for o in look.layers if facts.name in o.parameters and o.name in RECURRENT | CELLS]
    return len(calls) == 1 and len(calls[0].times or (0,)) == 1 and "hh" in facts.name


def rounded_to_0(look: Examination, facts: ParameterFacts, paths: Paths) -> bool:
    """Return True if a gradient is 0 only since it vanished beneath the smallest number."""
    return any(
        underflows(layer, paths) for layer in look.layers if facts.name in layer.weight_names
    )


def identical_layers(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find layers of one shape that hold the same random weights in separate storage."""
    by_code: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for facts in look.parameters:
        weight = facts.parameter
        if weight.requires_grad and weight.dim() > 1 and facts.took_part and is_random(weight):
            code = tuple(plain(weight).flatten()[:FIRST_NUMBERS].tolist())
            by_code[tuple(weight.shape), code].append(facts.name)
    pairs = [names for names in by_code.values() if len(names) > 1 and are_equal(look, names)]
    if pairs:
        places = list(dict.fromkeys(owner_of(name) or name for names in pairs for name in names))
        yield ModuleFinding(
            "identical_layers", places[1] if len(places) > 1 else places[0],
            lazy_gettext(
                "{names} hold the same random numbers in separate storage: they start as one "
                "layer, copied.", names=ListedNames(pairs[0][:MOST_LISTED], MOST_LISTED),
            ),
            redraw(places),
        )  # fmt: skip


def are_equal(look: Examination, names: list[str]) -> bool:
    first, *others = (plain(look.by_name[name].parameter) for name in names)
    return all(torch.equal(first, other) for other in others)


def is_random(weight: torch.Tensor) -> bool:
    """Return True if most entries differ, as no constant, diagonal or sparse weight's do."""
    sample = plain(weight).flatten()[:4096].tolist()
    return len(set(sample)) > RANDOM_SHARE * len(sample) and len(sample) > 3


def redraw(places: Iterable[str]) -> str:
    """Return the line that draws all copies but the first anew."""
    return REPAIR if list(places) else ""
