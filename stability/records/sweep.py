"""The settings of the Map bench: one experiment, and the two settings that its cells vary."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

from stability.catalogues.datasets import DATASETS
from stability.catalogues.schemes import parse_scheme
from stability.i18n import N_, _
from stability.records.experiment import Experiment
from stability.records.knobs import Choice, Integer, Knob, setting
from stability.records.map_quantities import QUANTITIES, MapQuantity
from stability.records.record import Disagreements, Record
from stability.records.sweep_axis import (
    SCALES,
    SCHEME_VALUE,
    SWEPT_SETTINGS,
    Interval,
    SweepAxis,
    swept_knob,
    usual_is_log,
)
from stability.text import exact_number

MOST_CELLS = 100  # a side
FIRST_BASE = Experiment(
    schemes=("scaled_normal",), activation="tanh", depth=30, width=32, batch=32, steps=200
)
FALLBACKS = SCHEME_VALUE, "learning_rate", "depth"  # of an axis that cannot be as it is


@dataclass(frozen=True, repr=False)
class Sweep(Record):
    """An experiment of one initialization, `base`, and the two settings that its cells vary.

    `x` and `y` are any settings that are numbers, or "scheme_value", the parameter of the
    initialization, as of `normal:0.01`. `x_range` are the ends of an axis, both included, of
    `x_cells` values, evenly spaced, or in the log where `x_axis` is "log"; whole numbers are
    rounded, and each value stands once. Without a range or a kind of axis, an axis is as is usual
    for its setting. `quantity` is the key of one of QUANTITIES.

    In links the settings of the base stand under their own names beside those of the sweep.
    """

    noun: ClassVar[str] = N_("a map")
    unit: ClassVar[str] = N_("cell")
    computed: ClassVar[str] = N_("map")

    # fmt: off
    base: Experiment = field(default=FIRST_BASE)
    x: str = setting(SCHEME_VALUE, Choice, "Map", "Across",
        "The setting that the columns vary, from left to right.", rows=SWEPT_SETTINGS, main=True,
        synonyms="x axis horizontal columns sweep grid")
    x_range: tuple[float, float] = setting((), Interval, "Map", "Across, from and to",
        "The values of the first and of the last column.", main=True,
        synonyms="x range zoom from to")
    x_cells: int = setting(20, Integer, "Map", "Columns",
        "The number of columns. More of them show finer detail, and take longer.",
        low=2, high=MOST_CELLS, synonyms="x cells resolution")
    x_axis: str = setting("", Choice, "Map", "Spacing across",
        "Columns at equal distances (linear), or each the same factor above the one before (log).",
        rows=SCALES, synonyms="x log linear scale")
    y: str = setting("depth", Choice, "Map", "Upward",
        "The setting that the rows vary, from the bottom up.", rows=SWEPT_SETTINGS, main=True,
        synonyms="y axis vertical rows sweep grid")
    y_range: tuple[float, float] = setting((), Interval, "Map", "Upward, from and to",
        "The values of the lowest and of the highest row.", main=True,
        synonyms="y range zoom from to")
    y_cells: int = setting(20, Integer, "Map", "Rows",
        "The number of rows. More of them show finer detail, and take longer.",
        low=2, high=MOST_CELLS, synonyms="y cells resolution")
    y_axis: str = setting("", Choice, "Map", "Spacing upward",
        "Rows at equal distances (linear), or each the same factor above the one before (log).",
        rows=SCALES, synonyms="y log linear scale")
    quantity: str = setting("test_accuracy", Choice, "Map", "Quantity",
        "The number of each cell that its colour shows. Another one is shown without training "
        "again.", rows=QUANTITIES, main=True, synonyms="colour measure show")
    # fmt: on

    def __post_init__(self) -> None:
        if not isinstance(self.base, Experiment) or len(self.base.schemes) != 1:
            given = getattr(self.base, "schemes", self.base)
            raise ValueError(f"base must be an Experiment of one scheme, not of {given!r}")
        super().__post_init__()
        for letter in "xy":
            axis = sweep_axis(self.settings(), letter)
            object.__setattr__(self, f"{letter}_range", (axis.low, axis.high))
            object.__setattr__(self, f"{letter}_axis", "log" if axis.is_log else "linear")

    @classmethod
    def knobs(cls) -> dict[str, Knob]:
        own, base = cls.field_knobs(), Experiment.knobs()
        leaders = {name: own[name] for name in ("x", "y")}
        one = replace(base["schemes"], most=1, label="Initialization")  # type: ignore[call-arg]
        return leaders | base | {"schemes": one} | own

    def settings(self) -> dict[str, Any]:
        return self.base.settings() | super().settings()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        own = {name: value for name, value in settings.items() if name in cls.field_knobs()}
        of_base = {name: settings[name] for name in Experiment.knobs()}
        return cls(base=Experiment.from_settings(of_base), **own)

    @staticmethod
    def followers(name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
        letters = [letter for letter in "xy" if name == letter]
        if name == "schemes":
            letters = [letter for letter in "xy" if settings[letter] == SCHEME_VALUE]
        return tuple(f"{letter}_{part}" for letter in letters for part in ("range", "axis"))

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> Disagreements:
        yield from Experiment.disagreements(settings)
        yield from axis_disagreements(settings, "x", "y")
        yield from axis_disagreements(settings, "y", "x")
        has_classes = DATASETS[settings["dataset"]].classes
        if QUANTITIES[settings["quantity"]].needs_classes and not has_classes:
            sentence = _("quantity must be one of a regression for {dataset}, not {quantity}")
            yield sentence.format(**settings), "quantity", "relative_loss"

    @property
    def length(self) -> int:
        return len(self.x_values) * len(self.y_values) - 1

    @property
    def replicates(self) -> int:
        """The number of networks of each cell, drawn anew each."""
        return self.base.replicates

    @property
    def quantity_row(self) -> MapQuantity:
        return QUANTITIES[self.quantity]

    @cached_property
    def x_values(self) -> tuple[float, ...]:
        """The values of the columns, from left to right."""
        return sweep_axis(self.settings(), "x").values

    @cached_property
    def y_values(self) -> tuple[float, ...]:
        """The values of the rows, from the bottom up."""
        return sweep_axis(self.settings(), "y").values

    def experiment_at(self, x_value: float, y_value: float) -> Experiment:
        """Return the experiment of a cell, as a link with its settings opens it.

        Where these exclude each other, such as a batch larger than all samples, it is the nearest
        legal one. ValueError if a value is illegal by itself.
        """
        return self._reconciled_at(x_value, y_value)[0]

    def changes_at(self, x_value: float, y_value: float) -> list[str]:
        """Return a sentence for each setting that the experiment of a cell has to change."""
        return self._reconciled_at(x_value, y_value)[1]

    def _reconciled_at(self, x_value: float, y_value: float) -> tuple[Experiment, list[str]]:
        settings = self.base.settings()
        for name, value in ((self.x, x_value), (self.y, y_value)):
            if name == SCHEME_VALUE:
                family = self.base.schemes[0].partition(":")[0]
                settings["schemes"] = (f"{family}:{exact_number(value)}",)
            else:
                settings[name] = value
        return Experiment.reconcile(settings)

    def with_any_quantity(self) -> "Sweep":
        """Return a sweep that is equal for all sweeps with these cells, whatever they show."""
        return replace(self, quantity="relative_loss")


def sweep_axis(settings: Mapping[str, Any], letter: str) -> SweepAxis:
    """Return axis "x" or "y" of these settings; what is not given is as is usual for its knob."""
    name, ends, cells, scale = (
        settings[letter + part] for part in ("", "_range", "_cells", "_axis")
    )
    knob = swept_knob(parse_scheme(settings["schemes"][0]), name)
    low, high = ends or knob.usual_range
    is_log = scale == "log" or (not scale and low > 0 and usual_is_log(knob))
    return SweepAxis(knob, float(low), float(high), cells, is_log)


def axis_disagreements(settings: Mapping[str, Any], letter: str, other: str) -> Disagreements:
    """Yield a Disagreement for each setting of an axis that cannot be. Of two equal axes y is."""
    name, reason = settings[letter], ""
    if name == settings[other] and letter == "y":
        reason = _("y must differ from x, not be {name} too").format(name=name)
    try:
        swept_knob(parse_scheme(settings["schemes"][0]), name)
    except ValueError as error:
        reason = _("{letter} must not be {name}, since {error}")
        reason = reason.format(letter=letter, name=name, error=error)
    if reason:
        yield reason, letter, fallback(settings, {name, settings[other]})
    axis = sweep_axis(settings, letter)
    knob, ends, name = axis.knob, (axis.low, axis.high), settings[letter]
    if not knob.low <= axis.low < axis.high <= knob.high:
        nearest = max(axis.low, knob.low), min(axis.high, knob.high)
        sentence = _("{range} must be two numbers from {low} to {high}, as {name} is, not {ends}")
        low, high = exact_number(knob.low), exact_number(knob.high)
        fields = {"range": f"{letter}_range", "low": low, "high": high, "name": name, "ends": ends}
        yield (
            sentence.format(**fields),
            f"{letter}_range",
            nearest if nearest[0] < nearest[1] else (),
        )
    if settings[f"{letter}_axis"] == "log" and sweep_axis(settings, letter).low <= 0:
        sentence = _("{range} must start above 0 on a log axis, not at {low:g}")
        yield sentence.format(range=f"{letter}_range", low=axis.low), f"{letter}_axis", "linear"


def fallback(settings: Mapping[str, Any], taken: set[str]) -> str:
    """Return a setting for an axis besides those that are taken."""
    has_value = parse_scheme(settings["schemes"][0]).value is not None
    return next(n for n in FALLBACKS if n not in taken and (n != SCHEME_VALUE or has_value))
