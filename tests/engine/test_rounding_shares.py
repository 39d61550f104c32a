"""Rounding shares against limits, the casts of torch, and exact fractions."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stability import frames
from stability.engine.losses import mean_losses
from stability.engine.measurement import PROFILES
from stability.engine.passes import BackwardPass, ForwardPass
from stability.engine.rounding_shares import (
    FORMATS_BY_RANGE,
    OUTCOMES,
    SHARES_SHAPE,
    TENSOR_KINDS,
    magnitude_cuts,
    rounding_limits,
    shares_by_outcome,
)
from stability.engine.runs import PROFILE_BYTES, Run, bytes_of_snapshot
from stability.engine.training import batch_indices, draw_stack_and_data, measure
from stability.records.experiment import Experiment
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps

SMALL = {"depth": 4, "width": 8, "samples": 64, "batch": 16, "steps": 30, "features": 8}
CLIPPED = (
    torch.float8_e4m3fn
)  # torch's cast clips what lies beyond its largest number: that is no fate that can be seen
ROWS = pytest.mark.parametrize("row", FORMATS_BY_RANGE, ids=lambda row: row.key)
WIDTHS = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def one_layer(x: Tensor) -> Tensor:
    """The shares `(FORMATS, FATES)` of one layer whose activations are x."""
    nothing = torch.zeros(1, 1, 1, 1, dtype=x.dtype)
    backward = BackwardPass([], [], nothing, [nothing], [nothing[0]], nothing)
    return shares_by_outcome(ForwardPass(z=[x.view(1, 1, -1)]), backward)[0, 0, :, :, 0]


def count(x: Tensor, row) -> list[int]:
    """The same as numbers of numbers, of one format."""
    return [
        round(share * x.numel()) for share in one_layer(x)[FORMATS_BY_RANGE.index(row)].tolist()
    ]


def cast(x: Tensor, row) -> list[int]:
    """Count the numbers with each outcome, by torch's own cast; but float64 is rounded once, as
    torch does not do to the short formats.
    """
    made, exact = x.to(row.dtype).double().abs(), x.double().abs()
    beyond = exact > 464 if row.dtype == CLIPPED else made.isinf()
    lost, alive = (made == 0) & (exact > 0), (made > 0) & ~beyond
    tiny = torch.finfo(row.dtype).tiny
    return [
        int(mask.sum()) for mask in (lost, alive & (made < tiny), alive & (made >= tiny), beyond)
    ]


def rounded(value: Fraction, row) -> Fraction | None:
    """To nearest, ties to even, without a limit above; None: beyond the largest."""
    if not value:
        return value
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > value
    unit = max(Fraction(2) ** exponent * Fraction(row.epsilon), Fraction(row.smallest_subnormal))
    found = round(value / unit) * unit  # Python rounds half to even, too
    return found if found <= Fraction(row.largest_finite) else None


def exact(x: Tensor, row) -> list[int]:
    """Count the numbers with each outcome, in exact arithmetic."""
    found = [0] * len(OUTCOMES)
    for number in x.abs().tolist():
        made = None if math.isinf(number) else rounded(Fraction(number), row)
        if number:
            small = made is not None and made < Fraction(row.smallest_normal)
            found[3 if made is None else 0 if made == 0 else 1 if small else 2] += 1
    return found


def around(row, dtype: torch.dtype) -> Tensor:
    """Numbers of a type at the limits of a format and either side of them, and the format's own
    ends.
    """
    ends = [float(min(limit, Fraction(1e308))) for limit, _ in rounding_limits(row)]
    at = torch.tensor(
        [*ends, row.largest_finite, row.smallest_normal, row.smallest_subnormal, 0.0],
        dtype=torch.float64,
    ).to(dtype)
    at = at[at.isfinite()]
    up, down = (torch.nextafter(at, torch.tensor(side, dtype=dtype)) for side in (math.inf, 0.0))
    return torch.cat([at, up, down, -at, torch.tensor([math.inf, -math.inf], dtype=dtype)])


@ROWS
@WIDTHS
def test_the_shares_of_numbers_over_all_magnitudes_are_those_of_the_cast(row, dtype):
    random = torch.Generator().manual_seed(1)
    powers = torch.rand(20_000, generator=random, dtype=torch.float64) * 120 - 60
    x = (10**powers * torch.randn(20_000, generator=random).sign()).to(dtype)
    assert count(x, row) == cast(x, row)


@ROWS
@WIDTHS
def test_the_shares_at_and_beside_every_limit_are_exact(row, dtype):
    x = around(row, dtype)
    assert count(x, row) == exact(x, row)
    if dtype == torch.float32:  # to the short formats torch rounds float64 twice
        assert count(x, row) == cast(x, row)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_any_numbers_of_float32_have_the_shares_of_the_cast(numbers):
    x = torch.tensor(numbers, dtype=torch.float32)
    for row in FORMATS_BY_RANGE:
        assert count(x, row) == cast(x, row) == exact(x, row)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_any_numbers_of_float64_have_exact_shares(numbers):
    x = torch.tensor(numbers, dtype=torch.float64)
    for row in FORMATS_BY_RANGE:
        assert count(x, row) == exact(x, row)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_short_numbers_are_counted_as_they_are(dtype):
    x = torch.randn(1000, generator=torch.Generator().manual_seed(2)).to(dtype) * 1e-3
    for row in FORMATS_BY_RANGE:
        assert count(x, row) == cast(x.float(), row)


def test_formats_stand_by_their_range_and_each_holds_what_the_next_one_does():
    for wide, narrow in pairwise(FORMATS_BY_RANGE):
        assert wide.largest_finite > narrow.largest_finite
        assert wide.smallest_subnormal < narrow.smallest_subnormal
    for dtype in (torch.float32, torch.float64):
        ascending, _ = magnitude_cuts(dtype)
        assert list(ascending) == sorted(set(ascending))


def test_exact_zeros_are_no_underflow_and_nan_among_the_numbers_makes_no_share():
    assert one_layer(torch.zeros(5)).abs().sum() == 0
    assert one_layer(torch.tensor([1.0, math.nan, 0.0])).isnan().all()


# In a run


def by_autograd(e: Experiment) -> list[list[Tensor]]:
    """h, dL/dz and dL/dW of step 0, `(N, ...)` by layer, of the mean loss."""
    stack, data = draw_stack_and_data(e)
    batch = next(batch_indices(e))
    seen = stack.forward(data.x[batch], 0)
    loss = mean_losses(seen.output, data.y[batch]).sum()
    of_z = torch.autograd.grad(loss, seen.z, retain_graph=True)
    of_weights = torch.autograd.grad(loss, stack.weights)
    return [[*seen.h, seen.output], list(of_z), [layer for group in of_weights for layer in group]]


@pytest.mark.parametrize(
    "change", [{}, {"dataset": "sine"}, {"width": 16, "batch": 16}, {"depth": 1}], ids=str
)
def test_a_measurement_has_the_shares_of_every_tensor_of_every_network(change):
    e = Experiment(
        **SMALL | change, schemes=("he_normal", "normal:1e-6", "normal:300"), replicates=2
    )
    found, expected = next(measure(e)).rounding_shares, by_autograd(e)
    assert found.shape == (3, 2, e.depth, *SHARES_SHAPE)
    assert found.dtype == np.float32
    for kind, layer, network, place in product(
        range(len(TENSOR_KINDS)), range(e.depth), range(6), range(len(FORMATS_BY_RANGE))
    ):
        x = expected[kind][layer][network]
        shares = found[network // 2, network % 2, layer, kind, place]
        assert np.rint(shares * x.numel()).tolist() == cast(x, FORMATS_BY_RANGE[place])


def test_a_run_has_shares_at_the_costly_steps_alone_and_they_are_no_profile():
    e = Experiment(**SMALL, schemes=("he_normal",))
    taken = {m.step for m in measure(e) if not np.isnan(m.rounding_shares).all()}
    assert taken == evenly_spread_steps(e.steps, SAMPLED_STEPS)
    assert "rounding_shares" not in PROFILES


def test_gradients_of_a_scaled_loss_are_counted_as_they_are_stored():
    """Times 2^16: what float16 loses of the plain loss it holds of the scaled one."""
    plain = Experiment(
        **SMALL | {"depth": 12},
        schemes=("xavier_normal",),
        activation="sigmoid",
        precision="float32",
    )
    names, at = list(TENSOR_KINDS), [row.key for row in FORMATS_BY_RANGE].index("float16")
    lost = [
        next(measure(replace(plain, precision=key))).rounding_shares[
            0, 0, 0, names.index("signal_gradient"), at, 0
        ]
        for key in ("float32", "float16_scaled")
    ]
    assert lost[0] > 0.9
    assert lost[1] < 0.1


def test_large_networks_keep_few_snapshots_and_small_ones_all():
    few = Experiment(depth=101, replicates=16, steps=30)
    assert (
        len(Run(few).snapshot_steps)
        == max(2, PROFILE_BYTES // bytes_of_snapshot(few))
        < SAMPLED_STEPS
    )
    assert Run(Experiment(**SMALL)).snapshot_steps == evenly_spread_steps(30, SAMPLED_STEPS)


def test_the_bytes_of_a_snapshot_are_counted():
    e = Experiment(**SMALL, schemes=("he_normal", "zeros"))
    first = next(measure(e))
    assert (
        0
        <= bytes_of_snapshot(e)
        - first.rounding_shares.nbytes // e.replicates
        - first.pre_activations.nbytes
        <= 400
    )


def test_the_frame_has_a_row_for_every_tensor_and_format():
    e = Experiment(**SMALL, schemes=("he_normal", "normal:1e-6"), replicates=2)
    run = Run(e)
    assert list(run)
    frame = frames.rounding_frame(run)
    assert len(frame) == len(run.snapshot_steps) * 2 * 2 * e.depth * len(TENSOR_KINDS) * len(
        FORMATS_BY_RANGE
    )
    for step, layer, kind in ((0, 2, "activation"), (30, 4, "weight_gradient")):
        found = run.measurements[step].rounding_shares[
            1, 0, layer - 1, list(TENSOR_KINDS).index(kind)
        ]
        asked = {
            "scheme": e.schemes[1],
            "replicate": 0,
            "step": step,
            "layer": layer,
            "tensor": kind,
        }
        rows = frame[(frame[list(asked)] == list(asked.values())).all(axis=1)]
        assert rows["format"].tolist() == [row.key for row in FORMATS_BY_RANGE]
        np.testing.assert_array_equal(rows[list(OUTCOMES)].to_numpy(), found)
