"""What a visitor is shown while the server computes, and when."""

from contextlib import ExitStack

import pytest

from stability.page.renderer import FREQUENT, OCCASIONAL
from stability.page.server import Server
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.records.page import Page

E = Experiment(depth=3, width=4, features=3, samples=64, batch=8, steps=5)


def counts_when_drawn(soon: float, at_once: float, pins: int = 0) -> list[tuple[int, ...]]:
    """How many measurements of the run and of its pins there are, each time they are drawn while
    they are computed.
    """
    server, session = Server({}), Session()
    server.registry.soon, server.registry.at_once = soon, at_once
    pinned = tuple(Experiment(steps=2, depth=2, width=4, seed=seed) for seed in range(pins))
    session.show_page(Page(experiment=E, pins=pinned))
    look = server.look(session)
    runs = look.stream, *look.pinned.values()
    counts = [tuple(len(run.measurements) for run in runs) for _ in server.follow(look)]
    assert all(run.finished for run in runs)
    return counts


def test_a_run_that_is_over_in_a_moment_is_not_drawn_before_its_end():
    assert counts_when_drawn(soon=3600.0, at_once=0.0) == []


def test_a_run_is_drawn_as_soon_as_it_has_a_curve_and_then_while_its_pins_are_computed():
    assert counts_when_drawn(soon=0.0, at_once=0.0)[0] == (2,)
    assert counts_when_drawn(soon=3600.0, at_once=0.0, pins=2) == [(6, 0, 0), (6, 3, 0)]


def test_a_visitor_who_keeps_changing_settings_stands_in_no_queue_meanwhile(monkeypatch):
    monkeypatch.setattr("stability.page.server.CALM", 3600.0)
    server, session = Server({}), Session()
    for seed in (1, 2):
        session.change_setting("seed", seed)
    look, other = server.look(session), server.registry.open(E)

    def go_on() -> None:
        raise KeyboardInterrupt

    with server.registry.attend(other):
        positions = server.follow(look, go_on, session.is_restless)
        assert next(positions) == 1
        with pytest.raises(KeyboardInterrupt):
            next(positions)
        assert server.registry.queue_length() == 1
    assert look.stream.measurements == []


def test_pages_are_drawn_less_often_when_many_look_at_once_but_at_least_once_a_second():
    server, paces = Server({}), []
    run = server.registry.open(E)
    with ExitStack() as visits:
        for _ in range(200):
            paces.append(server.seconds_between_draws)
            visits.enter_context(server.registry.attend(run))
    assert paces == sorted(paces)
    assert (paces[0], paces[-1]) == (FREQUENT, OCCASIONAL)
