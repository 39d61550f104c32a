"""Schedules against the schedulers of torch."""

import pytest
import torch
from plain_pytorch import scheduler_of

from stability.catalogues.schedules import SCHEDULES
from stability.diagnosis.pytorch_lines import settings_lines
from stability.records.experiment import Experiment


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 1, 5, 11, 12, 40])
def test_the_learning_rate_rises_and_falls_as_with_torch(schedule, warmup):
    e = Experiment(learning_rate=0.3, warmup=warmup, schedule=schedule, steps=12)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], e.learning_rate)
    scheduler, rates = scheduler_of(e, optimizer), []
    for _ in range(e.steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert [0.3 * e.rate_factor(step) for step in range(12)] == pytest.approx(rates, rel=1e-12)
    assert e.mean_rate_factor == pytest.approx(sum(rates) / 12 / 0.3, rel=1e-12)
    assert e.is_scheduled == (len(set(rates)) > 1)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 5, 40])
def test_the_lines_of_a_schedule_make_that_scheduler(schedule, warmup):
    e = Experiment(learning_rate=0.3, warmup=warmup, schedule=schedule, steps=12)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], e.learning_rate)
    names = {"optimizer": optimizer}
    changed = {"warmup": warmup, "schedule": schedule}
    exec(settings_lines(Experiment(steps=12), changed), names)
    assert ("scheduler" in names) == e.is_scheduled
    for step in range(e.steps if e.is_scheduled else 0):
        rate = optimizer.param_groups[0]["lr"]
        assert rate == pytest.approx(0.3 * e.rate_factor(step), rel=1e-12)
        optimizer.step()
        names["scheduler"].step()
