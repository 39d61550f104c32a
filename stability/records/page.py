"""All that a link carries: the records on the benches, pinned experiments, and the view."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stability.catalogues.optimizers import OPTIMIZERS
from stability.i18n import _
from stability.records.experiment import Experiment, scheme_disagreements
from stability.records.pasted_network import PastedNetwork
from stability.records.product import Product
from stability.records.record import VERSION
from stability.records.sweep import Sweep
from stability.records.view import BenchRecord, View
from stability.text import capitalize_first, join_sentences, quote

RECORD_FIELDS: dict[type[BenchRecord], str] = {
    Experiment: "experiment", Product: "product", Sweep: "sweep", PastedNetwork: "network"
}  # fmt: skip
PIN_PREFIXES = "pin", "pin2", "pin3"


@dataclass(frozen=True)
class Page:
    """The contents of a link: the records on the benches, the view, and up to three pins."""

    experiment: Experiment = field(default_factory=Experiment)
    view: View = field(default_factory=View)
    pins: tuple[Experiment, ...] = ()
    product: Product = field(default_factory=Product)
    network: PastedNetwork = field(default_factory=PastedNetwork)
    sweep: Sweep = field(default_factory=Sweep)

    @property
    def last_step(self) -> int:
        """The index of the last measurement on the open bench; 0 if the bench has no record."""
        return self.record.length if self.view.bench_link.record else 0

    @property
    def record(self) -> BenchRecord:
        """The record on the open bench; the experiment if the bench has none."""
        record: BenchRecord = getattr(
            self, RECORD_FIELDS[self.view.bench_link.record or Experiment]
        )
        return record

    def with_record(self, record: BenchRecord) -> "Page":
        """Return the page with this record in place of its record of the same kind."""
        changes: dict[str, Any] = {RECORD_FIELDS[type(record)]: record}
        return replace(self, **changes)

    def with_hidden_records(self, other: "Page") -> "Page":
        """Return the page with the records of `other` on all benches that are not open here.

        A link spells only the open bench, and a visitor may go on to another one. Records that were
        changed here are kept.
        """
        link, page = self.view.bench_link, self
        for kind, name in RECORD_FIELDS.items():
            if kind is not link.record and getattr(page, name) == kind():
                page = page.with_record(getattr(other, name))
        return page if link.trains else replace(page, pins=page.pins or other.pins)

    def to_query(self, base: "Page | None" = None) -> dict[str, str]:
        """Return the query of a link: the settings that differ from `base` (the first visit).

        A pin is spelled as its differences from the experiment: `pin.depth=30`, `pin2=same`.
        """
        base = base or Page()
        view = replace(self.view, section=self.view.open_section or "")
        query = {"v": VERSION} | view.spell_differences(base.view)
        if not view.bench_link.record:
            return query
        query |= self.record.spell_differences(replace(base, view=view).record)
        if not view.bench_link.trains or self.pins == base.pins:
            return query
        if not self.pins:
            return query | {"pin": "none"}
        for prefix, pin in zip(PIN_PREFIXES, self.pins, strict=False):
            differing = pin.spell_differences(self.experiment)
            query |= {f"{prefix}.{name}": text for name, text in differing.items()} or {
                prefix: "same"
            }
        return query

    @classmethod
    def from_query(
        cls, query: Mapping[str, str], base: "Page | None" = None
    ) -> tuple["Page", list[str]]:
        """Read any link; settings that it does not name are those of `base` (the first visit).

        Returns the page, and one sentence for every key that was changed or left out.
        """
        base, view_settings, settings = base or cls(), {}, {}
        pins, pin_notes = read_pin_settings(query)
        for key, text in query.items():
            if key in View.knobs():
                view_settings[key] = text
            elif key.partition(".")[0] not in PIN_PREFIXES:
                settings[key] = text
        view, view_notes = View.from_query(view_settings, base.view)
        page = replace(base, view=view)
        base_record: Any = page.record
        record, notes = type(base_record).from_query(settings, base_record)
        page, notes = page.with_record(record), notes + view_notes
        if pins and view.bench_link.trains:
            found = [Experiment.from_query(pin, page.experiment) for pin in pins]
            in_pin = _("{note} (in a pin).")
            notes += [in_pin.format(note=note[:-1]) for _pin, refused in found for note in refused]
            kept = (
                () if query.get("pin") == "none" else dict.fromkeys(pin for pin, _refused in found)
            )
            page = replace(page, pins=tuple(kept))
        return page, notes + pin_notes

    def with_setting(
        self, name: str, value: Any, chosen: tuple[str, ...]
    ) -> tuple["Page", list[str]]:
        """Return the page with one setting changed by a visitor; `chosen` are the schemes on chips.

        Schemes that are illegal with the settings are left out. If none is legal, or if other
        settings disagree, settings are changed as well, and the notes say so.
        """
        if name in self.view.settings():
            return replace(self, view=replace(self.view, **{name: value})), []
        settings = self.record.settings() | {name: value}
        if name == "optimizer":
            typical = [
                OPTIMIZERS[key].learning_rate for key in (self.record.settings()[name], value)
            ]
            if settings["learning_rate"] == typical[0]:  # not chosen by the visitor
                settings["learning_rate"] = typical[1]
        if not self.view.bench_link.trains:
            self.record.let_followers_go(name, settings)
            record, notes = type(self.record).reconcile(settings)
            return self.with_record(record), notes
        legal = tuple(key for key in chosen if not list(scheme_disagreements(key, settings)))
        settings["schemes"] = legal or chosen or self.experiment.schemes
        experiment, notes = Experiment.reconcile(settings)
        return replace(self, experiment=experiment), notes

    def with_pin(self, experiment: Experiment | None = None) -> "Page":
        """Return the page with an experiment pinned, its own if none is given.

        A fourth pin drops the oldest.
        """
        pinned = experiment or self.experiment
        pins = [pin for pin in self.pins if pin != pinned]
        return replace(self, pins=(*pins, pinned)[-len(PIN_PREFIXES) :])

    def waiting_schemes(self, chosen: tuple[str, ...]) -> dict[str, str]:
        """Return the chosen schemes that are illegal with the other settings, and why."""
        settings = self.experiment.settings()
        nearest = _("{sentence}; {value} is the nearest.")
        return {
            scheme: join_sentences(
                *(
                    nearest.format(sentence=capitalize_first(sentence), value=value)
                    for sentence, _name, value in scheme_disagreements(scheme, settings)
                )
            )
            for scheme in chosen
            if scheme not in self.experiment.schemes
        }

    def pin_label(self, pin: Experiment) -> str:
        """Return how a pin differs from the experiment: `depth 30, activation Tanh`."""
        settings = pin.knobs()
        differing = pin.differences(self.experiment).items()
        words = [settings[name].label_with_value(value) for name, value in differing]
        return _(", ").join(words) or _("this run")


def read_pin_settings(query: Mapping[str, str]) -> tuple[list[dict[str, str]], list[str]]:
    """Return the settings of each pin in a link, and sentences on keys that spell no pin.

    `pin=none` removes the pins, which would be kept if the link named none.
    """
    pins: dict[str, dict[str, str]] = {}
    notes = []
    for key, text in query.items():
        prefix, dot, name = key.partition(".")
        if prefix not in PIN_PREFIXES:
            continue
        if dot:
            pins.setdefault(prefix, {})[name] = text
        elif text == "same" or (prefix, text) == ("pin", "none"):
            pins.setdefault(prefix, {})
        else:
            illegal = _(
                "{prefix} must be same, or settings as in {prefix}.depth=30, so {text} was left "
                "out."
            )
            notes.append(illegal.format(prefix=prefix, text=quote(text)))
    return [pins[prefix] for prefix in PIN_PREFIXES if prefix in pins], notes
