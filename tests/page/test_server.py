"""What a visitor is shown while the server computes, and when."""

from contextlib import ExitStack

import pytest

from stability.i18n import speaking
from stability.page.renderer import FREQUENT
from stability.page.server import DRAWS_A_SECOND, Server
from stability.page.session import Session
from stability.page.shared_pieces import SharedPieces
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


def test_all_pages_together_are_drawn_so_often_that_a_processor_has_time_left_to_train():
    server, paces = Server({}), []
    run = server.registry.open(E)
    with ExitStack() as visits:
        for _ in range(200):
            paces.append(server.seconds_between_draws)
            visits.enter_context(server.registry.attend(run))
    assert paces == sorted(paces)
    assert paces[0] == FREQUENT
    rates = [visitors / pace for visitors, pace in enumerate(paces)]
    assert max(rates) == pytest.approx(DRAWS_A_SECOND)


def test_visitors_of_one_link_are_shown_the_same_pieces_each_in_their_language():
    server, sessions = Server({}), [Session() for _ in range(3)]
    for session in sessions:
        session.show_page(Page(experiment=E))
    looks = [server.look(session) for session in sessions]
    looks[0].stream.train()
    first, second = (look.shared_pieces(("frequent",), object) for look in looks[:2])
    assert first is second
    with speaking("zh"):
        assert looks[2].shared_pieces(("frequent",), object) is not first
    sessions[2].change_setting("moment", 1)
    assert server.look(sessions[2]).shared_pieces(("frequent",), object) is not first


def test_a_visitor_is_shown_what_another_one_was_shown_a_moment_ago_but_never_less_than_before():
    shared = SharedPieces()
    assert shared.count_to_draw("page", 10, 0) == 10
    assert shared.count_to_draw("page", 14, 0) == 10
    assert shared.count_to_draw("page", 14, 10) == 14
    assert shared.count_to_draw("other page", 3, 0) == 3


def test_pieces_that_cannot_be_made_are_tried_again():
    shared = SharedPieces()
    with pytest.raises(ZeroDivisionError):
        shared.get("key", lambda: 1 / 0)
    assert shared.get("key", lambda: 1) == 1
