"""Verdicts on networks that people asked about in public, with what plain PyTorch gave for them.

Each case in real_cases.json names its source, an experiment, and what must hold of it. `plain` says
what torch.nn and torch.optim did. `first_remedy_cures` is tried: the network must learn under it.
"""

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from stability import Experiment, Run, predict
from stability.diagnosis.changes import treated
from stability.diagnosis.remedies import Remedy
from stability.diagnosis.verdicts import Verdict, current_verdicts
from stability.theory.overflow import leaving

CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parent / "real_cases.json").read_text("utf-8"))
}
EXPECTATIONS = [
    pytest.param(key, expectation, id=f"{key}-{index}")
    for key, case in CASES.items()
    for index, expectation in enumerate(case["expect"])
]
OF_THE_FIRST_PASS = {
    "first layer of signal 0",
    "largest weight_gradient",
    "signal factor a hidden layer",
    "signal_gradient factor a hidden layer",
    "signal_gradient ratio of two schemes, layer 1",
    "first held-out loss",
    "first held-out loss over guessing",
}


def experiment(key: str) -> Experiment:
    settings = CASES[key]["settings"]
    return Experiment(**settings | {"schemes": tuple(settings["schemes"])})


@lru_cache(maxsize=4)  # a case's tests follow each other; some networks are large
def begun(e: Experiment) -> Run:
    """The one run of an experiment, at least as far as its first measurement."""
    run = Run(e, snapshots=False, ends_only=True)  # of what is left out no expectation speaks
    next(iter(run))
    return run


def finished(e: Experiment) -> Run:
    return begun(e).train()


def verdict(e: Experiment, expectation: dict) -> Verdict:
    forecast = expectation["when"] == "forecast"
    run, count = (begun(e), 1) if forecast else (finished(e), e.steps + 1)
    return current_verdicts(run, count)[e.schemes.index(expectation["scheme"])]


def factor_a_hidden_layer(profile: np.ndarray, backward: bool) -> float:
    """Return the geometric mean between the first hidden layer and the last."""
    first, last = profile[0], profile[-2]
    ratio = first / last if backward else last / first
    return float(ratio ** (1 / (len(profile) - 2)))


def measured(e: Experiment, expectation: dict) -> float:
    """Return the quantity that an expectation names, from the run or from theory."""
    name, index = expectation["quantity"], e.schemes.index(expectation["scheme"])
    if name.startswith("predicted"):
        profiles = predict(e)
        if "factor" in name:
            return factor_a_hidden_layer(profiles.signal_gradient[index], True)
        return float(profiles.signal[index, expectation["layer"] - 1])
    if name == "leaves float16 at layer":
        return float(leaving(e, "float16")[index].forward)
    run = begun(e) if name in OF_THE_FIRST_PASS else finished(e)
    first, last = run.measurements[0], run.measurements[-1]
    guessing = e.dataset_row.guessing_loss
    other = e.schemes.index(expectation.get("other", expectation["scheme"]))
    signal, gradient = (
        np.median(values, axis=1)[index] for values in (first.signal, first.signal_gradient)
    )
    return {
        "first layer of signal 0": lambda: int((first.signal[index, 0] == 0).argmax()) + 1,
        "largest weight_gradient": lambda: first.weight_gradient[index].max(),
        "signal factor a hidden layer": lambda: factor_a_hidden_layer(signal, False),
        "signal_gradient factor a hidden layer": lambda: factor_a_hidden_layer(gradient, True),
        "signal_gradient ratio of two schemes, layer 1": lambda: (
            first.signal_gradient[index, 0, 0] / first.signal_gradient[other, 0, 0]
        ),
        "replicates that left the range": lambda: sum(s == index for s, _ in run.breaks),
        "replicates below half of guessing": lambda: (last.test_loss[index] < guessing / 2).sum(),
        "first held-out loss": lambda: first.test_loss[index, 0],
        "first held-out loss over guessing": lambda: first.test_loss[index, 0] / guessing,
        "last held-out loss over guessing": lambda: last.test_loss[index, 0] / guessing,
        "last held-out accuracy": lambda: last.test_accuracy[index, 0],
    }[name]()  # fmt: skip


def cures(e: Experiment, sick: Verdict) -> bool:
    """True if the network learns under the remedy of its verdict."""
    changed = treated(e, sick.scheme, sick.remedy)
    return finished(changed).verdicts()[0].word == "learns"


@pytest.mark.case
@pytest.mark.parametrize(("key", "expectation"), EXPECTATIONS)
def test_what_is_measured_and_said_of_a_real_network_is_right(key, expectation):
    e = experiment(key)
    if expectation.get("quantity") == "break":
        run = finished(e) if expectation["step"] else begun(e)
        event = run.breaks[e.schemes.index(expectation["scheme"]), 0]
        for name in ("layer", "value", "backward", "step"):
            assert getattr(event, name) == expectation[name]
        return
    if "quantity" in expectation:
        assert expectation["min"] <= measured(e, expectation) <= expectation["max"]
        return
    said = verdict(e, expectation)
    check_verdict(e, said, expectation)


def check_verdict(e: Experiment, said: Verdict, expectation: dict) -> None:
    assert said.word in expectation.get("verdict_in", [said.word]), said
    assert said.word not in expectation.get("verdict_not", []), said
    assert re.search(expectation.get("sentence_has", ""), said.sentence), said
    if "sentence_not" in expectation:
        assert not re.search(expectation["sentence_not"], said.sentence), said
    if "number_of_sentence" in expectation:
        low, high = expectation["number_of_sentence"]
        factor = re.search(r"multiplies the [\w ]+ by ([-+.e\d]+)", said.sentence)
        assert factor, said
        assert low <= float(factor[1].rstrip(".")) <= high, said
    if expectation.get("first_remedy_cures"):
        assert cures(e, said), said
    if unwanted := expectation.get("remedy_not"):
        assert not offers(said.remedy, unwanted), said
    if unwanted := expectation.get("second_remedy_not"):
        assert not offers(second(e, said), unwanted), said


def offers(remedy: Remedy | None, label: str) -> bool:
    return bool(remedy and re.search(label, remedy.label))


def second(e: Experiment, first: Verdict) -> Remedy | None:
    """Return the remedy of the network under the first remedy, if it is still sick."""
    if not first.remedy:
        return None
    return finished(treated(e, first.scheme, first.remedy)).verdicts()[0].remedy
