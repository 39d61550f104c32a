"""Pictures, tables and settings that a visitor takes along."""

import io
import json
import struct
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from stability.engine.runs import ProductRun, Run
from stability.page.benches import open_section
from stability.page.product_sections import PRODUCT_SECTIONS
from stability.page.take_along import product_downloads, section_downloads, training_downloads
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.product import Product
from stability.records.view import View

E = Experiment(schemes=("he_normal", "normal:1"), depth=3, width=4, samples=64, batch=8, steps=5)
ADDRESS = "https://example.org/"


@pytest.fixture(scope="module")
def files() -> dict:
    """What makes each file of a training, by the file's name."""
    page = Page(experiment=E, view=View(section="take"))
    rows = training_downloads(Run(E).train(), page, {}, ADDRESS)
    return {b.options["file_name"]: b.options["data"] for _, buttons in rows for b in buttons}


def test_every_panel_is_a_file_named_after_what_it_shows(files):
    panels = "loss", "accuracy", "gradient-norm", "heat", "signal", "signal-gradient"
    assert {f"{panel}-relu-3x4.{kind}" for panel in panels for kind in ("png", "svg")} < {*files}
    assert not any(name.startswith("scale") for name in files), "only loss scaling has a scale"


def test_a_picture_says_its_settings_its_link_and_the_names_of_its_lines(files):
    svg = files["signal-gradient-relu-3x4.svg"]().decode()
    for words in ("Signal gradient", "activation ReLU, depth 3, width 4", "He (normal)", "layer 1"):
        assert words in svg
    assert "https://example.org/?v=1&amp;schemes=he_normal,normal:1" in svg
    assert "section" not in svg


def test_a_png_is_twice_as_large_as_its_panel_and_margin(files):
    header = files["loss-relu-3x4.png"]()[:24]
    assert header.startswith(b"\x89PNG")
    assert struct.unpack(">I", header[16:20])[0] > 2 * (640 + 2 * 24)


def test_tables_are_tidy_and_know_the_link_that_made_them(files):
    curves = pd.read_csv(io.StringIO(files["curves-relu-3x4.csv"]()))
    assert len(curves) == 2 * 6
    table = pq.read_table(io.BytesIO(files["layers-relu-3x4.parquet"]()))
    assert len(table) == 2 * 6 * 3
    (link,) = {*curves["link"]} | {*table["link"].to_pylist()}
    assert table.schema.metadata[b"link"].decode() == link
    assert json.loads(files["settings-relu-3x4.json"]())["link"] == link


SECTION_CHARTS = {
    "pre_activations": "pre-activations", "learned": "x2", "formats": "then backward",
    "symmetry": "different units", "gains": "First layer", "singular_values": "Singular values",
    "phase": "and, upward",
    "healing": "Typical growth", "exponents": "Growth of each", "bounds": "their bounds",
}  # fmt: skip


@pytest.mark.parametrize("key", SECTION_CHARTS)
def test_the_chart_of_an_open_section_is_a_picture_with_its_settings_and_its_link(key):
    records = {"experiment": replace(E, dataset="moons"), "product": Product(count=5, replicates=3)}
    is_product = key in PRODUCT_SECTIONS
    view = View(bench="product" if is_product else "train", section=key)
    page = Page(**records, view=view)
    stream = (ProductRun if is_product else Run)(page.record).train()
    opened = open_section(page, lambda cost: True)
    opened.pieces(stream, len(stream.measurements))
    rows = section_downloads(opened.pictures, page, ADDRESS)
    files = [button.options for _, buttons in rows for button in buttons]
    assert len(files) == (4 if key == "learned" else 2), "one scheme, one square"
    for file in files:
        assert file["file_name"].startswith(key.replace("_", "-"))
    for svg in (file for file in files if file["file_name"].endswith(".svg")):
        text = svg["data"]().decode()
        for words in (SECTION_CHARTS[key], f"section={key}", "5" if is_product else "depth 3"):
            assert words in text
        drawn_by_scheme = key in ("pre_activations", "gains", "singular_values", "phase")
        assert not drawn_by_scheme or "He (normal)</text>" in text, "a legend names them"


def test_a_product_has_a_picture_its_norms_and_its_settings():
    p = Product(count=5, replicates=3)
    page = Page(product=p, view=View(bench="product"))
    rows = product_downloads(ProductRun(p).train(), page, {}, ADDRESS)
    made = {b.options["file_name"]: b.options["data"] for _, buttons in rows for b in buttons}
    assert b"Norm" in made["norm-normal-4x4.svg"]()
    assert "median" in made["norms-normal-4x4.csv"]()
    assert json.loads(made["settings-normal-4x4.json"]())["settings"]["count"] == 5
