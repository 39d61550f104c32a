"""Number formats: their limits, their rounding, and training in them against torch's own tensors of
16 bits.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stability import frames
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import FORMATS, PRECISIONS, at_least_float32
from stability.catalogues.optimizers import OPTIMIZERS
from stability.diagnosis.evidence import starting_indicators
from stability.diagnosis.nonfinite import nonfinite_remarks
from stability.diagnosis.verdicts import current_verdicts
from stability.engine.cost import state_bytes, training_cost
from stability.engine.loss_scaling import GOOD_STEPS_TO_GROW, INITIAL_SCALE
from stability.engine.losses import mean_losses
from stability.engine.network import Stack
from stability.engine.runs import Run
from stability.engine.training import batch_indices, draw_stack_and_data, measure
from stability.page.cards import card_htmls
from stability.records.experiment import Experiment
from stability.theory.overflow import leaving, median_largest_normal

CPU = torch.device("cpu")
HALVES = ["bfloat16", "float16"]
# Bits of the exponent and of the fraction, and the largest exponent; E4M3 gives up infinity for one
# more power of two, of
# whose fractions only the last is NaN. IEEE 754-2019, table 3.5; Micikevicius et al. 2022, table 1.
PARTS = {
    "float64": (11, 52, 1023),
    "float32": (8, 23, 127),
    "bfloat16": (8, 7, 127),
    "float16": (5, 10, 15),
    "float8_e4m3": (4, 3, 8),
    "float8_e5m2": (5, 2, 15),
}
SMALL = {"depth": 4, "width": 8, "features": 5, "samples": 64, "batch": 16, "steps": 6, "seed": 3}


@pytest.mark.parametrize("row", PRECISIONS.values(), ids=lambda row: row.key)
def test_squares_fit_where_neither_the_smallest_nor_the_largest_leaves_the_range(row):
    ends = torch.tensor([row.smallest_subnormal, row.largest_finite], dtype=row.compute_dtype)
    smallest, largest = ends.square().tolist()
    assert row.squares_fit == (smallest > 1e-30 and math.isfinite(largest))


@pytest.mark.parametrize("key", FORMATS)
def test_the_limits_follow_from_the_bits_of_exponent_and_fraction(key):
    row, (exponent, fraction, largest) = FORMATS[key], PARTS[key]
    last = 2 - Fraction(2) ** (1 - fraction if key == "float8_e4m3" else -fraction)
    smallest = Fraction(2) ** (2 - 2 ** (exponent - 1))
    assert Fraction(row.largest_finite) == last * Fraction(2) ** largest
    assert Fraction(row.smallest_normal) == smallest
    assert Fraction(row.epsilon) == Fraction(1, 2**fraction)
    assert Fraction(row.smallest_subnormal) == smallest / 2**fraction
    assert row.itemsize * 8 == 1 + exponent + fraction


@pytest.mark.parametrize("row", FORMATS.values(), ids=FORMATS)
def test_the_limits_are_those_of_torch_and_of_its_own_rounding(row):
    known = torch.finfo(row.dtype)
    assert (row.largest_finite, row.smallest_normal, row.epsilon) == (
        known.max,
        known.tiny,
        known.eps,
    )
    held = torch.tensor(
        [row.largest_finite, row.smallest_normal, row.smallest_subnormal, 1 + row.epsilon],
        dtype=torch.float64,
    )
    assert torch.equal(held.to(row.dtype).double(), held)
    lost = torch.tensor([row.smallest_subnormal / 2, 1 + row.epsilon / 2], dtype=torch.float64)
    assert lost.to(row.dtype).double().tolist() == [0, 1]


def test_networks_train_in_every_format_but_those_of_one_byte():
    assert {key for key, row in FORMATS.items() if not row.is_trainable} == {
        key for key, row in FORMATS.items() if row.itemsize == 1
    }
    assert [*PRECISIONS][:-1] == [key for key, row in FORMATS.items() if row.is_trainable]


@pytest.mark.parametrize("key", ["float8_e4m3", "float8_e5m2"])
def test_a_format_that_is_shown_alone_is_refused_with_a_sentence(key):
    with pytest.raises(ValueError, match=r"^precision must be .*shown by the ladder alone"):
        Experiment(precision=key)
    e, notes = Experiment.from_query({"precision": key})
    assert e == Experiment()
    assert len(notes) == 1
    assert FORMATS[key].why_untrainable.rstrip(".") in notes[0]


# Rounding


def stack(**settings: object) -> Stack:
    return Stack(Experiment(schemes=("he_normal",), **{**SMALL, **settings}), CPU)


def bits(tensor: Tensor) -> Tensor:
    return tensor.float().view(torch.int32)


def near(dtype: torch.dtype) -> st.SearchStrategy[float]:
    """Numbers of the format, and the points halfway between neighbours, where ties are broken."""
    counts = st.integers(0, 2**15 - 1)
    as_number = lambda count: torch.tensor(count, dtype=torch.int16).view(dtype).float()  # noqa: E731
    return counts.map(lambda count: ((as_number(count) + as_number(max(count - 1, 0))) / 2).item())


@pytest.mark.parametrize("key", HALVES)
@given(data=st.data())
def test_rounding_is_bitwise_that_of_torch_on_the_way_forward_and_back(key, data):
    dtype = FORMATS[key].dtype
    entries = st.one_of(
        st.floats(width=32), near(dtype), st.floats(-(2.0**-24), 2.0**-24, width=32)
    )
    x, slope = (
        torch.tensor(data.draw(st.lists(entries, min_size=3, max_size=3)), dtype=torch.float32)
        for _ in range(2)
    )
    start = x.clone().requires_grad_()
    made = stack(precision=key).round_to_format(start * 1)
    (back,) = torch.autograd.grad(made, start, slope)
    assert torch.equal(bits(made.detach()), bits(x.to(dtype)))
    assert torch.equal(bits(back), bits(slope.to(dtype)))


@pytest.mark.parametrize("key", ["float32", "float64"])
def test_what_needs_no_rounding_is_not_touched(key):
    own = stack(precision=key)
    x = torch.randn(4, dtype=PRECISIONS[key].dtype, requires_grad=True)
    made = x * 1
    assert own.round_to_format(made) is made
    assert not made._backward_hooks
    assert own.to_compute_dtype(x) is x


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("key", [*HALVES, "float16_scaled"])
def test_every_number_of_a_pass_is_one_of_the_format(key, normalization):
    """Signals, activations, gradients of both and of the parameters, and how they are stored."""
    settings = {
        "normalization": normalization,
        "residual": True,
        "dropout": 0.3,
        "activation": "gelu",
        "bias_std": 0.5,
    }
    e = Experiment(schemes=("lsuv", "he_normal"), precision=key, **SMALL, **settings)
    own, data = draw_stack_and_data(e)
    batch, row = next(batch_indices(e)), e.number_format
    seen = own.forward(data.x[batch], 0)
    loss = mean_losses(seen.output, data.y[batch], own.round_to_format)
    passed = []  # gradients as they are handed on: torch.autograd.grad returns them as they came
    for tensor in (*seen.z, *seen.h):
        tensor.register_hook(passed.append)
    gradients = [*torch.autograd.grad(loss.sum(), own.parameters), *passed]
    assert len(passed) == len(seen.z) + len(seen.h)
    for tensor in (loss, *seen.z, *seen.u, *seen.h, *gradients):
        assert torch.equal(tensor.float(), tensor.to(row.dtype).float())
    assert {tensor.dtype for tensor in own.parameters} == {row.weight_dtype}
    assert {tensor.dtype for tensor in seen.z} == {torch.float32}


# Against torch's own tensors of 16 bits


class Native:
    """One scheme in torch's own 16 bits: weights, signals, gradients, and sgd; `(N, ...)` lists of
    tensors.
    """

    def __init__(self, own: Stack, e: Experiment):
        self.e, dtype = e, e.number_format.dtype
        layers = ((weights.mT, biases.unsqueeze(1)) for weights, biases in own.layers())
        self.layers = [
            (w.to(dtype).requires_grad_(), b.to(dtype).requires_grad_()) for w, b in layers
        ]

    def forward(self, x: Tensor) -> list[Tensor]:
        h, z = x.to(self.e.number_format.dtype).expand(self.e.network_count, *x.shape), []
        for weights, biases in self.layers:
            z.append(torch.baddbmm(biases, h, weights))
            h = self.e.phi.phi(z[-1])
        return z

    def gradients(self, x: Tensor, y: Tensor) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        z = self.forward(x)
        loss = mean_losses(z[-1], y)
        wanted = [
            *z,
            *(weights for weights, _ in self.layers),
            *(biases for _, biases in self.layers),
        ]
        return z, loss, list(torch.autograd.grad(loss.sum(), wanted))


def apart(found: Tensor, expected: Tensor) -> float:
    """The largest difference, in units in the last place of the largest entry of each network."""
    found, expected = (
        at_least_float32(found.detach()).double(),
        at_least_float32(expected.detach()).double(),
    )
    return (
        ((found - expected).abs().flatten(1).amax(1) / expected.abs().flatten(1).amax(1))
        .max()
        .item()
    )


@pytest.mark.parametrize("dataset", ["blobs", "teacher"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "sigmoid"])
@pytest.mark.parametrize("key", HALVES)
def test_a_pass_is_that_of_torchs_own_tensors_but_for_the_order_of_sums(key, activation, dataset):
    """Sums of products are taken in float32 by both and rounded once, yet in another order: an
    entry that lies on an edge falls to either side, and the layers behind it see that. So 1 unit in
    the last place of the largest entry a layer, both ways.
    """
    settings = {**SMALL, "activation": activation, "dataset": dataset, "bias_std": 0.1}
    e = Experiment(schemes=("he_normal", "xavier_normal"), precision=key, **settings)
    (own, data), batch = draw_stack_and_data(e), next(batch_indices(e))
    z, loss, expected = Native(own, e).gradients(data.x[batch], data.y[batch])
    seen = own.forward(data.x[batch], 0)
    mine = mean_losses(seen.output, data.y[batch], own.round_to_format)
    weights, biases = own.weights, own.biases
    gradients = torch.autograd.grad(mine.sum(), [*seen.z, *weights, *biases])
    of_z, of_weights, of_biases = (
        gradients[:4],
        gradients[4 : 4 + len(weights)],
        gradients[4 + len(weights) :],
    )
    found = [
        *of_z,
        *(g.mT for group in of_weights for g in group),
        *(g.unsqueeze(1) for group in of_biases for g in group),
    ]
    allowed = e.depth * e.number_format.epsilon
    assert max(apart(*pair) for pair in zip(seen.z, z, strict=True)) <= allowed
    assert apart(mine.view(-1, 1), loss.view(-1, 1)) <= allowed
    assert max(apart(*pair) for pair in zip(found, expected, strict=True)) <= 2 * allowed


@pytest.mark.parametrize("key", HALVES)
def test_two_steps_leave_weights_that_torchs_own_tensors_have_too(key):
    e = Experiment(
        schemes=("he_normal",), precision=key, **{**SMALL, "steps": 2, "learning_rate": 0.1}
    )
    own, data = draw_stack_and_data(e)
    plain = Native(own, e)
    found = list(measure(e))
    for batch in islice(batch_indices(e), 2):
        _, _, gradients = plain.gradients(data.x[batch], data.y[batch])
        parameters = [tensor for pair in zip(*plain.layers, strict=True) for tensor in pair]
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients[e.depth :], strict=True):
                parameter.add_(gradient * -e.learning_rate)
    sizes = torch.stack([at_least_float32(weights.detach()).norm() for weights, _ in plain.layers])
    assert found[-1].weight[0, 0] == pytest.approx(sizes.numpy(), rel=e.number_format.epsilon)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("key", [*HALVES, "float16_scaled"])
def test_every_optimizer_works_in_every_format(key, optimizer):
    """Not those that divide by a square root of 1e-8 and less, in float16: 1e-8 is 0 there, and 0 /
    0 is no number.
    """
    rate = OPTIMIZERS[optimizer].learning_rate
    e = Experiment(
        schemes=("he_normal",),
        precision=key,
        optimizer=optimizer,
        learning_rate=rate,
        weight_decay=0.01,
        clip=1.0,
        **{**SMALL, "steps": 40},
    )
    loss = [measurement.loss.item() for measurement in measure(e)]
    if key == "float16" and optimizer in ("adam", "adamw", "rmsprop", "muon"):
        assert math.isnan(loss[-1])
    else:
        assert loss[-1] < loss[0]


# Loss scaling


def plain_scaler(e: Experiment, start: float) -> Iterator[tuple[float, float, list[Tensor]]]:
    """(scale, loss, weights) step by step: torch.amp.GradScaler and a torch.optim optimizer,
    float32 masters, one network.
    """
    own, data = draw_stack_and_data(e)
    stored = (
        (own.to_compute_dtype(weights)[0].T, own.to_compute_dtype(biases))
        for weights, biases in own.layers()
    )
    layers = [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in stored]
    masters = [tensor for pair in layers for tensor in pair]
    kinds = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adam": torch.optim.Adam}
    more = {"momentum": 0.9} if e.optimizer == "momentum" else {}
    optimizer = kinds[e.optimizer](masters, lr=e.learning_rate, **more)
    scaler = torch.amp.GradScaler("cpu", init_scale=start, growth_interval=GOOD_STEPS_TO_GROW)
    for batch in islice(batch_indices(e), e.steps + 1):
        h = data.x[batch].half()
        for index, (weights, biases) in enumerate(layers):
            h = torch.addmm(biases.half(), h, weights.half())
            h = e.phi.phi(h) if index < e.depth - 1 else h
        loss = mean_losses(
            h.float().unsqueeze(0),
            data.y[batch].float() if data.y.is_floating_point() else data.y[batch],
        )[0]
        yield scaler.get_scale(), loss.item(), [weights.detach().clone() for weights, _ in layers]
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_loss_scaling_is_that_of_torchs_own_scaler_skipped_steps_among_them(optimizer, monkeypatch):
    """From a scale of 2^24 the first steps overflow; masters follow those of float16 products in
    another order.
    """
    monkeypatch.setattr("stability.engine.blocks.INITIAL_SCALE", 2.0**24)
    e = Experiment(
        schemes=("he_normal",),
        precision="float16_scaled",
        optimizer=optimizer,
        learning_rate=0.002,
        activation="tanh",
        **{**SMALL, "steps": 130},
    )
    halved = 0
    for measurement, (scale, loss, weights) in zip(
        measure(e), plain_scaler(e, 2.0**24), strict=True
    ):
        assert measurement.scale.item() == scale
        assert measurement.loss.item() == pytest.approx(loss, rel=0.02, abs=0.002)
        sizes = [w.norm().item() for w in weights]
        assert measurement.weight[0, 0] == pytest.approx(sizes, rel=2e-3)
        halved += scale < 2.0**24
    assert halved > 100


def test_a_skipped_step_moves_nothing_and_is_no_break(monkeypatch):
    """Neither weights nor what Adam knows: after skips the network goes on as one that started
    then.
    """
    monkeypatch.setattr("stability.engine.blocks.INITIAL_SCALE", 2.0**30)
    e = Experiment(
        schemes=("he_normal", "normal:1"),
        precision="float16_scaled",
        optimizer="adam",
        learning_rate=0.001,
        **{**SMALL, "steps": 40},
    )
    run = Run(e)
    measurements = list(run)
    assert not run.breaks
    for before, after in pairwise(measurements):
        skipped = ~np.isfinite(before.gradient_norm)
        assert np.array_equal(after.scale[skipped], before.scale[skipped] / 2)
        assert np.array_equal(after.scale[~skipped], before.scale[~skipped])
        assert (after.update[skipped] == 0).all()
        assert (after.update[~skipped] > 0).all()
        assert np.array_equal(after.weight[skipped], before.weight[skipped])
    counts = np.sum([~np.isfinite(m.gradient_norm) for m in measurements], axis=0)
    assert counts.min() > 0
    assert counts[0, 0] != counts[1, 0]


def test_the_scale_doubles_after_a_hundred_good_steps_and_measurements_do_not_show_it():
    e = Experiment(
        schemes=("xavier_normal",),
        precision="float16_scaled",
        learning_rate=1e-6,
        activation="tanh",
        **{**SMALL, "steps": 150},
    )
    scales, norms = zip(
        *((m.scale.item(), m.gradient_norm.item()) for m in measure(e)), strict=True
    )
    assert scales == tuple(INITIAL_SCALE * 2 ** (step // GOOD_STEPS_TO_GROW) for step in range(151))
    plain = [m.gradient_norm.item() for m in measure(replace(e, precision="float32"))]
    assert norms == pytest.approx(plain, rel=0.01)


def test_without_loss_scaling_the_scale_is_one():
    for key in (key for key, row in PRECISIONS.items() if not row.scales_loss):
        assert all((m.scale == 1).all() for m in measure(Experiment(precision=key, **SMALL)))


def test_a_network_whose_signal_overflows_breaks_with_loss_scaling_too():
    run = Run(Experiment(schemes=("normal:100",), precision="float16_scaled", **SMALL))
    assert list(run)
    (event,) = run.breaks.values()
    assert (event.step, event.backward) == (0, False)


@pytest.mark.parametrize(
    "settings",
    [{"activation": "linear", "depth": 6}, {"depth": 20}, {"activation": "relu", "depth": 8}],
)
def test_first_steps_that_are_skipped_are_no_divergence_to_verdicts_cards_strips_and_heat_map(
    settings,
):
    """The gradients of step 0 are infinite, in the profiles too; once a step is taken, its
    gradients are those of the start.
    """
    e = Experiment(
        schemes=("scaled_normal:3", "xavier_normal"),
        precision="float16_scaled",
        learning_rate=1e-4,
        width=32,
        steps=24,
        samples=128,
        batch=16,
        **{"activation": "tanh"} | settings,
    )
    run = Run(e)
    first, *_ = list(run)
    assert not np.isfinite(first.signal_gradient[0]).all()
    assert np.isfinite(run.measurements[-1].gradient_norm).all()
    for count in (1, 2, 24, 25):
        found = current_verdicts(run, count)
        assert [remark for remark in nonfinite_remarks(run, count) if remark.diverged] == []
        assert not {verdict.word for verdict in found} & {"diverged", "overflowed"}
        assert not any(re.search(r"nan|inf\b|10\^\d\d\d", verdict.sentence) for verdict in found)
        assert all(math.isfinite(verdict.number) for verdict in found)
        assert "".join(card_htmls(run, count, found, {})).count("class='strip'") == 4
        marks = frames.training_tables(run, count, {}, "")["marks"]
        assert "diverged" not in str(marks.to_pylist())
        heat = frames.heat_tables(run, e.schemes[0], "signal_gradient", count)["heat"]["relative"]
        assert 0 < heat.null_count < len(heat), "some are not finite"
    taken = next(m for m in run.measurements if np.isfinite(m.gradient_norm[0]).all())
    ratio = np.divide(*taken.signal_gradient[0, 0, [0, -2]])  # of the hidden layers
    start = starting_indicators(run, 25)[0]
    assert start.log_gradient == pytest.approx(math.log10(ratio))
    assert start.step == taken.step > 0 == starting_indicators(run, 1)[0].step


# Where it overflows, and what it costs


def test_the_largest_of_many_normal_numbers_is_half_of_the_time_below_its_median():
    noise = torch.randn(4000, 1000, generator=torch.Generator().manual_seed(0))
    for count in (1, 10, 1000):
        below = (
            (noise[:, :count].abs().amax(dim=1) < median_largest_normal(count))
            .double()
            .mean()
            .item()
        )
        assert abs(below - 0.5) < 5 * 0.5 / 4000**0.5


@pytest.mark.case
@pytest.mark.parametrize("seed", range(10))
def test_weights_of_variance_four_over_n_overflow_in_float16_where_foreseen(seed):
    e = Experiment(
        schemes=("scaled_normal:2",),
        activation="linear",
        width=256,
        depth=24,
        steps=1,
        seed=seed,
        precision="float16",
    )
    (found,), first = leaving(e), next(measure(e))
    measured = int(np.flatnonzero(~np.isfinite(first.signal[0, 0]))[0]) + 1
    assert abs(found.forward - measured) <= 2
    assert Run(e).breaks == {}
    assert leaving(e, "bfloat16")[0].forward is None


@pytest.mark.parametrize("key", ["float16", "float16_scaled"])
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_lost_where_foreseen(key, seed):
    e = Experiment(
        schemes=("scaled_normal:0.3", "xavier_normal"),
        activation="tanh",
        width=128,
        depth=30,
        steps=1,
        seed=seed,
        precision=key,
    )
    found, gradient = leaving(e), next(measure(e)).signal_gradient[:, 0]
    measured = int(np.flatnonzero(gradient[0] == 0)[-1]) + 1
    assert abs(found[0].backward - measured) <= 2
    assert found[1].backward is None
    assert (gradient[1] > 0).all()


def test_where_nothing_is_predicted_nothing_leaves():
    (found,) = leaving(
        Experiment(schemes=("orthogonal",), normalization="batch", precision="float16")
    )
    assert (found.forward, found.backward) == (None, None)


@pytest.mark.case
def test_small_weights_stall_in_float16_and_learn_in_bfloat16_and_with_loss_scaling():
    """LARS asks for a direction alone.

    Gradients through seven linear layers of 0.01 are below 6e-8: in float16 they are 0.
    """
    e = Experiment(
        schemes=("normal:0.01",),
        activation="linear",
        depth=7,
        width=32,
        optimizer="lars",
        learning_rate=2,
        replicates=2,
    )
    late = {}
    for key in (*HALVES, "float16_scaled"):
        first, *others = measure(replace(e, precision=key))
        late[key] = (
            np.mean([measurement.loss for measurement in others[-20:]], axis=0)
            / e.dataset_row.guessing_loss
        )  # (1, 2)
        assert (first.weight_gradient == 0).all() == (key == "float16")
    assert max(late["bfloat16"].max(), late["float16_scaled"].max()) < 0.5
    assert late["float16"].min() > 0.9


def test_the_state_of_a_run_is_as_large_as_its_formats_say():
    sizes = {key: state_bytes(Experiment(precision=key)) for key in PRECISIONS}
    assert sizes["float64"] == 2 * sizes["float32"] == 4 * sizes["float16"] == 4 * sizes["bfloat16"]
    assert sizes["float16"] < sizes["float16_scaled"] < sizes["float32"]
    assert all(training_cost(Experiment(precision=key)).bytes > size for key, size in sizes.items())
