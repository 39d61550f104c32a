"""Groups of cells: each cell once, coarse to fine, and with what its experiment comes to alone."""

import pickle
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from stability.cells.computation import compute
from stability.cells.groups import Group, finer_and_finer, groups_of, train_group
from stability.cells.outcome import Outcome
from stability.diagnosis.verdicts import current_verdicts
from stability.engine.family import Family
from stability.engine.runs import Run
from stability.records.experiment import Experiment
from stability.records.map_quantities import QUANTITIES
from stability.records.sweep import FIRST_BASE, Sweep

TINY = replace(FIRST_BASE, depth=4, width=8, features=6, samples=64, batch=16, steps=25)
SWEEPS = [
    Sweep(TINY, x_cells=3, y_range=(1, 7), y_cells=3),
    Sweep(replace(TINY, replicates=3, optimizer="adam", clip=0.1, dropout=0.2),
          x="learning_rate", x_range=(1e-3, 30), x_cells=4, y="weight_decay", y_cells=2),
    Sweep(replace(TINY, schemes="he_normal", activation="relu", normalization="batch", replicates=2,
                  dataset="sine", residual=True, precision="bfloat16"),
          x="bias_std", x_range=(0, 2), x_cells=3, y="batch", y_range=(2, 32), y_cells=2,
          quantity="relative_loss"),
    Sweep(replace(TINY, precision="float16_scaled", schemes="orthogonal"),
          x_range=(0.5, 60), x_cells=3, y="clip", y_range=(0, 1), y_cells=2),
    Sweep(replace(TINY, optimizer="muon"), x="seed", x_range=(0, 2), x_cells=3,
          y="noise", y_cells=2),
]  # fmt: skip


def first_step_below_half(e: Experiment, losses: list[float]) -> float:
    """The step at which a list of losses by step, NaN where not measured, falls below half."""
    half, before = e.dataset_row.guessing_loss / 2, None
    for step, loss in enumerate(losses):
        if np.isnan(loss):
            continue
        if loss < half:
            if before is None or not np.isfinite(before[1]):
                return step
            return float(np.interp(-half, [-before[1], -loss], [before[0], step]))
        before = step, loss
    return np.inf


@pytest.mark.case
@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: f"{sweep.x} {sweep.y}")
def test_a_cell_is_what_its_experiment_comes_to_when_it_is_measured_alone(sweep):
    cells = list(compute(sweep))
    assert {(cell.x, cell.y) for cell in cells} == {*product(sweep.x_values, sweep.y_values)}
    assert len(cells) == sweep.length + 1
    for cell in cells:
        e, found = sweep.experiment_at(cell.x, cell.y), cell.outcome
        assert cell.experiment == e
        run = Run(e).train()
        seen = run.measurements
        guessing, last = e.dataset_row.guessing_loss, max(0, e.depth - 2)
        for r in range(e.replicates):
            loss = seen[-1].test_loss[0, r] / guessing
            assert found.relative_loss[r] == (np.inf if np.isnan(loss) else loss)
            assert found.learns[r] == (loss < 0.5)
            first = seen[0].test_loss[0, r] / guessing
            assert found.first_loss[r] == (np.inf if np.isnan(first) else first)
            np.testing.assert_equal(found.test_accuracy[r], seen[-1].test_accuracy[0, r])
            steps = first_step_below_half(e, [m.test_loss[0, r] for m in seen])
            assert found.steps_to_half[r] == pytest.approx(steps)
            signal, gradient = seen[0].signal[0, r], seen[0].signal_gradient[0, r]
            with np.errstate(all="ignore"):
                ratios = np.log10([gradient[0] / gradient[last], signal[last] / signal[0]])
            np.testing.assert_allclose([found.gradient_ratio[r], found.signal_ratio[r]], ratios,
                                       rtol=1e-9, atol=1e-12)  # fmt: skip
        assert found.verdict == current_verdicts(run, e.steps + 1)[0].word
        value = found.value(sweep.quantity)
        np.testing.assert_equal(cell.value, value)
        np.testing.assert_allclose(value, np.mean(getattr(found, sweep.quantity)))


def test_the_cells_of_a_map_come_in_families_that_can_travel_each_experiment_once():
    sweep = Sweep(TINY, x="learning_rate", y="depth", y_range=(2, 4))  # 20 rows of three depths
    assert sweep.y_values == (2, 3, 4)
    groups = pickle.loads(pickle.dumps(list(groups_of(sweep))))
    experiments = [experiment for group in groups for experiment in group.experiments]
    assert len(experiments) == len(set(experiments)) == sweep.length + 1
    assert all(Family(group.experiments) for group in groups)
    assert {e.depth for e in experiments[:15]} == {2, 3, 4}  # a coarse picture first
    batches = Sweep(replace(TINY, samples=64), x="batch", x_range=(32, 256), x_cells=8)
    asked = {batches.experiment_at(*pair) for pair in product(batches.x_values, batches.y_values)}
    computed = [e for group in groups_of(batches) for e in group.experiments]
    assert len(computed) == len(asked) < batches.length  # those beyond all samples are equal
    assert set(computed) == asked


def test_pictures_become_finer_and_hold_the_ends():
    assert finer_and_finer((1, 2, 3)) == [(1, 2, 3)]
    assert list(map(len, finer_and_finer(tuple(range(100))))) == [5, 9, 17, 33, 65, 100]
    assert finer_and_finer(tuple(range(20)))[0] == (0, 5, 10, 14, 19)


def test_an_outcome_names_every_quantity_and_survives_as_text():
    wild = replace(TINY, schemes="normal:9", activation="linear", learning_rate=100.0)
    (found,) = train_group(Group((wild,)))
    assert all(hasattr(found, key) for key in QUANTITIES)
    assert (found.relative_loss, found.learns, found.verdict) == ((np.inf,), (0.0,), "diverged")
    odd = replace(found, gradient_ratio=(np.nan, -np.inf, 0.1 + 0.2))
    assert str(Outcome.from_json(odd.to_json())) == str(odd)
