"""Open a hundred links with the code of two checkouts, and say where their pages differ.

    python tests/compare_pages.py OTHER_CHECKOUT [first [last]]

A page is what a visitor can read once its run has ended: the address, every text, every control with its value, every
table, and every named data set of every chart. Times of computing are left out, since no two are alike.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

ROOT = Path(__file__).resolve().parent.parent
LESSONS = """composition gradient-product vanishing-sigmoid relu-cure exploding-product critical-sigma permutation
    constant-weights dropout-symmetry default-decays xavier-derived xavier-dilemma why-he flat-weight-gradients
    edge-of-chaos orthogonal-100-layers residual normalization after float16-underflow bfloat16-range epsilon
    other-symmetries equal-start singular-bounds repair""".split()
SECTIONS = "pre_activations learned formats symmetry gains singular_values theory numbers tried".split()
PRODUCT_SECTIONS = "healing exponents bounds norms".split()
SMALL = "depth=6&width=16&samples=128&batch=16&steps=12"
LINKS = [
    "", "bench=product", "bench=course", "view=present", "depth=30&steps=60&width=24", f"replicates=3&{SMALL}",
    *(f"lesson={key}" for key in LESSONS),
    *(f"lesson={key}&answer={answer}" for key, answer in zip(LESSONS, "shown 1 2 1".split() * 7, strict=False)),
    *(f"section={key}&{SMALL}&activation=tanh" for key in SECTIONS),
    f"section=learned&{SMALL}&dataset=moons", f"section=learned&{SMALL}&dataset=sine&learning_rate=0.01",
    f"section=pre_activations&{SMALL}&layer=3&moment=2&replicates=3",
    *(f"bench=product&section={key}&count=20&replicates=20" for key in PRODUCT_SECTIONS),
    f"pin.depth=3&{SMALL}", f"pin.activation=tanh&pin2.optimizer=adam&pin2.learning_rate=0.001&{SMALL}", f"pin.x=1&{SMALL}",
    f"pin.depth=1000&{SMALL}", f"schemes=zeros,constant:0.1,sparse&{SMALL}&section=symmetry",
    f"schemes=fixup,he_normal&residual=1&{SMALL}", f"schemes=fixup,he_normal&{SMALL}", f"schemes=looks_linear,lsuv&{SMALL}",
    f"schemes=critical,unit_gain,orthogonal:1.4&activation=tanh&{SMALL}&section=theory", f"schemes=nothing&{SMALL}",
    f"normalization=batch&optimizer=muon&{SMALL}", f"normalization=layer&dropout=0.2&weight_decay=0.1&optimizer=adamw&{SMALL}",
    f"precision=float16&{SMALL}&section=formats", f"precision=float16_scaled&schemes=normal:3,he_normal&{SMALL}",
    f"precision=bfloat16&optimizer=lars&clip=1&{SMALL}", f"dataset=teacher&{SMALL}&learning_rate=0.001",
    f"dataset=linear&optimizer=rmsprop&{SMALL}&replicates=2", f"dataset=spirals&activation=gelu&bias_std=0.1&{SMALL}",
    "depth=999", "depth=abc&width=-3&seed=1.5", "schemes=he_normal,he_normal,HE_NORMAL", "unknown=1&v=9&section=nowhere",
    f"batch=1000&{SMALL}", f"lesson=nowhere&{SMALL}", "lesson=after&bench=product", "bench=product&n=0&family=none",
    "depth=101&width=512&replicates=16&steps=5000", "schemes=normal:1e999&learning_rate=inf",
]  # fmt: skip


def open_pages(links: list[str]) -> list[dict[str, Any]]:
    """The pages of these links, by the code in the present folder."""
    from streamlit.testing.v1 import AppTest

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
        address = {name: value[-1] if isinstance(value, list) else value for name, value in at.query_params.items()}
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
    """Everything of an element that can be read: its texts, choices and values; CSS and identifiers left out."""
    from google.protobuf.json_format import MessageToDict

    if element.type == "vega_lite_chart":
        spec = json.loads(element.proto.spec)
        return [f"chart: {word}" for word in sorted(words_of_chart(spec))]
    if element.type in ("arrow_data_frame", "dataframe"):
        frame = element.value.drop(columns="seconds", errors="ignore")
        return [f"table: {frame.to_csv(index=False)}", *sorted(re.findall(r'"label": "([^"]*)"', element.proto.columns))]
    texts = (re.sub(r"(?s)<style>.*?</style>", "", text) for text in strings(MessageToDict(element.proto), ""))
    return [f"{element.type}: {text}" for text in texts if text and not re.search(r"\$\$ID-|^[0-9a-f]{32,}", text)]


def strings(value: Any, key: str) -> list[str]:
    if isinstance(value, dict):
        return [text for name, part in value.items() for text in strings(part, name)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part, key)]
    silent = {"id", "formId", "instructions", "componentName", "jsContent", "cssContent", "htmlContent", "element_hash"}
    return [] if key in silent or isinstance(value, bool) else [re.sub(r"\b[\d.]+ s\b", "_ s", str(value))]


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
    import pyarrow as pa

    return {one.name: pa.ipc.open_stream(one.data.data).read_all().to_pydict() for one in chart.datasets}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """A line for each difference of two pages."""
    found = [f"address: {one['address']} | {other['address']}"] if one["address"] != other["address"] else []
    ours, theirs = Counter(one["texts"]), Counter(other["texts"])
    found += [f"- {text[:300]}" for text in (theirs - ours).elements()] + [f"+ {text[:300]}" for text in (ours - theirs).elements()]
    if ours == theirs and one["texts"] != other["texts"]:
        found.append("the same texts in another order")
    if len(one["charts"]) != len(other["charts"]):
        return [*found, f"{len(other['charts'])} charts became {len(one['charts'])}"]
    for number, (ours, theirs) in enumerate(zip(one["charts"], other["charts"], strict=True), 1):
        for name in sorted(ours.keys() | theirs.keys()):
            columns = [(set(table.get(name, {})), table.get(name, {})) for table in (ours, theirs)]
            if json.dumps(columns[0][1], sort_keys=True) != json.dumps(columns[1][1], sort_keys=True):
                changed = [column for column in columns[0][0] | columns[1][0] if columns[0][1].get(column) != columns[1][1].get(column)]
                found.append(f"chart {number}, data set {name}: {sorted(changed)}")
    return found


def collected(checkout: Path, first: int, last: int) -> list[dict[str, Any]]:
    command = [sys.executable, str(Path(__file__).resolve()), "--open", str(first), str(last)]
    done = subprocess.run(command, cwd=checkout, stdout=subprocess.PIPE, check=True, env=environment(checkout))
    return json.loads(done.stdout.decode().splitlines()[-1])


def environment(checkout: Path) -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}


def main(arguments: list[str]) -> int:
    if arguments[0] == "--open":
        first, last = map(int, arguments[1:3])
        print(json.dumps(open_pages(LINKS[first:last])))
        return 0
    first, last = (int(word) for word in (arguments[1:] + ["0", str(len(LINKS))][len(arguments) - 1 :]))
    other, own = (collected(checkout, first, last) for checkout in (Path(arguments[0]).resolve(), ROOT))
    found = {page["link"]: lines for page, before in zip(own, other, strict=True) if (lines := differences(page, before))}
    for link, lines in found.items():
        print(f"?{link}", *lines, sep="\n  ")
    print(f"{len(own) - len(found)} of {len(own)} links open to the same page")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
