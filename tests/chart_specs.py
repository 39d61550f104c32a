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


def units(node: dict, data: dict | None = None) -> Iterator[tuple[dict, dict]]:
    """Yield every view that draws something, with its data, its own or its parent's."""
    data = node.get("data", data)
    children = [
        child for name in ("vconcat", "hconcat", "concat", "layer") for child in node.get(name, ())
    ]
    for child in children:
        yield from units(child, data)
    if not children:
        yield node, data


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
        read |= set(transform.get("fold", ()))
    encodings = [  # an axis tests its own ticks
        {key: value for key, value in channel.items() if key != "axis"}
        for channel in unit.get("encoding", {}).values()
        if isinstance(channel, dict)
    ]
    for node in nodes([unit.get("transform", []), encodings]):
        for name in ("calculate", "filter", "test"):
            if isinstance(node.get(name), str):
                read |= set(re.findall(r"datum\.(\w+)", node[name]))
    return read - computed, computed


def parameter_values(spec: dict) -> dict:
    """Return the values of a chart's parameters, by name."""
    return {parameter["name"]: parameter["value"] for parameter in spec["params"]}


def entry(spec: dict, expression: str):
    """Return the value that an expression names: of a parameter, or of an entry of a list."""
    name, index = re.match(r"(\w+)(?:\[(\d+)\])?", expression).groups()
    value = parameter_values(spec)[name]
    return value[int(index)] if index else value


def scheme_scale(scale: dict, spec: dict) -> dict:
    """Return a scale of schemes with its parameters' values in their places."""
    return {
        "domain": entry(spec, scale["domain"]["expr"]),
        "range": [entry(spec, end["expr"]) for end in scale["range"]],
    }


def titles(spec: dict) -> list[str]:
    """Return the titles of panels that do not change with the pointer."""
    texts = [panel["title"]["text"] for panel in spec["vconcat"]]
    return [text if isinstance(text, str) else entry(spec, text["expr"]) for text in texts]
