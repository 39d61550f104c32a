"""The names that Vega-Lite gives inside a Vega spec are still those that charts speak of."""

import pytest

from stability.charts import vega_names

EXPLANATION = """
Vega-Lite, in the version that Streamlit brings, no longer calls the parts of a compiled chart as
stability/charts/vega_names.py says: {name} is {found}.
Readings, zoom and crosshair of all charts hang on these names. Look the new ones up in
`view.getState()` of a chart in the browser, and change that file.
"""


@pytest.mark.browser
def test_a_browser_knows_every_name_inside_vega_that_charts_speak_of(page, server):
    page.goto(
        f"{server.url}?schemes=he_normal&depth=3&width=4&features=4&samples=64&batch=8&steps=5"
    )
    page.wait_for_function("views().length == 2 && newest() === 5")  # both charts, the whole run
    # What charts share is handed to them a moment after a run that is drawn once.
    page.wait_for_function("views()[0].signal('alone') !== undefined")
    found = page.evaluate(
        """() => {
          const view = views()[0], scale = view.scale("concat_0_x"), panels = [];
          const look = (item) => {
            const mark = item.mark ?? {};
            if (mark.group && mark.marktype !== "group") panels.push(mark.group.width);
            (item.items ?? []).forEach(look);
          };
          look(view.scenegraph().root);
          return {
            "the scale 'concat_0_x'": scale.range()[1] > 100,
            "item.mark.group.width": panels.includes(scale.range()[1]),
            "a signal of `config.signals`": view.signal("alone") === "",
          };
        }"""
    )
    for name, is_there in found.items():
        assert is_there, EXPLANATION.format(name=name, found="missing")
    spoken = (vega_names.PANEL_ENDS, vega_names.POINTER_IN_PANEL, vega_names.POINTER_X)
    assert all("'concat_0_x'" in name for name in (*spoken, vega_names.x_in_pixels("0")))
    assert vega_names.MARK_PANEL_WIDTH == "item.mark.group.width"
