"""Many visitors at once, and faults: `python tests/load.py [SCENARIO ...] [--quick]`.

Prints one table: a row for each scenario, with the counts and the times of its visitors, and what
the server took for them. CPU seconds and peak memory are those of the server's process.

Starts a server of its own on 127.0.0.1, speaks to it as browsers do, and stops by itself: every
visitor leaves after MOST_SECONDS at the latest. `--fuzz` and `--long` drive the page without a
browser instead: with mangled links and random actions, and a thousand times over.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import long_run
from hall import (
    DEFAULT,
    HEADINGS,
    LINK,
    Hall,
    Row,
    count_lost,
    hall,
    measured,
    print_cells,
    print_row,
    visits_measured,
)
from local_server import ROOT
from visitors import Visit, Visitor, visit, visit_together, visitor

LONG = "depth=20&width=64&steps=5000&schemes=he_normal,xavier_normal"
# Near the limits of a run, in few and long steps.
EXPENSIVE = "optimizer=muon&width=512&depth=101&batch=1024&schemes=he_normal&steps=6"
# Scenarios: each returns its rows, that of one visitor alone first


def same_link(place: Hall, count: int) -> list[Row]:
    """All open one link within a second: the engine steps as often as for one."""
    alone = visits_measured(place, "one visitor", [LINK + "&seed=1"])
    many = visits_measured(place, "same link", [LINK + "&seed=2"] * count)
    further = 1000 * (many.cpu - alone.cpu) / (count - 1)
    many.remarks.append(f"{further:.0f} ms of CPU for each further visitor")
    for row in (alone, many):
        count_lost(row, 200)
    return [alone, many]


def different_links(place: Hall, count: int) -> list[Row]:
    """Each opens a link of their own: all are told their place, and wait for no more than that."""
    seeds = [f"{LINK}&seed={100 + index}" for index in range(2 * count)]
    with measured(place, "one by one") as alone:
        alone.visits = [asyncio.run(visit(place.server, query)) for query in seeds[:count]]
    many = visits_measured(place, "different links", seeds[count:])
    for row in (alone, many):
        count_lost(row, 200)
    total = max(one.end or float("inf") for one in many.visits)
    times = total / sum(one.end or 0.0 for one in alone.visits)
    late = [one for one in many.visits if (one.first or float("inf")) > 1.5 and not one.place]
    many.remarks.append(
        f"{times:.2f} times as long as one by one; "
        f"{len(late)} waited more than 1.5 s without a stated place"
    )
    return [alone, many]


def expensive_run(place: Hall, count: int) -> list[Row]:
    """One trains the most expensive legal run while the others look at the default."""
    alone = visits_measured(place, "the default alone", [DEFAULT + "&seed=501"])

    async def together() -> list[Visit]:
        async with visitor(place.server) as costly:
            await costly.open(EXPENSIVE + "&seed=500")
            await asyncio.sleep(2)
            return await visit_together(place.server, [DEFAULT + "&seed=502"] * count)

    with measured(place, "beside a costly run") as many:
        many.visits = asyncio.run(together())
    count_lost(many, 300)
    places = [one.place for one in many.visits if one.place]
    many.remarks.append(f"{len(places)} were told their place, at {min(places, default=0):.1f} s")
    return [alone, many]


def six_tabs(place: Hall, count: int) -> list[Row]:
    """One visitor opens tabs of long runs; the next one still sees a curve soon."""

    async def together() -> list[Visit]:
        async with AsyncExitStack() as stack:
            for index in range(count):
                tab = await stack.enter_async_context(visitor(place.server))
                await tab.open(f"{LONG}&seed={600 + index}")
            await asyncio.sleep(3)
            return [await visit(place.server, LINK + "&seed=699")]

    with measured(place, f"after {count} tabs") as row:
        row.visits = asyncio.run(together())
    count_lost(row, 200)
    return [row]


def restless(place: Hall, count: int, seconds: int) -> list[Row]:
    """All change a setting every second, and a calm visitor comes when half the time is over."""

    async def play(someone: Visitor, index: int) -> None:
        start = time.monotonic()
        for change in range(seconds):
            await asyncio.sleep(max(0.0, start + index / count + change - time.monotonic()))
            await someone.open(f"{LINK}&seed={1000 * (index + 1) + change}")
        await asyncio.wait_for(someone.is_done.wait(), 60)

    async def together() -> tuple[list[Visitor], Visit, float]:
        async with AsyncExitStack() as stack:
            lines = [visitor(place.server) for _ in range(count)]
            people = [await stack.enter_async_context(line) for line in lines]
            playing = [asyncio.create_task(play(one, index)) for index, one in enumerate(people)]
            await asyncio.sleep(seconds / 4)
            early = place.megabytes()
            await asyncio.sleep(seconds / 4)
            calm = await visit(place.server, LINK + "&seed=999")
            await asyncio.gather(*playing, return_exceptions=True)
            return people, calm, early

    with measured(place, "a change a second") as row:
        people, calm, early = asyncio.run(together())
    row.visits = [one.visits[-1] for one in people]
    count_lost(row, 200)
    made = [one for someone in people for one in someone.visits]
    last_change = max(one.opened for one in row.visits)
    ends = [one.opened + (one.end or float("inf")) - last_change for one in row.visits]
    row.remarks += [
        f"all were done {max(ends):.1f} s after the last change of all",
        f"{sum(one.draws > 0 for one in made)} of {len(made)} changes drawn, "
        f"{sum(len(one.errors) for one in made)} errors; the row is that of the last changes",
        f"memory from {early:.0f} MB after a quarter to {place.megabytes():.0f} MB at the end",
        f"a calm visitor saw a curve after {calm.first} s and was done after {calm.end} s",
    ]
    return [row]


def vanishing(place: Hall, count: int) -> list[Row]:
    """All leave in mid-run, without a word: the engine rests a second later."""

    async def together() -> list[Visit]:
        async with AsyncExitStack() as stack:
            people = []
            for index in range(count):
                people.append(await stack.enter_async_context(visitor(place.server)))
                await people[-1].open(f"{LONG}&seed={700 + index}")
            await asyncio.sleep(5)
            for someone in people:
                someone.socket.transport.abort()
        return [someone.visits[-1] for someone in people]

    with measured(place, "vanishing") as row:
        row.visits = asyncio.run(together())
    row.remarks.append(f"the engine rested {seconds_to_rest(place):.1f} s later")
    return [row]


def half_open(place: Hall, count: int) -> list[Row]:
    """Lines on which nothing is heard any more: given up by the server after a while."""

    async def together() -> float:
        async with AsyncExitStack() as stack:
            for index in range(count):
                someone = await stack.enter_async_context(visitor(place.server))
                await someone.open(f"{LONG}&seed={800 + index}")
                await asyncio.sleep(3)
                someone.socket.transport.pause_reading()  # pings come in, and nobody answers
            return await asyncio.to_thread(seconds_to_rest, place)

    with measured(place, "half-open lines") as row:
        row.remarks.append(f"the engine rested {asyncio.run(together()):.1f} s later")
    return [row]


def seconds_to_rest(place: Hall, most: float = 40.0) -> float:
    """Wait until the engine has done nothing for a second. Returns when it last did."""
    start = last = time.monotonic()
    before = place.steps, place.training_seconds
    while (now := time.monotonic()) - last < 1 and now - start < most:
        time.sleep(0.05)
        if (found := (place.steps, place.training_seconds)) != before:
            before, last = found, time.monotonic()
    return last - start


# Each with its numbers, and those of --quick.
SCENARIOS: dict[str, tuple[Callable[..., list[Row]], tuple[int, ...], tuple[int, ...]]] = {
    "same-link": (same_link, (200,), (30,)),
    "different-links": (different_links, (20,), (5,)),
    "playing": (restless, (50, 60), (10, 8)),
    "restless": (restless, (30, 60), (6, 8)),
    "vanishing": (vanishing, (20,), (5,)),
    "half-open": (half_open, (3,), (1,)),
    "expensive": (expensive_run, (10,), (3,)),
    "six-tabs": (six_tabs, (6,), (3,)),
}


def main(names: Sequence[str], is_quick: bool) -> None:
    print("load average", *(f"{load:.1f}" for load in os.getloadavg()))
    print_cells(HEADINGS)
    with hall() as place:
        for name in names:
            scenario, full, quick = SCENARIOS[name]
            for row in scenario(place, *(quick if is_quick else full)):
                print_row(row)
        log = place.server.log.read_text()
    print("tracebacks in the log:", log.count("Traceback"))
    print(log[log.find("Traceback") :][:3000] if "Traceback" in log else "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", help=f"all, or some of: {', '.join(SCENARIOS)}")
    parser.add_argument("--quick", action="store_true", help="few visitors, a few seconds")
    parser.add_argument("--fuzz", action="store_true", help="mangled links and random touches")
    parser.add_argument("--long", action="store_true", help="a thousand reruns of the page")
    chosen = parser.parse_args()
    if unknown := {*chosen.scenarios} - {*SCENARIOS}:
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}")
    share = 20 if chosen.quick else 1
    if chosen.fuzz:
        sys.path.insert(0, str(ROOT))  # of the package and of app.py
        import fuzz

        fuzz.main(links=2000 // share, sequences=1000 // share)
    if chosen.long:
        long_run.main(1000 // share)
    if chosen.scenarios or not (chosen.fuzz or chosen.long):
        main(chosen.scenarios or list(SCENARIOS), chosen.quick)
