"""Families: experiments that differ in what each network may have of its own, in one stack."""

from dataclasses import fields, replace

import numpy as np
import pytest

from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.diagnosis.verdicts import current_verdicts
from stability.engine.family import Family
from stability.engine.runs import Run
from stability.engine.training import measure
from stability.records.experiment import Experiment

# An even width: some processors multiply a 9 x 9 matrix otherwise where it does not begin at a
# multiple of 8 bytes, and where it begins depends on the matrices before it.
SMALL = Experiment(
    schemes="scaled_normal", activation="tanh", depth=4, width=10, samples=64, batch=8, steps=6,
    replicates=2,
)  # fmt: skip
SHAPES = [
    {"normalization": "batch", "precision": "bfloat16", "weight_decay": 0.1},
    {"normalization": "layer", "precision": "float16_scaled", "clip": 0.5, "weight_decay": 0.1},
    {"normalization": "rms", "precision": "float64", "dropout": 0.3, "clip": 1.0},
    {"activation": "relu", "residual": True, "dataset": "sine", "weight_decay": 0.01},
]


def family(index: int, **settings) -> Family:
    """Experiments of one shape that differ in all that they may."""
    shape = SMALL.settings() | SHAPES[index % len(SHAPES)] | settings
    base = Experiment.reconcile(shape)[0]
    rows = [("scaled_normal:1.5", 0.01, 0.5, 0.0), ("lsuv", 0.3, 1.0, 0.7), ("normal:9", 50, 2, 0)]
    return Family(
        tuple(
            replace(base, schemes=scheme, learning_rate=rate, bias_std=bias,
                    weight_mean=bias, readout_gain=rate,
                    first_gain=bias + 0.5, warmup=int(10 * rate), epsilon=rate / 100,
                    schedule="cosine" if bias else "constant",
                    clip=factor * base.clip, weight_decay=factor * base.weight_decay)
            for scheme, rate, factor, bias in rows
        )
    )  # fmt: skip


@pytest.mark.parametrize(("index", "optimizer"), list(enumerate(OPTIMIZERS)))
def test_each_experiment_measures_in_a_family_bitwise_what_it_measures_alone(index, optimizer):
    several = family(index, optimizer=optimizer)
    together = list(measure(several, snapshots=False))
    for place, experiment in enumerate(several.experiments):
        for alone, beside in zip(measure(experiment, snapshots=False), together, strict=True):
            for name in [field.name for field in fields(alone)][1:]:
                own, shared = getattr(alone, name)[0], getattr(beside, name)[place]
                assert np.array_equal(own, shared, equal_nan=True), (experiment, alone.step, name)


@pytest.mark.parametrize("precision", [key for key in PRECISIONS if "scaled" not in key])
def test_a_run_that_measures_units_at_its_ends_alone_comes_to_the_same_verdicts(precision):
    several = family(0, precision=precision)
    short = Run(several, snapshots=False, ends_only=True).train()
    for experiment, found in zip(several.experiments, current_verdicts(short, 7), strict=True):
        (alone,) = current_verdicts(Run(experiment).train(), 7)
        assert (found.word, found.sentence) == (alone.word, alone.sentence)
        assert found.evidence.experiment == experiment
    assert np.isnan(short.measurements[3].saturated).all()
    assert np.isfinite(short.measurements[3].test_loss[0]).all()


def test_experiments_of_different_shape_are_no_family():
    with pytest.raises(ValueError, match="may differ in bias_std, clip"):
        Family((SMALL, replace(SMALL, seed=1)))
    with pytest.raises(ValueError, match="weight_decay and clip must be 0 in all of them"):
        Family((SMALL, replace(SMALL, clip=1.0)))
