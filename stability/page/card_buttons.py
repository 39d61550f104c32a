"""The row of buttons beneath the cards: remedies, the cures that were found, and the search."""

from collections.abc import Mapping, Sequence

from stability.catalogues.schemes import scheme_title
from stability.diagnosis.cure_search import CureSearch, best_first, describe_change
from stability.diagnosis.remedies import Remedy
from stability.diagnosis.verdicts import Verdict
from stability.page.pieces import RowButton
from stability.page.prose import FIND_CURE_HELP, REMEDY_HELP
from stability.page.session import Session
from stability.records.experiment import Experiment

COUNTS = "", "", "Both", "All three", "All four", "All five", "All six", "All seven", "All eight"
Offer = tuple[Remedy, str]  # and its words


def remedy_row(
    e: Experiment, verdicts: Sequence[Verdict], searches: Mapping[str, CureSearch]
) -> tuple[RowButton, ...]:
    """Return a button for each remedy, in the order of the schemes, and one that finds a cure.

    Schemes that ask for the same share a button.
    """
    schemes: dict[Offer, list[str]] = {}
    for verdict in verdicts:
        if offer := found_cure(e, verdict, searches) or suggestion(verdict):
            schemes.setdefault(offer, []).append(verdict.scheme)
    buttons = [
        RowButton(
            f"{scheme_title(sick[0]) if len(sick) == 1 else COUNTS[len(sick)]}{words}",
            "healing", remedy_help(remedy), Session.apply_remedy, (remedy, sick[0]),
        )
        for (remedy, words), sick in schemes.items()
    ]  # fmt: skip
    ill = [verdict.scheme for verdict in verdicts if verdict.word != "learns"]
    if ill:
        find = Session.find_cure, (ill[0],)
        buttons.append(RowButton("Find a cure", "search", FIND_CURE_HELP, *find))
    return tuple(buttons)


def remedy_help(remedy: Remedy) -> str:
    """Return what a press does, and what one would write in PyTorch."""
    return f"{REMEDY_HELP}\n\n```python\n{remedy.pytorch}\n```" if remedy.pytorch else REMEDY_HELP


def found_cure(e: Experiment, verdict: Verdict, searches: Mapping[str, CureSearch]) -> Offer | None:
    """Return the best cure that was found for a sick scheme and is not there yet."""
    search = searches.get(verdict.scheme)
    if not search or verdict.word == "learns":
        return None
    for cure in best_first(list(search.measurements)):
        if cure.cures and cure.remedy.apply(e, verdict.scheme) != e:
            return cure.remedy, f", seen to cure: {describe_change(cure.remedy)}"
    return None


def suggestion(verdict: Verdict) -> Offer | None:
    """Return the remedy of a verdict, if it has one."""
    remedy = verdict.remedy
    return (remedy, f": {remedy.label[:1].lower()}{remedy.label[1:]}") if remedy else None
