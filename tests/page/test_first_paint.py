"""The page as it is served, before any script has run."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from stability.page.css import page_css, sidebar_css
from stability.page.first_paint import FOLDED_ON_PHONES, StyledFromTheFirstPaint

PAGE = "<html><head><title>Streamlit</title></head><body>x</body></html>"


def served(answer: Response, query: str = "") -> Response:
    """What the middleware makes of an answer of the server."""

    async def call_next(request: Request) -> Response:
        async def parts():
            yield answer.body

        return StreamingResponse(parts(), answer.status_code, dict(answer.headers))

    async def app(*_) -> None:
        raise AssertionError("never called")

    request = Request({"type": "http", "headers": [], "query_string": query.encode()})
    return asyncio.run(StyledFromTheFirstPaint(app).dispatch(request, call_next))


def test_a_page_has_its_title_and_styles_after_what_streamlit_adds_to_the_head():
    answer = served(HTMLResponse(PAGE, headers={"etag": "of the file"}))
    styles = FOLDED_ON_PHONES + page_css(False) + sidebar_css()
    head, body = "<head><title>Stability</title></head>", f"<body>{styles}x</body>"
    assert answer.body.decode() == f"<html>{head}{body}</html>"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert "etag" not in answer.headers, "or a browser would keep the page of another version"


@pytest.mark.parametrize("query", ["view=present", "embed=true"])
def test_no_room_is_left_for_a_sidebar_that_never_comes(query):
    assert sidebar_css() not in served(HTMLResponse(PAGE), query).body.decode()


def test_what_is_no_page_passes_as_it_is():
    assert isinstance(served(PlainTextResponse("</head>")), StreamingResponse)
