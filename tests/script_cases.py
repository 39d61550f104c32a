"""Thirty experiments that together use every row of every catalogue, for the programs of `script`,
and how a program's curve is compared with the engine's.
"""

import io
import runpy
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from stability import Experiment, measure, script
from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.branch_scales import BRANCH_SCALES
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORM_POSITIONS, NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.output_activations import OUTPUT_ACTIVATIONS
from stability.catalogues.schedules import SCHEDULES
from stability.catalogues.schemes import SCHEMES

SIZE = {"width": 16, "features": 9, "samples": 128, "batch": 32, "steps": 20}
ROWS = {  # of settings that cycle, each with another period
    "activation": [*ACTIVATIONS],
    "normalization": [*NORMALIZATIONS, "none"],
    "optimizer": [*OPTIMIZERS],
    "dataset": [*DATASETS],
    "precision": ["float32", "float32", *PRECISIONS],
    "residual": [False, True, False],
    "clip": [0.0, 0.0, 0.0, 0.5],
    "weight_decay": [0.0, 0.0, 0.01],
    "dropout": [0.0, 0.0, 0.0, 0.0, 0.2],
    "bias_std": [0.0, 0.0, 0.1],
    "w0": [2.0],
    "depth": [5, 4, 5, 2, 1, 6, 5, 4, 5, 6, 3],
    "output_activation": ["none", "none", "none", "none", *OUTPUT_ACTIVATIONS],
    "weight_mean": [0.0, 0.0, 0.0, 0.2],
    "first_gain": [1.0, 1.0, 1.0, 1.5],
    "readout_gain": [1.0, 1.0, 0.5, 1.0, 0.0],
    "warmup": [0, 0, 5, 0, 30],
    "momentum": [0.9, 0.9, 0.9, 0.5],
    "epsilon": [1e-8, 1e-8, 1e-3],
    "schedule": ["constant", "constant", *SCHEDULES],
    "branch_layers": [2, 1, 1, 2],
    "norm_position": [*NORM_POSITIONS],
    "slope": [0.3],
    "taper": [1.0, 3.0],
    "branch_scale": [*BRANCH_SCALES, "one"],
    "classes": [10, 3],
    "imbalance": [1.0, 1.0, 1.0, 8.0],
    "label_noise": [0.0, 0.3, 0.0],
    "exponent": [4, 4, 3],
    "periods": [2, 3],
    "input_scale": [1.0, 1.0, 1.0, 1.0, 3.0, 1.0, 0.1],
    "input_offset": [0.0, 0.0, 0.5, 0.0, -1.0],
    "target_scale": [1.0, 5.0],
    "target_offset": [0.0, 0.0, 1.5],
}
PERTURBED = """for layer in layers:
    random = torch.Generator().manual_seed(1)
    noise = torch.randn(layer.weight.shape, generator=random, dtype=torch.float64)
    layer.weight.data += {change} * layer.weight.abs().max() * noise
model = nn.Sequential("""
ROUNDING = {"float64": 1e-15}  # 1e-7 in any other format


def case(index: int) -> Experiment:
    schemes = [*SCHEMES]
    settings = {name: values[index % len(values)] for name, values in ROWS.items()}
    rate = OPTIMIZERS[settings["optimizer"]].learning_rate / 2
    settings |= {"schemes": (schemes[index % len(schemes)],), "learning_rate": rate, "seed": index}
    return Experiment.reconcile(Experiment(depth=3).settings() | SIZE | settings)[0]


CASES = [case(index) for index in range(30)]


@cache
def program(e: Experiment, change: float = 0.0) -> str:
    """The program of an experiment's scheme; with weights changed by a part of the largest."""
    text = script.pytorch(e, e.schemes[0])
    perturbed = PERTURBED.format(change=change)
    return text.replace("model = nn.Sequential(", perturbed) if change else text


def run_here(text: str, folder: Path) -> str:
    """What a program prints, run in this process."""
    path, printed = folder / "program.py", io.StringIO()
    path.write_text(text, encoding="utf-8")
    try:
        with redirect_stdout(printed):
            runpy.run_path(str(path), run_name="__main__")
    finally:
        torch.set_default_dtype(torch.float32)
    return printed.getvalue()


def losses(e: Experiment, printed: str) -> np.ndarray:
    """The losses that a program printed, one a step."""
    rows = [line.split() for line in printed.splitlines()]
    assert [int(step) for step, _ in rows] == list(range(e.steps + 1))
    return np.array([float(loss) for _, loss in rows])


@cache
def measured(e: Experiment) -> np.ndarray:
    return np.array([m.loss[0, 0] for m in measure(e)])


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference relative to the curve's largest value; non-finite values are alike."""
    finite = np.isfinite(expected)
    if (np.isfinite(found) != finite).any():
        return np.inf
    largest = np.abs(expected[finite]).max(initial=0.0)
    return np.abs(found[finite] - expected[finite]).max(initial=0.0) / (largest or 1.0)


def distance_from_engine(e: Experiment, printed: str) -> float:
    return distance(losses(e, printed), measured(e))


def is_chaotic(e: Experiment, printed: str, folder: Path) -> bool:
    """True if a change of the weights by a rounding changes the program's own curve by 1e-4."""
    moved = run_here(program(e, ROUNDING.get(e.precision, 1e-7)), folder)
    return distance(losses(e, moved), losses(e, printed)) > 1e-4


def in_float64(e: Experiment) -> Experiment:
    return replace(e, precision="float64")
