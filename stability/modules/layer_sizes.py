"""Layer sizes with an activation and an initialization: `784-512-512-10 relu he_normal`."""

import re
from collections.abc import Iterator, Mapping, Sequence

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.scheme_names import plain_name
from stability.catalogues.schemes import SCHEMES, parse_scheme
from stability.i18n import _
from stability.modules.layer_text import CONTAINER, MOST_DIGITS, MOST_LAYERS, LayerReader, LayerText
from stability.modules.text_error import MOST_QUOTED, TextError
from stability.text import did_you_mean, in_quotes

SEPARATOR = r"(?:\s*(?:->|[-x×→,;])\s*|\s+)"
SIZES = re.compile(rf"[\[(]?\s*\d+(?:{SEPARATOR}\d+(?=x\d|[^\w.]|$))*\s*[\])]?[\s,;]*", re.ASCII)
SPACES = r"[\s,;]+"
MOST_WORDS = 100  # characters behind the sizes
USUAL_ACTIVATION = "relu"
OTHER_NAMES = {"swish": "silu", "leaky": "leaky_relu", "hard tanh": "hardtanh"}


def activation_layers() -> dict[str, LayerText]:
    """Return the layer of each activation, as its row writes it; erf is no module of torch.nn."""
    return {
        key: LayerReader(row.pytorch).read_root()
        if row.pytorch.startswith("nn.")
        else LayerText(row.label)
        for key, row in ACTIVATIONS.items()
    }


def names_of_activations() -> dict[str, str]:
    """Return the key of the activation for every plain name."""
    names = {plain_name(other): key for other, key in OTHER_NAMES.items()}
    for key, layer in ACTIVATION_LAYERS.items():
        names.setdefault(plain_name(layer.name), key)
    for key, row in ACTIVATIONS.items():
        names |= {plain_name(name): key for name in (row.label, key)}
    del names["identity"]  # an initialization
    return names


ACTIVATION_LAYERS: Mapping[str, LayerText] = activation_layers()
ACTIVATION_NAMES: Mapping[str, str] = names_of_activations()


def begins_with_sizes(text: str) -> bool:
    """Return True if a text is to be read as layer sizes."""
    return bool(re.match(r"\s*[\[(]?\s*[-\d]", text))


def read_sizes(text: str) -> tuple[LayerText, str]:
    """Return the network as a Sequential, and the key of its scheme, "" if none is named."""
    start = len(text) - len(text.lstrip())
    found = SIZES.match(text, start)
    end = found.end() if found else start
    numbers = [*re.finditer(r"\d+", text[start:end], re.ASCII)]
    places = [start + number.start() for number in numbers]
    for number, place in zip(numbers, places, strict=True):
        if len(number[0]) > MOST_DIGITS:
            most = _("a number of more than {most} digits").format(most=MOST_DIGITS)
            raise TextError(text, place, most)
    if len(numbers) < 2:
        raise TextError(text, end, _("expected the size of a further layer"))
    if 2 * len(numbers) > MOST_LAYERS:
        most = _("more than {most} layers, the most read here").format(most=MOST_LAYERS)
        raise TextError(text, start, most)
    activation, scheme = read_words(text, end)
    sizes = [(int(number[0]), place) for number, place in zip(numbers, places, strict=True)]
    return LayerText(CONTAINER, start, children=tuple(layers_between(sizes, activation))), scheme


def layers_between(
    sizes: list[tuple[int, int]], activation: str
) -> Iterator[tuple[str, LayerText]]:
    """Yield Linear layers between sizes, each with its place in the text, and activations."""
    names = iter(range(2 * len(sizes)))
    for index, (fan_out, place) in enumerate(sizes[1:], start=1):
        fan_in, before = sizes[index - 1]
        arguments = ("in_features", fan_in), ("out_features", fan_out)
        yield str(next(names)), LayerText("Linear", place if fan_in else before, arguments)
        if index + 1 < len(sizes):
            yield str(next(names)), ACTIVATION_LAYERS[activation]


def read_words(text: str, offset: int) -> tuple[str, str]:
    """Return the activation and the scheme that follow the sizes, in either order."""
    rest = text[offset:].rstrip()
    if len(rest) > MOST_WORDS:
        expected = _("expected an activation, an initialization, and no more")
        raise TextError(text, offset, expected)
    ends = [0, *(space.start() for space in re.finditer(SPACES, rest)), len(rest)]
    activation, scheme, end = next(
        (*pair, end) for end in reversed(ends) for pair in named_by(rest[:end], ends)
    )
    if end == len(rest):
        return activation, scheme
    place = end + len(rest[end:]) - len(re.sub(rf"^{SPACES}", "", rest[end:]))
    word = re.split(SPACES, rest[place:])[0]
    near = did_you_mean(word.lower(), [*ACTIVATIONS, *ACTIVATION_NAMES, *SCHEMES])
    reason = _("{word} is no activation and no initialization{near}")
    raise TextError(
        text, offset + place, reason.format(word=in_quotes(word, MOST_QUOTED), near=near)
    )


def named_by(words: str, ends: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Yield the keys of the activation and the scheme that words name, in either order.

    The first part is as long as it can be: leaky relu 0.2 is one name.
    """
    for end in reversed(ends):
        parts = [re.sub(rf"^{SPACES}|{SPACES}$", "", part) for part in (words[:end], words[end:])]
        for name, scheme in (parts, reversed(parts)):
            if is_activation(name) and is_scheme(scheme):
                key = ACTIVATION_NAMES[plain_name(name)] if name else USUAL_ACTIVATION
                yield key, parse_scheme(scheme).key if scheme else ""


def is_activation(text: str) -> bool:
    """Return True if a text names an activation, or nothing."""
    return not text or plain_name(text) in ACTIVATION_NAMES


def is_scheme(text: str) -> bool:
    """Return True if a text names an initialization, with its value if it has one, or nothing."""
    try:
        return not text or bool(parse_scheme(text))
    except ValueError:
        return False
