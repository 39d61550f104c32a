"""The page's style sheets: files beside the components, filled with keys, sizes and colours."""

from functools import cache
from importlib.resources import files
from string import Template

from stability import page_layout
from stability.charts.palette import DIVERGING_DARK, DIVERGING_LIGHT, ZERO_OR_NOT_FINITE
from stability.page import components


@cache
def page_css(presenting: bool) -> str:
    """Return all styles of the page as one `<style>` element, at a desk or in the presenter view.

    It is one element, since Markdown takes what follows the first for text.
    """
    colours = zip(DIVERGING_LIGHT, DIVERGING_DARK, strict=True)
    decades = [
        f"--decades-{index}: light-dark({light}, {dark})"
        for index, (light, dark) in enumerate(colours)
    ]
    values = vars(page_layout) | {
        "BELOW_TWO_COLUMNS": page_layout.TWO_COLUMNS - 0.01,
        "SETTING_SCHEMES": page_layout.setting_key("schemes"),
        "UNDO_SCHEMES": page_layout.undo_key("schemes"),
        "ZERO_OR_NOT_FINITE": ZERO_OR_NOT_FINITE,
        "DECADES": "; ".join(decades),
    }
    names = ["page", "cards", "matrices"]
    if presenting:
        names.append("presenter")
    return f"<style>{Template(''.join(map(sheet, names))).substitute(values)}</style>"


@cache
def sidebar_css() -> str:
    """Return styles that leave room for the sidebar until it is there."""
    return f"<style>{sheet('sidebar')}</style>"


@cache
def first_look_css(font: str) -> str:
    """Return styles of what is seen before the page is there, with its font at this address."""
    return f"<style>{Template(sheet('first_look')).substitute(FONT=font)}</style>"


def sheet(name: str) -> str:
    """Return the text of one of the style sheets."""
    return (files(components) / f"{name}.css").read_text(encoding="utf-8")
