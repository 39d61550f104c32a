"""The facts about a network before training on which forecasts and first suggestions rest."""

import math

from stability.diagnosis.indicators import LOG_LIMIT, Indicators
from stability.records.experiment import Experiment

Features = dict[str, float]


def numeric_features(e: Experiment, start: Indicators) -> Features:
    """Return the numbers by name; powers of ten but for shares. All are finite."""
    typical_rate = e.optimizer_row.learning_rate
    excess = math.log10(e.learning_rate / typical_rate)
    normalized = e.normalization_row.has_gain
    found = {
        "predicted_drop": start.log_predicted_drop,
        "weakest_layer_drop": start.log_weakest_layer_drop,
        "step_drop": start.log_step_drop,
        "height": math.log10(start.relative_loss) if start.relative_loss > 0 else 0.0,
        "signal": start.log_signal,
        "spread": start.log_spread,
        "gradient": start.log_gradient,
        "output_spread": start.log_output_spread,
        "saturated": start.saturated,
        "dead": start.dead,
        "symmetric": start.symmetric_layers / max(1, e.depth - 1),
        "still": start.still_layers / e.depth if not start.readout_is_zero else 0.0,
        "zero_readout": float(start.readout_is_zero),
        "rate": excess,
        "rate_if_normalized": excess if normalized else 0.0,
        "rate_if_shallow": excess if e.depth <= 3 else 0.0,
        "depth": math.log10(e.depth),
        "depth_if_normalized": math.log10(e.depth) if normalized else 0.0,
        "depth_if_residual": math.log10(e.depth) if e.residual else 0.0,
        "width": math.log10(e.width) if e.depth > 1 else 1.5,
        "steps": math.log10(e.steps),
        "batch": math.log10(e.batch),
        "samples": math.log10(e.samples),
        "features": math.log10(e.dataset_row.input_dimension(e.features)),
        "noise": e.noise,
        "dropout": e.dropout * (1 if e.residual else e.depth),
        "weight_decay": e.learning_rate * e.weight_decay * e.steps,
        "clipped": float(e.clip > 0),
        "hidden": float(e.depth > 1),
    }
    return {name: bounded(value) for name, value in found.items()}


def categories(e: Experiment) -> dict[str, str]:
    """Return the choices that matter, by setting."""
    names = "dataset", "optimizer", "activation", "normalization", "precision"
    return {name: getattr(e, name) for name in names} | {"residual": str(e.residual)}


def bounded(value: float) -> float:
    """Return the value between -LOG_LIMIT and LOG_LIMIT; what is not a number counts as 0."""
    return 0.0 if math.isnan(value) else min(max(value, -LOG_LIMIT), LOG_LIMIT)
