"""A network as `print(model)` writes it, read by a small grammar; nothing is evaluated.

    layer     = [prefix "."] name "(" (children | arguments) ")"
    children  = {["(" key "):"] layer [","]}            of a Sequential
    arguments = {[name "="] value [","]}                of every other layer
    value     = number | string | True | False | None | "(" {value [","]} ")"

So the program that makes the network, `nn.Sequential(nn.Linear(784, 10), nn.ReLU())`, is read, too.
"""

import re
from dataclasses import dataclass
from typing import Any

from stability.i18n import N_, _
from stability.modules.layer_kinds import LAYER_KINDS
from stability.modules.text_error import EXAMPLE_OF_LAYERS, MOST_QUOTED, TextError
from stability.text import did_you_mean, in_quotes

CONTAINER = "Sequential"
KNOWN = N_("Sequential, Linear, an activation, a normalization, Dropout, Flatten or Identity")
MOST_LAYERS, MOST_NESTED = 1000, 20
MOST_DIGITS = 20
CONSTANTS = {"True": True, "False": False, "None": None}

NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
ASSIGNED = re.compile(r"[A-Za-z_][\w.]*\s*=\s*", re.ASCII)
KEY = re.compile(r"\(([^\s().:]+)\)\s*:\s*")
ARGUMENT_NAME = re.compile(r"([A-Za-z_]\w*)\s*=\s*", re.ASCII)
NUMBER = re.compile(r"-?\d+(\.\d*)?(e[-+]?\d+)?", re.ASCII)
STRING = re.compile(r"'([\w ]*)'|\"([\w ]*)\"", re.ASCII)
SPACE = re.compile(r"\s*")


@dataclass(frozen=True)
class LayerText:
    """A layer as it was written: its class, its arguments or the layers within it, and where.

    `arguments` are pairs of a name, "" for one by position, and a plain value.
    """

    name: str
    offset: int = 0
    arguments: tuple[tuple[str, Any], ...] = ()
    children: tuple[tuple[str, "LayerText"], ...] = ()


class LayerReader:
    """Reads a text from `offset` on, which moves; TextError where it does not go on."""

    def __init__(self, text: str):
        self.text, self.offset, self.count = text, 0, 0
        self.skip_space()

    def read_root(self) -> LayerText:
        """Read the outermost layer, and a name before it: `model = nn.Sequential(...)`."""
        self._accept(ASSIGNED)
        return self.read_layer()

    def read_layer(self, depth: int = 0) -> LayerText:
        """Read one layer with all that it contains."""
        offset, found = self.offset, self._accept(NAME)
        name = found[0].rpartition(".")[2] if found else ""
        if name not in (CONTAINER, *LAYER_KINDS):
            self.offset = offset
            raise self._failure(describe_unknown(name, depth > 0))
        self.count += 1
        if self.count > MOST_LAYERS:
            most = _("more than {most} layers, the most that are read here")
            raise self._failure(most.format(most=MOST_LAYERS), "")
        if depth > MOST_NESTED:
            most = _("more than {most} layers within one another")
            raise self._failure(most.format(most=MOST_NESTED), "")
        if not self._takes("("):
            raise self._failure(_("expected ( after {name}").format(name=name))
        if name == CONTAINER:
            return LayerText(name, offset, children=self._read_children(depth))
        return LayerText(name, offset, arguments=self._read_arguments())

    def skip_space(self) -> None:
        """Move to the next character that is no space."""
        found = SPACE.match(self.text, self.offset)
        self.offset = found.end() if found else self.offset

    def _read_children(self, depth: int) -> tuple[tuple[str, LayerText], ...]:
        children: dict[str, LayerText] = {}
        while not self._takes(")"):
            offset, found = self.offset, self._accept(KEY)
            key = found[1] if found else str(len(children))
            if key in children:
                reason = _("a second layer of the name {name}").format(name=key)
                raise TextError(self.text, offset, reason, "")
            children[key] = self.read_layer(depth + 1)
            self._takes(",")
        return tuple(children.items())

    def _read_arguments(self) -> tuple[tuple[str, Any], ...]:
        arguments = []
        while not self._takes(")"):
            found = self._accept(ARGUMENT_NAME)
            arguments.append((found[1] if found else "", self._read_value()))
            if not self._takes(",") and self.text[self.offset : self.offset + 1] != ")":
                raise self._failure(_("expected a comma or a closing parenthesis"))
        return tuple(arguments)

    def _read_value(self, in_tuple: bool = False) -> Any:
        if not in_tuple and self._takes("("):
            values = []
            while not self._takes(")"):
                values.append(self._read_value(in_tuple=True))
                self._takes(",")
            return tuple(values)
        if found := self._accept(NUMBER):
            if len(found[0]) > MOST_DIGITS:
                most = _("a number of more than {most} digits")
                raise self._failure(most.format(most=MOST_DIGITS), "")
            return float(found[0]) if found[1] or found[2] else int(found[0])
        if found := self._accept(STRING):
            return found[1] or found[2] or ""
        start, found = self.offset, self._accept(NAME)
        if found and found[0] in CONSTANTS:
            return CONSTANTS[found[0]]
        self.offset = start
        raise self._failure(_("expected a number, True, False, None or a word in quotes"))

    def _accept(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Move beyond the pattern and the space behind it, if it stands here."""
        if found := pattern.match(self.text, self.offset):
            self.offset = found.end()
            self.skip_space()
        return found

    def _takes(self, sign: str) -> bool:
        """Move beyond a sign, if it stands here."""
        found = self.text.startswith(sign, self.offset)
        self.offset += len(sign) * found
        self.skip_space()
        return found

    def _failure(self, reason: str, example: str = EXAMPLE_OF_LAYERS) -> TextError:
        return TextError(self.text, self.offset, reason, example)


def describe_unknown(name: str, within: bool) -> str:
    """Return what was expected where no layer of these kinds stands, `within` another or not."""
    expected = _("expected a closing parenthesis or {known}") if within else _("expected {known}")
    expected = expected.format(known=_(KNOWN))
    if not name:
        return expected
    near = did_you_mean(name, [CONTAINER, *LAYER_KINDS])
    return _("{expected}, but {name} is none of them{near}").format(
        expected=expected, name=in_quotes(name, MOST_QUOTED), near=near
    )
