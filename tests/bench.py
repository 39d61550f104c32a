"""The promises of speed and memory, measured: `python tests/bench.py [sections] [--quick]`.

A quiet machine helps. By name alone come `settings --against ANOTHER_CHECKOUT`, `cells`, which
starts a cluster of two workers, `cost`, which fits the weights of
`stability/engine/term_weights.py`, and `extremes`, a quarter of an hour of experiments.
`table --write` puts its table into the README.

What is compared runs side by side in this one process, in turns, on one thread; medians over the
turns, their range behind. Time is processor time, so that other programs on the machine count
little. It is this machine's; ratios hold on most.
"""

import gc
import json
import logging
import os
import statistics
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import streamlit as st  # noqa: E402
import torch  # noqa: E402
from bench_cells import cells  # noqa: E402
from bench_cost import cost  # noqa: E402
from bench_diagnose import diagnosis  # noqa: E402
from bench_engine import table  # noqa: E402
from bench_extremes import extremes  # noqa: E402
from bench_lines import Line, in_turns, steps  # noqa: E402
from bench_map import maps  # noqa: E402
from bench_peaks import peaks  # noqa: E402
from bench_settings import scaling, settings  # noqa: E402
from chart_data import ROWS_JS, VIEWS_JS  # noqa: E402
from local_server import CHROMIUM_ARGS, chromium, served  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402
from streamlit.delta_generator import DeltaGenerator  # noqa: E402
from streamlit.runtime.scriptrunner import add_script_run_ctx  # noqa: E402
from streamlit.testing.v1 import AppTest  # noqa: E402
from torch import Tensor  # noqa: E402

from stability import charts, frames  # noqa: E402
from stability.catalogues import correlation_deficit, gaussian_moments, mean_field  # noqa: E402
from stability.catalogues.activations import ACTIVATIONS  # noqa: E402
from stability.catalogues.number_formats import PRECISIONS  # noqa: E402
from stability.diagnosis.verdicts import verdicts_before_training  # noqa: E402
from stability.engine import quantities, runs, training  # noqa: E402
from stability.engine.input_grid import INPUT_GRIDS  # noqa: E402
from stability.engine.measurement import Measurement  # noqa: E402
from stability.engine.passes import ForwardPass  # noqa: E402
from stability.engine.process_settings import configure_process  # noqa: E402
from stability.engine.rounding_shares import SHARES_SHAPE  # noqa: E402
from stability.engine.runs import Run  # noqa: E402
from stability.engine.training import batch_indices, measure  # noqa: E402
from stability.page import server  # noqa: E402
from stability.page.limits import Limits  # noqa: E402
from stability.page.pieces import Picture  # noqa: E402
from stability.page.renderer import draw_piece  # noqa: E402
from stability.randomness import generator  # noqa: E402
from stability.records.experiment import Experiment  # noqa: E402
from stability.records.product import Product  # noqa: E402
from stability.records.step_sampling import sampled_steps  # noqa: E402
from stability.theory.prediction import predict  # noqa: E402

PERIOD = 31  # steps of the engine a turn: three times what is taken at every tenth step is in each


def main(arguments: list[str]) -> int:
    options = parsed(arguments)
    configure_process()
    # It warns of a script that no browser has asked for.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").disabled = True
    print(
        f"torch {torch.__version__}, streamlit {st.__version__}, "
        f"{os.cpu_count()} cores, one thread\n"
    )
    print(f"{'':<70} {'median':>8} {'':<7} {'range':<18} {'promised':<14} kept")
    sections = {part.__name__: part for part in SECTIONS} | {
        "table": partial(table, write=options.write),
        "cells": cells,
        "cost": cost,
        "extremes": extremes,
        "settings": partial(settings, against=options.against),
    }
    broken = 0
    for name in options.sections or [part.__name__ for part in SECTIONS]:
        for line in sections[name](options.quick):
            broken += not line.kept
            print(line, flush=True)
    print(f"\n{broken} promises broken" if broken else "\nall promises kept")
    return bool(broken)


