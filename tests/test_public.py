"""The public names: what they promise to a caller who has only them."""

import pytest
from small_runs import small

from stability import Cure, Experiment, Run, cures, measure
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


def test_a_cure_is_a_single_change_under_which_a_sick_network_learns():
    sizes = {"depth": 3, "width": 16, "features": 8, "batch": 32}
    e = small(schemes=("he_normal", "zeros"), **sizes, steps=20, learning_rate=0.5)
    found = next(cure for cure in cures(e, "zeros") if cure.cures)
    assert isinstance(found, Cure)
    assert Run(found.experiment).train().verdicts()[0].word == "learns"
    assert found.remedy.pytorch
    with pytest.raises(ValueError, match="scheme must be one of he_normal, zeros, not 'lsuv'"):
        next(cures(e, "lsuv"))
