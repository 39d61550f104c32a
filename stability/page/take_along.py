"""Files for a visitor to take along: pictures of panels, all data of a run, and its settings.

Everything is a download button; a file is made only when its button is pressed.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stability import charts, frames
from stability.engine.runs import ProductRun, Run
from stability.frames.pinned import Pinned
from stability.frames.run_panels import panels_shown
from stability.i18n import N_, _
from stability.page.links import spell_link
from stability.page.pieces import Element, Picture
from stability.page.settings import axis_sentence
from stability.records.page import Page
from stability.text import capitalize_first

Spec = dict[str, Any]
DownloadRow = tuple[str, list[Element]]  # of buttons behind a few words
PANEL_LABELS = {
    "loss": N_("Loss"),
    "accuracy": N_("Accuracy"),
    "gradient_norm": N_("Gradient norm"),
    "scale": N_("Loss scale"),
    "heat": N_("Heat map"),
    "signal": N_("Signal"),
    "signal_gradient": N_("Signal gradient"),
    "weight_gradient": N_("Weight gradient"),
}
PICTURE_FORMATS, PNG_SCALE = ("png", "svg"), 2
MIME_TYPES = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "py": "text/x-python",
}


def training_downloads(run: Run, page: Page, pinned: Pinned, address: str) -> list[DownloadRow]:
    """Return the buttons for a training: its panels, its curves and profiles, and its settings."""
    e, link = run.experiment, link_of(page, address)
    labels = {name: _(PANEL_LABELS[name]) for name in panels_shown(e, tuple(PANEL_LABELS))}

    def picture(panel: str) -> Spec:
        chart, tables = panel_chart(run, page, pinned, panel)
        return charts.as_picture(chart, tables, [describe_settings(page), link])

    name = f"{e.activation}-{e.depth}x{e.width}".replace("_", "-").replace(".", "-")
    return [
        *picture_rows(labels, picture, name),
        (_("All measurements"), [
            *table_buttons(_("Curves"), partial(frames.curves, run), f"curves-{name}", link),
            *table_buttons(_("Layers"), partial(frames.layers, run), f"layers-{name}", link),
            settings_button(page, name, link),
        ]),
    ]  # fmt: skip


def product_downloads(
    run: ProductRun, page: Page, pinned: Pinned, address: str
) -> list[DownloadRow]:
    """Return the buttons for a product: its picture, its norms, and its settings."""
    p, link = run.product, link_of(page, address)

    def picture(panel: str) -> Spec:
        tables = frames.product_tables(p, run.measurements)
        return charts.as_picture(charts.product_chart(p), tables, [describe_settings(page), link])

    def norms() -> pd.DataFrame:
        return frames.norm_frame(p, run.measurements)

    name = f"{p.family}-{p.n}x{p.n}".replace("_", "-")
    data = [
        *table_buttons(_("Norms"), norms, f"norms-{name}", link),
        settings_button(page, name, link),
    ]
    return [*picture_rows({"norm": _("Norm")}, picture, name), (_("All measurements"), data)]


def section_downloads(
    pictures: Mapping[Any, Picture], page: Page, address: str
) -> list[DownloadRow]:
    """Return the buttons for the charts of an open section, as they were last drawn.

    There is one chart, or one for each scheme.
    """
    section, record = page.view.open_section or "", page.record
    caption = [describe_settings(page), link_of(page, address, section)]
    schemes = getattr(record, "scheme_rows", ())
    names = dict(zip(getattr(record, "schemes", ()), (row.title for row in schemes), strict=True))

    def make(key: Any, format: str) -> bytes:
        picture = pictures[key]
        return render(charts.spec_as_picture(picture.spec, picture.tables, caption, names), format)

    def button(key: Any, label: str, format: str, name: str) -> Element:
        return download(label, f"{name}.{format}", partial(make, key, format))

    name = section.replace("_", "-")
    if len(pictures) < 2:
        return [
            (
                _("Picture"),
                [button(key, format.upper(), format, name) for format in PICTURE_FORMATS],
            )
            for key in pictures
        ]
    return [
        (_("Pictures as {format}").format(format=format.upper()), [
            button(key, title, format, f"{name}-{re.sub('[_:.]', '-', scheme)}")
            for key, (scheme, title) in zip(pictures, names.items(), strict=True)
        ])
        for format in PICTURE_FORMATS
    ]  # fmt: skip


def panel_chart(
    run: Run, page: Page, pinned: Pinned, panel: str
) -> tuple[Any, dict[str, pa.Table]]:
    """Return one panel of a training as a chart of its own, with its tables."""
    e, view, panels = run.experiment, page.view, (panel,)
    pins = tuple(pin.experiment for pin in pinned.values())
    if panel in frames.DEPTH_PANELS:
        tables = frames.depth_tables(run, None, pinned, view.format, view.moment, panels=panels)
        return charts.depth_chart(e, pins, panels), tables
    scheme = view.value_shown("heat_scheme", e)
    tables = frames.training_tables(run, None, pinned, view.format, panels)
    tables |= frames.heat_tables(run, scheme, view.heat_quantity)
    return charts.training_chart(e, scheme, view.heat_quantity, pins, panels), tables


def picture_rows(
    labels: dict[str, str], picture: Callable[[str], Spec], name: str
) -> Iterator[DownloadRow]:
    """Yield a row of buttons for each format of pictures, with a button for each panel."""

    def make(panel: str, format: str) -> bytes:
        return render(picture(panel), format)

    for format in PICTURE_FORMATS:
        buttons = []
        for panel, label in labels.items():
            file = f"{panel.replace('_', '-')}-{name}.{format}"
            buttons.append(download(label, file, partial(make, panel, format)))
        yield _("Pictures as {format}").format(format=format.upper()), buttons


def render(spec: Spec, format: str) -> bytes:
    """Return a complete spec as a file of one of PICTURE_FORMATS.

    The library vl-convert-python runs Vega without a browser; it is loaded when it is first needed.
    """
    import vl_convert

    if format == "svg":
        return vl_convert.vegalite_to_svg(spec).encode()
    return vl_convert.vegalite_to_png(spec, scale=PNG_SCALE)


def table_buttons(
    label: str, table: Callable[[], pd.DataFrame], name: str, link: str
) -> list[Element]:
    """Return the buttons of a table as CSV and Parquet, which have the link as a column."""

    def make_parquet() -> bytes:
        file, rows = io.BytesIO(), pa.Table.from_pandas(table().assign(link=link))
        metadata = {**(rows.schema.metadata or {}), b"link": link.encode()}
        pq.write_table(rows.replace_schema_metadata(metadata), file)
        return file.getvalue()

    def make_csv() -> str:
        text: str = table().assign(link=link).to_csv(index=False)
        return text

    of_format = _("{label}, {format}")
    return [
        download(of_format.format(label=label, format="CSV"), f"{name}.csv", make_csv),
        download(of_format.format(label=label, format="Parquet"), f"{name}.parquet", make_parquet),
    ]


def settings_button(page: Page, name: str, link: str) -> Element:
    """Return the button of the settings as JSON, with the link that opens them."""
    settings = {"link": link, "settings": page.record.settings()}
    return download(
        _("Settings, JSON"), f"settings-{name}.json", partial(json.dumps, settings, indent=2)
    )


def download(label: str, file: str, make: Callable[[], str | bytes]) -> Element:
    """Return a button that makes its file when it is pressed."""
    options: dict[str, Any] = {"data": make, "file_name": file, "on_click": "ignore"}
    options |= {"mime": MIME_TYPES[file.rpartition(".")[2]], "key": f"take_{file}"}
    return Element("download_button", label, options)


def link_of(page: Page, address: str, section: str = "") -> str:
    """Return the link that opens a page, beneath its charts only this section, or none."""
    view = replace(page.view, section=section, view="")
    return f"{address}?{urlencode(spell_link(replace(page, view=view)), safe=',:')}"


def describe_settings(page: Page) -> str:
    """Return the main settings of a page, and those off their defaults, in words."""
    record, knobs = page.record, page.record.knobs()
    changed = record.differences(type(record)())
    names = [name for name, knob in knobs.items() if knob.main or name in changed]
    names = [name for name in names if not axis_sentence(page, name)]  # which a map varies
    words = [knobs[name].label_with_value(record.settings()[name]) for name in names]
    return capitalize_first(_("{parts}.").format(parts=_(", ").join(words)))
