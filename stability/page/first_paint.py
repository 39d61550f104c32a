"""Styles in the page that Streamlit serves, so that nothing moves once it is drawn.

What the script sends arrives when Streamlit's own code is loaded, and some of it later still. Until
then the page would stand in other places: without its styles, and without its sidebar. They stand
between Streamlit's own styles, which come to the end of the head, and those of the script.

Loading that code takes a second, in which the window would be white. The first look is a picture of
the page until then: its heading, where it will stand, and the ground of page and sidebar.
"""

import re
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from stability.page.css import first_look_css, page_css, sidebar_css

STREAMLIT_TITLE, TITLE = b"<title>Streamlit</title>", b"<title>Stability</title>"
BODY = b"<body>"
# Streamlit opens the sidebar as it was left, on a phone, too, where it covers the page.
FOLDED_ON_PHONES = (
    "<script>try { if (innerWidth < 768) Object.keys(localStorage).filter((key) => "
    "key.startsWith('stSidebarCollapsed')).forEach((key) => localStorage.removeItem(key)); } "
    "catch { /* no storage: nothing was left open */ }</script>"
)
# Until something of the page itself can be read. The sidebar may have been folded or widened.
FIRST_LOOK = """<div id="first-ground"></div><div id="first-look" aria-hidden="true">Stability</div>
<script>{
  const parts = ["first-ground", "first-look"].map((id) => document.getElementById(id));
  const stored = (start) => {
    try { return Object.entries(localStorage).find(([key]) => key.startsWith(start))?.[1]; }
    catch { /* no storage */ }
  };
  const width = stored("stSidebarCollapsed") === "true" ? 0 : stored("sidebarWidth") ?? 300;
  for (const part of parts) part.style.setProperty("--sidebar", `${width}px`);
  new MutationObserver((_, observer) => {
    if (!document.querySelector(".heading, .stAlert")) return;
    observer.disconnect();
    for (const part of parts) part.remove();
  }).observe(document.body, { childList: true, subtree: true });
}</script>"""
FONT = re.compile(rb'href="([^"]+/SourceSansVF-Upright[^"]+)"')  # as the page loads it beforehand
# Of the file as it was: what is served differs from it.
HEADERS_OF_FILE = {"content-length", "accept-ranges", "last-modified", "etag"}


class StyledFromTheFirstPaint(BaseHTTPMiddleware):
    """Adds the page's title and its styles to every HTML page that is served."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Return what the server returns; HTML with the styles in it."""
        response = await call_next(request)
        if not response.headers.get("content-type", "").startswith("text/html"):
            return response
        parts: Any = response.body_iterator  # type: ignore[attr-defined]  # a private class has it
        body = b"".join([bytes(part) async for part in parts])
        query = request.query_params
        has_sidebar = query.get("view") != "present" and query.get("embed") != "true"
        styles = FOLDED_ON_PHONES + page_css(False)
        if has_sidebar:
            font = FONT.search(body)
            styles += sidebar_css() + first_look_css(font[1].decode() if font else "") + FIRST_LOOK
        body = body.replace(STREAMLIT_TITLE, TITLE).replace(BODY, BODY + styles.encode())
        headers = {k: v for k, v in response.headers.items() if k not in HEADERS_OF_FILE}
        return Response(body, response.status_code, headers)


FIRST_PAINT = [Middleware(StyledFromTheFirstPaint)]
