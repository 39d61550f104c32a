"""Fits the tables of log-odds in stability/diagnosis: additive logistic regressions, by torch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

DIAGNOSIS = Path(__file__).parent.parent / "stability" / "diagnosis"

# Between its knots the log-odds of a number are interpolated, beyond them they are flat.
START_KNOTS = {
    "predicted_drop": (-3, -1.5, -0.5, 0.5, 1.5, 3),
    "weakest_layer_drop": (-6, -3, -1.5, -0.5, 0.5, 2),
    "step_drop": (-3, -1.5, -0.5, 0, 0.5, 1.5, 3),
    "height": (-0.3, 0, 0.1, 0.3, 0.6, 1.2, 3),
    "signal": (-8, -4, -2, -1, 0, 1, 2, 4),
    "spread": (-8, -4, -2, -1, -0.4, 0, 1, 3),
    "gradient": (-10, -5, -3, -1.5, -0.5, 0, 0.5, 1.5, 3, 6),
    "output_spread": (-6, -3, -1.5, -0.5, 0, 0.5, 1.5, 4),
    "saturated": (0, 0.1, 0.3, 0.6, 1),
    "dead": (0, 0.2, 0.5, 0.8, 1),
    "symmetric": (0, 1),
    "still": (0, 1),
    "zero_readout": (0, 1),
    "rate": (-1.5, -0.75, 0, 0.75, 1.5, 2.5),
    "rate_if_normalized": (-1.5, 0, 1.5),
    "rate_if_shallow": (-1.5, 0, 1.5),
    "depth": (0, 0.3, 0.5, 0.8, 1.1, 1.4, 1.7),
    "depth_if_normalized": (0, 0.7, 1.2, 1.7),
    "depth_if_residual": (0, 0.7, 1.2, 1.7),
    "width": (0.3, 0.8, 1.2, 1.8),
    "steps": (1, 1.7, 2, 2.5, 3.3),
    "batch": (0.9, 1.5, 2.1),
    "samples": (2.4, 3),
    "features": (0, 0.3, 0.6, 1.2, 1.8),
    "noise": (0, 0.1, 0.3),
    "dropout": (0, 1, 3, 10),
    "weight_decay": (0, 0.01, 0.1, 1),
    "clipped": (0, 1),
    "hidden": (0, 1),
}
PROGRESS_KNOTS = {
    f"{name}_{half}": knots
    for name, knots in {
        "before": (-6, -3, -1, 0, 1, 3, 6),
        "harm": (-6, -3, -1, 0, 3, 6),
        "height": (-4, -1.5, -0.7, -0.4, -0.1, 0, 0.5, 2),
        "projected": (-6, -2, -0.7, -0.3, -0.1, 0, 0.3, 2),
        "lowest": (-4, -1.5, -0.7, -0.3, -0.1, 0, 0.5),
    }.items()
    for half in ("early", "late")
}
Row = tuple[Mapping[str, float], Mapping[str, str]]  # numbers and choices


class Design:
    """The columns of a regression: a segment of a curve each, then a choice each."""

    def __init__(self, rows: Sequence[Row], knots: Mapping[str, Sequence[float]]):
        self.knots = knots
        settings = rows[0][1]
        self.choices = {name: sorted({row[1][name] for row in rows}) for name in settings}

    def matrix(self, rows: Sequence[Row]) -> Tensor:
        """Return `(rows, columns)`, the base first; over its segment a column goes from 0 to 1."""
        columns = [torch.ones(len(rows), 1, dtype=torch.float64)]
        for name, knots in self.knots.items():
            values = torch.tensor([row[0][name] for row in rows], dtype=torch.float64)[:, None]
            low, high = (torch.tensor(k, dtype=torch.float64) for k in (knots[:-1], knots[1:]))
            columns.append(((values - low) / (high - low)).clamp(0, 1))
        for name, values in self.choices.items():
            chosen = [[row[1][name] == value for value in values] for row in rows]
            columns.append(torch.tensor(chosen, dtype=torch.float64))
        return torch.cat(columns, dim=1)

    def table(self, weights: Tensor) -> dict[str, object]:
        """Return the weights `(columns,)` of one outcome as a table of stability.diagnosis.odds."""
        rest = weights.tolist()
        base, rest = rest[0], rest[1:]
        curves = {}
        for name, knots in self.knots.items():
            segments, rest = rest[: len(knots) - 1], rest[len(knots) - 1 :]
            heights = [round(sum(segments[:i]), 3) for i in range(len(knots))]
            curves[name] = [list(knots), heights]
        choices = {}
        for name, values in self.choices.items():
            choices[name] = dict(zip(values, (round(w, 3) for w in rest), strict=False))
            rest = rest[len(values) :]
        return {"base": round(base, 3), "curves": curves, "choices": choices}


def fit(x: Tensor, y: Tensor, outcomes: int, penalty: float, weights: Tensor) -> Tensor:
    """Return the weights `(columns, outcomes)` of a multinomial regression; the base is free.

    `y` is the number of the outcome of each row, `weights` how much each row counts.
    """
    found = torch.zeros(x.shape[1], outcomes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = torch.nn.functional.cross_entropy(x @ found, y, reduction="none")
        value = (losses * weights).sum() + penalty * found[1:].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return found.detach()


def write(name: str, tables: Mapping[str, object]) -> None:
    """Write the tables of one file, a table a line, so that changes can be read."""
    lines = (f"{json.dumps(key)}: {json.dumps(table)}" for key, table in tables.items())
    (DIAGNOSIS / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
