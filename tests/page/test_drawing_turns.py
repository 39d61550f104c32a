"""One page is drawn at a time: in what order, and what happens to those who leave."""

import threading

import pytest

from stability.page import drawing_turns
from stability.page.drawing_turns import DrawingTurns
from stability.page.session import Session


def nothing() -> None:
    pass


def restless_session() -> Session:
    session = Session()
    for seed in (1, 2):
        session.change_setting("seed", seed)
    return session


def start(turns: DrawingTurns, name: str, session: Session, order: list[str]) -> threading.Thread:
    """A thread that asks for a turn, and notes when it has it."""

    def draw() -> None:
        with turns.turn(session, nothing):
            order.append(name)

    thread = threading.Thread(target=draw)
    thread.start()
    return thread


def test_calm_visitors_are_drawn_before_restless_ones_and_else_in_the_order_of_their_coming():
    turns, order = DrawingTurns(), []
    sessions = {"restless": restless_session(), "first": Session(), "second": Session()}
    with turns.turn(Session(), nothing):
        threads = []
        for since, (name, session) in enumerate(sessions.items(), start=1):
            session.waits_since = float(since)
            threads.append(start(turns, name, session, order))
        while len(turns._waiting) < len(sessions):
            assert any(thread.is_alive() for thread in threads)
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second", "restless"]


def test_others_are_drawn_while_a_page_computes_and_then_it_is_drawn_on():
    turns, order = DrawingTurns(), []
    with turns.turn(Session(), nothing):
        with turns.paused():
            start(turns, "other", Session(), order).join(10)
        order.append("again")
    assert order == ["other", "again"]


@pytest.mark.parametrize(
    ("session", "expected"),
    [(Session(), ["drawn on", "newcomer"]), (restless_session(), ["newcomer", "drawn on"])],
    ids=["calm", "restless"],
)
def test_a_restless_page_is_drawn_on_after_those_who_have_seen_nothing_yet(session, expected):
    turns, order = DrawingTurns(), []
    is_paused, goes_on = threading.Event(), threading.Event()

    def draw() -> None:
        with turns.turn(session, nothing):
            with turns.paused():
                is_paused.set()
                goes_on.wait(10)
            order.append("drawn on")

    threads = [threading.Thread(target=draw)]
    threads[0].start()
    assert is_paused.wait(10)
    newcomer = restless_session()
    newcomer.waits_since = 1.0
    with turns.turn(Session(), nothing):
        goes_on.set()
        threads.append(start(turns, "newcomer", newcomer, order))
        while len(turns._waiting) < len(threads):
            assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(10)
    assert order == expected


def test_who_leaves_while_waiting_is_waited_for_by_nobody_and_keeps_the_place_of_a_change():
    turns, session, order = DrawingTurns(), Session(), []

    def leave() -> None:
        raise KeyboardInterrupt

    def draw() -> None:
        with pytest.raises(KeyboardInterrupt), turns.turn(session, leave):
            order.append("left")

    with turns.turn(Session(), nothing):
        thread = threading.Thread(target=draw)
        thread.start()
        thread.join(10)
        assert session.waits_since is not None
    with turns.turn(session, nothing):
        assert session.waits_since is None
    assert order == []


def test_a_page_that_takes_long_to_draw_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(drawing_turns, "LONG_TURN", 0.0)
    turns, order = DrawingTurns(), []
    with turns.turn(Session(), nothing):
        start(turns, "beside", Session(), order).join(10)
        assert order == ["beside"]


def test_a_page_whose_drawing_fails_gives_its_turn_back():
    turns = DrawingTurns()
    with pytest.raises(ZeroDivisionError), turns.turn(Session(), nothing):
        _ = 1 / 0
    with turns.turn(Session(), nothing):
        pass
