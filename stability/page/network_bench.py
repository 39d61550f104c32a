"""The bench "Your network": what is shown of a diagnosed network, and the buttons above it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import pandas as pd

from stability.catalogues.schemes import scheme_title
from stability.i18n import N_, _
from stability.modules.equal_experiment import NoEquivalentError, TrainEquivalent, train_equivalent
from stability.modules.finding import ModuleFinding
from stability.modules.kinds import KINDS
from stability.modules.network_plan import NetworkPlan, read_network
from stability.modules.pasted_diagnosis import DiagnosedNetwork, chart_of, why_not_diagnosed
from stability.modules.text_error import EXAMPLE_OF_SIZES
from stability.page import prose
from stability.page.pieces import Element, Picture, Piece, Slot, button, data_table, html
from stability.page.safe_text import sentence_html, sentences_html
from stability.page.sections import Section
from stability.page.session import Session
from stability.page.table_headings import ALL_DIAGNOSIS_HEADINGS, DIAGNOSIS_HEADINGS
from stability.records.pasted_network import FIRST_NETWORK, MOST_IN_LINK, PastedNetwork
from stability.records.view import View
from stability.text import capitalize_first, join_sentences

MOST_SIZES = 8  # of a network in one line
NOTEBOOK_LINES = """from stability import diagnose

diagnosis = diagnose(model, inputs, targets, loss)
print(diagnosis)"""
UNEQUAL_WIDTHS = """Sequential(
  (0): Flatten(start_dim=1, end_dim=-1)
  (1): Sequential(
    (0): Linear(in_features=784, out_features=300, bias=True)
    (1): BatchNorm1d(300)
    (2): ReLU()
    (3): Dropout(p=0.2, inplace=False)
  )
  (2): Linear(in_features=300, out_features=100, bias=True)
  (3): ReLU()
  (4): Linear(in_features=100, out_features=10, bias=True)
)"""
EXAMPLES = {
    N_("A healthy He network"): EXAMPLE_OF_SIZES,
    N_("A tower of sigmoids"): FIRST_NETWORK,
    N_("Unequal widths"): UNEQUAL_WIDTHS,
    N_("Clear"): "",
}


@dataclass
class NetworkScene:
    """The findings as cards with their remedies, the profiles, and the layers as a table."""

    look: Any

    @property
    def diagnosed(self) -> DiagnosedNetwork:
        network: DiagnosedNetwork = self.look.stream.measurements[0]
        return network

    def frequent_pieces(self, count: int, slow_count: int) -> Mapping[Slot, Piece]:
        words = sentences_html([describe_network(self.look.stream.record, self.diagnosed)])
        cards = html(words + finding_cards_html(self.diagnosed.findings))
        return {Slot.CARDS: cards, Slot.LEFT: self.figure((), count)}

    def occasional_pieces(self, count: int) -> Mapping[Slot, Piece]:
        return {Slot.RIGHT: diagnosis_table(self.diagnosed.frame, DIAGNOSIS_HEADINGS)}

    def figure(self, panels: Sequence[str], count: int) -> Picture:
        """Return the only chart there is."""
        return Picture(*chart_of(self.diagnosed))

    def last_pieces(self, count: int) -> Mapping[Slot, Piece]:
        return {}


def describe_network(record: PastedNetwork, diagnosed: DiagnosedNetwork) -> str:
    """Return what was built and on what it was diagnosed, and why it is not for Train if so."""
    plan, equivalent = diagnosed.plan, equivalent_of(record)
    sizes = [str(width) for width in plan.widths]
    if len(sizes) > MOST_SIZES:
        sizes = [*sizes[:4], "…", *sizes[-3:]]
    words = _(
        "{sizes}, {parameters:,} parameters, started as {start}, in float32; diagnosed on {batch} "
        "standard normal inputs, {task}."
    ).format(
        sizes="-".join(sizes),
        parameters=plan.parameters,
        start=scheme_title(diagnosed.start),
        batch=record.batch,
        task=diagnosed.task.label,
    )
    if not isinstance(equivalent, str):
        return words
    untrainable = _("It cannot be trained on the Train bench, since {reason}.")
    return join_sentences(words, untrainable.format(reason=equivalent))


def finding_cards_html(findings: Sequence[ModuleFinding]) -> str:
    """Return a card for each finding, the most important first; one that says so if none is."""
    cards = [finding_card_html(finding) for finding in findings]
    healthy = card_html_of("sound", "✓", _(prose.HEALTHY_TITLE), _(prose.HEALTHY_NOTE))
    return f"<div class='findings'>{''.join(cards or [healthy])}</div>"


def finding_card_html(finding: ModuleFinding) -> str:
    """Return the card of a finding: its kind and place, the reason, and its remedy as code."""
    title = capitalize_first(_(finding.kind).replace("_", " "))
    if finding.where:
        title = _("{kind} at `{where}`").format(kind=title, where=finding.where)
    remedy = f"<pre><code>{escape(finding.remedy)}</code></pre>" if finding.remedy else ""
    meaning = next(_(row.definition) for row in KINDS if row.key == finding.kind)
    return card_html_of("sick", "✗", title, finding.sentence, remedy, meaning)


def card_html_of(
    state: str, mark: str, title: str, sentence: str, remedy: str = "", meaning: str = ""
) -> str:
    """Return a card; whoever points at its headline is told what it means."""
    return (
        f"<div class='card {state}'><h2 title='{escape(meaning, quote=True)}'>"
        f"<span>{mark}</span> {with_code(title)}</h2><p>{with_code(sentence)}</p>{remedy}</div>"
    )


def with_code(sentence: str) -> str:
    """Return a sentence as HTML, in which names between backticks are code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", sentence_html(sentence))


