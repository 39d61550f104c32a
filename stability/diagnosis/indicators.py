"""Indicators of a scheme's health: the few numbers of one measurement that verdicts weigh.

One of them is the predicted drop of the loss, to first order: the share of the loss that all steps
would remove if the gradient stayed as it is. The optimizer's own rule is applied to small random
matrices of the measured norms, so a new optimizer needs no code here.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from stability.catalogues.optimizers import OptimizerState
from stability.engine.family import Family
from stability.engine.measurement import Measurement, finite_networks
from stability.engine.parameters import per_network
from stability.engine.replicates import median_or_worst
from stability.randomness import generator
from stability.records.experiment import Experiment

SAMPLE_SIDE = 8  # of the matrices that stand for a layer's: enough entries for typical norms
TRIAL_STEPS = 10  # steps of the optimizer that are tried: the memory of momentum
LOG_LIMIT = 300.0  # powers of ten: what is 0 or infinite counts as this
DEAD = 0.9  # of a layer's units: what is left is too narrow for the data

PROFILES_NEEDED = "signal", "spread", "signal_gradient", "weight_gradient"
OTHERS_NEEDED = (
    *("loss", "test_loss", "gradient_norm", "weight", "saturated", "dead", "distinct"),
    "lost_updates",
)


@dataclass(frozen=True)
class Indicators:
    """One scheme at one step, each number the median over replicates; `log_` is a power of ten.

    A factor is that of one hidden layer, as a geometric mean: between the first and the last
    hidden layer. The readout, whose fan_out is another, is not among them.
    """

    step: int
    is_finite: bool  # loss and gradient, of every replicate
    relative_loss: float  # held-out loss over the loss of guessing
    signal: tuple[float, ...]  # by layer
    log_signal: float  # the last hidden layer's signal over the first's
    log_spread: float  # the same of what differs between examples
    log_gradient: float  # the first hidden layer's signal gradient over the last's
    log_weight_gradient: float  # the largest weight gradient over the smallest
    log_output: float  # the size of the network's output
    log_output_spread: float  # of what differs in it between examples
    still_layers: int  # whose weight gradient is exactly 0
    readout_is_zero: bool  # the weights of the readout: what lies below gets no gradient yet
    saturated: float  # mean share of saturated units beyond what the activation has by design
    dead: float  # largest share of dead units in a layer
    deadest_layer: int  # from 1; 0 without hidden layers
    dead_replicates: int  # how many have a layer that is dead
    symmetric_layers: int  # hidden layers, from the first on, whose units are all copies of one
    lost_updates: float  # mean share of the last step that rounding took; NaN where unknown
    log_weight: float  # the norms of all layers' weights, as their geometric mean
    log_decay_pull: float  # weight decay times a layer's weights over its gradient, likewise
    clipped_share: float  # what clipping leaves of the gradient; 1 where it leaves all
    log_predicted_drop: float  # predicted drop of the loss in all steps, over the loss
    log_weakest_layer_drop: float  # the same of the layer with the smallest drop
    log_step_drop: float  # the same of one step, once the optimizer is settled

    @property
    def depth(self) -> int:
        """The number of weight layers."""
        return len(self.signal)

    @property
    def transitions(self) -> int:
        """The number of hidden layers that follow another hidden layer."""
        return max(0, self.depth - 2)

    @property
    def gradient_factor(self) -> float:
        """The factor of the signal gradient a hidden layer on its way back; 1 without any."""
        return float(10 ** (self.log_gradient / max(1, self.transitions)))

    @property
    def signal_factor(self) -> float:
        """The factor of the signal a hidden layer on its way forward; 1 without any."""
        return float(10 ** (self.log_signal / max(1, self.transitions)))

    @property
    def spread_factor(self) -> float:
        """The factor a hidden layer of what differs between examples; 1 without any."""
        return float(10 ** (self.log_spread / max(1, self.transitions)))


def scheme_indicators(
    experiment: Experiment | Family, measurement: Measurement
) -> list[Indicators]:
    """Return the indicators of every scheme, in order; the measurement must have its profiles."""
    family = Family.of(experiment)
    e = family.shared
    seen = {
        name: median_or_worst(getattr(measurement, name))
        for name in (*PROFILES_NEEDED, *OTHERS_NEEDED)
    }
    if e.number_format.scales_loss:
        impute_overflowed(seen)
    last = max(0, e.depth - 2)  # the last hidden layer; the readout where there is none
    with np.errstate(all="ignore"):
        signal, spread, gradient, weight_gradient = (
            bounded_log10(seen[name]) for name in PROFILES_NEEDED
        )
        spread = np.where(np.isnan(spread), signal, spread)  # where it was not measured
        columns = {
            "is_finite": finite_networks(e, measurement).all(axis=1),
            "relative_loss": seen["test_loss"] / e.dataset_row.guessing_loss,
            "log_signal": signal[:, last] - signal[:, 0],
            "log_spread": spread[:, last] - spread[:, 0],
            "log_gradient": gradient[:, 0] - gradient[:, last],
            "log_weight_gradient": np.ptp(weight_gradient, axis=1),
            "log_output": signal[:, -1],
            "log_output_spread": spread[:, -1],
            "still_layers": (seen["weight_gradient"] == 0).sum(axis=1),
            "readout_is_zero": seen["weight"][:, -1] == 0,
            "lost_updates": seen["lost_updates"].mean(axis=1),
            "log_weight": bounded_log10(seen["weight"]).mean(axis=1),
            **setting_indicators(family, seen),
            **hidden_unit_indicators(e, seen, measurement),
            **predicted_drops(family, seen),
        }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        Indicators(measurement.step, signal=tuple(signal), **dict(zip(columns, row, strict=True)))
        for signal, row in zip(seen["signal"].tolist(), rows, strict=True)
    ]


def impute_overflowed(seen: dict[str, np.ndarray]) -> None:
    """Replace gradients that overflowed by the next layer's (1 at the output), in skipped steps."""
    for name in ("signal_gradient", "weight_gradient"):
        seen[name], following = seen[name].copy(), np.ones(len(seen[name]))
        for layer in seen[name].T[::-1]:
            layer[:] = following = np.where(np.isfinite(layer), layer, following)
    norm, total = seen["gradient_norm"], np.linalg.norm(seen["weight_gradient"], axis=1)
    seen["gradient_norm"] = np.where(np.isfinite(norm), norm, total)


