"""What a hand does to a chart on the page: a place is seen in all panels, a stretch is zoomed into, a scheme stands alone.

Vega-Lite has no parameter that remembers where a button went down until it is released. So a chart is valid, and still,
with constant parameters; `live` puts Vega's own signals of the same names in their place.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import altair as alt

from stability.charts.palette import GREY
from stability.charts.panels import WIDTH, built
from stability.charts.parameters import PLACE, SYMBOL, Kind, colour, parameters, zoomed

STILL = {"at": None, "brush": None, "zoom": None, "moment": "", "alone": ""}
PRESENTER_SCALE = 1.4  # times as large, for many to read
SIZES = "width", "height", "fontSize", "limit", "offset", "strokeWidth", "size", "minExtent", "maxExtent", "y", "y2", "dx", "dy"
SIZES += "labelFontSize", "labelLimit", "gradientLength", "gradientThickness", "spacing"
SHARED_PARAMETERS = {"moment": "moment-shown", "alone": "scheme-alone"}  # keys of the page's containers around the charts
CLICK = 6  # pixels: what moves less is a click, not a drag
SLOT, MARK, LETTER = 46, 11, 7  # pixels for one value beside a title, for the mark before it, and for one of its letters

BESIDE: dict[str, Any] = {"y": -6, "align": "left", "baseline": "bottom"}  # the title

# Every panel stands exactly below the first and has its scale: a place of the pointer is one step, or layer, of them all.
WITHIN = "group() && inrange(x(group()), range('concat_0_x'))"
THERE = "invert('concat_0_x', x(group()))"
OTHER = "datum.scheme == alone ? '' : datum.scheme"
DRAG = "[pointerdown, window:pointerup] > pointermove"
DRAGGED = f"brush && abs(scale('concat_0_x', brush[1]) - scale('concat_0_x', brush[0])) > {CLICK}"
CLICKED = "toString(min(round(brush[0]), steps))"
EVENTS = {
    "at": [
        {"events": "pointermove, pointerdown", "update": f"{WITHIN} ? round({THERE}) : null"},
        {"events": "view:pointerout", "update": "null"},
    ],
    "brush": [
        {"events": "pointerdown", "update": f"{WITHIN} ? [{THERE}, {THERE}] : null"},
        {"events": DRAG, "update": f"brush && {WITHIN} ? [brush[0], {THERE}] : brush"},
        {"events": {"signal": "zoom"}, "update": "null"},
    ],
    "zoom": [
        {"events": "window:pointerup", "update": f"{DRAGGED} ? [min(brush[0], brush[1]), max(brush[0], brush[1])] : zoom"},
        {"events": "dblclick", "update": "null"},
    ],
    "moment": [  # only steps can be chosen, and of the run itself, though a pinned one may be longer
        {"events": "click", "update": f"along === 'step' && brush && {WITHIN} ? {CLICKED} : moment"},
        {"events": "dblclick", "update": "along === 'step' ? '' : moment"},
    ],
    "alone": [{"events": "text:click", "update": f"datum && datum.scheme ? ({OTHER}) : alone"}],
}


def with_interaction(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a chart with the parameters of `still`, with what a hand can do to it."""
    signals = [{"name": name, "value": value, "on": EVENTS[name]} | bound(name) for name, value in STILL.items()]
    kept = [parameter for parameter in spec["params"] if parameter["name"] not in STILL]
    return dict(spec) | {"params": kept, "config": spec["config"] | {"signals": signals}}


@lru_cache
def live_once(make: Callable[..., alt.VConcatChart], kind: Kind) -> dict[str, Any]:
    return share_scales(with_interaction(built(make, kind)))


def share_scales(spec: dict[str, Any]) -> dict[str, Any]:
    """The same picture in a message of three quarters of the bytes: a scale that layers of a panel share is spelled once."""
    return spec | {"vconcat": [drawn | {"layer": list(leaner(drawn["layer"]))} for drawn in spec["vconcat"]]}


