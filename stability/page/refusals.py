"""The refusal of a run that would cost too much, with what fits and what is known for free."""

from stability.i18n import _
from stability.page import prose
from stability.page.benches import BENCHES
from stability.page.network_bench import notebook_elements
from stability.page.pieces import Element, Picture, button, paragraphs
from stability.page.safe_text import escape_markdown
from stability.page.server import Server
from stability.page.session import Session


def refusal_pieces(server: Server, session: Session) -> list[Element]:
    """Return the sentence that refuses a run, and the button that takes what fits instead."""
    nearest, words, sentence = server.refusal(session.page.record)
    warning = Element("warning", sentence, {"icon": ":material/hourglass_disabled:"})
    if not words:
        return [warning]

    def press() -> None:
        session.reopen(nearest)

    return [
        warning,
        button(
            _("Use {settings}").format(settings=words), "", press, "use_nearest", type="primary"
        ),
    ]


def can_show_start(server: Server, session: Session) -> bool:
    """Return True if a run that is refused can be shown before its first step."""
    session.shows_run = server.affords_start(session.page.record)
    return session.shows_run


def foretold_pieces(session: Session) -> list[Element | Picture]:
    """Return what theory predicts, where nothing is computed; nothing if it predicts nothing."""
    record = session.page.record
    foretold = BENCHES[type(record)].foretold
    return [paragraphs([prose.FORETOLD_NOTE]), foretold(record)] if foretold else []


def obstacle_pieces(session: Session) -> list[Element | Picture]:
    """Return why nothing can be computed yet, and what to do; nothing if there is no obstacle."""
    if session.lacks_schemes:
        return [Element("info", _(prose.NO_SCHEMES), {"icon": ":material/add_chart:"})]
    record = session.page.record
    if not (reason := BENCHES[type(record)].obstacle(record)):
        return []
    warning = Element("warning", escape_markdown(reason), {"icon": ":material/edit:"})
    return [warning, *notebook_elements()]
