"""The public names: what they promise to a caller who has only them."""

import pytest
from small_runs import small

from stability import Experiment, Run, measure
from stability.engine.runs import Run as EngineRun


def test_a_run_trains_itself_and_gives_its_verdicts_before_and_after():
    run = Run(small(schemes=("he_normal", "zeros"), steps=20))
    assert isinstance(run, EngineRun)
    early = run.verdicts()
    assert len(run.measurements) == 1
    assert [verdict.forecast for verdict in early] == [True, True]
    late = run.train().verdicts()
    assert run.finished
    assert [verdict.forecast for verdict in late] == [False, False]
    assert [verdict.scheme for verdict in late] == list(run.experiment.schemes)


def test_an_experiment_is_measured_on_the_device_that_is_asked_for():
    e = Experiment(depth=2, width=2, steps=1, samples=64)
    assert (next(measure(e, device="cpu")).loss == next(measure(e)).loss).all()
    with pytest.raises(RuntimeError, match="device"):
        next(measure(e, device="nowhere"))
