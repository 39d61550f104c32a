"""Short specs: what layers of a chart have in common is written once.

The page sends the whole spec with every draw, and reads and hashes it each time. Vega-Lite lets the
layers of a group inherit its data, transforms and encoding, so most of a spec need not be repeated.
"""

import json
import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from stability.charts.spec_cache import Spec

POSITION = "field", "datum"  # a channel without either of these is no encoding, only defaults
INHERITED = "data", "transform", "encoding"
SHARED = "color", "shape"  # the scales of schemes
DEFAULTS = ("type", "nominal"), ("title", None), ("legend", None)  # as the configuration has them
NO_TOOLTIP = ("tooltip", None)  # as the configuration of all charts says
NEEDLESS = "resolve", "$schema"  # nothing but the page reads the spec
ONE_ROW = {"sequence": {"start": 0, "stop": 1}}  # of layers that name no data


def shortened(spec: Spec) -> Spec:
    """Return a spec of the same chart, in about half of the bytes.

    All panels share the scales of colours and shapes, which the first one defines.
    """
    ranges: dict[str, Any] = {}
    panels = [short_panel(name_ranges(panel, ranges), spec["config"]) for panel in spec["vconcat"]]
    first, *others = panels
    for panel in others:
        of_schemes = {key: first["encoding"][key] for key in SHARED if key in first["encoding"]}
        panel["encoding"] = {
            key: value for key, value in panel["encoding"].items() if of_schemes.get(key) != value
        }
    whole = {key: value for key, value in spec.items() if key not in NEEDLESS}
    return whole | {
        "vconcat": panels,
        "config": short_config(spec["config"], panels, ranges),
        "data": ONE_ROW,
    }


def short_config(config: Spec, panels: list[Spec], ranges: dict[str, Any]) -> Spec:
    """Return a configuration with the styles that panels use, and with legends on request alone."""
    names = styles_used(panels)
    styles = {name: style for name, style in config["style"].items() if name in names}
    more = {"style": styles, "legend": config["legend"] | {"disable": True}}
    kept = {key: value for key, value in config.items() if key != "view"}  # Vega-Lite's own
    return kept | more | ({"range": ranges} if ranges else {})


def styles_used(node: Any) -> set[str]:
    """Return the names of all styles in a part of a spec."""
    if isinstance(node, list):
        return set().union(*map(styles_used, node))
    if not isinstance(node, dict):
        return set()
    own = node.get("style", [])
    return styles_used([*node.values()]) | {*([own] if isinstance(own, str) else own)}


def name_ranges(node: Any, ranges: dict[str, Any]) -> Any:
    """Return a part of a spec in which a range of a list's entries is only named.

    Vega finds it by its name among the `ranges` of the configuration: there it is the list itself.
    """
    if isinstance(node, list):
        return [name_ranges(child, ranges) for child in node]
    if not isinstance(node, dict):
        return node
    if found := re.match(r"(\w+)(.*)\[0\]$", first_expression(node.get("range"))):
        name = found[1]
        ranges[name] = {"signal": found[1] + found[2]}
        return node | {"range": name}
    return {key: name_ranges(child, ranges) for key, child in node.items()}


def first_expression(ends: Any) -> str:
    """Return the expression of the first of several ends of a range; empty if it has none."""
    first = ends[0] if isinstance(ends, list) and ends else None
    return str(first.get("expr", "")) if isinstance(first, dict) else ""


def short_panel(panel: Spec, config: Spec) -> Spec:
    """Return a panel with the defaults of its channels, and its layers in groups."""
    layers = [plain_layer(layer, config) for layer in panel["layer"]]
    found = channel_defaults(layers)
    defaults = {channel: definition for channel, definition in found.items() if definition}
    layers = in_groups([without_defaults(layer, defaults) for layer in layers])
    return panel | ({"encoding": defaults} if defaults else {}) | {"layer": layers}


def plain_layer(layer: Spec, config: Spec) -> Spec:
    """Return a layer without what the whole chart has: the data of one row, and its defaults."""
    mark = {key: value for key, value in layer["mark"].items() if (key, value) != NO_TOOLTIP}
    rest = {key: value for key, value in layer.items() if (key, value) != ("data", ONE_ROW)}
    if encoding := layer.get("encoding"):
        axes = {"x": config["axisX"], "y": config["axisY"]}
        rest["encoding"] = {
            channel: plain_channel(definition, axes.get(channel, {}))
            for channel, definition in encoding.items()
        }
    return rest | {"mark": mark}


