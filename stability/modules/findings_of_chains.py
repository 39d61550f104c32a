"""Findings about chains of layers, through depth or time: exploding and vanishing."""

import math
from collections import Counter
from collections.abc import Iterator

from stability.i18n import LazySentence, lazy_gettext
from stability.modules.examination import Examination
from stability.modules.finding import REPAIR, ModuleFinding, named
from stability.modules.operation import Operation
from stability.modules.paths import Paths
from stability.text import number

FACTOR = 1000.0  # of a layer or of a chain: more explodes, less than its inverse vanishes
TIME_FACTOR = 1e7  # through time: what float32 can still add
UNROLLED = 3  # calls of one weight from which on a chain is one through time
UNDERFLOWN = 1e-20  # of the largest gradient behind a layer: what follows upstream is rounded to 0


def exploding(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find a layer, or a chain, that multiplies signal or gradient by a thousand."""
    found = next(growths(look, paths), None)
    if found:
        place, growth = found
        sentence = lazy_gettext(
            "{growth}: no one learning rate suits all layers, and first steps overshoot.",
            growth=growth,
        )
        yield ModuleFinding("exploding", place, sentence, REPAIR)


def growths(look: Examination, paths: Paths) -> Iterator[tuple[str, LazySentence]]:
    """Yield where something grows too much, and the words for it: in a layer, then in chains."""
    for layer in look.layers:
        place = named(layer.place)
        factor = layer.spread / layer.input_spread if layer.input_spread else math.nan
        if factor >= FACTOR:
            words = lazy_gettext("{layer} multiplies the signal by {factor}",
                                 layer=place, factor=number(factor))  # fmt: skip
            yield layer.place, words
        steps = [size for size in layer.times if size > 0]
        if steps and steps[-1] / steps[0] >= FACTOR:
            yield layer.place, lazy_gettext(
                "From the first step to the last the state of {layer} grows by {factor}",
                layer=place, factor=number(steps[-1] / steps[0]),
            )  # fmt: skip
        back = [size for size in layer.time_gradients if size > 0]
        if back and FACTOR <= back[0] / back[-1] < math.inf:
            yield layer.place, lazy_gettext(
                "Back through time the gradient in {layer} grows by {factor}",
                layer=place, factor=number(back[0] / back[-1]),
            )  # fmt: skip
    for source in paths.sources:
        start = named(source.place)
        spreads = {o: o.spread / source.spread for o in paths.downstream(source)
                   if source.spread > 0 and o.spread == o.spread}  # fmt: skip
        if first := next((o for o, ratio in spreads.items() if ratio >= FACTOR), None):
            yield first.place, lazy_gettext(
                "Behind {start} the signal grows {factor} times, over a thousand times already at "
                "{layer}",
                start=start, factor=number(max(spreads.values())), layer=named(first.place),
            )  # fmt: skip
        last = max((o.gradient for o in paths.sinks(source) if o.gradient > 0), default=math.nan)
        if FACTOR <= source.gradient / last < math.inf:
            yield source.place, lazy_gettext(
                "On the way back to {start} the gradient grows by {factor}",
                start=start, factor=number(source.gradient / last),
            )  # fmt: skip


def vanishing(look: Examination, paths: Paths) -> Iterator[ModuleFinding]:
    """Find a chain on which examples become alike, or from whose end no gradient comes back."""
    found = list(shrinkings(look, paths))
    if found:
        place = found[0][0]
        first, *others = [words for where, words in found if where == place]
        sentence = lazy_gettext("{first}.", first=first)
        if others:
            sentence = lazy_gettext("{first}. {second}.", first=first, second=others[0])
        yield ModuleFinding("vanishing", place, sentence, REPAIR)


def shrinkings(look: Examination, paths: Paths) -> Iterator[tuple[str, LazySentence]]:
    """Yield where something shrinks too much, and the words for it: through time, then depth."""
    for layer in look.layers:
        back = layer.time_gradients
        if back and max(back) > 0 and min(back) * TIME_FACTOR < max(back):
            yield layer.place, lazy_gettext(
                "Back through {steps} steps of time the gradient in {layer} shrinks to {share} of "
                "its size, so early steps do not count",
                steps=len(back), layer=named(layer.place), share=tiny(min(back) / max(back)),
            )  # fmt: skip
    for source in paths.sources:
        sinks = [o for o in paths.sinks(source) if not o.weight_is_zero]
        factor = TIME_FACTOR if is_unrolled(source, paths) else FACTOR
        last = max((o.gradient for o in sinks if o.gradient > 0), default=0.0)
        back_share = source.gradient / last if last else math.nan
        if back_share * factor < 1 and (back_share > 0 or underflows(source, paths)):
            yield source.place, lazy_gettext(
                "From the last layer back to {layer} the norm of the gradient shrinks to {share} "
                "of its size, so the first layers hardly learn",
                layer=named(source.place), share=tiny(back_share),
            )  # fmt: skip
        far = max((o.spread for o in sinks if o.spread == o.spread), default=math.nan)
        if source.spread > 0 and far * factor < source.spread:
            yield source.place, lazy_gettext(
                "From {layer} to the last layer the differences between examples shrink to {share} "
                "of their size, so every input gets nearly the same answer",
                layer=named(source.place), share=tiny(far / source.spread),
            )  # fmt: skip


def tiny(share: float) -> str | LazySentence:
    """Return a small share as a number; one that was rounded to 0 in float32 in words."""
    return number(share) if share else lazy_gettext("less than 1e-38")


def is_unrolled(source: Operation, paths: Paths) -> bool:
    """Return True if one weight is applied again and again behind a layer, as through time."""
    chain = [source, *paths.downstream(source)]
    calls = Counter(name for o in chain for name in o.weight_names[:1])
    return max(calls.values(), default=0) >= UNROLLED


def underflows(source: Operation, paths: Paths) -> bool:
    """Return True if gradients behind a layer shrink so far that the next are rounded to 0."""
    behind = [o.gradient for o in paths.downstream(source) if o.gradient > 0]
    return bool(behind) and min(behind) < UNDERFLOWN * max(behind)
