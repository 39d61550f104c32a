"""The buttons on the cards: remedies, cures that were found, and the search for one."""

from collections.abc import Mapping, Sequence

from stability.diagnosis.cure_search import CureSearch, best_first, describe_change
from stability.diagnosis.remedies import Remedy
from stability.diagnosis.verdicts import Verdict
from stability.i18n import N_, _
from stability.page.card_code import titled_code
from stability.page.pieces import RemedyButton
from stability.page.prose import FIND_CURE_HELP, REMEDY_HELP
from stability.page.session import Session
from stability.records.experiment import Experiment
from stability.text import lower_first

FOR_SEVERAL = (
    "", "", N_("For both: {label}"), N_("For all three: {label}"), N_("For all four: {label}"),
    N_("For all five: {label}"), N_("For all six: {label}"), N_("For all seven: {label}"),
    N_("For all eight: {label}"),
)  # fmt: skip
Offer = tuple[Remedy, str]  # and the label of its button


def remedy_buttons(
    e: Experiment, verdicts: Sequence[Verdict], searches: Mapping[str, CureSearch]
) -> tuple[RemedyButton, ...]:
    """Return the buttons of all cards: what each sick network asks for, and one that finds a cure.

    If several ask for the same, it is one button, on the card of the first.
    """
    places: dict[Offer, list[int]] = {}
    for place, verdict in enumerate(verdicts):
        if offer := found_cure(e, verdict, searches) or suggestion(verdict):
            places.setdefault(offer, []).append(place)
    buttons = []
    for (remedy, label), asking in places.items():
        press = Session.apply_remedy, (remedy, verdicts[asking[0]].scheme)
        words = label
        if len(asking) > 1:
            words = _(FOR_SEVERAL[len(asking)]).format(label=lower_first(label))
        shown = remedy_help(remedy), *press, titled_code(words, remedy.pytorch)
        buttons.append(RemedyButton(asking[0], words, "healing", *shown))
    for place, verdict in enumerate(verdicts):
        if verdict.word != "learns":
            find = Session.find_cure, (verdict.scheme,)
            buttons.append(
                RemedyButton(place, _("Find a cure"), "search", _(FIND_CURE_HELP), *find)
            )
    return tuple(buttons)


def remedy_help(remedy: Remedy) -> str:
    """Return what a press does, and what one would write in PyTorch."""
    help = _(REMEDY_HELP)
    return f"{help}\n\n```python\n{remedy.pytorch}\n```" if remedy.pytorch else help


def found_cure(e: Experiment, verdict: Verdict, searches: Mapping[str, CureSearch]) -> Offer | None:
    """Return the best cure that was found for a sick scheme and is not there yet."""
    search = searches.get(verdict.scheme)
    if not search or verdict.word == "learns":
        return None
    for cure in best_first(list(search.measurements)):
        if cure.cures and cure.remedy.apply(e, verdict.scheme) != e:
            return cure.remedy, _("Seen to cure: {change}").format(
                change=describe_change(cure.remedy)
            )
    return None


def suggestion(verdict: Verdict) -> Offer | None:
    """Return the remedy of a verdict, if it has one."""
    remedy = verdict.remedy
    return (remedy, remedy.label) if remedy else None
