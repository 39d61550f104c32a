"""The sections of "Look closer" on the Train bench, a row each; `Section` serves all benches."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stability import charts, frames
from stability.catalogues.datasets import DATASETS
from stability.catalogues.schemes import scheme_title
from stability.diagnosis.trials import SickNetwork
from stability.engine.cost import Cost
from stability.engine.registry import AnyStream, Probe
from stability.engine.runs import Run
from stability.frames.pinned import Pinned
from stability.i18n import N_, _
from stability.page import (
    code_section,
    cure_section,
    learned_function_sentences,
    lost_update_sentences,
    phase_section,
    probe_sentences,
    prose,
    table_headings,
)
from stability.page.pieces import Picture, Piece, data_table, formula, paragraphs
from stability.page.session import Session
from stability.page.take_along import DownloadRow, training_downloads
from stability.probes import jacobian, learned_function, symmetries
from stability.probes.costs import gain_probe, row_probe, singular_value_probe, symmetry_probe
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import View
from stability.text import behind_label
from stability.theory.mean_field_table import mean_field_frame, variance_equation
from stability.theory.overflow import format_exit_sentences

TOO_LARGE = N_("This would take too long here: with a smaller width, depth or batch it is shown.")


def no_downloads(stream: Any, page: Page, pinned: Pinned, address: str) -> Sequence[DownloadRow]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """One choice of "Look closer", beneath the charts of a bench.

    `static(record, view)` returns pieces that do not depend on the step and are drawn once;
    `live(stream, view, count)` returns those of the first `count` measurements, drawn again and
    again above them, as does `drawn(record, stream, view, count)` of a bench whose records share
    streams. If `absent(record)` gives a reason, only that is shown. The `probes` are computed in
    the queue before anything is drawn; with `waits_for_end` after the last step.

    After the last step `search(stream, view)` names a stream that is computed for the section, or
    None; `found(stream, view, search)` returns live pieces that show how far it has come.
    Controls of the `settings` stand in the section, too. `actions(record)` are its buttons by
    label; `downloads(stream, page, pinned, address)` are rows of buttons that make files.
    """

    static: Callable[[Any, View], list[Piece]] = lambda record, view: []
    live: Callable[[Any, View, int], list[Piece]] = lambda stream, view, count: []
    drawn: Callable[[Any, Any, View, int], list[Piece]] = lambda record, stream, view, count: []
    absent: Callable[[Any], str] = lambda record: ""
    probes: Callable[[Any, View], list[Probe]] = lambda record, view: []
    waits_for_end: bool = False
    search: Callable[[Any, View], SickNetwork | None] = lambda stream, view: None
    found: Callable[[Any, View, Any], list[Piece]] = lambda stream, view, search: []
    settings: tuple[str, ...] = ()
    actions: Callable[[Any], Mapping[str, Callable[[Session], None]]] = lambda record: {}
    downloads: Callable[[Any, Page, Pinned, str], Sequence[DownloadRow]] = no_downloads


class OpenSection:
    """A section of one record, which returns its static pieces only once."""

    def __init__(
        self,
        section: Section,
        record: Any,
        view: View,
        affords: Callable[[Cost], bool] = lambda cost: True,
    ):
        self.section, self.record, self.view = section, record, view
        self.absent = section.absent(record)
        self.probes = [] if self.absent else section.probes(record, view)
        if not all(affords(probe.cost) for probe in self.probes):
            self.absent, self.probes = TOO_LARGE, []
        self.computations: Sequence[AnyStream] = ()  # of the probes, once they are in the queue
        self.search: Any = None  # its stream, once the last step is taken
        self.refusal = ""  # of a search
        self.pictures: dict[tuple[str, int], Picture] = {}  # as they were last drawn
        self.is_complete = False  # whether all static pieces were returned

    def pieces(self, stream: AnyStream, count: int) -> Mapping[tuple[str, int], Piece]:
        """Return what to draw after the first `count` measurements, in order, by their keys."""
        if self.section.waits_for_end and not stream.finished:
            drawn = _("Drawn after the last {unit}.")
            return {("static", 0): paragraphs([drawn.format(unit=_(self.record.unit))])}
        if not all(computation.finished for computation in self.computations):
            return {}
        live = [] if self.absent else self._live(stream, count)
        keyed_live = {("live", index): piece for index, piece in enumerate(live)}
        pieces: dict[tuple[str, int], Piece] = dict(keyed_live)
        if not self.is_complete:
            self.is_complete = True
            refusal: list[Piece] = [paragraphs([self.absent])]
            static = refusal if self.absent else self.section.static(self.record, self.view)
            pieces |= {("static", index): piece for index, piece in enumerate(static)}
        self.pictures |= {key: one for key, one in pieces.items() if isinstance(one, Picture)}
        return pieces

    def _live(self, stream: AnyStream, count: int) -> list[Piece]:
        if self.refusal:
            return [paragraphs([self.refusal])]
        found = self.section.found(stream, self.view, self.search)
        drawn = self.section.drawn(self.record, stream, self.view, count)
        return [*self.section.live(stream, self.view, count), *drawn, *found]


def why_no_hidden_unit(e: Experiment) -> str:
    return _("A network of one layer has no hidden unit.") if e.depth == 1 else ""


def pre_activation_pieces(run: Run, view: View, count: int) -> list[Piece]:
    e, layer = run.experiment, view.value_shown("layer", run.experiment)
    tables = frames.pre_activation_tables(run, count, layer, view.moment)
    return [
        Picture(charts.pre_activation_spec(e), tables),
        paragraphs(probe_sentences.saturation_sentences(run, count, layer, view.moment)),
    ]


def learned_function_pieces(run: Run, view: View, count: int) -> list[Piece]:
    e, step = run.experiment, view.moment
    sentences = paragraphs(
        learned_function_sentences.sentences_about_learned_function(run, count, step)
    )
    if not e.dataset_row.classes:
        return [sentences, Picture(charts.fit_spec(e), frames.fit_tables(run, count, step))]
    panels = [
        Picture(
            charts.region_spec(e, scheme),
            frames.region_tables(run, count, scheme, step),
            small=True,
        )
        for scheme in e.schemes
    ]
    return [sentences, *panels]


def format_pieces(run: Run, view: View, count: int) -> list[Piece]:
    e, found = run.experiment, probe_sentences.format_sentences(run, count, view.moment)
    lost = lost_update_sentences.sentences_about_lost_updates(run, count, view.moment)
    return [
        paragraphs([*found, *lost, *format_exit_sentences(e, view.format)]),
        Picture(charts.ladder_spec(e), frames.ladder_tables(run, count, view.moment)),
    ]


def swapped_units(e: Experiment, view: View) -> tuple[int, int]:
    """Return the two hidden units that are swapped: two others after each press of the button."""
    layer = view.value_shown("layer", e)
    width = e.hidden_widths[layer - 1] if 1 <= layer < e.depth else e.width
    return 2 * view.swaps % width, (2 * view.swaps + 1) % width


def symmetry_probes(e: Experiment, view: View) -> list[Probe]:
    layer = view.value_shown("layer", e)
    return [symmetry_probe(e, layer, swapped_units(e, view)), row_probe(e, layer)]


def live_symmetry_pieces(run: Run, view: View, count: int) -> list[Piece]:
    e, layer = run.experiment, view.value_shown("layer", run.experiment)
    units = swapped_units(e, view)
    swaps = [
        probe_sentences.symmetry_sentence(e, "swap", scheme, layer, units) for scheme in e.schemes
    ]
    ties = [probe_sentences.tie_sentence(e, scheme, layer) for scheme in e.schemes]
    return [
        paragraphs([*swaps, *filter(None, ties)]),
        Picture(charts.symmetry_spec(e), frames.symmetry_tables(run, view.count_shown(count))),
    ]


def symmetry_pieces(e: Experiment, view: View) -> list[Piece]:
    rows = frames.symmetry_frame(e, view.value_shown("layer", e), swapped_units(e, view))
    rows["unnoticed"] = ["✓" if is_symmetry else "✗" for is_symmetry in rows["unnoticed"]]
    return [data_table(rows, table_headings.SYMMETRY_HEADINGS), paragraphs([prose.SYMMETRIES_NOTE])]


def gain_pieces(e: Experiment, view: View) -> list[Piece]:
    return [
        paragraphs(probe_sentences.first_layer_sentences(e)),
        Picture(charts.gains_spec(e), frames.gain_tables(e)),
        data_table(frames.gain_frame(e), table_headings.GAIN_HEADINGS),
        paragraphs([prose.GAINS_NOTE]),
    ]


def singular_value_pieces(e: Experiment, view: View) -> list[Piece]:
    notes = [prose.STRETCH_NOTE]
    if any(map(math.isfinite, jacobian.predicted_edge(e))):
        notes.append(prose.EDGE_NOTE)
    return [
        paragraphs(probe_sentences.singular_value_sentences(e)),
        Picture(charts.singular_spec(e), frames.singular_tables(e)),
        paragraphs(notes),
    ]


def theory_pieces(e: Experiment, view: View) -> list[Piece]:
    equations = {scheme: variance_equation(e, scheme) for scheme in e.schemes}
    rows = mean_field_frame(e)
    notes = zip(rows["scheme"], rows.pop("note"), strict=True)
    return [
        data_table(rows, table_headings.THEORY_HEADINGS),
        paragraphs([behind_label(title, note) for title, note in notes if note]),
        paragraphs([prose.THEORY_NOTE]),
        *(formula(scheme_title(scheme), latex) for scheme, latex in equations.items() if latex),
    ]


def number_pieces(run: Run, view: View, count: int) -> list[Piece]:
    layers = frames.layer_frame(run, count, view.moment)
    return [
        data_table(frames.step_frame(run, count), table_headings.STEP_HEADINGS),
        data_table(layers, table_headings.LAYER_HEADINGS),
    ]


def train_on_moons(session: Session) -> None:
    """Train on data in the plane, where what a network learns can be drawn."""
    session.change_setting("dataset", "moons")


def drawn_action() -> dict[str, Callable[[Session], None]]:
    """Return the button that trains on such data."""
    return {_("Train on {dataset}").format(dataset=DATASETS["moons"].label): train_on_moons}


TRAIN_SECTIONS = {
    "pre_activations": Section(
        absent=why_no_hidden_unit, live=pre_activation_pieces, settings=("layer",)
    ),
    "learned": Section(
        absent=learned_function.why_not_drawn,
        live=learned_function_pieces,
        static=lambda e, view: [paragraphs(learned_function_sentences.learned_function_notes(e))],
        settings=("dataset",),
        actions=lambda e: drawn_action() if learned_function.why_not_drawn(e) else {},
    ),
    "formats": Section(
        live=format_pieces,
        static=lambda e, view: [paragraphs([prose.FORMATS_NOTE])],
        settings=("format",),
    ),
    "symmetry": Section(
        absent=symmetries.why_no_symmetries,
        probes=symmetry_probes,
        static=symmetry_pieces,
        live=live_symmetry_pieces,
        settings=("layer",),
        actions=lambda e: {_("Swap two units"): Session.swap_units},
    ),
    "gains": Section(
        probes=lambda e, view: [gain_probe(e)], static=gain_pieces, settings=("features", "width")
    ),
    "singular_values": Section(
        absent=jacobian.why_no_singular_values,
        # Only the first network of each scheme is shown.
        probes=lambda e, view: [singular_value_probe(replace(e, replicates=1))],
        static=singular_value_pieces,
    ),
    "theory": Section(static=theory_pieces),
    "phase": Section(static=phase_section.phase_pieces, settings=("phase_quantity",)),
    "numbers": Section(
        live=number_pieces, static=lambda e, view: [paragraphs([prose.NUMBERS_NOTE])]
    ),
    "cure": Section(
        search=cure_section.search_to_open,
        found=cure_section.cure_pieces,
        settings=("cure_scheme",),
        actions=lambda e: {_("Cancel"): Session.close_section},
    ),
    "code": Section(
        static=code_section.program_pieces,
        downloads=code_section.program_downloads,
        settings=("code_scheme",),
    ),
    "take": Section(
        static=lambda e, view: [paragraphs([prose.TAKE_NOTE])], downloads=training_downloads
    ),
    "tried": Section(),  # rows that can be clicked: the page draws them itself
}
