"""What one measurement says of a scheme's health: the few numbers that verdicts weigh, and the promise of its gradient.

The promise is a forecast to first order: were the gradient to stay as it is, by which share of itself would the loss
fall in all the steps? It is found by handing the optimizer's own rule small random matrices of the measured sizes, so a
new optimizer needs no word here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from stability.engine.measurement import Measurement, finite_networks
from stability.randomness import generator
from stability.records.experiment import Experiment

SAMPLE_SIDE = 8  # of the matrices that stand for a layer's: enough entries that their norms are typical
TRIAL_STEPS = 10  # steps of the optimizer that are tried: the memory of momentum
LOG_LIMIT = 300.0  # powers of ten: what is 0 or infinite counts as this


@dataclass(frozen=True)
class Indicators:
    """One scheme at one step; of several replicates the middle one, number by number. `log_` is a power of ten."""

    step: int
    is_finite: bool  # loss and gradient
    relative_loss: float  # held-out loss over the loss of guessing
    signal: tuple[float, ...]  # by layer
    log_signal: float  # the last layer's signal over the first's
    log_gradient: float  # the first layer's signal gradient over the last's
    log_weight_gradient: float  # the largest weight gradient over the smallest
    saturated: float  # mean share of flat units beyond what the activation has by design
    dead: float  # largest share of dead units in a layer
    symmetric_layers: int  # hidden layers, counted from the first, whose units are all copies of one
    log_predicted_drop: float  # fall of the loss in all steps, over the loss
    log_weakest_layer_drop: float  # the same of the layer that promises least
    log_step_drop: float  # the same of one step, once the optimizer is settled

    @property
    def depth(self) -> int:
        return len(self.signal)

    @property
    def gradient_factor(self) -> float:
        """By how much each layer multiplies the signal gradient on its way back, the geometric mean."""
        return 10 ** (self.log_gradient / max(1, self.depth - 1))

    @property
    def signal_factor(self) -> float:
        """By how much each layer multiplies the signal on its way forward, the geometric mean."""
        return 10 ** (self.log_signal / max(1, self.depth - 1))


def scheme_indicators(e: Experiment, measurement: Measurement) -> list[Indicators]:
    """Of every scheme, in their order; the measurement must have its profiles."""
    seen = {name: middle(getattr(measurement, name)) for name in NEEDED}
    seen |= impute_overflowed(seen) if e.number_format.scales_loss else {}
    with np.errstate(all="ignore"):
        columns = shape(seen) | hidden(e, seen) | promise(e, seen)
    columns["relative_loss"] = seen["test_loss"] / e.dataset_row.guessing_loss
    columns["is_finite"] = finite_networks(e, measurement).all(axis=1)
    values = {name: column.tolist() for name, column in columns.items()}
    rows = zip(*values.values(), strict=True)
    return [
        Indicators(step=measurement.step, signal=tuple(signal), **dict(zip(values, row, strict=True)))
        for signal, row in zip(seen["signal"].tolist(), rows, strict=True)
    ]


NEEDED = (
    "loss", "test_loss", "gradient_norm", "signal", "signal_gradient", "weight_gradient", "weight",
    "saturated", "dead", "distinct",
)  # fmt: skip


def impute_overflowed(seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a step that loss scaling skips tells of gradients: those that overflow count as large as the next layer's, or 1."""
    known = {name: seen[name].copy() for name in ("signal_gradient", "weight_gradient")}
    for values in known.values():
        above = np.ones(len(values))
        for layer in values.T[::-1]:
            above = layer[:] = np.where(np.isfinite(layer), layer, above)
    whole = np.linalg.norm(known["weight_gradient"], axis=1)
    return known | {"gradient_norm": np.where(np.isfinite(seen["gradient_norm"]), seen["gradient_norm"], whole)}


def middle(values: np.ndarray) -> np.ndarray:
    """Of `(S, R, ...)` the middle replicate, the higher of two, NaN counted as the highest: `(S, ...)`."""
    return values[:, 0] if values.shape[1] == 1 else np.sort(values, axis=1)[:, values.shape[1] // 2]


def power(values: np.ndarray) -> np.ndarray:
    """log10 between -END and END; NaN stays."""
    return np.clip(np.log10(values), -LOG_LIMIT, LOG_LIMIT)


def shape(seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How the three profiles run through the depth."""
    signal, gradient, weight_gradient = power(seen["signal"]), power(seen["signal_gradient"]), power(seen["weight_gradient"])
    return {
        "log_signal": signal[:, -1] - signal[:, 0],
        "log_gradient": gradient[:, 0] - gradient[:, -1],
        "log_weight_gradient": weight_gradient.max(axis=1) - weight_gradient.min(axis=1),
    }


def hidden(e: Experiment, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How the hidden units are; 0 where there are none."""
    if e.depth == 1:
        return dict.fromkeys(("saturated", "dead", "symmetric_layers"), np.zeros(len(e.schemes)))
    excess = seen["saturated"] - e.phi.saturated_by_design
    return {
        "saturated": excess.mean(axis=1),
        "dead": seen["dead"].max(axis=1),
        "symmetric_layers": (seen["distinct"] == 1).cumprod(axis=1).sum(axis=1),
    }


def promise(e: Experiment, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How far the loss would fall, were the gradient to stay as it is."""
    gradient, weight = seen["weight_gradient"], seen["weight"]  # (S, L)
    kept = np.minimum(1, e.clip / seen["gradient_norm"])[:, None] if e.clip else np.ones((len(gradient), 1))
    falls = descents(e, np.nan_to_num(gradient * kept), weight) / kept / seen["loss"][:, None]  # (TRIES, S, L)
    whole = falls[:-1].sum(axis=0) + falls[-1] * max(0, e.steps - TRIAL_STEPS + 1)
    return {
        "log_predicted_drop": power(whole.sum(axis=1)),
        "log_weakest_layer_drop": power(whole.min(axis=1)),
        "log_step_drop": power(falls[-1].sum(axis=1)),
    }


def descents(e: Experiment, gradient: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """To first order, how far each of TRIES steps lowers the loss: `(TRIES, S, L)` of Frobenius norms `(S, L)`."""
    entries = np.array([layer.fan_in * layer.fan_out for layer in e.layers])
    sizes = torch.tensor(np.stack([gradient, np.nan_to_num(weight)]) / np.sqrt(entries)).mT[..., None, None]  # (2, L, S, 1, 1)
    noise = torch.randn(2, 1, 1, SAMPLE_SIDE, SAMPLE_SIDE, generator=generator(0, "normal"), dtype=torch.float64)
    slopes, weights = sizes * noise / noise.square().mean(dim=(-2, -1), keepdim=True).sqrt()  # (L, S, SIDE, SIDE)
    parts = [part for part in (slice(0, 1), slice(1, e.depth - 1), slice(max(1, e.depth - 1), e.depth)) if slopes[part].numel()]
    falls = [torch.stack(list(tried(e, slopes[part], weights[part], part.start == 1 < e.depth - 1))) for part in parts]
    return torch.cat(falls, dim=1).mT.numpy() * entries / SAMPLE_SIDE**2


def tried(e: Experiment, gradient: torch.Tensor, weight: torch.Tensor, is_hidden: bool) -> Iterator[torch.Tensor]:
    """The fall of the loss at each of TRIES steps with one steady gradient, `(layers, S)`."""
    rule, state = e.optimizer_row.step_for(True, is_hidden), {}
    for _ in range(TRIAL_STEPS):
        step = rule(weight, gradient.clone(), state, e.learning_rate, 0.0)
        yield -(step * gradient).sum(dim=(-2, -1))
