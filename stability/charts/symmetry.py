"""The number of distinct hidden units of each layer, step by step: a heat map for each scheme."""

import altair as alt

from stability.charts.palette import ZERO_OR_NOT_FINITE
from stability.charts.panels import (
    CELL_STROKE,
    EXTENT,
    LEGEND_LENGTH,
    data_set,
    number_tips,
    panel,
    shared_axis,
    stack_panels,
    x_channel,
    y_channel,
)
from stability.charts.spec_cache import ChartTemplate, Filling
from stability.records.experiment import Experiment


def fill_symmetry(experiment: Experiment) -> Filling[int]:
    """Return the filling of a symmetry chart; its kind is the number of schemes."""
    units = experiment.width
    powers = [count for count in (2, 4, 8, 16, 32, 64, 128, 256) if 2 * count <= units]
    titles = [f"{row.title}: different units" for row in experiment.scheme_rows]
    titles[0] += ", layer by step"
    parameters = {
        "schemes": list(experiment.schemes),
        "titles": titles,
        "steps": experiment.steps,
        "hidden_layers": max(2, experiment.depth) - 1,
        "units": units,
        "legend_counts": [1, *powers[1::2], units],  # from all units alike to all different
    }
    return Filling(len(experiment.schemes), parameters)


def build_symmetry(schemes: int) -> alt.VConcatChart:
    """Distinct hidden units by layer and step, a heat map for each scheme; grey is not finite.

    Data set: `distinct`, as in `stability.frames.symmetry_tables`.
    """
    panels = [count_map(index, is_last=index == schemes - 1) for index in range(schemes)]
    words = (
        "Number of different hidden units by layer and step, a heat map for each initialization."
    )
    return stack_panels(panels, words)


def count_map(index: int, is_last: bool) -> alt.LayerChart:
    """One scheme's layers by step; the last panel has the axis of steps and the legend."""
    layers = alt.Scale(domain=[0.5, alt.ExprRef("hidden_layers + 0.5")], nice=False)
    steps = alt.Scale(domain=[0, alt.ExprRef("steps")], nice=False)
    axis = alt.Axis(**EXTENT, tickMinStep=1, tickCount=3, format="d")
    base = (
        data_set("distinct")
        .transform_filter(f"datum.scheme == schemes[{index}]")
        .transform_calculate(bottom="datum.layer - 0.5", top="datum.last + 0.5")
        .mark_rect(clip=True, strokeWidth=CELL_STROKE)
        .encode(
            x=x_channel("since", steps, shared_axis("step", is_last)),
            x2="until",
            y=y_channel("bottom", layers, axis),
            y2="top",
            tooltip=[
                *number_tips("layer", "last", "step", "distinct"),
                *number_tips("share", format=".0%"),
            ],
        )
    )
    scale = alt.Scale(type="log", domain=[1, alt.ExprRef("units")], range="ramp", nice=False)
    legend = count_legend() if is_last else None
    counted = base.transform_filter("isValid(datum.distinct)").encode(
        color=alt.Color("distinct:Q", scale=scale, legend=legend),
        stroke=alt.Stroke("distinct:Q", scale=scale, legend=None),
    )
    # As in the heat map of training: what has no number has no colour, so it is a layer of its own.
    grey = alt.value(ZERO_OR_NOT_FINITE)
    broken = base.transform_filter("!isValid(datum.distinct)").encode(color=grey, stroke=grey)
    return panel(alt.ExprRef(f"titles[{index}]"), 64, broken, counted)


def count_legend() -> alt.Legend:
    """The legend of all heat maps."""
    return alt.Legend(
        title=None,
        orient="bottom",
        direction="horizontal",
        gradientLength=alt.ExprRef(LEGEND_LENGTH),
        gradientThickness=8,
        values=alt.ExprRef("legend_counts"),
        format="d",
        labelOverlap=True,
    )


symmetry_template = ChartTemplate(build_symmetry, fill_symmetry)
symmetry_chart, symmetry_spec = symmetry_template.chart, symmetry_template.spec
