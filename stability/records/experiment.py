"""An Experiment: its settings, which of them exclude each other, and the rows that they choose."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

from stability.catalogues.activations import Activation, activation_with
from stability.catalogues.branch_scales import BRANCH_SCALES, BranchScale
from stability.catalogues.data_scaling import STANDARDIZED, DataScaling
from stability.catalogues.datasets import DATASETS, Dataset
from stability.catalogues.draws import Layer
from stability.catalogues.normalizations import (
    NORM_POSITIONS,
    NORMALIZATIONS,
    Normalization,
    NormPosition,
)
from stability.catalogues.number_formats import PRECISIONS, Format
from stability.catalogues.optimizers import OPTIMIZERS, USUAL_MOMENTUM, Optimizer
from stability.catalogues.output_activations import OUTPUT_ACTIVATIONS, OutputActivation
from stability.catalogues.schedules import SCHEDULES
from stability.catalogues.scheme_entry import Scheme
from stability.catalogues.schemes import parse_scheme
from stability.i18n import N_, _
from stability.records.experiment_settings import ExperimentSettings
from stability.records.record import Disagreements
from stability.text import exact_number

SCALES = tuple(field.name for field in fields(DataScaling))


def scheme_disagreements(scheme: str, settings: Mapping[str, Any]) -> Disagreements:
    """Yield a Disagreement for each setting with which this scheme cannot be used."""
    return parse_scheme(scheme).needs(settings)


@dataclass(frozen=True, repr=False)
class Experiment(ExperimentSettings):
    """Networks that differ in their initialization alone, and how they are trained.

    `schemes` may be a string, which stands for one scheme.
    """

    noun: ClassVar[str] = N_("a training run")
    unit: ClassVar[str] = N_("step")

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> Disagreements:
        for scheme in settings["schemes"]:
            yield from scheme_disagreements(scheme, settings)
        if settings["residual"] and settings.get("taper", 1) != 1:
            sentence = _("taper must be 1 with residual connections, not {taper}")
            yield sentence.format(taper=exact_number(settings["taper"])), "taper", 1.0
        batch, samples = settings["batch"], settings["samples"]
        if NORMALIZATIONS[settings["normalization"]].min_batch > batch:
            sentence = _("batch must be at least 2 for batch normalization, not {batch}")
            yield sentence.format(batch=batch), "batch", 2
        if batch > samples:
            sentence = _("batch must be at most samples ({samples}), not {batch}")
            yield sentence.format(samples=samples, batch=batch), "batch", samples
        if settings["optimizer"] == "nesterov" and settings.get("momentum") == 0:
            sentence = _("momentum must be above 0 for nesterov, not 0")
            yield sentence, "momentum", USUAL_MOMENTUM

    @property
    def length(self) -> int:
        return self.steps

    @cached_property
    def scheme_rows(self) -> tuple[Scheme, ...]:
        """The rows of the schemes, with their values."""
        return tuple(map(parse_scheme, self.schemes))

    @cached_property
    def phi(self) -> Activation:
        """The row of the activation, with the value that it has in this experiment."""
        return activation_with(self.settings())

    @cached_property
    def hidden_widths(self) -> tuple[int, ...]:
        """The number of units of each hidden layer, from `width` down to a part 1 / taper of it.

        Widths that fall are even but for the first one: `looks_linear` pairs units.
        """
        last = max(1, self.depth - 2)
        falling = [self.width * self.taper ** (-index / last) for index in range(self.depth - 1)]
        return tuple(
            self.width if width == self.width else max(2, 2 * round(width / 2)) for width in falling
        )

    @property
    def is_tapered(self) -> bool:
        """True if hidden layers have different widths."""
        return len({*self.hidden_widths}) > 1

    @cached_property
    def shortcuts(self) -> dict[int, int]:
        """The layers at which residual connections end, each with the layer at which it starts.

        A branch is what lies between; the last one is shorter where layers are left over.
        """
        starts = range(1, self.depth - 1, self.branch_layers) if self.residual else ()
        return {min(start + self.branch_layers, self.depth - 1): start for start in starts}

    @cached_property
    def branch_scale_row(self) -> BranchScale:
        return BRANCH_SCALES[self.branch_scale]

    @cached_property
    def branch_factor(self) -> float:
        """The factor on a branch; where it is learned, the one that it starts with."""
        return self.branch_scale_row.factor(self.depth)

    @cached_property
    def normalization_row(self) -> Normalization:
        return NORMALIZATIONS[self.normalization]

    @cached_property
    def norm_position_row(self) -> NormPosition:
        return NORM_POSITIONS[self.norm_position]

    @cached_property
    def dataset_row(self) -> Dataset:
        """The row of the data set, with the settings of this experiment."""
        row, scaling = DATASETS[self.dataset], [getattr(self, name) for name in SCALES]
        more = {name: getattr(self, name) for name, _ in row.more}
        return replace(
            row,
            more=tuple(more.items()),
            classes=more.get("classes", row.classes),
            scaling=DataScaling(*scaling),
            label_noise=self.label_noise,
        )

    @cached_property
    def data_alone(self) -> "Experiment":
        """The experiment but for all that its data do not depend on: they are drawn once."""
        names = [name for name, knob in self.knobs().items() if knob.group == "Data"]
        return Experiment(**{name: getattr(self, name) for name in (*names, "seed")}, batch=1)

    @cached_property
    def standardized(self) -> "Experiment":
        """The experiment with the same data before they were scaled."""
        return replace(self, **dict(zip(SCALES, astuple(STANDARDIZED), strict=True)))

    @cached_property
    def output_row(self) -> OutputActivation:
        return OUTPUT_ACTIVATIONS[self.output_activation]

    @property
    def is_scheduled(self) -> bool:
        """True if the learning rate changes from step to step."""
        return self.warmup > 1 or self.schedule != "constant"

    def rate_factor(self, step: int) -> float:
        """Return what update `step`, counted from 0, multiplies the learning rate by."""
        row = SCHEDULES[self.schedule]
        return row.factor_after_warmup(step, self.steps, self.warmup)

    @cached_property
    def mean_rate_factor(self) -> float:
        """The mean over all updates of what they multiply the learning rate by."""
        if not self.is_scheduled:
            return 1.0
        return sum(map(self.rate_factor, range(self.steps))) / self.steps

    @cached_property
    def optimizer_row(self) -> Optimizer:
        return OPTIMIZERS[self.optimizer]

    @cached_property
    def follows_gradient(self) -> bool:
        """True if a step is the gradient of the loss times a number, and nothing else."""
        changes = self.weight_decay or self.clip or self.number_format.is_rounded
        return self.optimizer_row.follows_gradient and not changes

    @cached_property
    def number_format(self) -> Format:
        return PRECISIONS[self.precision]

    @property
    def network_count(self) -> int:
        """The number N of networks that train at once: schemes times replicates."""
        return len(self.schemes) * self.replicates

    def gain_of(self, index: int) -> float:
        """Return the factor on the first weights of a layer, counted from 1."""
        first = self.first_gain if index == 1 else 1.0
        return first * self.readout_gain if index == self.depth else first

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The weight layers, first to last, as schemes take them."""
        inputs, outputs = self.dataset_row.input_dimension(self.features), self.dataset_row.outputs
        return tuple(
            Layer(
                index,
                self.depth,
                fan_in,
                fan_out,
                self.phi,
                self.bias_std,
                self.residual,
                self.weight_mean,
                self.gain_of(index),
                not self.residual or index in (1, *self.shortcuts, self.depth),
            )
            for index, (fan_in, fan_out) in enumerate(
                pairwise([inputs, *self.hidden_widths, outputs]), start=1
            )
        )
