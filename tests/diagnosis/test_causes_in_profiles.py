"""The profile that the page shows largest is the one in which the cause shows."""

import pytest

from stability.diagnosis.causes_in_profiles import deciding_profile
from stability.engine.runs import Run
from stability.records.experiment import Experiment

SMALL = {"width": 32, "features": 16, "samples": 64, "batch": 32, "steps": 2, "depth": 20}


@pytest.mark.parametrize(
    ("schemes", "settings", "profile"),
    [
        (("he_normal",), {}, "signal"),  # nothing is sick
        (("he_normal",), {"activation": "sigmoid"}, "signal_gradient"),
        (("normal:1",), {"activation": "tanh"}, "signal"),  # saturated
        (("zeros",), {}, "signal"),
        (("normal:1000",), {"precision": "float16"}, "signal"),  # overflows
    ],
)
def test_the_cause_shows_in_the_profile_that_leads_from_the_first_step_to_the_last(
    schemes, settings, profile
):
    run = Run(Experiment(**(SMALL | settings), schemes=schemes))
    seen = set()
    for _ in run:
        seen.add(deciding_profile(run))
    assert seen == {profile}
