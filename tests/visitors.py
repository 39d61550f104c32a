"""Visitors of a server on 127.0.0.1 who speak to it as browsers do, and what each received."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pyarrow as pa
from chart_data import tables
from local_server import Server
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.VegaLiteChart_pb2 import VegaLiteChart
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

MOST_VISITORS, MOST_SECONDS = 200, 180
CURVES = "bands"  # the data set of the chart of training


@dataclass
class Visit:
    """What came for one link. Seconds count from the moment of opening it."""

    seed: str
    opened: float = field(default_factory=time.monotonic)
    first: float | None = None  # until the first curve
    end: float | None = None  # until the page said that it is done
    place: float | None = None  # until it said how many come before
    draws: int = 0
    chart: VegaLiteChart | None = None  # the newest
    errors: list[str] = field(default_factory=list)

    @property
    def bands(self) -> pa.Table | None:
        """The newest curves."""
        return tables(self.chart)[CURVES] if self.chart else None

    @property
    def last_step(self) -> int:
        """The last step of the newest curves, -1 without any."""
        return max(self.bands["step"].to_pylist()) if self.chart else -1

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.opened


class Visitor:
    """Somebody with the page open. Links differ by their seeds: what comes is told apart by it."""

    def __init__(self, socket: ClientConnection):
        self.socket = socket
        self.visits: list[Visit] = []
        self.shown: Visit | None = None  # the one whose page comes in
        self.is_done = asyncio.Event()

    async def open(self, query: str) -> Visit:
        """Open a link, as Back and Forward do where one is open already."""
        visit = Visit(parse_qs(query).get("seed", ["0"])[-1])
        self.visits.append(visit)
        self.is_done.clear()
        state = ClientState(query_string=query, is_history_navigation=len(self.visits) > 1)
        await self.socket.send(BackMsg(rerun_script=state).SerializeToString())
        return visit

    async def listen(self) -> None:
        """Take note of all that comes, until the line is closed."""
        try:
            async for payload in self.socket:
                self.notice(ForwardMsg.FromString(payload))
        except ConnectionClosed as lost:
            if self.visits:
                self.visits[-1].errors.append(repr(lost))

    def notice(self, message: ForwardMsg) -> None:
        """Take note of one message."""
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "bidi_component" and element.bidi_component.component_name == "copy_link":
            self._notice_link(str(element.bidi_component))
        visit = self.shown or self.visits[-1]
        if kind == "exception":
            visit.errors.append(element.exception.message)
        elif kind == "html" and "before yours" in element.html.body:
            visit.place = visit.place or visit.seconds
        elif CURVES in {one.name for one in element.vega_lite_chart.datasets}:
            visit.first, visit.draws = visit.first or visit.seconds, visit.draws + 1
            visit.chart = element.vega_lite_chart
        if message.WhichOneof("type") == "script_finished":
            self._notice_end(visit)

    def _notice_link(self, data: str) -> None:
        """The page names the link that opens it before it draws its charts."""
        seeds = [visit for visit in self.visits if f"seed={visit.seed}" in data]
        self.shown = seeds[-1] if seeds else self.visits[-1]

    def _notice_end(self, visit: Visit) -> None:
        visit.end = visit.seconds
        if visit is self.visits[-1]:
            self.is_done.set()


@asynccontextmanager
async def visitor(server: Server) -> AsyncIterator[Visitor]:
    """A visitor who listens; closes the line at the end. A lost line is an error of the visit."""
    async with connect(f"ws://{server.address}/_stcore/stream", max_size=None) as socket:
        someone = Visitor(socket)
        listening = asyncio.create_task(someone.listen())
        try:
            yield someone
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await listening


async def visit(server: Server, query: str, seconds: float = MOST_SECONDS) -> Visit:
    """Open a link and stay until the page says that it is done, or for these seconds."""
    seen = Visit("0")
    try:
        async with asyncio.timeout(seconds), visitor(server) as someone:
            seen = await someone.open(query)
            await someone.is_done.wait()
    except (TimeoutError, OSError, ConnectionClosed) as error:
        seen.errors.append(repr(error))
    return seen


async def visit_together(server: Server, queries: Sequence[str]) -> list[Visit]:
    """One visitor for each query, all at once."""
    return await asyncio.gather(*(visit(server, query) for query in queries[:MOST_VISITORS]))
