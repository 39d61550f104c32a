"""The settings of the Train bench: networks, data and training."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

from stability.catalogues.activations import ACTIVATIONS, Activation
from stability.catalogues.datasets import DATASETS, Dataset
from stability.catalogues.draws import Layer
from stability.catalogues.normalizations import NORMALIZATIONS, Normalization
from stability.catalogues.number_formats import FORMATS, PRECISIONS, Format
from stability.catalogues.optimizers import OPTIMIZERS, Optimizer
from stability.catalogues.scheme_entry import Scheme
from stability.catalogues.scheme_names import split_list
from stability.catalogues.schemes import (
    SCHEMES,
    family_and_value,
    parse_scheme,
    scheme_refusal,
    scheme_title,
)
from stability.records.knobs import Choice, ChoiceList, Flag, Integer, Real, setting
from stability.records.record import Disagreements, Record

MOST_SCHEMES = 8  # per experiment: as many colours as most people can tell apart


def canonical_scheme(text: str) -> str:
    """Return the spelling of a scheme in records and links: `normal:0.01` for `normal:1e-2`."""
    return parse_scheme(text).key


def scheme_disagreements(scheme: str, settings: Mapping[str, Any]) -> Disagreements:
    """Yield a Disagreement for each setting with which this scheme cannot be used."""
    return parse_scheme(scheme).needs(settings)


@dataclass(frozen=True, repr=False)
class Experiment(Record):
    """Networks that differ in their initialization alone, and how they are trained.

    `schemes` may be a string, which stands for one scheme.
    """

    noun: ClassVar[str] = "a training run"
    unit: ClassVar[str] = "step"

    # fmt: off
    schemes: tuple[str, ...] = setting(
        ("he_normal", "xavier_normal", "normal:1"), ChoiceList, "Compare", "Initializations",
        "Up to eight, trained at once on the same data. "
        "Type your own with a value, such as normal:0.02.", rows=SCHEMES,
        canonical=canonical_scheme, identity=family_and_value, most=MOST_SCHEMES, main=True,
        entry_title=scheme_title, refusal=scheme_refusal, split=split_list)
    activation: str = setting("relu", Choice, "Network", "Activation",
        "The function after each hidden layer.", rows=ACTIVATIONS, main=True)
    depth: int = setting(20, Integer, "Network", "Depth",
        "How many weight layers, the output layer included.", low=1, high=101, main=True)
    width: int = setting(64, Integer, "Network", "Width",
        "Units in each hidden layer.", low=2, high=512, log=True, main=True)
    residual: bool = setting(False, Flag, "Network", "Residual connections",
        "Each hidden layer is added to the one before it.")
    normalization: str = setting("none", Choice, "Network", "Normalization",
        "What is done to a pre-activation before the activation sees it.", rows=NORMALIZATIONS)
    dropout: float = setting(0.0, Real, "Network", "Dropout",
        "Share of hidden units switched off at random at each step.", low=0, high=0.95)
    bias_std: float = setting(0.0, Real, "Network", "Bias spread",
        "Standard deviation of the biases at the start; 0: they start at 0.", low=0, high=10)
    dataset: str = setting("blobs", Choice, "Data", "Data",
        "What the networks learn.", rows=DATASETS)
    features: int = setting(32, Integer, "Data", "Features",
        "Inputs of the network, each of mean 0 and variance 1.", low=1, high=1024, log=True)
    samples: int = setting(1024, Integer, "Data", "Samples",
        "Training examples; 512 more are held out.", low=64, high=4096, log=True)
    noise: float = setting(0.1, Real, "Data", "Noise",
        "How blurred the data are; 0: not at all.", low=0, high=10)
    optimizer: str = setting("sgd", Choice, "Training", "Optimizer",
        "How a gradient becomes a step. "
        "Changing it sets its typical learning rate, unless you chose one.",
        rows=OPTIMIZERS, main=True)
    learning_rate: float = setting(0.02, Real, "Training", "Learning rate",
        "The size of a step.", low=1e-6, high=100, log=True, main=True)
    batch: int = setting(64, Integer, "Training", "Batch",
        "Examples seen at each step.", low=1, high=1024, log=True)
    steps: int = setting(300, Integer, "Training", "Steps",
        "Updates of the weights.", low=1, high=5000, log=True)
    clip: float = setting(0.0, Real, "Training", "Gradient clipping",
        "Largest gradient norm that a step may use; 0: any.", low=0, high=1e6)
    weight_decay: float = setting(0.0, Real, "Training", "Weight decay",
        "Pull of the weight matrices towards 0.", low=0, high=10)
    precision: str = setting("float32", Choice, "Training", "Precision",
        "The number format of everything computed: "
        "how many digits, and how large and small a number can be.", rows=PRECISIONS,
        absent={key: row.why_untrainable for key, row in FORMATS.items() if not row.is_trainable})
    replicates: int = setting(1, Integer, "Compare", "Replicates",
        "Networks a scheme, each drawn anew: lines show their median, bands their range.",
        low=1, high=16)
    seed: int = setting(0, Integer, "Compare", "Seed",
        "Fixes every random number: the same seed draws the same weights and data.",
        low=0, high=2**31 - 1)
    # fmt: on

    @staticmethod
    def disagreements(settings: Mapping[str, Any]) -> Disagreements:
        for scheme in settings["schemes"]:
            yield from scheme_disagreements(scheme, settings)
        batch, samples = settings["batch"], settings["samples"]
        if NORMALIZATIONS[settings["normalization"]].min_batch > batch:
            yield f"batch must be at least 2 for batch normalization, not {batch}", "batch", 2
        if batch > samples:
            yield f"batch must be at most samples ({samples}), not {batch}", "batch", samples

    @property
    def length(self) -> int:
        return self.steps

    @cached_property
    def scheme_rows(self) -> tuple[Scheme, ...]:
        """The rows of the schemes, with their values."""
        return tuple(map(parse_scheme, self.schemes))

    @property
    def phi(self) -> Activation:
        return ACTIVATIONS[self.activation]

    @property
    def normalization_row(self) -> Normalization:
        return NORMALIZATIONS[self.normalization]

    @property
    def dataset_row(self) -> Dataset:
        return DATASETS[self.dataset]

    @property
    def optimizer_row(self) -> Optimizer:
        return OPTIMIZERS[self.optimizer]

    @property
    def number_format(self) -> Format:
        return PRECISIONS[self.precision]

    @property
    def network_count(self) -> int:
        """The number N of networks that train at once: schemes times replicates."""
        return len(self.schemes) * self.replicates

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The weight layers, first to last, as schemes take them."""
        hidden = [self.width] * (self.depth - 1)
        inputs, outputs = self.dataset_row.input_dimension(self.features), self.dataset_row.outputs
        return tuple(
            Layer(index, self.depth, fan_in, fan_out, self.phi, self.bias_std, self.residual)
            for index, (fan_in, fan_out) in enumerate(pairwise([inputs, *hidden, outputs]), start=1)
        )
