"""A finding: what is wrong, where, in one sentence, and a line of Python that mends it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModuleFinding:
    """`kind` is one of `kinds.KINDS`; `where` the dotted name of a module, a parameter or an
    attribute, and "" for the whole module or the loss. `remedy` is a line of Python, or "".
    """

    kind: str
    where: str
    sentence: str
    remedy: str = ""


REPAIR = "stability.repair(model, inputs)"
REPAIR_NOTE = "   (repair draws all weights anew: it is for a network at its start)"
NOT_SEEN = "No first look can tell the learning rate, the labels, or what happens after many steps."


def named(where: str) -> str:
    """Return a place as a sentence spells it."""
    return f"`{where}`" if where else "the module"
