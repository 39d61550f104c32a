"""Singular values of the hidden layers: how far they stretch each direction."""

import altair as alt

from stability.charts import channels, panels
from stability.charts.spec_cache import chart_and_spec
from stability.i18n import _


def build_singular(kind: None) -> alt.VConcatChart:
    """Draw the singular values, the largest first, and dashed the edge of their law.

    Data sets: `singular`, `limits`, as in `stability.frames.singular_tables`.
    """
    scale, axis = channels.log_scale("value"), channels.value_axis()
    value, edge = (channels.y(name, scale, axis) for name in ("value", "edge"))
    rank = channels.x("rank", channels.UNIT, channels.SHARE_AXIS)
    base = panels.data_set("singular").encode(x=rank, color=channels.colour())
    tips = channels.tooltips("scheme:N", "rank:Q .3~e", "value:Q .3~e", "edge:Q .3~e")
    return panels.single_panel(
        _("Singular values, by share of directions (log)"),
        200,
        panels.hold_axes(channels.y("value", scale)),
        base.mark_line(**panels.DASHED).encode(y=edge),
        base.mark_line(strokeWidth=2, clip=True).encode(y=value),
        panels.scheme_marks(base.encode(y=value), tips),
        description=_("Singular values of the hidden layers before training, from the largest."),
    )


singular_chart, singular_spec = chart_and_spec(build_singular, channels.fill_schemes)
