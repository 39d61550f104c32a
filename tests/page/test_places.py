"""Limits of a server, and what a visitor sees for whom there is no place."""

import asyncio
import re
import urllib.error
import urllib.request
from dataclasses import fields

import pytest
from local_server import ROOT, served
from visitors import visitor

from stability.page import limits
from stability.page.limits import Limits, most_visitors, places_of
from stability.page.places import Places


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_the_environment_changes_each_limit_and_what_is_no_number_is_named(name):
    variable = f"STABILITY_{name.upper()}"
    assert getattr(Limits.of({variable: "7"}), name) == 7
    assert Limits.of({"STABILITY_OTHER": "x"}) == Limits.of({variable: ""}) == Limits()
    for text in ("0", "-1", "many", "1.5", "²"):
        with pytest.raises(ValueError, match=f"{variable} must be a whole number from 1 on, not "):
            Limits.of({variable: text})


def test_readme_lists_each_limit_with_its_default():
    rows = re.findall(r"\| `STABILITY_(\w+)` \| (\d+) \|", (ROOT / "README.md").read_text())
    assert {name.lower(): int(value) for name, value in rows} == vars(Limits())


def test_each_visitor_has_the_file_descriptors_that_a_visit_takes(monkeypatch):
    assert places_of(1024) == 117
    assert most_visitors() >= 1
    monkeypatch.setattr(limits, "open_descriptors", lambda: 270)
    assert most_visitors() == 10
    monkeypatch.setattr(limits, "open_descriptors", lambda: 10)
    assert most_visitors() == 1


def answer(places: Places, path: str = "/", language: str = "en-GB,en") -> tuple[int, str]:
    """The status and the page that a request gets, 200 if it is passed on."""
    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"accept-language", language.encode())]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    asyncio.run(places(scope, None, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return (sent[0]["status"], body.decode()) if sent else (200, "")


async def passed_on(scope, receive, send) -> None:
    """A server that answers nothing, and whose lines wait for a word."""
    if scope["type"] == "websocket":
        await receive()


def test_without_a_free_place_a_page_is_one_sentence_in_the_readers_language():
    places = Places(passed_on, most=1)

    async def while_someone_is_here() -> list[tuple[int, str]]:
        leaves = asyncio.Event()
        line = asyncio.create_task(places({"type": "websocket"}, leaves.wait, None))
        await asyncio.sleep(0)
        found = await asyncio.to_thread(
            lambda: [answer(places), answer(places, language="zh-CN"), answer(places, "/x.js")]
        )
        leaves.set()
        await line
        return found

    assert answer(places)[0] == 200
    english, chinese, other = asyncio.run(while_someone_is_here())
    assert english[0] == 503
    assert "All places of this server are taken (1)." in english[1]
    assert chinese[0] == 503
    assert re.search("[一-龥]{4}", chinese[1])
    assert other[0] == 200, "what an open page asks for"
    assert answer(places)[0] == 200, "a place is free again"


@pytest.mark.load
def test_a_visitor_beyond_the_limit_comes_in_when_another_one_leaves():
    def status(url: str) -> int:
        try:
            return urllib.request.urlopen(url, timeout=10).status
        except urllib.error.HTTPError as refusal:
            return refusal.code

    with served(STABILITY_VISITORS="1") as server:

        async def visits() -> tuple[int, int]:
            async with visitor(server) as someone:
                await someone.open("steps=2")
                await asyncio.wait_for(someone.is_done.wait(), 60)
                full = await asyncio.to_thread(status, server.url)
            for _attempt in range(100):
                free = await asyncio.to_thread(status, server.url)
                if free == 200:
                    break
            return full, free

        assert status(server.url) == 200
        assert asyncio.run(visits()) == (503, 200)
