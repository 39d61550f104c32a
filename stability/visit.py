"""One visitor's state: what is set, what was seen, and what each touch of a control does to it. The page draws it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from stability import knobs
from stability.experiment import Experiment
from stability.knobs import Several
from stability.view import Page, View


class Visit:
    """Settings, notices, position in time and what was tried. Every change of the page goes through `see`.

    `chosen` are the schemes on chips, of which some may not go with the other settings, or none may be left.
    """

    def __init__(self):
        self.page, self.chosen, self.notes = Page(), Page().experiment.schemes, []
        self.paused, self.position = False, 1  # how many measurements are shown while paused
        self.tried: dict[Experiment, pd.DataFrame] = {}
        self.reopened = 0  # how often a row of them was
        self.written: dict[str, str] | None = None  # what the address was last known to spell
        self.touched = False  # a control was moved since the address was last read: then the controls have won

    def follow(self, query: Mapping[str, str]) -> None:
        """Takes the state from an address that was opened, or changed by Back and Forward."""
        touched, self.touched = self.touched, False
        if self.written is None or not (touched or query == self.written):
            self.written = dict(query)
            self.see(*Page.from_query(query))
            self.touched = False

    def address(self) -> dict[str, str] | None:
        """What the address must spell now. None where it opens this very page already: Back must pass it."""
        if Page.from_query(self.written or {})[0] == self.page:
            return None
        self.written = self.page.to_query()
        return self.written

    def see(self, page: Page, notes: Sequence[str] = (), chosen: tuple[str, ...] | None = None) -> None:
        """Makes this the page that is seen; another experiment is seen from its start, and runs."""
        if self.page.experiment != page.experiment:
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
        knob = (knobs.knobs(Experiment) | knobs.knobs(View))[name]
        if not isinstance(knob, Several):
            return self.change(name, value)
        if not value:
            return self.see(self.page, chosen=())
        try:
            taken, refused = knob.forgive(",".join(value))
            self.change(name, taken, [f"{knobs.refusal(name, part, legal)}; it was left out." for part, legal in refused])
        except ValueError as error:
            self.see(self.page, [f"{knobs.refusal(name, ','.join(value), error)}."], ())

    def pause(self) -> None:
        self.touched, self.paused = True, not self.paused

    def step(self) -> None:
        self.touched, self.paused = True, True
        self.position = min(self.position + 1, self.page.experiment.steps + 1)

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

    def reset(self) -> None:
        self.see(Page())

    def reopen(self, experiment: Experiment) -> None:
        self.reopened += 1
        self.see(replace(self.page, experiment=experiment))
