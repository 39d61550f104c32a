"""Optimizers against torch.optim, on each matrix of a stack."""

import pytest
import torch
from lars import Lars
from muon import Muon, orthogonalize_like_torch
from torch.utils._python_dispatch import TorchDispatchMode

from stability.catalogues.optimizers import OPTIMIZERS, USUAL_EPSILON, USUAL_MOMENTUM, newton_schulz
from stability.records.experiment import Experiment

TORCH_OPTIMIZERS = {
    "sgd": lambda parameters, rate, decay: torch.optim.SGD(parameters, rate, weight_decay=decay),
    "momentum": lambda parameters, rate, decay: torch.optim.SGD(
        parameters, rate, momentum=0.9, weight_decay=decay
    ),
    "nesterov": lambda p, rate, decay: torch.optim.SGD(
        p, rate, momentum=0.9, nesterov=True, weight_decay=decay
    ),
    "adam": lambda parameters, rate, decay: torch.optim.Adam(parameters, rate, weight_decay=decay),
    "adamw": lambda parameters, rate, decay: torch.optim.AdamW(
        parameters, rate, weight_decay=decay
    ),
    "rmsprop": lambda parameters, rate, decay: torch.optim.RMSprop(
        parameters, rate, weight_decay=decay
    ),
    "lars": Lars,
    "muon": Muon,
}


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0, 1e8])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_an_optimizer_takes_the_steps_of_its_reference_with_each_matrix_of_a_stack(
    row, scale, decay
):
    random = torch.Generator().manual_seed(0)
    theirs = [
        torch.randn(2, 4, generator=random, dtype=torch.float64).requires_grad_() for _ in range(3)
    ]
    ours, state = torch.stack([matrix.detach() for matrix in theirs]), {}
    optimizer, step = (
        TORCH_OPTIMIZERS[row.key](theirs, row.learning_rate, decay),
        row.step_for(matrix=True, hidden=True),
    )
    for _ in range(5):
        for matrix in theirs:
            matrix.grad = scale * torch.randn(2, 4, generator=random, dtype=torch.float64)
        ours += step(
            ours,
            torch.stack([matrix.grad for matrix in theirs]),
            state,
            row.learning_rate,
            decay,
            USUAL_MOMENTUM,
            USUAL_EPSILON,
        )
        optimizer.step()
    # Five sums in float64; Newton-Schulz in float32 amplifies its rounding by about ten a round
    # where directions are weak.
    assert torch.allclose(
        ours,
        torch.stack([matrix.detach() for matrix in theirs]),
        rtol=1e-5 if row.key == "muon" else 1e-12,
    )


def test_muon_leaves_ends_and_vectors_to_adamw_and_lars_leaves_vectors_to_momentum():
    muon, lars = OPTIMIZERS["muon"], OPTIMIZERS["lars"]
    assert (
        muon.step_for(matrix=True, hidden=False)
        is muon.step_for(matrix=False, hidden=False)
        is OPTIMIZERS["adamw"].step
    )
    assert lars.step_for(matrix=False, hidden=False) is OPTIMIZERS["momentum"].step
    assert lars.step_for(matrix=True, hidden=False) is lars.step_for(matrix=True, hidden=True)


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
def test_an_optimizer_leaves_the_gradient_as_it_was(row):
    gradient, state = torch.arange(6.0).view(2, 3), {}
    for _ in range(3):
        row.step_for(matrix=True, hidden=True)(
            torch.ones(2, 3), gradient, state, 0.1, 0.1, 0.9, 1e-8
        )
    assert torch.equal(gradient, torch.arange(6.0).view(2, 3))


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
def test_the_typical_learning_rate_of_an_optimizer_is_a_legal_one(row):
    assert (
        Experiment(optimizer=row.key, learning_rate=row.learning_rate).learning_rate
        == row.learning_rate
    )


@pytest.mark.parametrize("shape", [(2, 4), (5, 3), (4, 4)])
def test_the_reference_of_muon_is_torch_s_own_in_bfloat16(shape):
    random = torch.Generator().manual_seed(0)
    ours, theirs = (torch.ones(shape, requires_grad=True) for _ in range(2))
    pair = (
        Muon([ours], 0.1, weight_decay=0.1, dtype=torch.bfloat16),
        torch.optim.Muon([theirs], 0.1, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(5):
        ours.grad = torch.randn(shape, generator=random)
        theirs.grad = ours.grad.clone()
        for optimizer in pair:
            optimizer.step()
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("shape", [(2, 4), (5, 3), (4, 4)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_matrices_are_orthogonalized_in_the_format_asked_for(shape, dtype, tolerance):
    """Five rounds amplify rounding by about ten each where directions are weak."""
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0)).double()
    expected = torch.stack([orthogonalize_like_torch(matrix, dtype) for matrix in matrices])
    found = newton_schulz(matrices, dtype)
    assert found.dtype == dtype
    assert torch.allclose(found.double(), expected.double(), rtol=0, atol=tolerance)


class CountZeros(TorchDispatchMode):
    """Counts the tensors of zeros that are made."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "zeros" in str(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
@pytest.mark.parametrize("hidden", [True, False])
def test_an_optimizer_makes_its_state_once_and_changes_it_in_place(row, hidden):
    step, state = row.step_for(matrix=hidden, hidden=hidden), {}
    param, grad = torch.ones(2, 3), torch.arange(6.0).view(2, 3)
    step(param, grad, state, 0.1, 0.1, 0.9, 1e-8)
    first = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    with CountZeros() as zeros:
        for _ in range(3):
            step(param, grad, state, 0.1, 0.1, 0.9, 1e-8)
    assert zeros.count == 0
    assert all(state[name] is value for name, value in first.items())
