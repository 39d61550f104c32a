"""The page, opened a thousand times with varied settings: for `load.py --long`.

Prints memory, threads and file descriptors as they go: all three stay where they are once the page
is warm. The server keeps few finished runs, so that they do not pass for a leak: the 512 MB that it
keeps elsewhere take thousands of reruns to fill.
"""

import asyncio
from pathlib import Path

from hall import LINK, Hall, hall
from visitors import MOST_SECONDS, visitor

VARIED = "depth=4", "width=16", "schemes=he_normal,normal:1", "section=numbers", "bench=product"
VARIED += "section=code", "optimizer=adam", "dataset=moons&section=learned", "pin.depth=3"

KEPT_BYTES = 4 * 2**20


def counts(place: Hall) -> tuple[float, int, int]:
    """Return the megabytes, threads and file descriptors of the server."""
    process = Path(f"/proc/{place.server.pid}")
    return place.megabytes(), *(len([*(process / name).iterdir()]) for name in ("task", "fd"))


async def rerun(place: Hall, times: int) -> list[tuple[float, int, int]]:
    """One visitor goes from link to link. Returns the counts ten times on the way."""
    found = []
    async with visitor(place.server) as someone:
        for index in range(times):
            varied = VARIED[index % len(VARIED)]
            await someone.open(f"{LINK}&steps=20&seed={index + 1}&{varied}")
            await asyncio.wait_for(someone.is_done.wait(), MOST_SECONDS)
            if (index + 1) % (times // 10) == 0:
                found.append(counts(place))
                print("{:.0f} MB, {} threads, {} file descriptors".format(*found[-1]), flush=True)
    return found


def main(times: int = 1000) -> None:
    """Print the counts, and by how much memory grew in the second half."""
    with hall(STABILITY_KEPT_BYTES=str(KEPT_BYTES)) as place:
        found = asyncio.run(rerun(place, times))
    (middle, *_), (last, *_) = found[len(found) // 2], found[-1]
    print(f"in the second half memory changed by {last / middle - 1:+.1%}")
