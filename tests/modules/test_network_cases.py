"""Sick networks, cures and look-alikes: the fault is found where it is, and nothing else.

A healthy network that is blamed costs more trust than a sick one that is missed wins, so cures
and look-alikes may not be blamed for anything.
"""

import pytest
from all_networks import HEALTHY, SICK

from stability import diagnose

pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")


@pytest.mark.parametrize("key", SICK)
def test_the_fault_is_found_where_it_is(key):
    case = SICK[key]
    module, inputs, targets, loss = case.make()
    findings = diagnose(module, inputs, targets, loss).findings
    for want in case.want:
        assert any(want.met_by(one.kind, one.where, module) for one in findings), findings
    assert not {one.kind for one in findings} & case.never


@pytest.mark.parametrize("key", SICK)
def test_the_cured_network_is_healthy(key):
    assert not diagnose(*SICK[key].make(well=True)).findings


@pytest.mark.parametrize("key", HEALTHY)
def test_a_look_alike_is_healthy(key):
    assert not diagnose(*HEALTHY[key].make()).findings
