"""The number of distinct hidden units of each layer, step by step: a heat map for each scheme."""

import altair as alt

from stability.charts import channels, panels
from stability.charts.spec_cache import Filling, chart_and_spec
from stability.i18n import _
from stability.records.experiment import Experiment


def fill_symmetry(experiment: Experiment) -> Filling[int]:
    """Return the filling of a symmetry chart; its kind is the number of schemes."""
    units = experiment.width
    powers = [count for count in (4, 16, 64, 256) if 2 * count <= units]
    title, first = _("{scheme}: different units"), _("{scheme}: different units, layer by step")
    titles = [title.format(scheme=row.title) for row in experiment.scheme_rows]
    titles[0] = first.format(scheme=experiment.scheme_rows[0].title)
    parameters = {
        "schemes": list(experiment.schemes),
        "titles": titles,
        "steps": experiment.steps,
        "hidden_layers": max(2, experiment.depth) - 1,
        "units": units,
        "counts": [1, *powers, units],  # of the legend, from all units alike to all different
    }
    return Filling(len(titles), parameters)


def build_symmetry(schemes: int) -> alt.VConcatChart:
    """Draw distinct hidden units by layer and step, a heat map a scheme; grey is not finite.

    Data set: `distinct`, as in `stability.frames.symmetry_tables`.
    """
    drawn = [count_map(index, is_last=index == schemes - 1) for index in range(schemes)]
    words = _(
        "Number of different hidden units by layer and step, a heat map for each initialization."
    )
    return panels.stack(drawn, words)


def count_map(index: int, is_last: bool) -> alt.LayerSpec:
    """Draw one scheme's layers by step; the last panel has the axis of steps and the legend."""
    base = panels.data_set("distinct").transform_filter(f"datum.scheme == schemes[{index}]")
    base = base.transform_calculate(bottom="datum.layer - 0.5", top="datum.last + 0.5")
    steps = channels.shared_axis("step", is_last, **channels.WHOLE)
    axis = alt.Axis(**channels.EXTENT, tickMinStep=1, tickCount=3, format="d")
    counts = "layer:Q", "last:Q", "step:Q", "distinct:Q"
    base = base.encode(
        x=channels.x("since", channels.up_to(0, "steps"), steps),
        x2=alt.X2("until"),
        y=channels.y("bottom", channels.up_to(0.5, "hidden_layers + 0.5"), axis),
        y2=alt.Y2("top"),
        tooltip=channels.tooltips(*counts, "share:Q .0%"),
    )
    scale = alt.Scale(type="log", domain=[1, alt.ExprRef("units")], range="ramp", nice=False)
    legend = None
    if is_last:
        values = alt.ExprRef("counts")
        legend = panels.gradient_legend(values=values, format="d", labelOverlap=True)
    cells = panels.heat_cells(base, "distinct", "isValid(datum.distinct)", scale, legend)
    return panels.panel(alt.ExprRef(f"titles[{index}]"), 64, *cells)


symmetry_chart, symmetry_spec = chart_and_spec(build_symmetry, fill_symmetry)
