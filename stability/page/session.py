"""One visitor's state: what is set, what was seen, and what each touch of a control does to it. The page draws it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from stability.catalogues.schemes import scheme_title
from stability.course.lessons import Lesson, all_lessons
from stability.engine.runs import steps_with_profiles
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.page.links import read_link, spell_link, lesson_start
from stability.records import knobs
from stability.records.experiment import Experiment
from stability.records.knobs import Choice, Knob, ChoiceList
from stability.records.product import Product
from stability.records.view import BENCH_LINKS, NEWEST_STEP, HEAT_MAP_QUANTITIES, Page, View


class Session:
    """Settings, notices, position in time and what was tried. Every change of the page goes through `see`.

    `chosen` are the schemes on chips, of which some may not go with the other settings, or none may be left.
    """

    def __init__(self):
        self.page, self.chosen_schemes, self.notes = Page(), Page().experiment.schemes, []
        self.paused, self.position = False, 1  # how many measurements are shown while paused
        self.tried: dict[Experiment, pd.DataFrame] = {}
        self.answers: dict[str, str] = {}  # to lessons, by their keys
        self.reopened = 0  # how often a row of them was
        self.written: dict[str, str] | None = None  # what the address was last known to spell
        self.touched = False  # a control was moved since the address was last read: then the controls have won

    def follow_link(self, query: Mapping[str, str]) -> None:
        """Takes the state from an address that was opened, or changed by Back and Forward."""
        touched, self.touched = self.touched, False
        if self.written is None or not (touched or query == self.written):
            self.written = dict(query)
            page, notes = read_link(query)
            self.show_page(self.keep_hidden_records(page), notes)
            self.touched = False

    def keep_hidden_records(self, page: Page) -> Page:
        """A page with what lies on the benches that it does not show: its link does not spell that, and it may be wanted."""
        hidden = {row.record_field for row in BENCH_LINKS.values()} - {page.view.bench_link.record_field, ""}
        for name in hidden:
            if getattr(page, name) == getattr(Page(), name):
                page = replace(page, **{name: getattr(self.page, name)})
        return page if page.view.bench_link.trains else replace(page, pins=page.pins or self.page.pins)

    def link_to_write(self) -> dict[str, str] | None:
        """What the address must spell now. None where it opens this very page already: Back must pass it."""
        if spell_link(read_link(self.written or {})[0]) == self.link:
            return None
        self.written = self.link
        return self.written

    @property
    def link(self) -> dict[str, str]:
        return spell_link(self.page)

    @property
    def lesson(self) -> Lesson | None:
        return all_lessons().get(self.page.view.lesson)

    @property
    def neighbouring_lessons(self) -> dict[str, str]:
        """The lessons before and after the one that is open, as a way there."""
        keys = list(all_lessons())
        place = keys.index(self.page.view.lesson)
        before = dict.fromkeys(keys[:place][-1:], "← Previous")
        return before | dict.fromkeys(keys[place + 1 :][:1], "Next →")

    @property
    def lessons_by_section(self) -> dict[str, list[Lesson]]:
        """All lessons, by section."""
        sections = {lesson.section: [] for lesson in all_lessons().values()}
        for lesson in all_lessons().values():
            sections[lesson.section].append(lesson)
        return sections

    def answered_rightly(self, lesson: Lesson) -> bool | None:
        """Whether a lesson's question was answered rightly in this visit; None: not answered."""
        choice = self.answers.get(lesson.key, "")
        return lesson.options[int(choice) - 1] == lesson.answer if choice.isdecimal() else None  # of its own options

    @property
    def is_fresh(self) -> bool:
        """No other experiment was opened yet; who only looks closer, or pauses, still wants to know what to do next."""
        seen, first = self.page, Page()
        same = (seen.experiment, seen.pins, seen.view.bench, seen.view.lesson) == (first.experiment, (), first.view.bench, "")
        return same and set(self.tried) <= {first.experiment} and not self.answers

    @property
    def pins_behind(self) -> list[Experiment]:
        """What is pinned and not on the table itself."""
        return [pin for pin in self.page.pins if self.page.view.bench_link.trains and pin != self.page.experiment]

    @property
    def lacks_schemes(self) -> bool:
        """Networks are trained here, and no scheme is left on the chips."""
        return self.page.view.bench_link.trains and not self.chosen_schemes

    @property
    def awaits_answer(self) -> bool:
        """A question stands, and its run is not shown before it is answered."""
        return bool(self.lesson) and not self.page.view.answer

    @property
    def knobs(self) -> dict[str, Knob]:
        """All that can be set here: of the bench, and of how it is looked at."""
        return knobs.knobs_of(self.page.record) | knobs.knobs_of(View)

    @property
    def settings(self) -> dict[str, Knob]:
        """The settings of the bench that mean something now."""
        fixed = {"features"} if self.page.view.bench_link.trains and self.page.experiment.dataset_row.fixed_features else set()
        return {name: knob for name, knob in knobs.knobs_of(self.page.record).items() if name not in fixed}

    def offered(self, names: Sequence[str]) -> list[str]:
        """Of these settings, those that mean something now."""
        return [name for name in names if name in self.settings or name in knobs.knobs_of(View)]

    @property
    def changed_settings(self) -> dict[str, Any]:
        """The settings of the bench that are not the defaults."""
        return knobs.differing_settings(self.page.record, self.default_settings)

    @property
    def default_settings(self) -> Experiment | Product:
        """Those of the bench; a learning rate goes with its optimizer."""
        bench = self.page.record
        own = {"learning_rate": bench.optimizer_row.learning_rate} if self.page.view.bench_link.trains else {}
        return replace(type(bench)(), **own)

    @property
    def groups(self) -> dict[str, tuple[dict[str, Knob], int]]:
        """The settings that are folded, by group, and how many of them were changed."""
        groups = {knob.group: {} for knob in self.settings.values()}
        for name, knob in self.settings.items():
            groups[knob.group] |= {} if knob.main else {name: knob}
        return {group: (held, len(held.keys() & self.changed_settings.keys())) for group, held in groups.items() if held}

    @property
    def history(self) -> tuple[pd.DataFrame, list[Experiment]]:
        """What was tried, a row for each scheme, and the experiment that each row belongs to."""
        owners = [experiment for experiment, table in self.tried.items() for _ in range(len(table))]
        return pd.concat(list(self.tried.values()), ignore_index=True), owners

    def value(self, name: str) -> Any:
        """What the control of a setting shows."""
        e, view = self.page.experiment, self.page.view
        if isinstance(self.knobs[name], ChoiceList):
            return list(self.chosen_schemes)
        seen = {"heat_scheme": view.heat_map_scheme(e), "layer": view.hidden_layer(e), "moment": self.moments[-1]}
        return seen.get(name, getattr(view if hasattr(view, name) else self.page.record, name))

    @property
    def moments(self) -> list[int]:
        """The steps that can be looked into, up to the one that is."""
        return [step for step in sorted(evenly_spread_steps(self.page.experiment.steps, SAMPLED_STEPS)) if step <= self.page.view.moment]

    def options(self, name: str) -> dict[Any, str] | None:
        """The values that a setting of the view may have here, with their words; None: of a bench."""
        e = self.page.experiment
        steps = sorted(evenly_spread_steps(e.steps, SAMPLED_STEPS))
        known = {
            "heat_scheme": {scheme: scheme_title(scheme) for scheme in e.schemes},
            "heat_quantity": HEAT_MAP_QUANTITIES,
            "format": self.knobs["format"].rows,
            "layer": {layer: str(layer) for layer in range(1, max(2, e.depth))},
            "moment": {step: str(step) for step in steps},
        }
        return known.get(name)

    def show_page(self, page: Page, notes: Sequence[str] = (), chosen_schemes: tuple[str, ...] | None = None) -> None:
        """Makes this the page that is seen; another experiment is seen from its start, and runs."""
        if self.page.record != page.record or self.page.view.answer != page.view.answer:
            self.paused, self.position = False, 1
        self.touched, self.page, self.notes = True, page, list(notes)
        self.chosen_schemes = page.experiment.schemes if chosen_schemes is None else chosen_schemes

    def change_setting(self, name: str, value: Any, notes: Sequence[str] = ()) -> None:
        """One setting, by hand."""
        chosen = value if name == "schemes" else self.chosen_schemes
        page, more = self.page.with_setting(name, value, chosen)
        self.show_page(page, [*notes, *more], chosen)

    def enter_value(self, name: str, value: Any) -> None:
        """What a control reports; chips may hold text that somebody typed."""
        knob = self.knobs.get(name)
        if not knob:  # of a bench that has just been left
            return None
        if isinstance(knob, Choice) and (why := knob.absent.get(value)):
            return self.show_page(self.page, [why], self.chosen_schemes)
        if name == "moment" and value == self.page.experiment.steps:
            value = NEWEST_STEP  # of a longer run, too
        if not isinstance(knob, ChoiceList):
            return self.change_setting(name, value)
        if not value:
            return self.show_page(self.page, chosen_schemes=())
        try:
            taken, refused = knob.parse_leniently(",".join(value))
            self.change_setting(name, taken, [f"{knobs.refusal_sentence(name, part, legal)}; it was left out." for part, legal in refused])
        except ValueError as error:
            self.show_page(self.page, [f"{knobs.refusal_sentence(name, ','.join(value), error)}."], ())

    def show_step(self, moment: str) -> None:
        """Shows the profiles of this step, or of the newest before it that a run keeps; no text: of the newest."""
        kept = steps_with_profiles(self.page.experiment)
        self.enter_value("moment", max(step for step in kept if step <= int(moment)) if moment else NEWEST_STEP)

    @property
    def last_step(self) -> int:
        """The last step of what is on the table; of nothing, 0."""
        return getattr(self.page.record, self.page.view.bench_link.length_setting, 0)

    def pause(self) -> None:
        self.touched, self.paused = True, not self.paused

    def step(self) -> None:
        self.halt(min(self.position + 1, self.last_step + 1))

    def back(self) -> None:
        self.halt(max(1, self.position - 1))

    def rewind(self) -> None:
        """Back to the state before the first step."""
        self.halt(1)

    def halt(self, position: int) -> None:
        self.touched, self.paused, self.position = True, True, position

    def present(self) -> None:
        """To the large view for many, or back to the desk."""
        self.change_setting("view", "" if self.page.view.is_presenter_view else "present")

    def pin(self) -> None:
        self.show_page(self.page.with_pin(), chosen_schemes=self.chosen_schemes)

    def unpin(self, kept: Experiment) -> None:
        self.show_page(replace(self.page, pins=tuple(pin for pin in self.page.pins if pin != kept)), chosen_schemes=self.chosen_schemes)

    def apply_remedy(self, remedy: Any, sick: str) -> None:
        """Takes a verdict's remedy: a scheme comes beside the sick one; a setting leaves the present run behind, pinned."""
        page = self.page.with_pin() if remedy.settings else self.page
        self.show_page(replace(page, experiment=remedy.apply(page.experiment, sick)))

    def draw_anew(self) -> None:
        self.change_setting("seed", secrets.randbelow(10_000))

    def swap(self) -> None:
        self.change_setting("swaps", (self.page.view.swaps + 1) % 10_000)

    def reset(self) -> None:
        """Back to the settings of the first visit, or of the lesson that is open."""
        view = self.page.view
        page = lesson_start(view.lesson) if view.lesson else Page(view=View(bench=view.bench))
        self.show_page(self.keep_presenter_view(page, answer=view.answer))

    def reopen(self, settings: Experiment | Product) -> None:
        self.reopened += 1
        self.show_page(self.page.with_record(settings))

    def open_bench(self, bench: str) -> None:
        """To another bench, or to the list of lessons; what is set on the benches stays."""
        view = replace(self.page.view, bench=bench, lesson="", answer="")
        self.show_page(replace(self.page, view=view), chosen_schemes=self.chosen_schemes)

    def open_lesson(self, lesson: str) -> None:
        """A lesson, from its question; no key: the list of all of them."""
        if not lesson:
            return self.open_bench("course")
        self.show_page(self.keep_hidden_records(self.keep_presenter_view(lesson_start(lesson))))

    def keep_presenter_view(self, page: Page, **more: str) -> Page:
        """Another page, in the view of this one."""
        return replace(page, view=replace(page.view, view=self.page.view.view, **more))

    def answer_question(self, choice: str) -> None:
        """Takes what was answered to the lesson's question: the option's number from 1, or "shown" for none."""
        self.answers[self.page.view.lesson] = choice
        self.change_setting("answer", choice)