def bounded_log10(values: np.ndarray) -> np.ndarray:
    """Return log10 between -LOG_LIMIT and LOG_LIMIT; NaN stays."""
    return np.asarray(np.log10(values).clip(-LOG_LIMIT, LOG_LIMIT))


def hidden_unit_indicators(
    e: Experiment, seen: dict[str, np.ndarray], measurement: Measurement
) -> dict[str, np.ndarray]:
    """Return the indicators of hidden units; 0 where there are none."""
    if e.depth == 1:
        nothing = np.zeros(len(measurement.loss))
        names = "saturated", "dead", "deadest_layer", "dead_replicates", "symmetric_layers"
        return dict.fromkeys(names, nothing)
    worst = measurement.dead.max(axis=2)  # (S, R)
    return {
        "saturated": (seen["saturated"] - e.phi.saturated_by_design).mean(axis=1),
        "dead": seen["dead"].max(axis=1),
        "deadest_layer": measurement.dead.max(axis=1).argmax(axis=1) + 1,
        "dead_replicates": (worst >= DEAD).sum(axis=1),
        "symmetric_layers": (seen["distinct"] == 1).cumprod(axis=1).sum(axis=1),
    }


def predicted_drops(family: Family, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the predicted drops of the loss if the gradient stays as it is."""
    e, gradient = family.shared, seen["weight_gradient"]  # (S, L)
    clipping = clipped_shares(family, seen["gradient_norm"])[:, None]
    drops = loss_drops(family, np.nan_to_num(gradient * clipping), np.nan_to_num(seen["weight"]))
    drops = drops / clipping / seen["loss"][:, None]  # (TRIAL_STEPS, S, L)
    total = drops[:-1].sum(axis=0) + drops[-1] * max(0, e.steps - TRIAL_STEPS + 1)
    total *= np.array([own.mean_rate_factor for own, _ in family.members])[:, None]
    return {
        "log_predicted_drop": bounded_log10(total.sum(axis=1)),
        "log_weakest_layer_drop": bounded_log10(total.min(axis=1)),
        "log_step_drop": bounded_log10(drops[-1].sum(axis=1)),
    }


def setting_indicators(family: Family, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the indicators of what weight decay and clipping do beside the gradient."""
    decay = np.array([own.weight_decay for own, _ in family.members])[:, None]
    pull = decay * seen["weight"] / seen["weight_gradient"]  # (S, L)
    return {
        "log_decay_pull": bounded_log10(pull).mean(axis=1),
        "clipped_share": clipped_shares(family, seen["gradient_norm"]),
    }


def clipped_shares(family: Family, gradient_norm: np.ndarray) -> np.ndarray:
    """Return what clipping leaves of the gradient of each scheme, `(S,)`; 1 where it leaves all."""
    if not family.shared.clip:  # in a family all are clipped, or none
        return np.ones(len(gradient_norm))
    clip = np.array([own.clip for own, _ in family.members])
    return np.asarray(np.minimum(1, clip / gradient_norm))


def loss_drops(family: Family, gradient: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return how much each of TRIAL_STEPS steps with a constant gradient lowers the loss.

    To first order; `(TRIAL_STEPS, S, L)` of Frobenius norms `(S, L)`.
    """
    e = family.shared
    rate, epsilon = torch.tensor(
        [(own.learning_rate, own.epsilon) for own, _ in family.members], dtype=torch.float64
    ).T
    entries = np.array([layer.fan_in * layer.fan_out for layer in e.layers])
    sizes = torch.tensor(np.stack([gradient, weight]) / np.sqrt(entries)).mT[..., None, None]
    slopes, weights = sizes * sample_matrices()  # (L, S, SAMPLE_SIDE, SAMPLE_SIDE) each
    drops = torch.empty(TRIAL_STEPS, *slopes.shape[:2], dtype=torch.float64)
    factors = family.rate_factors
    rates = (rate * (factors[0] if factors else torch.ones(e.depth, 1)))[..., None, None]
    hidden = range(1, e.depth - 1)
    rules = [e.optimizer_row.step_for(True, layer in hidden) for layer in range(e.depth)]
    for rule in set(rules):
        layers = [layer for layer, other in enumerate(rules) if other is rule]
        grad, weight_of, rate_of = slopes[layers], weights[layers], rates[layers]
        state: OptimizerState = {}
        for trial in range(TRIAL_STEPS):
            passed, epsilons = grad.clone(), per_network(epsilon, grad)
            step = rule(weight_of, passed, state, rate_of, 0.0, e.momentum, epsilons)
            drops[trial, layers] = -(step * grad).sum(dim=(-2, -1))
    return np.asarray(drops.mT.numpy() * entries / SAMPLE_SIDE**2)


@cache
def sample_matrices() -> Tensor:
    """Return normal matrices of RMS 1 that stand for a layer's slopes and weights."""
    noise = torch.randn(
        (2, 1, 1, SAMPLE_SIDE, SAMPLE_SIDE), generator=generator(0, "normal"), dtype=torch.float64
    )
    return noise / noise.square().mean(dim=(-2, -1), keepdim=True).sqrt()
