"""The quantities that blocks of networks found at one step, and the measurement they make."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import Tensor

from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.measurement import CURVES, PROFILES, SNAPSHOTS, Measurement
from stability.engine.quantities import HISTOGRAM_BINS
from stability.engine.rounding_shares import SHARES_SHAPE
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps


@dataclass(eq=False)
class Found:
    """The quantities of some networks, which are the last axis of each."""

    networks: Tensor  # indices into schemes x replicates, (N,)
    quantities: dict[str, Tensor]

    def small(self) -> dict[str, Tensor]:
        """Return all but the snapshots, each `(numbers, N)`."""
        small = {n: values for n, values in self.quantities.items() if n not in SNAPSHOTS}
        return {n: v if len(v.shape) > 1 else v.unsqueeze(0) for n, v in small.items()}


def build_measurement(
    e: Experiment, step: int, parts: Sequence[Found], schemes: int | None = None
) -> Measurement:
    """Return the measurement of these networks, of so many schemes; by default of those of `e`.

    Quantities that were not measured are NaN, the scale is 1. Networks in no part have ended: all
    that depends on their parameters is NaN, and none of their answers is right.
    """
    arrays = dict(missing_arrays(e, schemes))
    arrays |= whole_arrays(arrays, parts)
    for name in parts[0].quantities.keys() & SNAPSHOTS if parts else ():
        arrays[name] = whole_snapshot(e, name, arrays[name], parts)
    if e.dataset_row.classes and any_ended(arrays, parts):
        is_left = np.zeros_like(arrays["loss"], dtype=bool)
        for part in parts:
            is_left.reshape(-1)[part.networks.numpy()] = True
        for name in ["accuracy"] + ["test_accuracy"] * (step in sampled_steps(e.steps)):
            arrays[name] = np.where(is_left, arrays[name], 0.0)
    return Measurement(step, **arrays)


def any_ended(arrays: Mapping[str, np.ndarray], parts: Sequence[Found]) -> bool:
    """Return True if some of the networks that these arrays are about are in no part."""
    return sum(part.networks.shape[0] for part in parts) < arrays["loss"].size


def whole_arrays(
    missing: Mapping[str, np.ndarray], parts: Sequence[Found]
) -> dict[str, np.ndarray]:
    """Return the small quantities `(S, R)` or `(S, R, layers)`, from one transfer a part."""
    if not parts:
        return {}
    tables = [part.small() for part in parts]
    last = [*accumulate(values.shape[0] for values in tables[0].values())]
    whole = np.empty((*missing["loss"].shape, last[-1]))
    if any_ended(missing, parts):
        whole.fill(math.nan)
    of_network = whole.reshape(-1, last[-1])  # a view, (N, numbers)
    for part, table in zip(parts, tables, strict=True):
        of_network[part.networks.numpy()] = torch.cat([*table.values()]).double().cpu().numpy().T
    # Curves are copied: a view would keep the whole table once the profiles are dropped.
    places = zip(tables[0], pairwise([0, *last]), strict=True)
    return {
        name: whole[..., first:end] if missing[name].ndim > 2 else whole[..., first].copy()
        for name, (first, end) in places
    }


def whole_snapshot(
    e: Experiment, name: str, missing: np.ndarray, parts: Sequence[Found]
) -> np.ndarray:
    """Return a snapshot `(S, R, ...)`, or `(S, ...)` of first replicates, as put together."""
    whole = np.array(missing)
    for part in parts:
        values = part.quantities[name].movedim(-1, 0).cpu().numpy()
        networks = part.networks.numpy()
        if name == "learned_outputs":  # of the first replicates, (S, points, outputs)
            whole[networks[networks % e.replicates == 0] // e.replicates] = values
        else:
            whole.reshape(whole.shape[0] * whole.shape[1], *values.shape[1:])[networks] = values
    return whole


@lru_cache(maxsize=64)
def missing_arrays(e: Experiment, schemes: int | None = None) -> dict[str, np.ndarray]:
    """Return the fields of a measurement without any: read-only, shared by all steps."""
    count = schemes or len(e.schemes)
    curve = count, e.replicates
    layers, hidden = (*curve, e.depth), (*curve, e.depth - 1)
    points = len(INPUT_GRIDS[e.dataset_row.plotted_dimensions])
    shapes: dict[str, tuple[int, ...]] = {
        "saturated": hidden,
        "dead": hidden,
        "lost_gain_updates": hidden,
        "distinct": hidden,
        "pre_activations": (*hidden, HISTOGRAM_BINS + 2),
        "rounding_shares": (*layers, *SHARES_SHAPE),
        "learned_outputs": (count, points, e.dataset_row.outputs),
    }
    shapes |= {name: shapes.get(name, layers) for name in PROFILES}
    shapes |= {name: shapes.get(name, curve) for name in CURVES}
    wide = "learned_outputs" if e.number_format.itemsize > 4 else ""
    arrays = {}
    for name, shape in shapes.items():
        dtype = np.float32 if name in SNAPSHOTS and name != wide else np.float64
        arrays[name] = np.broadcast_to(dtype(1 if name == "scale" else math.nan), shape)
    return arrays
