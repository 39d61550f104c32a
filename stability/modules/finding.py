"""A finding: what is wrong, where, in one sentence, and a line of Python that mends it."""

from collections.abc import Sequence
from dataclasses import dataclass

from stability.i18n import N_, LazySentence, LazyText, lazy_gettext, ngettext
from stability.text import join_words


@dataclass(frozen=True)
class ModuleFinding:
    """`kind` is one of `kinds.KINDS`; `where` the dotted name of a module, a parameter or an
    attribute, and "" for the whole module or the loss. `sentence` is read in the reader's language.
    `remedy` is a line of Python, or "".
    """

    kind: str
    where: str
    sentence: LazyText = LazyText()
    remedy: str = ""


REPAIR = "stability.repair(model, inputs)"
REPAIR_NOTE = N_("(repair draws all weights anew: it is for a network at its start)")
NOT_SEEN = N_(
    "No first look can tell the learning rate, the labels, or what happens after many steps."
)


def named(where: str) -> str | LazySentence:
    """Return a place as a sentence spells it."""
    return f"`{where}`" if where else lazy_gettext("the module")


@dataclass(frozen=True)
class ListedNames:
    """Names as a sentence lists them, when it is read: all, or as many as `most` and the rest."""

    names: Sequence[str]
    most: int

    def __str__(self) -> str:
        listed = [f"`{name}`" for name in self.names[: self.most]]
        left = len(self.names) - len(listed)
        if left > 0:
            listed.append(ngettext("{count} more", "{count} more", left).format(count=left))
        return join_words(listed)