def parsed(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(description="The promises of speed and memory, measured.")
    names = [part.__name__ for part in SECTIONS] + ["settings", "cells", "cost", "extremes"]
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    parser.add_argument("--against", type=Path, help="another checkout, for `settings`")
    options = parser.parse_args(arguments)
    if unknown := set(options.sections) - set(names):
        parser.error(f"no section is called {', '.join(sorted(unknown))}")
    return options


# The engine


def shares(quick: bool) -> Iterator[Line]:
    """The cost of counting, for every format, what the numbers become: at 20 steps, and spread
    over all of them.
    """
    e, real = Experiment(), quantities.shares_by_outcome

    def nothing(passed: ForwardPass, *_: object) -> Tensor:
        return torch.full((e.depth, *SHARES_SHAPE, len(passed.output)), np.nan)

    def step_with(count: Callable, step: int) -> Callable[[], object]:
        def work():
            with replaced(quantities, "shares_by_outcome", count):
                trained.measure_and_update(step, batch)

        return work

    trained, batch = training.Training(*training.draw_stack_and_data(e)), next(batch_indices(e))
    works = step_with(real, 0), step_with(nothing, 0), step_with(real, 1)
    turns = in_turns(20 if quick else 60, *works)[1:]
    taken = len(sampled_steps(e.steps))
    added = [
        (with_it - without) * taken / ((e.steps + 1) * plain) for with_it, without, plain in turns
    ]
    yield Line(
        "shares in every format, a step with over one without",
        [1 + share for share in added],
        "x",
        at_most=1.25,
    )
    yield Line(
        "  at the steps at which they are taken",
        [with_it / without for with_it, without, _ in turns],
        "x",
    )


def functions(quick: bool) -> Iterator[Line]:
    """The cost, in a run of two inputs, of asking its networks at 20 steps for their answers all
    over the plane.
    """
    e = Experiment(dataset="spirals")
    stack, data = training.draw_stack_and_data(e)
    one_step = partial(training.Training(stack, data).measure_and_update, 1, next(batch_indices(e)))
    with torch.no_grad():
        ask = lambda: stack.first_replicates().forward(INPUT_GRIDS[2])  # noqa: E731
        turns = in_turns(20 if quick else 60, ask, one_step)[1:]
    taken = len(sampled_steps(e.steps))
    added = [1 + asked * taken / ((e.steps + 1) * plain) for asked, plain in turns]
    yield Line(
        "learned functions, a run of spirals with them over one without", added, "x", at_most=1.25
    )


def default_experiment(quick: bool) -> Iterator[Line]:
    e = Experiment()
    firsts = [turn[0] for turn in in_turns(5 if quick else 15, lambda: next(measure(e)))]
    yield Line(
        "first measurement of the default experiment",
        [1e3 * one for one in firsts],
        "ms",
        at_most=150,
    )
    wholes = [turn[0] for turn in in_turns(1 if quick else 3, lambda: list(measure(e)))]
    yield Line("the whole default experiment", wholes, "s")
    yield Line("  a step of it", [1e3 * one / (e.steps + 1) for one in wholes], "ms")
    adam, muon = (
        measure(replace(e, optimizer=key, learning_rate=0.001, steps=5000))
        for key in ("adam", "muon")
    )
    next(adam), next(muon)
    turns = in_turns(3 if quick else 9, steps(muon, PERIOD), steps(adam, PERIOD))
    yield Line(
        "  a step by Muon, times that by Adam",
        [one / other for one, other in turns],
        "x",
        at_most=3,
    )


def formats(quick: bool) -> Iterator[Line]:
    """Time the default experiment in each format, in turns with float32."""
    keys = [key for key, row in PRECISIONS.items() if row.itemsize < 4]
    streams = [
        measure(replace(Experiment(), precision=key, steps=5000)) for key in ("float32", *keys)
    ]
    for stream in streams:
        next(stream)
    turns = in_turns(3 if quick else 9, *(steps(stream, PERIOD) for stream in streams))
    for place, key in enumerate(keys, start=1):
        yield Line(
            f"  a step in {key}, times that in float32",
            [turn[place] / turn[0] for turn in turns],
            "x",
            at_most=2,
        )


def foresight(quick: bool) -> Iterator[Line]:
    e = Experiment()
    first = next(measure(e))
    turns = in_turns(
        5 if quick else 15,
        lambda: predict.__wrapped__(e),
        lambda: verdicts_before_training(e, first),
    )
    yield Line(
        "prediction and forecasts for the default page",
        [1e3 * sum(turn) for turn in turns[1:]],
        "ms",
        at_most=30,
    )
    sigma_w2, sigma_b2 = np.linspace(0.1, 4, 50)[:, None], np.linspace(0, 1, 50)

    def grids():
        (
            gaussian_moments.log_moment_table.cache_clear(),
            correlation_deficit.deficit_cell.cache_clear(),
        )
        for activation in ACTIVATIONS:
            mean_field.fixed_point(activation, sigma_w2, sigma_b2)

    whole = [turn[0] for turn in in_turns(1 if quick else 3, grids)]
    yield Line(
        "fixed points of all activations on a grid of 50 x 50, tables included",
        whole,
        "s",
        at_most=5,
    )


def product(quick: bool) -> Iterator[Line]:
    p = Product()
    turns = in_turns(3 if quick else 15, p.log10_norms, lambda: bare_products(p))[1:]
    yield Line(
        "200 products of 100 further factors 4 x 4, their norms",
        [1e3 * one for one, _ in turns],
        "ms",
        at_most=100,
    )
    yield Line(
        "  times as long as drawing and multiplying alone",
        [one / bare for one, bare in turns],
        "x",
        at_most=4,
    )


def bare_products(p: Product) -> Tensor:
    """The same numbers drawn and multiplied, all at once and unscaled."""
    sources = [generator(p.seed, "normal", replicate) for replicate in range(p.replicates)]
    drawn = torch.stack(
        [torch.randn(2, 64, p.n, p.n, generator=random, dtype=torch.float64) for random in sources]
    )
    found = drawn[:, 0, 0]
    for k in range(1, p.count + 1):
        found = torch.bmm(drawn[:, k // 64, k % 64], found)
    return found


# The page, without a browser: a script runs as it does on the server, and its messages are thrown
# away


def drawing(quick: bool) -> Iterator[Line]:
    def script():
        import streamlit
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        streamlit.session_state.context = get_script_run_ctx()

    # Drawn in this thread, as another one would look every millisecond if the script has ended.
    at = sound(AppTest.from_function(script).run())
    add_script_run_ctx(threading.current_thread(), at.session_state["context"])
    turns, sizes = draws(5 if quick else 25, st.empty()), message_sizes()
    training, depth, heat, anew = ([1e3 * turn[which] for turn in turns] for which in range(4))
    yield Line("a draw of the training chart: tables, bytes, message", training, "ms", at_most=2)
    yield Line("a draw of the depth chart: tables, bytes, message", depth, "ms", at_most=2)
    yield Line("  the heat map's table, once a second", heat, "ms", at_most=2)
    yield Line("the message of the training chart", sizes[:1], "bytes", at_most=30e3)
    yield Line("the message of the depth chart", sizes[1:], "bytes", at_most=30e3)
    yield Line("  the training chart built and sent anew by st.altair_chart", anew, "ms")


def draws(turns: int, place: DeltaGenerator) -> list[tuple[float, ...]]:
    """Seconds of: the training chart, the depth chart, the heat map's table, and the training chart
    the usual way. At each turn a run has come a step further.
    """
    e = Experiment()
    run = Run(e).train()
    asked = e, e.schemes[0], "signal"
    heat = frames.heat_tables(run, *asked[1:])
    charts.training_spec(*asked), charts.depth_spec(e)
    counts = [iter(range(e.steps - turns, e.steps)) for _ in range(4)]

    def training_picture() -> Picture:
        tables = frames.training_tables(run, next(counts[0])) | heat
        return Picture(charts.training_spec(*asked), tables)

    def depth_picture() -> Picture:
        return Picture(charts.depth_spec(e), frames.depth_tables(run, next(counts[1])))

    def anew() -> None:
        tables = frames.training_tables(run, next(counts[3])) | heat
        place.altair_chart(charts.with_data(charts.training_chart(*asked), tables))

    gc.collect()
    gc.freeze()  # as on the server, where all modules are loaded before
    drawn = in_turns(  # as on the page, where nothing is built anew between two draws
        turns,
        lambda: draw_piece(place, training_picture()),
        lambda: draw_piece(place, depth_picture()),
        lambda: frames.heat_tables(run, *asked[1:], count=next(counts[2])),
    )
    built = in_turns(turns, anew)
    return [(*some, *one) for some, one in zip(drawn, built, strict=True)]


def message_sizes() -> list[int]:
    """Bytes of the specs and tables of the training chart and of the depth chart."""
    e = Experiment()
    run = Run(e).train()
    heat = frames.heat_tables(run, e.schemes[0], "signal")
    pictures = (
        Picture(
            charts.training_spec(e, e.schemes[0], "signal"), frames.training_tables(run) | heat
        ),
        Picture(charts.depth_spec(e), frames.depth_tables(run)),
    )
    return [
        len(json.dumps(picture.spec)) + sum(map(len, picture.datasets.values()))
        for picture in pictures
    ]


def page(**link: str) -> AppTest:
    """The page at a link, run to its end."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for name, text in link.items():
        at.query_params[name] = text
    return sound(at.run())


def sound(at: AppTest) -> AppTest:
    assert not at.exception, at.exception
    return at


def new_seed(at: AppTest) -> AppTest:
    return sound(next(button for button in at.button if button.label == "New seed").click().run())


class Clocked:
    """The real `measure`, with the seconds that were spent in it, and when it was first and last
    pulled.
    """

    def __init__(self):
        self.inside, self.began, self.ended = 0.0, 0.0, 0.0

    def __call__(self, *arguments: Any, **how: Any) -> Iterator[Measurement]:
        stream = measure(*arguments, **how)
        while True:
            start = time.process_time()
            measurement = next(stream, None)
            self.ended = time.process_time()
            self.began = self.began or start
            self.inside += self.ended - start
            if measurement is None:
                return
            yield measurement

    @property
    def share(self) -> float:
        return self.inside / (self.ended - self.began)


@contextmanager
def replaced(home: object, name: str, other: object) -> Iterator[None]:
    original = getattr(home, name)
    setattr(home, name, other)
    try:
        yield
    finally:
        setattr(home, name, original)


def streaming(quick: bool) -> Iterator[Line]:
    at, shares = page(), []
    for _ in range(1 if quick else 4):
        clocked = Clocked()
        with replaced(runs, "measure", clocked):
            new_seed(at)
        shares.append(100 * clocked.share)
    yield Line(
        "share of the time in the engine while the default page streams", shares, "%", at_least=50
    )


def clicking(quick: bool) -> Iterator[Line]:
    """Until a curve of two points has been sent; the browser then needs about 0.1 s to draw it."""
    at, waits = page(steps="100"), []
    for depth in range(10, 13 if quick else 19):
        began, drawn = time.process_time(), []
        with replaced(
            DeltaGenerator, "vega_lite_chart", noticing(DeltaGenerator.vega_lite_chart, drawn)
        ):
            sound(at.sidebar.slider(key="depth").set_value(depth).run())
        waits.append(drawn[0] - began)
    yield Line("from a changed depth to the first changed curve, warm", waits, "s", at_most=1)


def noticing(vega_lite_chart: Callable, drawn: list[float]) -> Callable:
    """The real method; notes when a curve of two points or more was sent."""

    def noticed(self, data, spec, **settings):
        placed = vega_lite_chart(self, data, spec, **settings)
        bands = spec["datasets"].get("bands")
        if bands and max(pa.ipc.open_stream(bands).read_all()["step"].to_pylist()) > 0:
            drawn.append(time.process_time())
        return placed

    return noticed


# The page in a browser


NOTING = """
const view = views()[0];
window.waits = [];
window.addEventListener("pointermove", (event) => {
  const start = event.timeStamp;  // when the browser heard of it
  setTimeout(async () => {
    await view.runAsync();  // Vega has drawn what the pointer changed
    requestAnimationFrame(() => waits.push(performance.now() - start));
  });
}, true);
"""


def hovering(quick: bool) -> Iterator[Line]:
    """From a pointer's event until the frame in which all panels of the training chart show its
    step. By the clock.
    """
    sent = []
    with served() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        page.on(
            "websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame))
        )
        page.add_init_script(f"window.views = {VIEWS_JS}; window.rows = {ROWS_JS};")
        page.goto(server.url)
        page.wait_for_function(
            "new Set((rows('profiles') ?? []).map((row) => row.since)).size > 40"
        )  # all has arrived
        page.evaluate(NOTING)
        box, before = page.locator("canvas").first.bounding_box(), len(sent)
        steps = set()
        for index in range(20 if quick else 100):
            page.mouse.move(box["x"] + 60 + 37 * index % 280, box["y"] + 60)
            page.wait_for_function("count => waits.length > count", arg=index)
            steps.add(page.evaluate("views()[0].signal('at')"))
        waits, said = page.evaluate("waits"), len(sent) - before
        browser.close()
    yield Line(
        "from the pointer to its step in all panels of the training chart, painted",
        waits,
        "ms",
        at_most=50,
    )
    yield Line("  steps that were shown", [len(steps)], "", at_least=10)
    yield Line("  messages to the server meanwhile", [said], "", at_most=0)


def memory(quick: bool) -> Iterator[Line]:
    """Growth over reruns of small experiments, when the memory of finished runs is full; linear
    fit.
    """
    if not Path("/proc/self/statm").exists():
        return
    st.cache_resource.clear()
    with replaced(server, "LIMITS", Limits(kept_bytes=2**20)):
        at = page(depth="5", width="16", steps="20", samples="64", batch="16")
        for _ in range(5 if quick else 30):
            new_seed(at)
        held = []
        for _ in range(10 if quick else 50):
            new_seed(at)
            gc.collect()
            held.append(resident() / 2**20)
    slope = statistics.linear_regression(range(len(held)), held).slope
    yield Line("memory of the server", held, "MiB")
    yield Line(
        "  growth over 50 reruns, by linear fit",
        [50 * slope],
        "MiB",
        at_most=statistics.median(held) / 100,
    )


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Those of all that need no option.
SECTIONS = (
    table,
    scaling,
    shares,
    functions,
    formats,
    default_experiment,
    foresight,
    maps,
    diagnosis,
    product,
    drawing,
    streaming,
    clicking,
    hovering,
    memory,
    peaks,
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
