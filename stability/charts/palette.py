"""The colour and the mark of each scheme, the same wherever it is shown."""

import math

from stability.catalogues.schemes import SCHEMES
from stability.records.experiment import MOST_SCHEMES

# Eight colours found by search: each has a contrast of 3 on the light and on the dark page, and any
# two stay apart for readers who lack red, green or blue cones. A mark goes with each colour: colour
# is never the only carrier.
SCHEME_COLOURS = (
    "#2c9be7", "#d97e00", "#097552", "#ff4b9f", "#b73412", "#889a59", "#5d4cd8", "#ac35a3",
)  # fmt: skip
SCHEME_SHAPES = (
    "circle", "square", "triangle-up", "diamond",
    "cross", "triangle-down", "triangle-right", "triangle-left",
)  # fmt: skip
SCHEME_SYMBOLS = "●■▲◆✚▼▶◀"  # the same marks, for text
PREFERRED_STYLE = {
    "he_normal": 0, "xavier_normal": 1, "normal": 2, "orthogonal": 3, "pytorch": 4,
    "lecun_normal": 5, "zeros": 7,
}  # fmt: skip
GREY = "#808080"
# The theme of the page has the palettes of heat maps, light and dark; charts name them and never
# their colours. From 1e-8 to 1e8: what is near 1 fades into the page, what is far stands out.
DIVERGING_LIGHT = (
    "#123f63", "#276b9f", "#5b97c6", "#9ac2df", "#e3ecf2",
    "#f6ebdd", "#efc08d", "#da9149", "#b46116", "#7a3605",
)  # fmt: skip
DIVERGING_DARK = (
    "#b5e0ff", "#78bef2", "#4794cc", "#2d6691", "#22384a",
    "#43331f", "#88541b", "#c4771e", "#f19f46", "#ffd09a",
)  # fmt: skip
SEQUENTIAL = (  # from one of a kind to all of them, on either page
    "#d97e00", "#d19529", "#c7ab44", "#a9b061", "#7daf7e",
    "#59a295", "#488ca7", "#3276b2", "#3863ab", "#3b4fa3",
)  # fmt: skip
ZERO_OR_NOT_FINITE = "#6b6b6b"
# Two classes, dark blue and light yellow, which no reader confuses; points carry them into a rim.
CLASS_COLOURS, DOT_COLOURS = ("#3d5a9e", "#e8c33c"), ("#12244f", "#fff1b8")
DOT_RIM_COLOURS, CLASS_SHAPES = ("#ffffff", "#000000"), ("circle", "triangle-up")
FORMAT_STATES = {  # blue has shrunk, orange has grown; the sign stands where no word has room
    "fits": ("#80808033", ""),
    "subnormal": ("#a9c7dd", "s"),
    "some 0": ("#4f94c9", "(0)"),
    "all 0": ("#1f5a94", "0"),
    "infinite": ("#d97e00", "∞"),
    "0 already": (ZERO_OR_NOT_FINITE, "–"),
    "not known": ("#80808000", "?"),
}


def diverging_colour_index(value: float) -> int | None:
    """Return the index of the heat map's colour of a number; None for 0 and what is not finite."""
    if not (math.isfinite(value) and value > 0):
        return None
    decades = min(max(math.log10(value), -8), 8)
    return round((decades + 8) / 16 * (len(DIVERGING_LIGHT) - 1))


def scheme_style_indices(schemes: tuple[str, ...]) -> dict[str, int]:
    """Return the index of each scheme's colour and mark.

    It is the family's own, or the next free one where two claim the same. It depends on the tuple
    alone, and a scheme keeps its colour when one that stands after it comes or goes.
    """
    families = list(SCHEMES)
    indices: dict[str, int] = {}
    for scheme in schemes:
        family = scheme.partition(":")[0]
        own = PREFERRED_STYLE.get(family, families.index(family))
        candidates = [(own + step) % MOST_SCHEMES for step in range(MOST_SCHEMES)]
        indices[scheme] = next(index for index in candidates if index not in indices.values())
    return indices
