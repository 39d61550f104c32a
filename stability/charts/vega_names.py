"""Names inside the Vega specs that Vega-Lite writes.

They are no documented interface, so they stand here and nowhere else, and a test asks a browser for
each. Every chart is a column of panels; Vega-Lite calls the first one `concat_0`. All panels stand
exactly below it and have its horizontal scale.
"""

PANEL_ENDS = "range('concat_0_x')"  # of every panel, in pixels from its left end
POINTER_IN_PANEL = f"group() && inrange(x(group()), {PANEL_ENDS})"
POINTER_X = "invert('concat_0_x', x(group()))"  # a step, or a layer
MARK_PANEL_WIDTH = "item.mark.group.width"  # of the panel that a mark stands in


def x_in_pixels(value: str) -> str:
    """Return the expression of a step's or layer's distance from the left end of the panels."""
    return f"scale('concat_0_x', {value})"
