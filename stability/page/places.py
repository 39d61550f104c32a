"""The places of a server: who comes when all are taken is told so, and comes in by themselves."""

from html import escape

from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from stability.i18n import _, language, reader_language
from stability.page.first_paint import FIRST_PAINT
from stability.page.limits import most_visitors

SECONDS = 20  # until who waits for a place asks again
STYLE = (
    ":root { color-scheme: light dark; font: 1.1rem/1.5 sans-serif } "
    "body { max-width: 32rem; margin: 20vh auto; padding: 0 1rem }"
)


class Places:
    """Counts the lines of those who are here; without a free place, the page is one sentence."""

    def __init__(self, app: ASGIApp, most: int | None = None):
        self.app, self.most = app, most or most_visitors()
        self.taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, but for that of a page if all places are taken."""
        if scope["type"] == "websocket":
            self.taken += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.taken -= 1
        elif scope["type"] == "http" and scope["path"] == "/" and self.taken >= self.most:
            await self.refusal(scope)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def refusal(self, scope: Scope) -> HTMLResponse:
        """Return the page that is served instead, in the language of the browser."""
        spoken = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
        language.set(reader_language(spoken.partition(",")[0] or None))
        sentence = _(
            "All places of this server are taken ({count}). The page opens by itself as soon as "
            "one is free."
        )
        words = escape(sentence.format(count=self.most))
        page = (
            f"<!doctype html><meta charset='utf-8'><meta http-equiv='refresh' content='{SECONDS}'>"
            f"<title>Stability</title><style>{STYLE}</style><h1>Stability</h1><p>{words}</p>"
        )
        return HTMLResponse(page, 503, {"Retry-After": str(SECONDS)})


MIDDLEWARE = [Middleware(Places), *FIRST_PAINT]
