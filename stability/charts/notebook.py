"""Charts with their data, for notebooks and export."""

from collections.abc import Mapping

import altair as alt
import pyarrow as pa

from stability import frames
from stability.charts.curves import training_chart
from stability.charts.palette import DIVERGING_LIGHT, SEQUENTIAL
from stability.charts.profiles import depth_chart
from stability.engine.runs import Run


def training(run: Run, scheme: str = "", quantity: str = "signal") -> alt.VConcatChart:
    """Return the curves of a run by step, with the heat map of a scheme's quantity.

    The scheme is the first one where none is named; the quantity "signal", "signal_gradient" or
    "weight_gradient". Raises ValueError where nothing has been measured yet.
    """
    require_measurements(run)
    scheme = scheme or run.experiment.schemes[0]
    heat = frames.heat_tables(run, scheme, quantity)
    chart = training_chart(run.experiment, scheme, quantity)
    return with_data(chart, frames.training_tables(run) | heat)


def depth(run: Run) -> alt.VConcatChart:
    """Return the profiles of a run by layer at its newest step, with what theory predicts.

    Raises ValueError where nothing has been measured yet.
    """
    require_measurements(run)
    return with_data(depth_chart(run.experiment), frames.depth_tables(run))


def require_measurements(run: Run) -> None:
    """Raise ValueError if nothing has been measured yet."""
    if not len(run.measurements):
        raise ValueError("this run has measured nothing yet: train it first, by run.train()")


def with_data(chart: alt.VConcatChart, tables: Mapping[str, pa.Table]) -> alt.VConcatChart:
    """Return a chart with its data, a legend, and the colours that the page has from its theme."""
    complete = chart.configure_range(diverging=list(DIVERGING_LIGHT), ramp=list(SEQUENTIAL))
    complete.datasets = {name: table.to_pylist() for name, table in tables.items()}
    has_names = any(parameter.name == "names" for parameter in complete.params)
    title = "names[indexof(schemes, datum.label)]" if has_names else "datum.label"
    # A legend is drawn only where all layers of a panel agree on it.
    for layer in complete.vconcat[0].layer:
        encoding = layer.encoding if layer.encoding is not alt.Undefined else alt.Encoding()
        for channel in (encoding.color, encoding.shape):
            if (field := getattr(channel, "shorthand", "")) in ("scheme:N", "class:N"):
                words = title if field == "scheme:N" else alt.Undefined
                channel.legend = alt.Legend(title=None, symbolOpacity=1, labelExpr=words)
    return complete
