"""The data of a chart: from the message that a server sends, and from the view that a browser has
drawn.
"""

import pyarrow as pa
from streamlit.proto.VegaLiteChart_pb2 import VegaLiteChart

# Vega keeps its views to itself; React's record of a chart's element holds them. Called in the
# browser: the views of all
# charts, from the top of the page.
VIEWS_JS = """
() => [...document.querySelectorAll("[data-testid=stVegaLiteChart]")].flatMap((chart) => {
  let fiber = chart[Object.keys(chart).find((key) => key.startsWith("__reactFiber"))];
  for (let up = 0; fiber && up < 12; up++, fiber = fiber.return) {
    let hook = fiber.memoizedState;
    for (; hook && typeof hook === "object" && "next" in hook; hook = hook.next) {
      const view = hook.memoizedState?.current;
      if (typeof view?.data === "function") return [view];
    }
  }
  return [];
})
"""
# Called with a data set's name: its rows, or null where no chart has drawn such a data set yet.
ROWS_JS = f"""
(name) => {{
  for (const view of ({VIEWS_JS})()) {{
    try {{
      return view.data(name).map((row) => ({{ ...row }}));
    }} catch {{
      continue;  // this chart has no such data set
    }}
  }}
  return null;
}}
"""


def tables(chart: VegaLiteChart) -> dict[str, pa.Table]:
    """The data sets of one chart message, by name."""
    return {one.name: pa.ipc.open_stream(one.data.data).read_all() for one in chart.datasets}


def curve(bands: pa.Table, scheme: str, name: str = "loss") -> list[tuple[int, float | None]]:
    """One scheme's line, as pairs of step and value."""
    rows = bands.select(["scheme", "step", name]).to_pylist()
    return [(row["step"], row[name]) for row in rows if row["scheme"] == scheme]
