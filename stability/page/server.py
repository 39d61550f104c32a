"""The server that all visitors share: its runs, its speed, and its limits."""

import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from functools import cache
from typing import Any

from stability import charts
from stability.diagnosis.cure_search import CureSearch
from stability.diagnosis.trials import SickNetwork
from stability.engine.cost import Cost, Speed, describe_refusal, measure_speed
from stability.engine.process_settings import configure_process
from stability.engine.registry import Probe, Registry
from stability.engine.training_process import start_training_process
from stability.engine.workers import allow_workers, available_cores
from stability.page import cure_section
from stability.page.benches import BENCHES, Look, open_claim, open_figures, open_section
from stability.page.drawing_turns import TURNS
from stability.page.limits import LIMITS, trainings_at_once
from stability.page.map_session import is_cancelled
from stability.page.renderer import FREQUENT
from stability.page.sections import OpenSection
from stability.page.session import Session
from stability.page.shared_pieces import SharedPieces
from stability.records.experiment import Experiment
from stability.records.view import BenchRecord, View
from stability.theory.prediction import predict

DRAWS_A_SECOND = 50  # for all visitors together
UNCHANGED = 1.0  # seconds between two draws of a page on which nothing is new, as while it waits
# Seconds that a run waits before it queues behind others, if its visitor keeps changing settings.
CALM = 1.0


