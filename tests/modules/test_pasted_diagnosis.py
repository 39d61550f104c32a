"""A pasted network is diagnosed on standard normal inputs, by a loss that suits its end."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pasted_networks import ELEMENTWISE, WIDTH
from torch import nn

from stability.engine.failures import RunError
from stability.modules.network_plan import plan_network
from stability.modules.pasted_diagnosis import (
    CLASSES,
    NUMBERS,
    PROJECTION,
    TASKS,
    PastedDiagnosis,
    chart_of,
    diagnosis_cost,
    task_of,
    why_not_diagnosed,
)
from stability.records.pasted_network import PastedNetwork


def diagnosed(text: str, **settings):
    stream = PastedDiagnosis(PastedNetwork(architecture=text, **settings)).train()
    (network,) = stream.measurements
    return network


@pytest.mark.parametrize(
    ("end", "task"),
    [
        ("", CLASSES),
        (", Identity()", CLASSES),
        (", LogSoftmax(dim=1)", TASKS["LogSoftmax"]),
        (", Sigmoid()", TASKS["Sigmoid"]),
        (", Softmax(dim=1)", PROJECTION),
        (", Tanh()", PROJECTION),
    ],
)
def test_the_loss_suits_the_last_layer(end, task):
    text = f"Sequential(Linear(9, 8), ReLU(), Linear(8, 5){end})"
    assert task_of(plan_network(text)) is task
    assert diagnosed(f"{text} he").task is task
    assert task_of(plan_network("9-8-1")) is NUMBERS


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("784-512-512-10 relu he_normal", ""),
        ("784-300-100-10 gelu", ""),
        ("784-128-128-128-128-128-128-128-128-10 sigmoid", "vanishing"),
        ("784-512-512-512-10 tanh normal:1", "saturated"),
        ("784-64-64-10 relu constant", "symmetric"),
        ("784-64-64-10 relu zeros", "zero_gradient"),
        ("784-64-64-10 relu normal:1", "first_loss"),
        ("784-64-64-10 linear lecun", "no_nonlinearity"),
    ],
)
def test_the_first_finding_is_the_known_disease(text, kind):
    kinds = [finding.kind for finding in diagnosed(text).findings]
    assert kinds[:1] == ([kind] if kind else [])


def test_two_looks_agree_and_the_seed_decides():
    text = "Sequential(Linear(9, 8), Dropout(0.5), ReLU(), Linear(8, 5))"
    before = torch.random.get_rng_state()
    one, other, third = diagnosed(text), diagnosed(text), diagnosed(text, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.frame.equals(other.frame)
    assert not one.frame.equals(third.frame)


PURE = [layer for layer in ELEMENTWISE if not getattr(layer, "inplace", False)]


@given(st.lists(st.sampled_from(PURE), max_size=4), st.integers(0, 9))
@settings(max_examples=10)
def test_any_network_of_known_layers_is_diagnosed(layers, seed):
    model = nn.Sequential(nn.Linear(5, WIDTH), *layers, nn.Linear(WIDTH, 3))
    network = diagnosed(str(model), seed=seed, batch=8)
    assert len(network.frame) == len(model)
    assert set(chart_of(network)[0]["vconcat"][0]) >= {"layer", "height"}


def test_what_pytorch_cannot_train_is_said_in_its_words():
    with pytest.raises(RunError, match=r"PyTorch itself cannot train this network, since one of"):
        diagnosed("Sequential(Linear(9, 8), ReLU(), ReLU(inplace=True), Linear(8, 5))")


def test_a_larger_network_or_batch_costs_more_and_no_network_nothing():
    record = PastedNetwork(architecture="90-80-10 tanh")
    cost = diagnosis_cost(record)
    for other in (replace(record, batch=512), replace(record, architecture="90-800-10 tanh")):
        assert diagnosis_cost(other).operations > cost.operations
        assert diagnosis_cost(other).bytes > cost.bytes
    orthogonal = diagnosis_cost(replace(record, scheme="orthogonal"))
    assert orthogonal.operations > cost.operations, "its factorization"
    nothing = replace(record, architecture="90-")
    assert why_not_diagnosed(nothing)
    assert diagnosis_cost(nothing).bytes == 0
    assert "residual must be true" in why_not_diagnosed(replace(record, scheme="fixup"))