def plain_channel(definition: Any, axis: Mapping[str, Any]) -> Any:
    """Return a channel's definition without what it is by default, where `axis` is configured."""
    if isinstance(definition, list):
        return [plain_channel(one, axis) for one in definition]
    if not isinstance(definition, dict):
        return definition
    kept = {key: value for key, value in definition.items() if (key, value) not in DEFAULTS}
    is_log = (kept.get("scale") or {}).get("type") == "log"
    if is_log and "datum" not in kept:  # a log scale says of a field that it is of numbers
        kept.pop("type", None)
    own = {key: value for key, value in kept.pop("axis", {}).items() if axis.get(key) != value}
    return kept | ({"axis": own} if own else {})


def channel_defaults(layers: list[Spec]) -> dict[str, Any]:
    """Return for each channel what all layers that use it say of it, but for its field."""
    defaults: dict[str, Any] = {}
    for layer in layers:
        for channel, definition in layer.get("encoding", {}).items():
            if is_position(definition):
                said = {key: definition[key] for key in definition if key not in POSITION}
                common = defaults.setdefault(channel, said)
                defaults[channel] = shared_entries(common, said)
    return defaults


def is_position(definition: Any) -> bool:
    """Return whether a channel's definition names a field or a datum, and so inherits defaults."""
    return isinstance(definition, dict) and any(key in definition for key in POSITION)


def shared_entries(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that two mappings have in common."""
    return {key: value for key, value in one.items() if key in other and other[key] == value}


def without_defaults(layer: Spec, defaults: Mapping[str, Any]) -> Spec:
    """Return a layer that leaves out what it inherits from its panel."""
    encoding = {
        channel: without_entries(definition, defaults[channel])
        if channel in defaults and is_position(definition)
        else definition
        for channel, definition in layer.get("encoding", {}).items()
    }
    return layer | ({"encoding": encoding} if encoding else {})


def without_entries(whole: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in whole.items() if key not in part}


def in_groups(layers: list[Spec]) -> list[Spec]:
    """Return neighbouring layers in groups, as long as that makes the spec shorter."""
    layers = list(layers)
    while len(layers) > 1:
        pairs = [joined(*layers[index : index + 2]) for index in range(len(layers) - 1)]
        saved = [
            sum(map(size, layers[index : index + 2])) - size(pair)
            for index, pair in enumerate(pairs)
        ]
        best = max(range(len(pairs)), key=saved.__getitem__)
        if saved[best] <= 0:
            break
        layers[best : best + 2] = [pairs[best]]
    return layers


def size(node: Any) -> int:
    return len(json.dumps(node))


def joined(one: Spec, other: Spec) -> Spec:
    """Return two layers, of which the first may be a group, as a group of what they share."""
    if one.get("data") != other.get("data"):
        return {"layer": [one, other]}
    steps = zip(one.get("transform", ()), other.get("transform", ()), strict=False)
    shared = {
        "data": one.get("data"),
        "transform": [first for first, _ in takewhile(lambda pair: pair[0] == pair[1], steps)],
        "encoding": shared_entries(one.get("encoding", {}), other.get("encoding", {})),
    }
    shared = {key: value for key, value in shared.items() if value}
    kept = {key: one[key] for key in INHERITED if key in one}
    members = one["layer"] if "layer" in one and kept == shared else [less(one, shared)]
    return {**shared, "layer": [*members, less(other, shared)]}


def less(layer: Spec, shared: Mapping[str, Any]) -> Spec:
    """Return a layer without what its group has."""
    rest = {key: value for key, value in layer.items() if key not in INHERITED}
    if "data" in layer and "data" not in shared:
        rest["data"] = layer["data"]
    if transform := layer.get("transform", [])[len(shared.get("transform", ())) :]:
        rest["transform"] = transform
    encoding = without_entries(layer.get("encoding", {}), shared.get("encoding", {}))
    return rest | ({"encoding": encoding} if encoding else {})
