"""The Experiment of a pasted network whose hidden layers are alike, and what differs between them.

Such a network can be trained on the page. What an Experiment lacks is replaced, and said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stability.catalogues.datasets import DATASETS, Dataset
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.schemes import scheme_title
from stability.i18n import _
from stability.modules.built_network import PYTORCH_START
from stability.modules.layer_text import LayerReader
from stability.modules.network_plan import NetworkPlan, PlannedLayer, activation_key
from stability.records.experiment import Experiment
from stability.records.knobs import Number
from stability.text import exact_number, join_words

SILENT = "Flatten", "Identity"  # nothing to a network of one dimension
DROPOUT = "Dropout"
ENDS = "Softmax", "LogSoftmax"  # parts of the loss on the Train bench
NORMALIZATION_KEYS = {
    LayerReader(row.pytorch.format(width=1)).read_root().name: key
    for key, row in NORMALIZATIONS.items()
    if row.pytorch
}


class NoEquivalentError(ValueError):
    """No Experiment is like this network; the text says why, after "since"."""


@dataclass
class TrainEquivalent:
    """The settings of an Experiment, and what is kept or replaced, each in a few words."""

    settings: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def experiment(self) -> Experiment:
        """The Experiment, with the nearest legal settings."""
        return Experiment.reconcile(Experiment().settings() | self.settings)[0]

    @property
    def sentence(self) -> str:
        """The remarks as one list, for a button."""
        return join_words(self.remarks)

    def take(self, name: str, value: float, words: str, is_told: bool = True) -> None:
        """Set a number, or the nearest legal one, and say so: `words` are those of its unit."""
        knob = Experiment.knobs()[name]
        assert isinstance(knob, Number)
        legal = type(value)(min(max(value, knob.low), knob.high))
        self.settings[name] = legal
        shown = words.format(number=exact_number(legal))
        if legal != value:
            instead = _("{setting} instead of {value}")
            self.remarks.append(instead.format(setting=shown, value=exact_number(value)))
        elif value and is_told:
            self.remarks.append(_("{setting} kept").format(setting=shown))


def train_equivalent(plan: NetworkPlan, scheme: str = "") -> TrainEquivalent:
    """Return the Experiment that is like this network. NoEquivalentError says why there is none."""
    blocks = split_into_blocks(plan)
    hidden = [layer.sizes[1] for block in blocks[:-1] if (layer := block[0]).sizes]
    if len(set(hidden)) > 1:
        sentence = _("its hidden sizes differ ({least:,} to {most:,})")
        raise NoEquivalentError(sentence.format(least=min(hidden), most=max(hidden)))
    shapes = {tuple(function_of(layer) for layer in block[1:]) for block in blocks[:-1]}
    if len(shapes) > 1:
        raise NoEquivalentError(_("what follows its hidden layers differs from one to the next"))
    found = TrainEquivalent()
    take_data(found, plan)
    if hidden:
        found.take("width", hidden[0], _("{number} hidden units"), is_told=False)
    found.take("depth", len(blocks), _("{number} layers"), is_told=False)
    take_parts(found, blocks[0][1:] if hidden else ())
    if blocks[-1][1:]:
        part = _("{layer} at the end is part of the loss")
        found.remarks.append(part.format(layer=blocks[-1][1].kind.name))
    if not all(block[0].arguments["bias"] for block in blocks):
        found.remarks.append(_("biases are added"))
    named = scheme or plan.scheme
    found.settings["schemes"] = (named or PYTORCH_START,)
    start = _("the start {scheme}").format(scheme=scheme_title(named)) if named else ""
    found.remarks.append(start or _("PyTorch's own start"))
    return found


def split_into_blocks(plan: NetworkPlan) -> list[list[PlannedLayer]]:
    """Return each Linear layer with what follows it."""
    blocks: list[list[PlannedLayer]] = []
    for layer in plan.layers:
        if layer.kind.is_linear:
            blocks.append([layer])
        elif layer.kind.name not in SILENT:
            if not blocks:
                sentence = _("{layer} stands before its first Linear layer")
                raise NoEquivalentError(sentence.format(layer=layer.kind.name))
            blocks[-1].append(layer)
    if any(layer.kind.name not in (*ENDS, DROPOUT) for layer in blocks[-1][1:]):
        sentence = _("{layer} follows its last Linear layer")
        raise NoEquivalentError(sentence.format(layer=blocks[-1][-1].kind.name))
    return blocks


def function_of(layer: PlannedLayer) -> object:
    """Return what two layers share that compute the same, whatever their width."""
    if layer.kind.is_normalization:
        return layer.kind.name
    return layer.function


def take_data(found: TrainEquivalent, plan: NetworkPlan) -> None:
    """Choose data with as many inputs and outputs as the network has, as far as there are any."""
    inputs, outputs = plan.widths[0], plan.widths[-1]
    exact = [key for key, row in DATASETS.items() if row.fixed_features == inputs]
    key = next((key for key in exact if DATASETS[key].outputs == outputs), "")
    row = DATASETS[key or ("teacher" if outputs == 1 else "blobs")]
    found.settings["dataset"] = row.key
    if "classes" in dict(row.more):
        knob = Experiment.knobs()["classes"]
        assert isinstance(knob, Number)
        found.settings["classes"] = int(min(outputs, knob.high))
        row = found.experiment.dataset_row
    found.remarks.append(data_in_words(row, outputs))
    if not row.fixed_features:
        found.take("features", inputs, _("{number} features"))


def data_in_words(row: Dataset, outputs: int) -> str:
    """Return a data set as a remark, and how many outputs the network has where it differs."""
    if not row.classes and row.outputs == outputs:
        sentence = _("{dataset} as data")
    elif not row.classes:
        sentence = _("{dataset} instead of {outputs:,} as data")
    elif row.outputs == outputs:
        sentence = _("{dataset} of {classes} classes as data")
    else:
        sentence = _("{dataset} of {classes} classes instead of {outputs:,} as data")
    return sentence.format(dataset=row.label.lower(), classes=row.outputs, outputs=outputs)


def take_parts(found: TrainEquivalent, parts: Sequence[PlannedLayer]) -> None:
    """Take over what follows each hidden layer: a normalization, an activation, dropout."""
    found.settings["activation"] = "linear"
    steps = iter(parts)
    layer = next(steps, None)
    if layer and layer.kind.is_normalization:
        if not (key := NORMALIZATION_KEYS.get(layer.kind.name)):
            sentence = _("{layer} is no normalization of the Train bench")
            raise NoEquivalentError(sentence.format(layer=layer.kind.name))
        found.settings["normalization"] = key
        layer = next(steps, None)
    if layer and layer.kind.is_activation:
        if not (key := activation_key(layer)):
            sentence = _("this {layer} is no activation of the Train bench")
            raise NoEquivalentError(sentence.format(layer=layer.kind.name))
        found.settings["activation"] = key
        layer = next(steps, None)
    if layer and layer.kind.name == DROPOUT:
        found.take("dropout", float(layer.arguments["p"]), _("dropout {number}"))
        layer = next(steps, None)
    if layer:
        sentence = _("its {layer} stands where an Experiment has none")
        raise NoEquivalentError(sentence.format(layer=layer.kind.name))
