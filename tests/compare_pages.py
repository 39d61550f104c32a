"""Open a hundred links with the code of two checkouts, and say where their pages differ.

    python tests/compare_pages.py OTHER_CHECKOUT [FIRST LAST]

A page is what a visitor can read once its run has ended: the address, every text, every control
with its value, every table, and every named data set of every chart. Times of computing are left
out, since no two are alike.
"""

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa
from google.protobuf.json_format import MessageToDict
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = (ROOT / "tests" / "pages_to_compare.txt").read_text(encoding="utf-8")
LINKS = [line.removeprefix("?") for line in WRITTEN.splitlines()]
# Fields of an element's message that nobody reads.
SILENT = {"id", "formId", "componentName", "jsContent", "cssContent", "htmlContent", "instructions"}


def open_pages(links: list[str]) -> list[dict[str, Any]]:
    """The pages of these links, by the code in the present folder."""
    pages = []
    for link in links:
        at = AppTest.from_file(str(Path("app.py").resolve()), default_timeout=300)
        for name, value in parse_qsl(link, keep_blank_values=True):
            at.query_params[name] = value
        at.run()
        texts, data = [], []
        for element in [*leaves(at.main), *leaves(at.sidebar)]:
            texts += described(element)
            if element.type == "vega_lite_chart":
                data.append(chart_data(element.proto))
        address = {
            name: value[-1] if isinstance(value, list) else value
            for name, value in at.query_params.items()
        }
        pages.append({"link": link, "address": address, "texts": texts, "charts": data})
        print(f"{len(pages)} {link}", file=sys.stderr, flush=True)
    return pages


def leaves(block: Any) -> list[Any]:
    """All elements of a block, in the order of the page."""
    found = []
    for child in block.children.values():
        found += leaves(child) if hasattr(child, "children") else [child]
    return found


def described(element: Any) -> list[str]:
    """Everything of an element that can be read: its texts, choices and values."""
    if element.type == "vega_lite_chart":
        return [f"chart: {word}" for word in sorted(words_of_chart(json.loads(element.proto.spec)))]
    if element.type in ("arrow_data_frame", "dataframe"):
        frame = element.value.drop(columns="seconds", errors="ignore")
        headings = re.findall(r'"label": "([^"]*)"', element.proto.columns)
        return [f"table: {frame.to_csv(index=False)}", *sorted(headings)]
    found = []
    for text in strings(MessageToDict(element.proto), ""):
        text = re.sub(r"(?s)<style>.*?</style>", "", text)
        if text and not re.search(r"\$\$ID-|^[0-9a-f]{32,}|/media/", text):  # identifiers
            found.append(f"{element.type}: {text}")
    return found


def strings(value: Any, key: str) -> list[str]:
    """The texts and numbers in a message, without times of computing."""
    if isinstance(value, dict):
        return [text for name, part in value.items() for text in strings(part, name)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part, key)]
    if key in SILENT or isinstance(value, bool):
        return []
    return [re.sub(r"\b[\d.]+ s\b", "_ s", str(value))]


def words_of_chart(spec: Any) -> set[str]:
    """The titles and descriptions of a chart, wherever they stand in it."""
    if isinstance(spec, list):
        return set().union(*map(words_of_chart, spec)) if spec else set()
    if not isinstance(spec, dict):
        return set()
    own = {spec[key] for key in ("title", "description") if isinstance(spec.get(key), str)}
    return own.union(*(words_of_chart(part) for part in spec.values()))


def chart_data(chart: Any) -> dict[str, dict[str, list]]:
    """The named data sets of a chart as columns of plain values."""
    streams = {one.name: pa.ipc.open_stream(one.data.data) for one in chart.datasets}
    return {name: stream.read_all().to_pydict() for name, stream in streams.items()}


def alike(one: list, other: list) -> bool:
    """True if two columns hold the same, numbers to 1e-12 of themselves."""
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=1e-12) or (math.isnan(a) and math.isnan(b))
        if isinstance(a, float) and isinstance(b, float)
        else a == b
        for a, b in zip(one, other, strict=True)
    )


def differences(now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """A line for each difference of two pages."""
    found = []
    if now["address"] != before["address"]:
        found.append(f"address: {before['address']} became {now['address']}")
    new, old = Counter(now["texts"]), Counter(before["texts"])
    found += [f"- {text[:300]}" for text in (old - new).elements()]
    found += [f"+ {text[:300]}" for text in (new - old).elements()]
    if new == old and now["texts"] != before["texts"]:
        found.append("the same texts in another order")
    if len(now["charts"]) != len(before["charts"]):
        return [*found, f"{len(before['charts'])} charts became {len(now['charts'])}"]
    for number, (new, old) in enumerate(zip(now["charts"], before["charts"], strict=True), 1):
        for name in sorted(new.keys() | old.keys()):
            one, other = new.get(name, {}), old.get(name, {})
            columns = sorted(
                key
                for key in one.keys() | other.keys()
                if not alike(one.get(key, []), other.get(key, []))
            )
            if columns:
                found.append(f"chart {number}, data set {name}: {columns}")
    return found


def collect(checkout: Path, first: str, last: str) -> list[dict[str, Any]]:
    """The pages of these links as the code of a checkout shows them, opened in a process of its
    own.
    """
    command = [sys.executable, str(Path(__file__).resolve()), "--open", first, last]
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=checkout, stdout=subprocess.PIPE, check=True, env=environment
    )
    return json.loads(done.stdout.decode().splitlines()[-1])


def main(other: str, first: str = "0", last: str = str(len(LINKS))) -> int:
    if other == "--open":
        print(json.dumps(open_pages(LINKS[int(first) : int(last)])))
        return 0
    before, now = (collect(checkout, first, last) for checkout in (Path(other).resolve(), ROOT))
    different = 0
    for page, old in zip(now, before, strict=True):
        if lines := differences(page, old):
            different += 1
            print(f"?{page['link']}", *lines, sep="\n  ")
    print(f"{len(now) - different} of {len(now)} links open to the same page")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
