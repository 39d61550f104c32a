"""Findings about what learns at all: parameters without a gradient, twins, exact zeros."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch
from torch import nn

from stability.modules.examination import Examination, ParameterFacts
from stability.modules.finding import REPAIR, ModuleFinding, named
from stability.modules.findings_of_chains import underflows
from stability.modules.lineage import owner_of
from stability.modules.operations import CELLS, RECURRENT
from stability.modules.paths import Paths
from stability.modules.sizes import plain
from stability.modules.trials import weights_that_open
from stability.modules.twins import Twins
from stability.text import join_words, percent

RANDOM_SHARE = 0.5  # of all entries: so many different numbers make a random matrix
MOST_LISTED = 3
FIRST_NUMBERS = 64  # of a weight: where they are equal, all are compared


def unregistered(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find leaves of the loss's graph that no optimizer is given."""
    by_name: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for stranger in look.strangers:
        by_name[stranger.name].append(stranger.shape)
    for name, shapes in by_name.items():
        count = len(shapes)
        what = f"{count} tensors" if count > 1 else f"A tensor of shape {shapes[0]}"
        where = f" in `{name}`" if name else ""
        yield ModuleFinding(
            "unregistered", name,
            f"{what}{where} would learn, but `parameters()` does not list "
            f"{'them' if count > 1 else 'it'}: no optimizer moves {'them' if count > 1 else 'it'}.",
            register(look.module, name),
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
            f"{count_of(count, where, look)} took part in the forward pass, but no path leads "
            f"back from the loss: a detach, a no_grad, or an output that the loss does not use.",
        )  # fmt: skip


def unused(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find parameters that the forward pass never touched."""
    modules = dict(look.module.named_modules())
    for where, count in modules_of(look, without_gradient(look, took_part=False)):
        yield ModuleFinding(
            "unused", where,
            f"{count_of(count, where, look)} never took part in the forward pass.",
            f'model.get_submodule("{where}").requires_grad_(False)' if where in modules else "",
        )  # fmt: skip


def count_of(count: int, where: str, look: Examination) -> str:
    if where in look.by_name:
        return f"The parameter `{where}`"
    return f"{count} parameters of {named(where)}" if count > 1 else f"A parameter of `{where}`"


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
        others = len(places) - 1
        more = (
            f"; the same holds for {others} more layer{'s' if others > 1 else ''}" if others else ""
        )
        gated = {layer.place for layer in look.layers if layer.name in RECURRENT | CELLS}
        rows = "rows of weights" if first in gated else "units"
        share = "All" if twins.share == 1 else f"{percent(twins.share)} of the"
        yield ModuleFinding(
            "symmetric", first,
            f"{share} {twins.units} {rows} of {named(first)} have a twin "
            f"with equal weights and equal gradients, so every step changes them alike and they "
            f"never become different{more}.",
            REPAIR,
        )  # fmt: skip


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
        more = [f"{len(places) - MOST_LISTED} more"] if len(places) > MOST_LISTED else []
        listed = join_words([f"`{place}`" for place in places[:MOST_LISTED]] + more)
        yield ModuleFinding(
            "zero_gradient", places[0],
            f"The gradient of {listed} is exactly 0, and remained 0 in trial steps of all other "
            f"weights, so it never begins to learn.",
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
            f"{join_words([f'`{name}`' for name in pairs[0][:MOST_LISTED]])} hold the same random "
            f"numbers in separate storage: they start as one layer, copied.",
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
