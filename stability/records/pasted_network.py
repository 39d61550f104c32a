"""The settings of the bench "Your network": a text that describes it, and how it is started."""

from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote_plus

from stability.catalogues.schemes import SCHEMES
from stability.i18n import N_, _
from stability.records.knobs import Choice, Integer, Knob, setting
from stability.records.record import Record

MOST_CHARACTERS = 100_000
MOST_IN_LINK = 4000  # characters, as links spell them: servers refuse much longer addresses
FIRST_NETWORK = "784-128-128-128-128-128-128-128-128-10 sigmoid"
STARTS = {"": N_("As the text says, else PyTorch's")} | {
    key: row.label for key, row in SCHEMES.items()
}


@dataclass(frozen=True, kw_only=True)
class PastedText(Knob):
    """Any text of at most `most` characters; the bench says whether it can be read."""

    most: int = MOST_CHARACTERS

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) > self.most:
            raise ValueError(self.legal_values())
        return value.encode(errors="replace").decode().replace("\r\n", "\n")

    def legal_values(self) -> str:
        return _("a text of at most {most:,} characters").format(most=self.most)

    def fits_link(self, value: str) -> bool:
        return len(quote_plus(value)) <= MOST_IN_LINK


@dataclass(frozen=True, repr=False)
class PastedNetwork(Record):
    """A network as its owner describes it, its start, and the batch on which it is diagnosed."""

    noun: ClassVar[str] = N_("a diagnosis")
    unit: ClassVar[str] = N_("pass")

    # fmt: off
    architecture: str = setting(FIRST_NETWORK, PastedText, "Network", "Your network",
        "Sizes of layers with an activation and an initialization, or what print(model) writes of "
        "a Sequential. It is read by a grammar and never run as a program.", main=True,
        synonyms="model paste print sequential mlp layers")
    scheme: str = setting("", Choice, "Network", "Initialization",
        "How the first weights of the Linear layers are drawn, whatever the text says.",
        rows=STARTS, main=True, synonyms="scheme init weights start")
    batch: int = setting(64, Integer, "Data", "Batch",
        "The number of examples, standard normal inputs, on which the network is diagnosed. More "
        "of them make the numbers less noisy.", low=8, high=1024, log=True, main=True,
        synonyms="batch size examples bs")
    seed: int = setting(0, Integer, "Data", "Seed",
        "The number from which all random numbers follow: the same seed draws the same weights and "
        "inputs.", low=0, high=2**31 - 1, main=True, synonyms="random state rng reproduce")
    # fmt: on

    @property
    def length(self) -> int:
        return 0

    @property
    def is_too_long_for_link(self) -> bool:
        """True if a link to this bench leaves the text out."""
        return not self.knobs()["architecture"].fits_link(self.architecture)