def leaner(layers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    first: dict[str, Any] = {}
    for layer in layers:
        encoding = dict(layer.get("encoding", {}))
        for channel, found in encoding.items():
            scale = isinstance(found, dict) and found.get("scale")
            if scale and first.setdefault(channel, scale) is not scale and first[channel] == scale:
                encoding[channel] = {name: value for name, value in found.items() if name != "scale"}
        yield layer | ({"encoding": encoding} if encoding else {})


def bound(name: str) -> dict[str, Any]:
    """Charts share a parameter through an element of the page that stands around them all, and so before any of them.

    It carries the value, which is nothing at first, and hears of changes by an event of the parameter's own.
    """
    return {"bind": {"element": f".st-key-{SHARED_PARAMETERS[name]}", "event": SHARED_PARAMETERS[name]}} if name in SHARED_PARAMETERS else {}


def still() -> list[alt.VariableParameter]:
    """What a hand can change, as constants of a chart."""
    return parameters(STILL | {"slot": {"size": SLOT}})


def enlarge(spec: Any) -> Any:
    """A spec with all that has a size in pixels larger, and the theme's own type with it."""
    grown = resized(spec)
    config = grown.get("config", {})
    return grown | {
        "config": config | {name: config.get(name, {}) | {"labelFontSize": 12 * PRESENTER_SCALE} for name in ("axis", "legend")}
    }


def resized(node: Any) -> Any:
    if isinstance(node, list):
        return [resized(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        name: PRESENTER_SCALE * child if name in SIZES and type(child) in (int, float) else resized(child) for name, child in node.items()
    }


def dimmed(opacity: float = 1.0) -> Any:
    """The opacity of a mark: little, where another scheme stands alone."""
    return alt.condition("!alone || alone == datum.scheme", alt.value(opacity), alt.value(opacity / 8))


def now() -> str:
    """Whether a row of profiles is that of the step that was chosen, or the newest."""
    return "datum.since <= (moment ? toNumber(moment) : 1e9) && (moment ? toNumber(moment) : 1e9) < datum.until"


def seen(along: str) -> str:
    """Whether a row, of a step until the next one or of a layer, is where the pointer is."""
    row = "datum.step <= at && at < datum.until" if along == "step" else "datum.layer == at"
    return f"isNumber(at) && {row}"


def guides(along: str, height: float = 0) -> list[alt.Chart]:
    """What a hand has chosen: the stretch that it drags over, its place, and the step of the profiles.

    With a `height`, only marks at the edges of such a panel, which must not be in the way of what has a tooltip.
    """
    base = alt.Chart(alt.sequence(1))
    begin, end = (f"brush ? brush[{index}] : 0" for index in (0, 1))
    stretch = base.mark_rect(color=GREY, clip=True, tooltip=None)
    stretch = stretch.encode(x=place(begin), x2=alt.X2Datum(alt.ExprRef(end)), opacity=when(DRAGGED, 0.2))
    shown = {"at": "isNumber(at)"} | ({"moment": "moment"} if along == "step" else {})
    sides = [{"y": 0, "y2": 6}, {"y": height - 6, "y2": height}] if height else [{}]
    rules = [
        base.mark_rule(color=GREY, tooltip=None, clip=True, strokeWidth=2 if name == "moment" else 1, **side)
        .encode(x=place(f"toNumber({name})"), opacity=when(test, 0.9))
        for name, test in shown.items()
        for side in sides
    ]  # fmt: skip
    room = base.mark_text(text=" ", x=0, **BESIDE)  # a title stands above all that is drawn: as high, with readings or without
    return [stretch, room] * (not height) + rules


def place(expression: str) -> Any:
    return alt.XDatum(alt.ExprRef(expression), type="quantitative", scale=zoomed(), title=None)


def when(test: str, opacity: float) -> Any:
    return alt.condition(test, alt.value(opacity), alt.value(0))


def readings(base: alt.Chart, name: str, along: str, form: str) -> list[alt.Chart]:
    """The value of every scheme where the pointer is, beside the title, each behind its mark."""
    value = f"datum.{name}"
    there = base.transform_filter(f"{seen(along)} && isValid({value})")
    left = f"{WIDTH} - slot.size * (length(schemes) - {PLACE})"
    mark, words = (
        there.mark_text(text=alt.ExprRef(text), x=alt.ExprRef(left + shift), fontWeight="bold", tooltip=None, **BESIDE)
        for text, shift in (
            (SYMBOL, ""),
            (f"format({value}, '.0{form}')" if form.endswith("%") else short(value), f" + {MARK} * slot.size / {SLOT}"),
        )
    )
    return [mark.encode(color=colour()), words]


def short(value: str) -> str:
    """An expression for a number in five letters or so."""
    return f"({value} != 0 && (abs({value}) < 0.01 || abs({value}) >= 1000) ? format({value}, '.0e') : format({value}, '.2~g'))"


def titled(title: str, along: str) -> alt.ExprRef:
    """A title that says where the pointer is; in fewer words where there is no room, or the readings beside it need it."""
    moment = " + (moment ? ', step ' + moment : '')" if along == "layer" else ""
    name, shorter = re.split("[:(]", title)[0].strip(), re.sub(r", .*\)", ")", title)
    still = f"({WIDTH} * {SLOT} >= {LETTER * len(title)} * slot.size ? {json.dumps(title)} : {json.dumps(shorter)})"
    words = f"{still}{moment}", "'\u00a0'"
    for said in dict.fromkeys(("", f"{name}, ", f"{shorter}, ", f"{title}, ")):
        needed = f"({LETTER * len(f'{said}{along} 100')} + {SLOT} * length(schemes))"
        words = words[0], f"{WIDTH} * {SLOT} >= {needed} * slot.size ? {json.dumps(said + along)} + ' ' + at : {words[1]}"
    return alt.ExprRef(f"isNumber(at) ? ({words[1]}) : {words[0]}")
