"""The colour and the mark of each scheme, the same wherever it is shown."""

import math

from stability.catalogues.schemes import SCHEMES, family_and_value

# Eight colours for the light page and the same hues for the dark one, found by search: each has a
# contrast of 4.5 there, and any two stay apart for readers who lack red, green or blue cones.
# A mark goes with each colour: colour is never the only carrier.
SCHEME_COLOURS = (
    "#007abc", "#b35f00", "#005b42", "#d4307f", "#972210", "#657e46", "#6c45d9", "#a80190",
)  # fmt: skip
DARK_SCHEME_COLOURS = (
    "#1da8fe", "#d99225", "#368f6a", "#ff46ae", "#cb6238", "#97b572", "#7b6aff", "#d043c5",
)  # fmt: skip
SCHEME_SHAPES = (
    "circle", "square", "triangle-up", "diamond",
    "cross", "triangle-down", "triangle-right", "triangle-left",
)  # fmt: skip
SCHEME_SYMBOLS = "●■▲◆✚▼▶◀"  # the same marks, for text
PREFERRED_STYLE = {  # of a family: relatives share one
    "he_normal": 0, "he_uniform": 0, "he_fan_out": 0,
    "xavier_normal": 1, "xavier_uniform": 1, "geometric": 1,
    "normal": 2, "uniform": 2, "truncated_normal": 2,
    "orthogonal": 3, "lsuv": 3, "metainit": 3, "looks_linear": 3,
    "pytorch": 4, "lecun_normal": 5, "lecun_uniform": 5,
    "scaled_normal": 6, "critical": 6, "unit_gain": 6, "siren": 6, "mup": 6,
    "zeros": 7, "constant": 7, "identity": 7, "zero_hadamard": 7, "sparse": 7, "fixup": 7,
}  # fmt: skip
SPARE_STYLES = 6, 4, 5, 7, 3, 2, 1, 0  # those of the families that are seen most stand last
GREY = "#808080"
PIN_GREYS = ("#5c5c5c", "#8c8c8c", "#b0b0b0"), ("#c4c4c4", "#8f8f8f", "#666666")  # light, dark
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
VERDICT_COLOURS = {  # of a map, on either page; a tooltip says the word, and a cross what diverged
    "learns": "#3b4fa3", "slow": "#59a295", "stalled": "#c7ab44", "vanishing": "#d97e00",
    "exploding": "#972210", "saturated": "#d4307f", "dead": "#6c45d9", "symmetric": "#a80190",
    "diverged": ZERO_OR_NOT_FINITE, "overflowed": "#3d3d3d",
}  # fmt: skip
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


def css_colour(style: int) -> str:
    """Return the colour of a style in HTML, on the light and on the dark page."""
    return f"light-dark({SCHEME_COLOURS[style]}, {DARK_SCHEME_COLOURS[style]})"


def diverging_colour_index(value: float) -> int | None:
    """Return the index of the heat map's colour of a number; None for 0 and what is not finite."""
    if not (math.isfinite(value) and value > 0):
        return None
    decades = min(max(math.log10(value), -8), 8)
    return round((decades + 8) / 16 * (len(DIVERGING_LIGHT) - 1))


def scheme_style_indices(schemes: tuple[str, ...]) -> dict[str, int]:
    """Return the index of each scheme's colour and mark, whatever the order of the schemes.

    A scheme has its family's own style. Where two claim one style, it goes to the one that stands
    first in the catalogue, and within a family to the larger value. The others, in that order too,
    take the first of SPARE_STYLES that none of these schemes has.
    """

    def rank(scheme: str) -> tuple[int, float]:
        family, value = family_and_value(scheme)
        return families.index(family), -(value or 0.0)

    families, indices = list(SCHEMES), dict[int, str]()
    ranked = sorted(schemes, key=rank)
    own = {scheme: PREFERRED_STYLE.get(scheme.partition(":")[0], 6) for scheme in schemes}
    for scheme in ranked:
        indices.setdefault(own[scheme], scheme)
    for scheme in ranked:
        if indices[own[scheme]] != scheme:
            free = next(index for index in SPARE_STYLES if index not in indices)
            indices[free] = scheme
    found = {scheme: index for index, scheme in indices.items()}
    return {scheme: found[scheme] for scheme in schemes}
