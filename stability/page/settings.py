"""The settings of a page: which have an effect, and how the sidebar groups them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.records.knobs import Knob
from stability.records.page import Page
from stability.records.sweep import Sweep
from stability.records.view import BenchRecord, View
from stability.text import number

VARIED = {
    "x": N_("{label}: the map varies it across, from {low} to {high}."),
    "y": N_("{label}: the map varies it upward, from {low} to {high}."),
}


def page_knobs(page: Page) -> dict[str, Knob]:
    """Return the knobs of the open bench and of the view."""
    return page.record.knobs() | View.knobs()


def shown_settings(page: Page) -> dict[str, Knob]:
    """Return the settings of the sidebar that have an effect, the main ones of the bench first."""
    record, knobs, link = page.record, page.record.knobs(), page.view.bench_link
    experiment = record.base if isinstance(record, Sweep) else record
    return {
        name: knobs[name]
        for name in dict.fromkeys([*link.main, *knobs])
        if name not in link.elsewhere and knobs[name].has_effect(experiment)
    }


def main_settings(page: Page) -> dict[str, Knob]:
    """Return the settings that are always in sight."""
    main = page.view.bench_link.main
    shown = shown_settings(page).items()
    return {name: knob for name, knob in shown if (name in main if main else knob.main)}


def axis_sentence(page: Page, name: str) -> str:
    """Return that a setting is an axis of the map that is open, and its range; "" if it is none."""
    for letter, sentence in VARIED.items():
        if name == getattr(page.record, letter, None):
            label, ends = page.record.knobs()[name].label, getattr(page.record, f"{letter}_range")
            low, high = map(number, ends)
            return _(sentence).format(label=label, low=low, high=high)
    return ""


def default_record(page: Page) -> BenchRecord:
    """Return the bench's defaults, with the typical learning rate of the chosen optimizer."""
    record = page.record
    if isinstance(record, Experiment):
        return replace(Experiment(), learning_rate=record.optimizer_row.learning_rate)
    if isinstance(record, Sweep):
        return default_sweep(record)
    return type(record)()


def default_sweep(sweep: Sweep) -> Sweep:
    """Return the defaults of a map of the same two settings and the same initialization."""
    kept: dict[str, Any] = {"x": sweep.x, "y": sweep.y, "schemes": sweep.base.schemes}
    kept |= {"learning_rate": sweep.base.optimizer_row.learning_rate}
    usual = {"x_range": (), "y_range": (), "x_axis": "", "y_axis": ""}
    return Sweep.reconcile(Sweep().settings() | kept | usual)[0]


def folded_groups(page: Page) -> dict[str, tuple[dict[str, Knob], int]]:
    """Return the settings that are folded, by group, and how many of them were changed."""
    changed = page.record.differences(default_record(page)).keys()
    groups: dict[str, dict[str, Knob]] = {}
    main = main_settings(page)
    for name, knob in shown_settings(page).items():
        group = groups.setdefault(knob.group, {})
        if name not in main:
            group[name] = knob
    return {label: (group, len(group.keys() & changed)) for label, group in groups.items() if group}


def group_label(group: str, changed: int) -> str:
    """Return the heading of a folded group of settings, of which so many were changed."""
    label = _("{group}, more · {changed} changed") if changed else _("{group}, more")
    return label.format(group=_(group), changed=changed)


def experiment_in_words(e: Experiment) -> str:
    """Return the main settings of an Experiment in a few words."""
    rate = e.knobs()["learning_rate"].spell(e.learning_rate)
    words = e.phi.label, f"{e.depth} × {e.width}", f"{e.optimizer_row.label} {rate}"
    return _(", ").join(words)


def settings_matching(knobs: Mapping[str, Knob], words: str) -> dict[str, Knob]:
    """Return the settings in whose name or search text a word begins with each of these words."""
    wanted = [re.compile(rf"(?<![a-z0-9]){re.escape(word)}") for word in words.lower().split()]
    texts = {name: f"{name} {knob.search_text}".lower() for name, knob in knobs.items()}
    found = [name for name, text in texts.items() if all(word.search(text) for word in wanted)]
    return {name: knobs[name] for name in found}
