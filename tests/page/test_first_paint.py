"""The page as it is served, before any script has run."""

import asyncio
import io
import tomllib

import pytest
from local_server import ROOT
from PIL import Image, ImageChops
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from stability.page.css import first_look_css, page_css, sidebar_css
from stability.page.first_paint import FIRST_LOOK, FOLDED_ON_PHONES, StyledFromTheFirstPaint

FONT = "./static/media/SourceSansVF-Upright.ttf.x.woff2"
LINK = f'<link href="{FONT}">'
PAGE = f"<html><head>{LINK}<title>Streamlit</title></head><body>x</body></html>"


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
    styles = FOLDED_ON_PHONES + page_css(False) + sidebar_css() + first_look_css(FONT) + FIRST_LOOK
    head, body = f"<head>{LINK}<title>Stability</title></head>", f"<body>{styles}x</body>"
    assert answer.body.decode() == f"<html>{head}{body}</html>"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert "etag" not in answer.headers, "or a browser would keep the page of another version"


@pytest.mark.parametrize("query", ["view=present", "embed=true"])
def test_no_room_is_left_for_a_sidebar_that_never_comes(query):
    page = served(HTMLResponse(PAGE), query).body.decode()
    assert sidebar_css() not in page
    assert FIRST_LOOK not in page


def test_what_is_no_page_passes_as_it_is():
    assert isinstance(served(PlainTextResponse("</head>")), StreamingResponse)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("size", "theme", "heading"),
    [((1400, 900), "dark", (330, 24, 455, 76)), ((400, 850), "light", (14, 64, 137, 116))],
)
def test_the_first_look_is_the_page_to_come_and_goes_when_it_is_there(
    page, server, size, theme, heading
):
    """Every pixel of the heading, and the ground of sidebar and page."""
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.emulate_media(color_scheme=theme)
    page.route("**/static/js/**", lambda route: route.fulfill(content_type="text/javascript"))
    page.goto(server.url)
    page.evaluate("document.fonts.ready")
    first = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.unroute("**/static/js/**")
    page.goto(server.url)
    page.wait_for_selector(".heading h1")
    assert page.locator("#first-look, #first-ground").count() == 0
    page.evaluate("document.fonts.ready")
    then = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    assert first.crop(heading).getcolors(2) is None, "something is written there"
    assert ImageChops.difference(first.crop(heading), then.crop(heading)).getbbox() is None
    colours = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][theme]
    grounds = ["backgroundColor"] + ["secondaryBackgroundColor"] * (size[0] > 768)
    points = [(size[0] - 3, size[1] - 3), (5, size[1] - 3)][: len(grounds)]
    assert [f"#{bytes(first.getpixel(at)).hex()}" for at in points] == [
        colours[name] for name in grounds
    ]
