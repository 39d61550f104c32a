"""A network whose hidden layers are alike opens on the Train bench, and what differs is said."""

import pytest

from stability.modules.equal_experiment import NoEquivalentError, train_equivalent
from stability.modules.network_plan import plan_network
from stability.records.experiment import Experiment

NORMED = """Sequential(
  (0): Flatten(start_dim=1, end_dim=-1)
  (1): Linear(in_features=784, out_features=64, bias=True)
  (2): BatchNorm1d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (3): GELU(approximate='none')
  (4): Dropout(p=0.1, inplace=False)
  (5): Sequential(
    (0): Linear(in_features=64, out_features=64, bias=True)
    (1): BatchNorm1d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
    (2): GELU(approximate='none')
    (3): Dropout(p=0.1, inplace=False)
  )
  (6): Linear(in_features=64, out_features=10, bias=True)
  (7): LogSoftmax(dim=1)
)"""


@pytest.mark.parametrize(
    ("text", "experiment", "words"),
    [
        (
            "784-512-512-10 relu he_normal",
            Experiment(schemes="he_normal", depth=3, width=512, features=784),
            ["blobs of 10 classes as data", "784 features kept", "the start He (normal)"],
        ),
        (
            "5000-1500-1500-3 leaky relu 0.2",
            Experiment(
                schemes="pytorch",
                activation="leaky_relu_0.2",
                depth=3,
                width=1024,
                features=1024,
                classes=3,
            ),
            [
                "blobs of 3 classes as data",
                "1024 features instead of 5000",
                "1024 hidden units instead of 1500",
                "PyTorch's own start",
            ],
        ),
        (
            "2-8-8-2 tanh normal:0.1",
            Experiment(
                schemes="normal:0.1", activation="tanh", depth=3, width=8, dataset="spirals"
            ),
            ["two spirals of 2 classes as data"],
        ),
        (
            "30-20-1 erf",
            Experiment(
                schemes="pytorch",
                activation="erf",
                depth=2,
                width=20,
                dataset="teacher",
                features=30,
            ),
            ["teacher network as data"],
        ),
        (
            NORMED,
            Experiment(
                schemes="pytorch",
                activation="gelu",
                depth=3,
                width=64,
                features=784,
                normalization="batch",
                dropout=0.1,
            ),
            ["dropout 0.1 kept", "LogSoftmax at the end is part of the loss"],
        ),
        (
            "Sequential(Linear(9, 8, bias=False), RMSNorm(8), Linear(8, 10))",
            Experiment(
                schemes="pytorch",
                activation="linear",
                depth=2,
                width=8,
                features=9,
                normalization="rms",
            ),
            ["biases are added"],
        ),
    ],
)
def test_what_an_experiment_can_say_is_taken_over_and_the_rest_is_replaced_and_said(
    text, experiment, words
):
    found = train_equivalent(plan_network(text))
    assert found.experiment == experiment
    for part in words:
        assert part in found.sentence


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ("Linear(9, 8), ReLU(), Linear(8, 6), ReLU(), Linear(6, 2)", "sizes differ (6 to 8)"),
        ("Linear(9, 8), ReLU(), Linear(8, 8), Tanh(), Linear(8, 2)", "differs from one to"),
        ("LayerNorm(9), Linear(9, 8), ReLU(), Linear(8, 2)", "LayerNorm stands before"),
        ("Linear(9, 8), ReLU(), Linear(8, 2), Tanh()", "Tanh follows its last Linear layer"),
        ("Linear(9, 8), ReLU(), BatchNorm1d(8), Linear(8, 2)", "its BatchNorm1d stands where"),
        ("Linear(9, 8), PReLU(), Linear(8, 2)", "this PReLU is no activation"),
        ("Linear(9, 8), GroupNorm(2, 8), Linear(8, 2)", "GroupNorm is no normalization"),
    ],
)
def test_a_network_without_an_equal_says_why(layers, reason):
    with pytest.raises(NoEquivalentError) as failure:
        train_equivalent(plan_network(f"Sequential({layers})"))
    assert reason in str(failure.value)


def test_another_start_may_be_asked_for():
    found = train_equivalent(plan_network("9-8-8-2 he_normal"), "orthogonal")
    assert found.experiment.schemes == ("orthogonal",)
