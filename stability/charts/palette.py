"""The colour and the mark of each scheme, the same wherever it is shown."""

import math

from stability.catalogues.schemes import SCHEMES
from stability.records.experiment import MOST_SCHEMES

# Eight colours found by search: each has a contrast of 3 on the light and on the dark page, and any two stay apart for
# readers who lack red, green or blue cones. A mark goes with each colour: colour is never the only carrier.
SCHEME_COLOURS = (
    "#2c9be7",
    "#d97e00",
    "#097552",
    "#ff4b9f",
    "#b73412",
    "#889a59",
    "#5d4cd8",
    "#ac35a3",
)
SCHEME_SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
GREY = "#808080"
SCHEME_SYMBOLS = "●■▲◆✚▼▶◀"  # the same marks, for text
# The theme of the page has the palettes of heat maps, light and dark; charts name them and never their colours.
# From 1e-8 to 1e8: what is near 1 fades into the page, what is far from it stands out.
DIVERGING_LIGHT = (
    "#123f63",
    "#276b9f",
    "#5b97c6",
    "#9ac2df",
    "#e3ecf2",
    "#f6ebdd",
    "#efc08d",
    "#da9149",
    "#b46116",
    "#7a3605",
)
DIVERGING_DARK = (
    "#b5e0ff",
    "#78bef2",
    "#4794cc",
    "#2d6691",
    "#22384a",
    "#43331f",
    "#88541b",
    "#c4771e",
    "#f19f46",
    "#ffd09a",
)
# From one of a kind to all of them, on either page.
SEQUENTIAL = (
    "#d97e00",
    "#d19529",
    "#c7ab44",
    "#a9b061",
    "#7daf7e",
    "#59a295",
    "#488ca7",
    "#3276b2",
    "#3863ab",
    "#3b4fa3",
)
ZERO_OR_NOT_FINITE = "#6b6b6b"  # exactly 0, or not finite
# Of classes: a dark one and a light one, blue and yellow, which no reader confuses. Points carry them further, in a rim.
CLASS_COLOURS, DOT_COLOURS, DOT_RIM_COLOURS = (
    ("#3d5a9e", "#e8c33c"),
    ("#12244f", "#fff1b8"),
    ("#ffffff", "#000000"),
)
CLASS_SHAPES = ("circle", "triangle-up")
FORMAT_STATES = {  # of the ladder: blue has shrunk, orange has grown, and what stands where there is no room for the word
    "fits": ("#80808033", ""),
    "subnormal": ("#a9c7dd", "s"),
    "some 0": ("#4f94c9", "(0)"),
    "all 0": ("#1f5a94", "0"),
    "infinite": ("#d97e00", "∞"),
    "0 already": (ZERO_OR_NOT_FINITE, "–"),
    "not known": ("#80808000", "?"),
}


def diverging_colour_index(value: float) -> int | None:
    """How far a number is from 1: an index into DIVERGING, as the heat map has it; None for 0 and what is not finite."""
    if not (math.isfinite(value) and value > 0):
        return None
    last = len(DIVERGING_LIGHT) - 1
    return round((min(max(math.log10(value), -8), 8) + 8) / 16 * last)


def scheme_style_indices(schemes: tuple[str, ...]) -> dict[str, int]:
    """The index of each scheme's colour and mark: a family's own, or the next free one where two claim the same.

    Depends on the tuple alone. A scheme keeps its colour when one that stands after it comes or goes.
    """
    families, taken = list(SCHEMES), {}
    for scheme in schemes:
        own = PREFERRED_STYLE.get(
            scheme.partition(":")[0], families.index(scheme.partition(":")[0]) % MOST_SCHEMES
        )
        free = [(own + step) % MOST_SCHEMES for step in range(MOST_SCHEMES)]
        taken[scheme] = next(index for index in free if index not in taken.values())
    return taken


PREFERRED_STYLE = {
    "he_normal": 0,
    "xavier_normal": 1,
    "normal": 2,
    "orthogonal": 3,
    "pytorch": 4,
    "lecun_normal": 5,
    "zeros": 7,
}
