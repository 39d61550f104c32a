"""One visitor's state: what is set, what was seen, and what each touch of a control does to it. The page draws it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from stability.catalogues.schemes import title
from stability.course.lessons import Lesson, course
from stability.engine.runs import kept_steps
from stability.engine.training import MOST, sampled
from stability.page.links import opened, spelled, start
from stability.records import knobs
from stability.records.experiment import Experiment
from stability.records.knobs import Choice, Knob, Several
from stability.records.product import Product
from stability.records.view import BENCHES, NEWEST, QUANTITIES, Page, View


class Visit:
    """Settings, notices, position in time and what was tried. Every change of the page goes through `see`.

    `chosen` are the schemes on chips, of which some may not go with the other settings, or none may be left.
    """

    def __init__(self):
        self.page, self.chosen, self.notes = Page(), Page().experiment.schemes, []
        self.paused, self.position = False, 1  # how many measurements are shown while paused
        self.tried: dict[Experiment, pd.DataFrame] = {}
        self.answers: dict[str, str] = {}  # to lessons, by their keys
        self.reopened = 0  # how often a row of them was
        self.written: dict[str, str] | None = None  # what the address was last known to spell
        self.touched = False  # a control was moved since the address was last read: then the controls have won

    def follow(self, query: Mapping[str, str]) -> None:
        """Takes the state from an address that was opened, or changed by Back and Forward."""
        touched, self.touched = self.touched, False
        if self.written is None or not (touched or query == self.written):
            self.written = dict(query)
            page, notes = opened(query)
            self.see(self.keeping(page), notes)
            self.touched = False

    def keeping(self, page: Page) -> Page:
        """A page with what lies on the benches that it does not show: its link does not spell that, and it may be wanted."""
        hidden = {row.holds for row in BENCHES.values()} - {page.view.row.holds, ""}
        for name in hidden:
            if getattr(page, name) == getattr(Page(), name):
                page = replace(page, **{name: getattr(self.page, name)})
        return page if page.view.row.trains else replace(page, pins=page.pins or self.page.pins)

    def address(self) -> dict[str, str] | None:
        """What the address must spell now. None where it opens this very page already: Back must pass it."""
        if spelled(opened(self.written or {})[0]) == self.link:
            return None
        self.written = self.link
        return self.written

    @property
    def link(self) -> dict[str, str]:
        return spelled(self.page)

    @property
    def lesson(self) -> Lesson | None:
        return course().get(self.page.view.lesson)

    @property
    def neighbours(self) -> dict[str, str]:
        """The lessons before and after the one that is open, as a way there."""
        keys = list(course())
        place = keys.index(self.page.view.lesson)
        before = dict.fromkeys(keys[:place][-1:], "← Previous")
        return before | dict.fromkeys(keys[place + 1 :][:1], "Next →")

    @property
    def contents(self) -> dict[str, list[Lesson]]:
        """All lessons, by section."""
        sections = {lesson.section: [] for lesson in course().values()}
        for lesson in course().values():
            sections[lesson.section].append(lesson)
        return sections

    def right(self, lesson: Lesson) -> bool | None:
        """Whether a lesson's question was answered rightly in this visit; None: not answered."""
        choice = self.answers.get(lesson.key, "")
        return lesson.options[int(choice) - 1] == lesson.answer if choice.isdecimal() else None  # of its own options

    @property
    def fresh(self) -> bool:
        """No other experiment was opened yet; who only looks closer, or pauses, still wants to know what to do next."""
        seen, first = self.page, Page()
        same = (seen.experiment, seen.pins, seen.view.bench, seen.view.lesson) == (first.experiment, (), first.view.bench, "")
        return same and set(self.tried) <= {first.experiment} and not self.answers

    @property
    def behind(self) -> list[Experiment]:
        """What is pinned and not on the table itself."""
        return [pin for pin in self.page.pins if self.page.view.row.trains and pin != self.page.experiment]

    @property
    def bare(self) -> bool:
        """Networks are trained here, and no scheme is left on the chips."""
        return self.page.view.row.trains and not self.chosen

    @property
    def asked(self) -> bool:
        """A question stands, and its run is not shown before it is answered."""
        return bool(self.lesson) and not self.page.view.answer

    @property
    def knobs(self) -> dict[str, Knob]:
        """All that can be set here: of the bench, and of how it is looked at."""
        return knobs.knobs(self.page.bench) | knobs.knobs(View)

    @property
    def settings(self) -> dict[str, Knob]:
        """The settings of the bench that mean something now."""
        fixed = {"features"} if self.page.view.row.trains and self.page.experiment.data.fixed_features else set()
        return {name: knob for name, knob in knobs.knobs(self.page.bench).items() if name not in fixed}

    def offered(self, names: Sequence[str]) -> list[str]:
        """Of these settings, those that mean something now."""
        return [name for name in names if name in self.settings or name in knobs.knobs(View)]

    @property
    def changes(self) -> dict[str, Any]:
        """The settings of the bench that are not the defaults."""
        return knobs.difference(self.page.bench, self.defaults)

    @property
    def defaults(self) -> Experiment | Product:
        """Those of the bench; a learning rate goes with its optimizer."""
        bench = self.page.bench
        own = {"learning_rate": bench.optimization.learning_rate} if self.page.view.row.trains else {}
        return replace(type(bench)(), **own)

    @property
    def groups(self) -> dict[str, tuple[dict[str, Knob], int]]:
        """The settings that are folded, by group, and how many of them were changed."""
        groups = {knob.group: {} for knob in self.settings.values()}
        for name, knob in self.settings.items():
            groups[knob.group] |= {} if knob.main else {name: knob}
        return {group: (held, len(held.keys() & self.changes.keys())) for group, held in groups.items() if held}

    @property
    def history(self) -> tuple[pd.DataFrame, list[Experiment]]:
        """What was tried, a row for each scheme, and the experiment that each row belongs to."""
        owners = [experiment for experiment, table in self.tried.items() for _ in range(len(table))]
        return pd.concat(list(self.tried.values()), ignore_index=True), owners

    def value(self, name: str) -> Any:
        """What the control of a setting shows."""
        e, view = self.page.experiment, self.page.view
        if isinstance(self.knobs[name], Several):
            return list(self.chosen)
        seen = {"heat_scheme": view.scheme(e), "layer": view.hidden(e), "moment": self.moments[-1]}
        return seen.get(name, getattr(view if hasattr(view, name) else self.page.bench, name))

    @property
    def moments(self) -> list[int]:
        """The steps that can be looked into, up to the one that is."""
        return [step for step in sorted(sampled(self.page.experiment.steps, MOST)) if step <= self.page.view.moment]

    def options(self, name: str) -> dict[Any, str] | None:
        """The values that a setting of the view may have here, with their words; None: of a bench."""
        e = self.page.experiment
        steps = sorted(sampled(e.steps, MOST))
        known = {
            "heat_scheme": {scheme: title(scheme) for scheme in e.schemes},
            "heat_quantity": QUANTITIES,
            "format": self.knobs["format"].rows,
            "layer": {layer: str(layer) for layer in range(1, max(2, e.depth))},
            "moment": {step: str(step) for step in steps},
        }
        return known.get(name)

    def see(self, page: Page, notes: Sequence[str] = (), chosen: tuple[str, ...] | None = None) -> None:
        """Makes this the page that is seen; another experiment is seen from its start, and runs."""
        if self.page.bench != page.bench or self.page.view.answer != page.view.answer:
            self.paused, self.position = False, 1
        self.touched, self.page, self.notes = True, page, list(notes)
        self.chosen = page.experiment.schemes if chosen is None else chosen

    def change(self, name: str, value: Any, notes: Sequence[str] = ()) -> None:
        """One setting, by hand."""
        chosen = value if name == "schemes" else self.chosen
        page, more = self.page.change(name, value, chosen)
        self.see(page, [*notes, *more], chosen)

    def enter(self, name: str, value: Any) -> None:
        """What a control reports; chips may hold text that somebody typed."""
        knob = self.knobs.get(name)
        if not knob:  # of a bench that has just been left
            return None
        if isinstance(knob, Choice) and (why := knob.absent.get(value)):
            return self.see(self.page, [why], self.chosen)
        if name == "moment" and value == self.page.experiment.steps:
            value = NEWEST  # of a longer run, too
        if not isinstance(knob, Several):
            return self.change(name, value)
        if not value:
            return self.see(self.page, chosen=())
        try:
            taken, refused = knob.forgive(",".join(value))
            self.change(name, taken, [f"{knobs.refusal(name, part, legal)}; it was left out." for part, legal in refused])
        except ValueError as error:
            self.see(self.page, [f"{knobs.refusal(name, ','.join(value), error)}."], ())

    def at(self, moment: str) -> None:
        """Shows the profiles of this step, or of the newest before it that a run keeps; no text: of the newest."""
        kept = kept_steps(self.page.experiment)
        self.enter("moment", max(step for step in kept if step <= int(moment)) if moment else NEWEST)

    @property
    def last(self) -> int:
        """The last step of what is on the table; of nothing, 0."""
        return getattr(self.page.bench, self.page.view.row.length, 0)

    def pause(self) -> None:
        self.touched, self.paused = True, not self.paused

    def step(self) -> None:
        self.halt(min(self.position + 1, self.last + 1))

    def back(self) -> None:
        self.halt(max(1, self.position - 1))

    def rewind(self) -> None:
        """Back to the state before the first step."""
        self.halt(1)

    def halt(self, position: int) -> None:
        self.touched, self.paused, self.position = True, True, position

    def present(self) -> None:
        """To the large view for many, or back to the desk."""
        self.change("view", "" if self.page.view.presents else "present")

    def pin(self) -> None:
        self.see(self.page.pinned(), chosen=self.chosen)

    def unpin(self, kept: Experiment) -> None:
        self.see(replace(self.page, pins=tuple(pin for pin in self.page.pins if pin != kept)), chosen=self.chosen)

    def cure(self, remedy: Any, sick: str) -> None:
        """Takes a verdict's remedy: a scheme comes beside the sick one; a setting leaves the present run behind, pinned."""
        page = self.page.pinned() if remedy.settings else self.page
        self.see(replace(page, experiment=remedy.apply(page.experiment, sick)))

    def draw_anew(self) -> None:
        self.change("seed", secrets.randbelow(10_000))

    def swap(self) -> None:
        self.change("swaps", (self.page.view.swaps + 1) % 10_000)

    def reset(self) -> None:
        """Back to the settings of the first visit, or of the lesson that is open."""
        view = self.page.view
        page = start(view.lesson) if view.lesson else Page(view=View(bench=view.bench))
        self.see(self.looked(page, answer=view.answer))

    def reopen(self, settings: Experiment | Product) -> None:
        self.reopened += 1
        self.see(self.page.with_bench(settings))

    def go(self, bench: str) -> None:
        """To another bench, or to the list of lessons; what is set on the benches stays."""
        view = replace(self.page.view, bench=bench, lesson="", answer="")
        self.see(replace(self.page, view=view), chosen=self.chosen)

    def open(self, lesson: str) -> None:
        """A lesson, from its question; no key: the list of all of them."""
        if not lesson:
            return self.go("course")
        self.see(self.keeping(self.looked(start(lesson))))

    def looked(self, page: Page, **more: str) -> Page:
        """Another page, in the view of this one."""
        return replace(page, view=replace(page.view, view=self.page.view.view, **more))

    def answer(self, choice: str) -> None:
        """Takes what was answered to the lesson's question: the option's number from 1, or "shown" for none."""
        self.answers[self.page.view.lesson] = choice
        self.change("answer", choice)
