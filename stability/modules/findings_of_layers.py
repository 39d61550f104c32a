"""Findings about single layers: dead, saturated, fed with too little, added out of scale."""

import math
from collections.abc import Iterator

from torch import nn

from stability.i18n import LazySentence, lazy_gettext, lazy_ngettext
from stability.modules.examination import Examination
from stability.modules.finding import REPAIR, ModuleFinding, named
from stability.modules.findings_of_the_loss import replace_module
from stability.modules.lineage import ADDITIONS
from stability.modules.operation import MODULE, Operation
from stability.modules.operations import AFFINE, PASSED_ON, PRODUCTS
from stability.modules.paths import Paths
from stability.modules.trials import is_affine, mixing_module
from stability.modules.units import excess
from stability.text import number, percent

FEWEST_VALUES = 2
DEAD_SHARE, SATURATED_SHARE, ONE_HOT = 0.9, 0.3, 0.9
BOTTLENECK_UNITS, BOTTLENECK_SHARE = 4, 0.2
DROWNED = 20.0
LARGEST_SCORE = 3.0  # of attention that is soft: e^3 to 1


def norms_of_one(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find normalizations that take their statistics over one or two values."""
    for o in look.operations:
        if o.values_per_statistic <= FEWEST_VALUES:
            sentence = lazy_gettext(
                "The normalization in {layer} takes its mean and variance over two values, and so "
                "gives -1 and 1, whatever comes in.", layer=named(o.place),
            )  # fmt: skip
            if int(o.values_per_statistic) == 1:
                sentence = lazy_gettext(
                    "The normalization in {layer} takes its mean and variance over one value, and "
                    "so gives 0, whatever comes in.", layer=named(o.place),
                )  # fmt: skip
            identity = "torch.nn.Identity()"
            yield ModuleFinding(
                "norm_of_one", o.place, sentence,
                f'model.set_submodule("{o.place}", {identity})' if o.place else "",
            )  # fmt: skip
            return


def mixed_examples(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find a module in which the output of an example depends on the others."""
    place = mixing_module(look)
    if place is not None:
        module = dict(look.module.named_modules()).get(place)
        axis = getattr(module, "batch_first", True) is False
        sentence = lazy_gettext(
            "The output of one of {examples} examples changes with the inputs of the others; it "
            "shows first in {layer}.",
            examples=look.examples, layer=named(place),
        )  # fmt: skip
        if axis:
            sentence = lazy_gettext(
                "The output of one of {examples} examples changes with the inputs of the others; "
                "it shows first in {layer}, which takes the first axis for time.",
                examples=look.examples, layer=named(place),
            )  # fmt: skip
        yield ModuleFinding(
            "mixes_examples", place, sentence,
            f"model.{place}.batch_first = True" if axis and place else "",
        )  # fmt: skip


def of_first_in_chain(found: list[Operation], paths: Paths) -> Iterator[Operation]:
    """Yield the operations that none of the others before them leads to."""
    first: list[Operation] = []
    for o in found:
        if not any(paths.descends(o, earlier) for earlier in first):
            first.append(o)
            yield o


def place_of(o: Operation, paths: Paths) -> str:
    """Return the layer that feeds an activation, or else where the activation stands."""
    layer = paths.layer_before(o.index)
    return layer.place if layer and layer.place else o.place


def dead_layers(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find layers nearly all of whose rectifiers are off for every example."""
    found = []
    for o in look.operations:
        units = o.units
        if units and units.kind.rectifies and units.dead >= DEAD_SHARE and "parameter" in o.origins:
            layer = look.recorder.lineage.nearest_layer(o.index if o.is_layer else o.parents[0])
            if not (layer and layer.weight_is_zero):
                found.append(o)
    for o in of_first_in_chain(found, paths):
        place = place_of(o, paths)
        assert o.units
        yield ModuleFinding(
            "dead", place,
            lazy_gettext(
                "{share} of the rectified units behind {layer} are off for every example of the "
                "batch. No gradient passes through them, so they cannot recover.",
                share=percent(o.units.dead), layer=named(place),
            ),
            REPAIR,
        )  # fmt: skip


def bottlenecks(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find a few rectified units that are all off for many examples, in front of other layers."""
    for o in look.operations:
        units = o.units
        if (units and units.kind.rectifies and units.units <= BOTTLENECK_UNITS
                and units.off > BOTTLENECK_SHARE and paths.downstream(o)):  # fmt: skip
            place = place_of(o, paths)
            yield ModuleFinding(
                "bottleneck", place,
                lazy_ngettext(
                    "For {share} of the examples the one rectified unit is off behind {layer}: "
                    "nothing about these examples reaches the later layers.",
                    "For {share} of the examples all {count} rectified units are off behind "
                    "{layer}: nothing about these examples reaches the later layers.",
                    units.units, share=percent(units.off), layer=named(place),
                ),
                replace_module(look, o.place, "torch.nn.LeakyReLU(0.1)"),
            )  # fmt: skip


def saturated_layers(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find activations that are flat beyond what is flat by design, and one-hot attention."""
    ends = [paths.last_function(index) for index in look.outputs]
    flat = [
        o for o in look.operations
        if o.units and not o.units.kind.rectifies and excess(o.units) > SATURATED_SHARE
        and "parameter" in o.origins
    ]  # fmt: skip
    hard = [o for o in look.operations if o.one_hot > ONE_HOT and o not in ends
            and "parameter" in o.origins]  # fmt: skip
    for o in of_first_in_chain(sorted(flat + hard, key=lambda o: o.index), paths):
        if o in hard:
            place = o.place
            words = lazy_gettext(
                "The rows of attention in {layer} are nearly one-hot: their largest weight is "
                "{weight} on average, and no gradient moves them.",
                layer=named(place), weight=number(o.one_hot),
            )  # fmt: skip
        else:
            place = place_of(o, paths)
            assert o.units
            words = lazy_gettext(
                "{share} of the activations behind {layer} lie where `{function}` is flat: they "
                "pass on almost no gradient.",
                share=percent(o.units.flat), layer=named(place), function=o.name,
            )  # fmt: skip
        yield ModuleFinding("saturated", place, words, soften(o, look, paths) or REPAIR)


def soften(softmax: Operation, look: Examination, paths: Paths) -> str:
    """Return the line that shrinks the queries and keys of attention; "" where they are hidden."""
    o: Operation | None = softmax if softmax.is_softmax else None
    while o and o.name not in PRODUCTS:
        o = look.operations[o.parents[0]] if o.parents else None
    layers = [paths.layer_before(parent) for parent in o.parents] if o else []
    if not o or len(layers) != 2 or not all(layer and layer.weight_names for layer in layers):
        return ""
    names = list(dict.fromkeys(layer.weight_names[0] for layer in layers if layer))
    factor = (LARGEST_SCORE / o.largest) ** (1 / len(names))
    return f"for name in {names}: model.get_parameter(name).data.mul_({factor:.2g})"


def scale_imbalances(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find an embedding that drowns in what is added to it, or drowns that."""
    for o in look.operations:
        if len(o.summands) != 2 or o.phase != MODULE:
            continue
        (one, size), (other, other_size) = o.summands
        for index, own, against, its in (
            (one, size, other, other_size),
            (other, other_size, one, size),
        ):
            embedding = embedding_behind(index, look)
            if not embedding or not own or not its:
                continue
            if against >= 0 and paths.descends(look.operations[against], embedding):
                continue
            ratio = max(own / its, its / own)
            if DROWNED <= ratio < math.inf:
                yield ModuleFinding(
                    "scale_imbalance", embedding.place, imbalance(embedding.place, own, its),
                    as_loud(embedding, its, look),
                )  # fmt: skip
                return


def imbalance(place: str, own: float, other: float) -> LazySentence:
    """Return the sentence about an embedding and what is added to it, by their RMS."""
    values = {
        "layer": named(place), "own": number(own), "other": number(other),
        "ratio": number(max(own / other, other / own)),
    }  # fmt: skip
    if own < other:
        return lazy_gettext(
            "{layer} has an RMS of {own}, what is added to it {other}, {ratio} times as much: the "
            "smaller one is hardly seen.", **values,
        )  # fmt: skip
    return lazy_gettext(
        "{layer} has an RMS of {own}, what is added to it {other}, {ratio} times as little: the "
        "smaller one is hardly seen.", **values,
    )  # fmt: skip


def as_loud(embedding: Operation, size: float, look: Examination) -> str:
    """Return the line that draws an embedding as large as what is added to it.

    One that is tied to the readout would make large logits: there all is drawn anew.
    """
    names = embedding.parameters
    if not names or len(look.by_name[names[0]].names) > 1:
        return REPAIR
    return f'torch.nn.init.normal_(model.get_parameter("{names[0]}"), std={size:.2g})'


def embedding_behind(index: int, look: Examination) -> Operation | None:
    """Return the embedding whose rows a result is, scaled perhaps; None for any other result."""
    while index >= 0:
        o = look.operations[index]
        if o.name == "embedding":
            return o
        if o.name in ADDITIONS:  # a sum of embeddings is one, too
            parts = [embedding_behind(parent, look) for parent in o.parents]
            return parts[0] if parts and all(parts) else None
        if o.name not in PASSED_ON | {"mul", "rmul", "div", "truediv"}:
            return None
        index = o.parents[0] if o.parents else -1
    return None


def without_nonlinearity(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find layers with weights one behind the other and no nonlinear function anywhere."""
    chained = [layer for layer in look.layers if paths.downstream(layer)]
    module = [o for o in look.operations if o.phase == MODULE and "input" in o.origins]
    if not chained or any(o.name not in AFFINE for o in module) or not is_affine(look):
        return
    count = len({layer.place for layer in look.layers})
    inner = list(dict.fromkeys(layer.place for layer in chained))
    yield ModuleFinding(
        "no_nonlinearity", "",
        lazy_gettext(
            "{count} layers with weights follow one another and no nonlinear function is called: "
            "together they are a single affine map, and depth adds nothing.", count=count,
        ),
        activate(look, inner),
    )  # fmt: skip


def activate(look: Examination, places: list[str]) -> str:
    """Return the line that puts a ReLU behind layers; "" where one is no module."""
    modules = dict(look.module.named_modules())
    if not all(isinstance(modules.get(place), nn.Module) and place for place in places):
        return ""
    return (f"for name in {places}: model.get_submodule(name)"
            f".register_forward_hook(lambda m, x, y: torch.relu(y))")  # fmt: skip
