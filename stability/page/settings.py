"""The settings of a page: which have an effect, and how the sidebar groups them."""

import re
from collections.abc import Mapping
from dataclasses import replace

from stability.records.experiment import Experiment
from stability.records.knobs import Knob
from stability.records.page import Page
from stability.records.view import BenchRecord, View


def page_knobs(page: Page) -> dict[str, Knob]:
    """Return the knobs of the open bench and of the view."""
    return page.record.knobs() | View.knobs()


def shown_settings(page: Page) -> dict[str, Knob]:
    """Return the settings of the open bench that have an effect, but for those above it."""
    record, above = page.record, page.view.bench_link.above
    return {
        name: knob
        for name, knob in record.knobs().items()
        if name not in above and knob.has_effect(record)
    }


def default_record(page: Page) -> BenchRecord:
    """Return the bench's defaults, with the typical learning rate of the chosen optimizer."""
    record = page.record
    if isinstance(record, Experiment):
        return replace(Experiment(), learning_rate=record.optimizer_row.learning_rate)
    return type(record)()


def folded_groups(page: Page) -> dict[str, tuple[dict[str, Knob], int]]:
    """Return the settings that are folded, by group, and how many of them were changed."""
    changed = page.record.differences(default_record(page)).keys()
    groups: dict[str, dict[str, Knob]] = {}
    for name, knob in shown_settings(page).items():
        group = groups.setdefault(knob.group, {})
        if not knob.main:
            group[name] = knob
    return {label: (group, len(group.keys() & changed)) for label, group in groups.items() if group}


def experiment_in_words(e: Experiment) -> str:
    """Return the main settings of an Experiment in a few words."""
    rate = e.knobs()["learning_rate"].spell(e.learning_rate)
    return f"{e.phi.label}, {e.depth} × {e.width}, {e.optimizer_row.label} {rate}"


def settings_matching(knobs: Mapping[str, Knob], words: str) -> dict[str, Knob]:
    """Return the settings in whose name or search text a word begins with each of these words."""
    wanted = [re.compile(rf"(?<![a-z0-9]){re.escape(word)}") for word in words.lower().split()]
    texts = {name: f"{name} {knob.search_text}".lower() for name, knob in knobs.items()}
    found = [name for name, text in texts.items() if all(word.search(text) for word in wanted)]
    return {name: knobs[name] for name in found}
