"""The names under which people know a scheme: its key, its title, PyTorch's and the papers' names.

`kaiming`, `nn.init.kaiming_normal_`, `He (normal)` and `he_normal` are one scheme, and so are
`N(0, 0.02)`, `Normal 0.02`, `正态0.02` and `normal:0.02`.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping

from stability.catalogues.scheme_entry import Scheme
from stability.i18n import LANGUAGES, speaking

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
# The second number of N(0, 0.02) is the standard deviation; the papers' N(0, 0.02^2) says the same.
DISTRIBUTIONS = {
    "normal": rf"(?:n|normal|gaussian)\s*\(\s*0?\.?0\s*,\s*({NUMBER})\s*(?:\^2)?\s*\)",
    "uniform": rf"(?:u|uniform)\s*\(\s*-\s*({NUMBER})\s*,\s*\1\s*\)",
}
HAN = r"[\u4e00-\u9fff]"  # a Chinese letter: a number may follow it at once
NAME_AND_VALUE = rf"(.+?)(?:[\s(=_]+|(?<={HAN}))({NUMBER})\s*\)?"
LIBRARIES = r"^(?:(?:torch|jax|tf|keras|nn|init|initializers) )+| init(?:iali[sz](?:ation|er))?$"


def plain_name(text: str) -> str:
    """Return a name in small letters, without punctuation and without a library before it."""
    return re.sub(LIBRARIES, "", re.sub(r"[\W_]+", " ", text.lower()).strip())


def names_of_schemes(rows: Mapping[str, Scheme]) -> dict[str, str]:
    """Return the key of the scheme for every plain name, in every language."""
    names: dict[str, str] = {}
    for code in reversed(LANGUAGES):  # English comes last: where two differ, it wins
        with speaking(code):
            names |= {
                plain_name(name): key
                for key, row in rows.items()
                for name in (*row.other_names, row.label, key)
            }
    return names


def split_value(text: str) -> tuple[str, str | None]:
    """Return the name and the value in a spelled scheme; the value is None where there is none."""
    text = text.replace("²", "^2")  # NFKC would make a digit of it
    text = unicodedata.normalize("NFKC", text).strip().lower().replace("−", "-")
    for family, pattern in DISTRIBUTIONS.items():
        if found := re.fullmatch(pattern, text):
            return family, found[1]
    name, colon, value = text.partition(":")
    if colon:
        return name, value
    found = re.fullmatch(NAME_AND_VALUE, text)
    return (found[1], found[2]) if found else (text, None)


def split_list(text: str) -> list[str]:
    """Return the entries of a list, at its commas; one within parentheses separates nothing."""
    return re.split(r"[,，、](?![^(（]*[)）])", text)


def nearest_keys(name: str, names: Mapping[str, str], most: int = 2) -> list[str]:
    """Return the keys of the schemes whose names are nearest to this one, the nearest first."""
    near: Iterable[str] = difflib.get_close_matches(plain_name(name), names, n=6, cutoff=0.75)
    return list(dict.fromkeys(names[close] for close in near))[:most]
