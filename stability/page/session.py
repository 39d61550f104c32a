"""The state of one visit, and how each control changes it."""

import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from stability import frames
from stability.course.lessons import Lesson, all_lessons
from stability.diagnosis.remedies import Remedy
from stability.engine.registry import AnyStream
from stability.engine.runs import Run
from stability.i18n import _, language, reader_language
from stability.page.limits import LIMITS
from stability.page.links import lesson_start, read_language, read_link, spell_link
from stability.page.playback import step_to_show
from stability.page.prose import GREETING, PROMISE
from stability.page.settings import page_knobs
from stability.records.choice_list import ChoiceList
from stability.records.experiment import Experiment
from stability.records.knobs import Choice, refusal_sentence
from stability.records.page import Page
from stability.records.sweep import Sweep
from stability.records.view import NEWEST_STEP, SECTIONS_OF_THE_START, BenchRecord, View
from stability.text import first_few

RESTLESS = 2.0  # seconds between two changes of the settings, after which more are likely to come
MOST_NOTES = 12  # shown at once


class Session:
    """The page, its notes, and the experiments tried before."""

    def __init__(self) -> None:
        self.opened_at = time.monotonic()
        self.changed_at = -math.inf, -math.inf  # the last two times that the settings changed
        self.waits_since: float | None = None  # to be drawn
        self.page = Page()
        self.chosen_schemes = self.page.experiment.schemes  # on chips; may be none, or illegal
        self.notes: list[str] = []
        self.links_followed = 0  # the first, and those reached by Back and Forward
        self.address = ""  # of this page, without a query
        self.shows_run = False  # False where the page has no cards and curves yet
        # Summaries of the experiments that were trained to their end, oldest first.
        self.history: dict[Experiment, pd.DataFrame] = {}
        self.answers: dict[str, str] = {}  # to the questions of lessons, by their keys
        self.cancelled: Sweep | None = None  # the map whose computing this visitor has stopped
        self.spoken = ""  # the language of the link or of the switch; "": the browser's
        self._written: dict[str, str] | None = None  # what the address was last known to spell

    # The link

    @property
    def link(self) -> dict[str, str]:
        """The link that opens this page."""
        return spell_link(self.page) | ({"lang": self.spoken} if self.spoken else {})

    def follow_link(
        self,
        query: Mapping[str, str],
        address: str = "",
        browser: str | None = None,
        *,
        went_back: bool = False,
    ) -> None:
        """Show the page of the query, if it was just opened, or reached by Back or Forward.

        Any other request may still send the query of the page before along. The address is what
        stands before the query in a link; the browser's locale says which language is spoken if
        the link does not.
        """
        self.address = address
        is_new = self._written is None or went_back
        if is_new:
            self.spoken, rest, notes = read_language(query)
        language.set(self.spoken or reader_language(browser))
        if is_new:
            self.links_followed += 1
            self._written = dict(query)
            page, more = read_link(rest)
            self.show_page(page.with_hidden_records(self.page), [*notes, *more])

    def write_link(self, write: Callable[[Mapping[str, str]], object]) -> None:
        """Write the link to the address, unless the address opens this page already.

        Writing it again would add an entry to the history, and Back would go nowhere. If `write`
        raises, as it does when the visitor has gone on, nothing is taken as written.
        """
        spoken, rest, _notes = read_language(self._written or {})
        if (spoken, spell_link(read_link(rest)[0])) != (self.spoken, spell_link(self.page)):
            link = self.link
            write(link)
            self._written = link

    # What is shown

    @property
    def lesson(self) -> Lesson | None:
        """The lesson that is open."""
        return all_lessons().get(self.page.view.lesson)

    @property
    def awaits_answer(self) -> bool:
        """True while a lesson's question is not answered; its run is shown after that."""
        return bool(self.lesson) and not self.page.view.answer

    @property
    def opens_run(self) -> bool:
        """True if a run is shown, or would be: no list of lessons, and no question."""
        return bool(self.page.view.bench_link.record) and not self.awaits_answer

    @property
    def is_fresh(self) -> bool:
        """True until another experiment is opened; sections and pauses do not count."""
        view, first = View(bench=self.page.view.bench, lesson=self.page.view.lesson), Page()
        return (
            Page(self.page.experiment, view, self.page.pins) == first
            and self.history.keys() <= {first.experiment}
            and not self.answers
            and not self.lacks_schemes
        )

    @property
    def is_restless(self) -> bool:
        """True if the settings changed twice within a moment, as while a slider is dragged."""
        return self.changed_at[1] - self.changed_at[0] < RESTLESS

    @property
    def greeting(self) -> str:
        """The sentence beside the name of the page: the first visit is told what to do."""
        view = self.page.view
        is_first = view.bench_link.trains and self.is_fresh and not self.notes
        return _(GREETING if is_first and not view.is_presenter_view else PROMISE)

    @property
    def lacks_schemes(self) -> bool:
        """True if networks are trained on this bench, and no scheme is left on the chips."""
        return self.page.view.bench_link.trains and not self.chosen_schemes

    @property
    def pins_behind(self) -> list[Experiment]:
        """The pinned experiments, but for the one that is shown itself."""
        pins = self.page.pins if self.page.view.bench_link.trains else ()
        return [pin for pin in pins if pin != self.page.experiment]

    def remember_run(self, run: AnyStream) -> bool:
        """Add a training that came to its end to the history. Returns True if it is new there."""
        if not isinstance(run, Run) or not run.finished:
            return False
        is_new = run.experiment not in self.history
        if is_new:
            self.history[run.experiment] = frames.summary_frame(run)
            for oldest in list(self.history)[: -LIMITS.tried]:
                del self.history[oldest]
        return is_new

    def show_page(
        self, page: Page, notes: Sequence[str] = (), chosen: Sequence[str] | None = None
    ) -> None:
        """Show this page."""
        if page.record != self.page.record:
            self.changed_at = self.changed_at[1], time.monotonic()
        self.page, self.notes = page, first_few(notes, MOST_NOTES)
        self.chosen_schemes = page.experiment.schemes if chosen is None else tuple(chosen)

    def choose_language(self, code: str) -> None:
        """Speak this language, in the link, too."""
        self.spoken = code
        self.show_page(self.page, chosen=self.chosen_schemes)

    # Callbacks: settings

    def enter_value(self, name: str, value: Any) -> None:
        """Set the value that a control reports; schemes may hold text that a visitor typed."""
        knob = page_knobs(self.page).get(name)
        if not knob:  # of a bench that has just been left
            return
        if isinstance(knob, Choice) and value in knob.absent:
            self.show_page(self.page, [knob.menu_labels[value]], self.chosen_schemes)
        elif isinstance(knob, ChoiceList):
            self._enter_schemes(name, knob, value)
        elif name == "section":
            self._open_section(value)
        else:
            try:
                self.change_setting(name, knob.check(value))
            except ValueError as legal:
                note = _("{refusal}; it was left out.")
                note = note.format(refusal=refusal_sentence(name, value, legal))
                self.show_page(self.page, [note], self.chosen_schemes)

    def _open_section(self, key: str) -> None:
        """Open a section of "Look closer", at the step at which it has most to show."""
        view, starts = self.page.view, SECTIONS_OF_THE_START
        if key in starts and view.moment == NEWEST_STEP:
            self._change_view(section=key, moment=0)
        elif view.section in starts and key not in starts and view.moment == 0:
            self._change_view(section=key, moment=NEWEST_STEP)
        else:
            self._change_view(section=key)

    def _enter_schemes(self, name: str, knob: ChoiceList, chips: Sequence[str]) -> None:
        taken, notes = knob.legal_entries(chips)
        if taken:
            self.change_setting(name, taken, notes)
        else:
            kept = () if self.page.view.bench_link.trains else self.chosen_schemes
            self.show_page(self.page, notes, kept)

    def change_setting(self, name: str, value: Any, notes: Sequence[str] = ()) -> None:
        """Change one setting of the bench or of the view."""
        is_chips = name == "schemes" and self.page.view.bench_link.trains
        chosen = value if is_chips else self.chosen_schemes
        page, more = self.page.with_setting(name, value, chosen)
        self.show_page(page, [*notes, *more], chosen)

    def show_step(self, text: str) -> None:
        """Show this step, or the last one kept before it; without text the newest."""
        self.change_setting("moment", step_to_show(self.page, text))

    def draw_new_seed(self) -> None:
        """Draw all random numbers anew."""
        self.change_setting("seed", secrets.randbelow(10_000))

    def swap_units(self) -> None:
        """Swap two hidden units; each time two others."""
        self.change_setting("swaps", (self.page.view.swaps + 1) % 10_000)

    def find_cure(self, scheme: str) -> None:
        """Open the search for a cure of this scheme; it begins after the last step."""
        self._change_view(section="cure", cure_scheme=scheme)

    def close_section(self) -> None:
        """Close the open section of "Look closer", and stop what is computed for it."""
        self.change_setting("section", "")

    def toggle_presenter_view(self) -> None:
        """Switch between the presenter view and the usual one."""
        self.change_setting("view", "" if self.page.view.is_presenter_view else "present")

    # Callbacks: pins, other pages

    def pin(self, experiment: Experiment | None = None) -> None:
        """Pin an experiment, by default the one that is shown."""
        self.show_page(self.page.with_pin(experiment), chosen=self.chosen_schemes)

    def unpin(self, experiment: Experiment) -> None:
        """Drop a pinned experiment."""
        rest = tuple(pin for pin in self.page.pins if pin != experiment)
        self.show_page(replace(self.page, pins=rest), chosen=self.chosen_schemes)

    def apply_remedy(self, remedy: Remedy, sick: str) -> None:
        """Try a remedy: a scheme comes beside the sick one; a setting pins the present run."""
        if sick not in self.page.experiment.schemes:  # a row that has just gone was pressed
            return
        page = self.page.with_pin() if remedy.settings else self.page
        self.show_page(replace(page, experiment=remedy.apply(page.experiment, sick)))

    def reset(self) -> None:
        """Go back to the settings of the first visit, or of the lesson that is open."""
        view = self.page.view
        page = lesson_start(view.lesson) if view.lesson else Page(view=View(bench=view.bench))
        self._show_in_this_view(page, answer=view.answer)

    def reopen(self, record: BenchRecord) -> None:
        """Show settings that were tried before, or are offered instead of too large ones."""
        self.show_page(self.page.with_record(record))

    def open_on_train(self, experiment: Experiment, pins: tuple[Experiment, ...] = ()) -> None:
        """Train this experiment before these pins; what is set on the other benches stays."""
        page = replace(self.page.with_record(experiment), pins=pins or self.page.pins)
        self.show_page(replace(page, view=View(view=self.page.view.view)))

    def open_bench(self, bench: str) -> None:
        """Show another bench, or the list of lessons; what is set on the benches stays."""
        self._change_view(bench=bench, lesson="", answer="", moment=NEWEST_STEP)

    def open_lesson(self, key: str) -> None:
        """Show a lesson, from its question; without a key the list of all of them."""
        if key:
            self._show_in_this_view(lesson_start(key).with_hidden_records(self.page))
        else:
            self.open_bench("course")

    def answer_question(self, choice: str) -> None:
        """Take an answer to the lesson's question: an option's number from 1, or "shown"."""
        self.answers[self.page.view.lesson] = choice
        self.change_setting("answer", choice)

    def _change_view(self, **changes: Any) -> None:
        view = replace(self.page.view, **changes)
        self.show_page(replace(self.page, view=view), chosen=self.chosen_schemes)

    def _show_in_this_view(self, page: Page, **changes: Any) -> None:
        view = replace(page.view, view=self.page.view.view, **changes)
        self.show_page(replace(page, view=view))
