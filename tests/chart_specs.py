"""Views, fields and parameters of a Vega-Lite spec."""

import re
from collections.abc import Iterator


def nodes(node) -> Iterator[dict]:
    """Yield every object in a spec."""
    if isinstance(node, dict):
        yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from nodes(child)


def units(node: dict, parent: dict | None = None) -> Iterator[tuple[dict, dict]]:
    """Yield every view that draws something, with all that it inherits, and its data."""
    node = inherited(node, parent or {})
    children = [
        child for name in ("vconcat", "hconcat", "concat", "layer") for child in node.get(name, ())
    ]
    for child in children:
        yield from units(child, node)
    if not children:
        unit = {key: value for key, value in node.items() if key != "data"}
        drawn = {name: channel for name, channel in unit["encoding"].items() if is_encoded(channel)}
        yield unit | {"encoding": drawn}, node.get("data") or {}


def inherited(node: dict, parent: dict) -> dict:
    """A view with the data, transforms and encoding of its parent, as Vega-Lite hands them down."""
    encoding = dict(parent.get("encoding", {}))
    for name, channel in node.get("encoding", {}).items():
        has_position = isinstance(channel, dict) and {"field", "datum"} & set(channel)
        encoding[name] = {**encoding.get(name, {}), **channel} if has_position else channel
    transform = [*parent.get("transform", ()), *node.get("transform", ())]
    data = node.get("data", parent.get("data"))
    return node | {"data": data, "transform": transform, "encoding": encoding}


def is_encoded(channel) -> bool:
    """Whether a channel draws something, and does not only say how a field would be drawn."""
    says = {"field", "datum", "value", "condition"}
    return not isinstance(channel, dict) or bool(says & set(channel))


def channels(unit: dict) -> Iterator[tuple[str, dict]]:
    """Yield pairs of a channel and each field definition in it, a condition's included."""
    for name, found in unit.get("encoding", {}).items():
        yield from ((name, node) for node in nodes(found) if "field" in node)


def used(unit: dict) -> tuple[set[str], set[str]]:
    """Return the fields of the data that a view reads, and those that it computes."""
    read, computed = {node["field"] for _, node in channels(unit)}, set()
    for transform in unit.get("transform", ()):
        names = transform.get("as", [])
        computed |= {names} if isinstance(names, str) else set(names)
        computed |= {window["as"] for window in transform.get("window", ())}
        computed |= set(transform.get("from", {}).get("fields", ()))
        read |= set(transform.get("fold", ()))
    encodings = [  # an axis tests its own ticks
        {key: value for key, value in channel.items() if key != "axis"}
        for channel in unit.get("encoding", {}).values()
        if isinstance(channel, dict)
    ]
    for node in nodes([unit.get("transform", []), encodings]):
        for name in ("calculate", "filter", "test", "expr"):
            if isinstance(node.get(name), str):
                read |= set(re.findall(r"datum\.(\w+)", node[name]))
    return read - computed, computed


def parameter_values(spec: dict) -> dict:
    """Return the values of a chart's parameters, by name."""
    return {one["name"]: one.get("value", one.get("expr")) for one in spec["params"]}


def entry(spec: dict, expression: str):
    """Return the value that an expression names: of a parameter, or of an entry of a list."""
    name, on_pages, index = re.match(r"(\w+)(\[dark\])?(?:\[(\d+)\])?$", expression).groups()
    value = parameter_values(spec)[name]
    if on_pages:
        value = list(map(list, zip(*value, strict=True)))
    if not index:
        return value
    return value[int(index)] if int(index) < len(value) else None  # of a scheme that there is not


def scheme_scale(scale: dict, spec: dict) -> dict:
    """Return a scale of schemes with its parameters' values in their places."""
    ends = scale["range"]
    if isinstance(ends, str):
        found = entry(spec, spec["config"]["range"][ends]["signal"])
    else:
        found = [entry(spec, end["expr"]) for end in ends]
    domain = entry(spec, scale["domain"]["expr"])
    return {"domain": domain, "range": found[: len(domain)]}


def titles(spec: dict) -> list[str]:
    """Return the titles of panels that do not change with the pointer."""
    texts = [panel["title"]["text"] for panel in spec["vconcat"]]
    return [text if isinstance(text, str) else entry(spec, text["expr"]) for text in texts]