class Server:
    """The registry of streams, the speed of the machine, and the components by name."""

    def __init__(self, components: Mapping[str, Callable[..., Any]]):
        self.components = components
        streams = {kind: bench.stream for kind, bench in BENCHES.items()}
        self.registry = Registry(
            {**streams, SickNetwork: CureSearch},
            LIMITS.kept_bytes,
            trainings_at_once(),
            most_streams=LIMITS.kept_runs,
        )
        self.shared_pieces = SharedPieces()
        self.speed = prepare_first_visit()

    def affords(self, cost: Cost, most_seconds: float = 0) -> bool:
        """Return True if this takes neither too long nor too much memory here."""
        most_seconds = most_seconds or LIMITS.run_seconds
        return self.speed.seconds(cost) <= most_seconds and cost.bytes <= LIMITS.run_bytes

    def fits(self, record: BenchRecord) -> bool:
        """Return True if a run of these settings is affordable."""
        return self.affords(BENCHES[type(record)].cost(record), most_seconds(record))

    def affords_start(self, record: Any) -> bool:
        """Return True if the state before the first step of these settings is affordable."""
        start = BENCHES[type(record)].start
        return start is not None and self.fits(start(record))

    def refusal(self, record: Any) -> tuple[Any, str, str]:
        """Return the nearest settings that fit, what they change, and a sentence that refuses."""
        bench = BENCHES[type(record)]
        nearest = bench.nearest(record, self.fits, bench.shrinkable)
        limits = self.speed, most_seconds(record), LIMITS.run_bytes
        if not self.fits(nearest):
            nearest = record
        return nearest, *describe_refusal(record, nearest, bench.cost(record), *limits)

    def look(self, session: Session) -> Look:
        """Return the contents of a visitor's page. Visitors with equal settings share one run."""
        page, registry = session.page, self.registry
        lesson = session.lesson
        claim = open_claim(lesson.claim if lesson else None, page, self.affords)
        figures = open_figures(lesson.figures if lesson else (), page, self.affords)
        section = open_section(page, self.affords)
        for opened in (section, claim, *figures):
            if isinstance(opened, OpenSection):
                opened.computations = [registry.open(probe) for probe in opened.probes]
        pins = [pin for pin in session.pins_behind if self.fits(pin)]
        searches = {
            scheme: search
            for scheme, sick in BENCHES[type(page.record)].searchable(page.record).items()
            if (search := registry.opened(sick))
        }
        stream = registry.open(BENCHES[type(page.record)].computed(page.record))
        look = Look(
            stream=stream,
            page=page,
            section=section,
            pinned={page.pin_label(pin): registry.open(pin) for pin in pins},
            waiting=page.waiting_schemes(session.chosen_schemes),
            claim=claim,
            searches=searches,
            is_refused=not self.fits(page.record),
            is_cancelled=is_cancelled(session),
            figures=figures,
            shared=self.shared_pieces,
        )
        self.open_search(look)
        return look

    def open_search(self, look: Look) -> Any:
        """Return the search of the open section, or None: it has none, yet, or it is refused."""
        section, run = look.section, look.stream
        if not section.search and run.finished and not section.absent:
            sick = section.section.search(run, look.page.view)
            if not sick:
                return None
            if self.registry.opened(sick) or self.affords(sick.cost, LIMITS.long_seconds):
                section.search = look.searches[sick.scheme] = self.registry.open(sick)
            else:
                limits = LIMITS.long_seconds, LIMITS.run_bytes
                section.refusal = cure_section.search_refusal(
                    self.speed.seconds(sick.cost), sick.cost.bytes, *limits
                )
        return section.search

    def follow(
        self,
        look: Look,
        between_steps: Callable[[], object] = lambda: None,
        is_restless: bool = False,
    ) -> Generator[int, None, None]:
        """Compute the streams of a look in their turn. Yields queue positions, to draw at.

        It does not once all is there: the page is drawn at rest after that. What `between_steps`
        raises ends it at once. A restless visitor waits a moment before standing in a queue. Other
        pages are drawn while this one's streams are computed.
        """
        with closing(self._follow(look, between_steps, is_restless)) as positions:
            while True:
                with TURNS.paused():
                    position = next(positions, None)
                if position is None:
                    return
                yield position

    def _follow(
        self, look: Look, between_steps: Callable[[], object], is_restless: bool
    ) -> Generator[int, None, None]:
        if is_restless and not look.stream.measurements:
            yield from self._until_calm(between_steps)
        for stream, count in look.streams:
            most_seconds, drawn_at = self.most_seconds(stream.record), -math.inf
            drawn: tuple[int, ...] = ()
            follow = self.registry.follow(stream, count, FREQUENT, between_steps, most_seconds)
            for position in follow:
                now = position, *(len(other.measurements) for other, _ in look.streams)
                pace = UNCHANGED if now == drawn else self.seconds_between_draws
                if time.monotonic() - drawn_at < pace - FREQUENT:
                    between_steps()
                elif any(len(other.measurements) < most for other, most in look.streams):
                    yield position
                    drawn_at, drawn = time.monotonic(), now
        if search := self.open_search(look):
            most = search.last_index + 1
            for _ in self.registry.follow(search, most, FREQUENT, between_steps):
                yield 0

    @property
    def seconds_between_draws(self) -> float:
        """The pace at which pages are drawn anew: the slower, the more visitors look at once.

        So drawing takes about half of a processor at most.
        """
        return max(FREQUENT, self.registry.reader_count / DRAWS_A_SECOND)

    def most_seconds(self, record: Any) -> float:
        """Return after how many seconds of computing a stream is stopped: at twice its price.

        Short ones may take longer than that, since others use the machine as well.
        """
        cost = record.cost if isinstance(record, Probe) else BENCHES[type(record)].cost(record)
        return max(LIMITS.run_seconds, 2 * self.speed.seconds(cost))

    def _until_calm(self, between_steps: Callable[[], object]) -> Generator[int, None, None]:
        """Wait a moment while others compute: a visitor who goes on has not taken their time."""
        end = time.monotonic() + CALM
        if waiting := self.registry.queue_length():
            yield waiting
        while self.registry.queue_length() and time.monotonic() < end:
            between_steps()
            time.sleep(CALM / 20)


def most_seconds(record: BenchRecord) -> float:
    """Return the most seconds that computing a record may take on this page."""
    gives_way = BENCHES[type(record)].stream.gives_way
    return LIMITS.long_seconds if gives_way else LIMITS.run_seconds


def prepare_server() -> None:
    """Make ready what the first visitor would wait for, and the first process that trains."""
    start_training_process(trainings_at_once())
    prepare_first_visit()


@cache
def prepare_first_visit() -> Speed:
    """Make the process fast, and build the tables and charts of the first page, once.

    Returns how fast this machine is.
    """
    configure_process()
    allow_workers(available_cores())
    first = Experiment()
    predict(first)
    for pins in ((), (first,)):
        charts.training_spec(first, first.schemes[0], View().heat_quantity, pins)
        charts.depth_spec(first, pins)
    return measure_speed()
