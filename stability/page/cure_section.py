"""The section that finds a cure: what it searches, how far it has come, and what it has found."""

from collections.abc import Callable

from stability import frames
from stability.catalogues.schemes import scheme_title
from stability.diagnosis.cure_search import CureSearch, best_first
from stability.diagnosis.remedies import Remedy
from stability.diagnosis.trials import SickNetwork
from stability.diagnosis.verdicts import current_verdicts
from stability.engine.cost import describe_excess
from stability.engine.runs import Run
from stability.i18n import _, ngettext
from stability.page.pieces import ButtonTable, Piece, paragraphs
from stability.page.prose import CURE_NOTE
from stability.page.session import Session
from stability.page.table_headings import CURE_HEADINGS
from stability.records.view import View

BUTTON = "apply"  # the column of buttons


def search_to_open(run: Run, view: View) -> SickNetwork | None:
    """Return the chosen network, or the first that has not learned; None if there is none."""
    verdicts = current_verdicts(run, run.last_index + 1)
    sick = [verdict.scheme for verdict in verdicts if verdict.word != "learns"]
    chosen = view.value_shown("cure_scheme", run.experiment)
    scheme = next((one for one in sick if one == (chosen or one)), "")
    return SickNetwork.of(run.experiment, scheme) if scheme else None


def cure_pieces(run: Run, view: View, search: CureSearch | None) -> list[Piece]:
    """Return how far the search is, and a table of all changes tried, the best first."""
    if not search:  # the second piece takes the place of the table of before
        return [paragraphs([why_not_searched(run, view)]), paragraphs([""])]
    tried, sick = best_first(list(search.measurements)), search.record.scheme
    sentences = paragraphs([search_sentence(search), CURE_NOTE])
    if not tried:
        return [sentences, paragraphs([""])]
    rows = frames.cure_frame(tried)
    rows.insert(0, BUTTON, _("Apply"))
    actions = [apply_action(cure.remedy, sick) for cure in tried]
    return [sentences, ButtonTable(rows, CURE_HEADINGS, actions, BUTTON)]


def apply_action(remedy: Remedy, sick: str) -> Callable[[Session], None]:
    return lambda session: session.apply_remedy(remedy, sick)


def why_not_searched(run: Run, view: View) -> str:
    """Return why nothing is searched, in a sentence."""
    if not run.finished:
        return _("A cure is searched after the last step.")
    if chosen := view.value_shown("cure_scheme", run.experiment):
        learns = _("{scheme} learns as it is: there is nothing to cure.")
        return learns.format(scheme=scheme_title(chosen))
    return _("Each of these networks learns: there is nothing to cure.")


def search_progress(search: CureSearch) -> str:
    """Return how far a search is: `7 of 22 changes tried, 2 cure`."""
    tried, cures, singles = len(search.measurements), search.cure_count, search.record.change_count
    words = ngettext("{count} cures", "{count} cure", cures) if cures else _("none cures")
    words = words.format(count=cures)
    if not tried:
        return _("the first of {all} changes are being trained").format(all=singles)
    done = _("{tried} of {all} changes tried, {words}")
    if tried > singles:
        done = _("all {all} changes and {pairs} pairs of them tried, {words}")
    elif search.finished:
        done = _("all {all} changes tried, {words}")
    return done.format(tried=tried, all=singles, pairs=tried - singles, words=words)


def search_sentence(search: CureSearch) -> str:
    """Return how far a search is, and for which scheme, in a sentence."""
    scheme, progress = scheme_title(search.record.scheme), search_progress(search)
    return _("{scheme}: {progress}.").format(scheme=scheme, progress=progress)


def search_refusal(seconds: float, memory: float, most_seconds: float, most_bytes: float) -> str:
    """Return a sentence that refuses a search of this cost."""
    needed = describe_excess(seconds, memory, most_seconds, most_bytes)
    refusal = _(
        "Trying all changes would take about {needed}: with fewer steps or a smaller network a "
        "cure is searched."
    )
    return refusal.format(needed=needed)