# Above the bench


def network_buttons(session: Session) -> list[Element]:
    """Return the buttons beneath the text: examples, and the way to the Train bench."""
    network = session.page.network
    pieces = [button("Diagnose", "stethoscope", lambda: None, "diagnose", type="primary")]
    for index, (label, text) in enumerate(EXAMPLES.items()):
        press = partial(session.change_setting, "architecture", text)
        pieces.append(button(label, "", press, f"example_{index}", type="tertiary"))
    equivalent = equivalent_of(network)
    if isinstance(equivalent, TrainEquivalent):
        press = partial(session.open_on_train, equivalent.experiment)
        label = _("Open on Train: {sentence}").format(sentence=equivalent.sentence)
        pieces.append(button(label, "arrow_forward", press, "open_on_train"))
    if network.is_too_long_for_link:
        pieces.append(Element("caption", _(prose.LINK_WITHOUT_TEXT).format(most=MOST_IN_LINK)))
    return pieces


def equivalent_of(record: PastedNetwork) -> TrainEquivalent | str:
    """Return the Experiment that is like a network, or why there is none, after "since"."""
    plan = read_network(record.architecture)
    if not isinstance(plan, NetworkPlan) or why_not_diagnosed(record):
        return _("it cannot be read")
    try:
        return train_equivalent(plan, record.scheme)
    except NoEquivalentError as error:
        return str(error)


# Look closer


def layer_pieces(stream: Any, view: View, count: int) -> list[Piece]:
    return [diagnosis_table(stream.measurements[0].frame, ALL_DIAGNOSIS_HEADINGS)]


def diagnosis_table(frame: pd.DataFrame, headings: Mapping[str, Any]) -> Element:
    """Return a table of the columns that have a heading."""
    formats = [_(", ").join(map(_, names.split(", "))) for names in frame["leaves"]]
    return data_table(frame.assign(leaves=formats)[[*headings]], headings)


def notebook_pieces(record: PastedNetwork, view: View) -> list[Piece]:
    return [*notebook_elements()]


def notebook_elements() -> list[Element]:
    """Return the lines that diagnose any module in a notebook, and what they do."""
    lines = Element("code", NOTEBOOK_LINES, {"language": None, "wrap_lines": True})
    return [html(sentences_html([_(prose.NOTEBOOK_NOTE)])), lines]


NETWORK_SECTIONS = {
    "layers": Section(live=layer_pieces),
    "notebook": Section(static=notebook_pieces),
}
