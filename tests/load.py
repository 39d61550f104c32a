"""Many visitors at once: `python tests/load.py --visitors 30` or `--different 10`.

Prints counts, and ratios to one visitor.

Starts a server of its own on 127.0.0.1, speaks to it as browsers do, and stops by itself: every
visitor makes one visit, and leaves after MOST_SECONDS at the latest.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from chart_data import tables
from local_server import Server, served
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect

LINK = "schemes=he_normal,xavier_normal&depth=10&width=32&samples=256&batch=32&steps=200"
MOST_VISITORS, MOST_SECONDS = 100, 180


@dataclass
class Visit:
    """The data that one visitor received. Seconds count from the moment of opening the link."""

    first: float | None = None  # until the first curve
    end: float | None = None  # until the page said that it is done
    draws: int = 0
    bands: pa.Table | None = None  # the newest curves
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class House:
    """A server whose engine's steps are counted."""

    server: Server
    count_file: Path

    @property
    def steps(self) -> int:
        return self.count_file.stat().st_size


@contextmanager
def house() -> Iterator[House]:
    """Warm: somebody has been here before."""
    with tempfile.TemporaryDirectory() as folder:
        count_file = Path(folder) / "counted"
        count_file.touch()
        with served("tests/app_counting_steps.py", COUNTED=str(count_file)) as server:
            visits(server, [LINK + "&steps=2"])
            yield House(server, count_file)


def visits(server: Server, queries: Sequence[str]) -> list[Visit]:
    """One visitor for each query, all at once."""

    async def together() -> list[Visit]:
        return await asyncio.gather(
            *(visit(server.address, query) for query in queries[:MOST_VISITORS])
        )

    return asyncio.run(together())


async def visit(address: str, query: str) -> Visit:
    seen, start = Visit(), time.monotonic()
    try:
        async with (
            asyncio.timeout(MOST_SECONDS),
            connect(f"ws://{address}/_stcore/stream", max_size=None) as socket,
        ):
            await socket.send(
                BackMsg(rerun_script=ClientState(query_string=query)).SerializeToString()
            )
            while seen.end is None:
                notice(seen, ForwardMsg.FromString(await socket.recv()), time.monotonic() - start)
    except (TimeoutError, OSError) as error:
        seen.errors.append(repr(error))
    return seen


def notice(seen: Visit, message: ForwardMsg, now: float) -> None:
    if message.WhichOneof("type") == "script_finished":
        seen.end = now
    element = message.delta.new_element
    if element.WhichOneof("type") == "exception":
        seen.errors.append(element.exception.message)
    if element.WhichOneof("type") == "vega_lite_chart" and "bands" in {
        one.name for one in element.vega_lite_chart.datasets
    }:
        seen.first, seen.draws, seen.bands = (
            seen.first or now,
            seen.draws + 1,
            tables(element.vega_lite_chart)["bands"],
        )


def same_link(visitors: int) -> None:
    with house() as place:
        one, steps_of_one = counted_visits(place, [LINK + "&seed=1"])
        many, steps_of_many = counted_visits(place, [LINK + "&seed=2"] * visitors)
    print(f"{visitors} visitors open one link at once")
    report(one, steps_of_one, many, steps_of_many)


def different_links(visitors: int) -> None:
    with house() as place:
        one, steps_of_one = counted_visits(place, [LINK + "&seed=1"])
        many, steps_of_many = counted_visits(
            place, [f"{LINK}&seed={seed}" for seed in range(2, visitors + 2)]
        )
    print(f"{visitors} visitors train different things at once")
    report(one, steps_of_one, many, steps_of_many)


def counted_visits(place: House, queries: Sequence[str]) -> tuple[list[Visit], int]:
    before = place.steps
    return visits(place.server, queries), place.steps - before


def report(one: list[Visit], steps_of_one: int, many: list[Visit], steps_of_many: int) -> None:
    (alone,) = one
    whole = [
        seen
        for seen in many
        if seen.bands and seen.bands["step"].to_pylist()[-1] == steps_of_one - 1
    ]
    print(f"engine steps: {steps_of_one} for one, {steps_of_many} for all")
    print(
        f"received the finished curves: {len(whole)} of {len(many)}; "
        f"errors: {sum(len(seen.errors) for seen in many)}"
    )
    print(
        f"draws a visitor: {alone.draws} for one, "
        f"{statistics.median(seen.draws for seen in many):g} for all"
    )
    for name, words in (("first", "first curve"), ("end", "end")):
        seconds = sorted(getattr(seen, name) or float("inf") for seen in many)
        ratios = [
            value / getattr(alone, name)
            for value in (seconds[0], statistics.median(seconds), seconds[-1])
        ]
        print(
            f"{words}, as a ratio to one visitor's: {ratios[0]:.1f} earliest, "
            f"{ratios[1]:.1f} median, {ratios[2]:.1f} latest"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--visitors",
        type=int,
        default=30,
        metavar="N",
        help=f"open one link, at most {MOST_VISITORS}",
    )
    how.add_argument("--different", type=int, metavar="N", help="open links that differ")
    chosen = parser.parse_args()
    different_links(chosen.different) if chosen.different else same_link(chosen.visitors)
