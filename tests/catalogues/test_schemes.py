"""Contracts that every scheme keeps, and the papers' own numbers.

Sampling errors. The mean square of n independent entries of mean 0, variance s^2 and kurtosis
k = E w^4 / s^4 has the standard error s^2 sqrt((k - 1) / n); k is 3 for a bell curve, 9/5 for a
flat one, and is taken from the sample here. The mean has the standard error s / sqrt(n). Five
standard errors: once in two million draws, and the draws are fixed by a seed.
"""

import math
from dataclasses import replace

import pytest
import torch

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.draws import Draws, Layer
from stability.catalogues.schemes import SCHEMES, parse_scheme
from stability.engine.blocks import outputs
from stability.engine.network import Stack
from stability.engine.training import Training, batch_indices, draw_stack_and_data
from stability.records.experiment import Experiment

FAR = torch.linspace(-30, 30, 600_001, dtype=torch.float64)  # steps of 1e-4  # steps of 1e-4


# The table of the definitions, written down a second time: Var W of a layer, value put in.
VARIANCES = {
    "normal": lambda layer: 0.01**2,
    "normal:0.3": lambda layer: 0.09,
    "truncated_normal": lambda layer: 0.01**2,
    "truncated_normal:0.3": lambda layer: 0.09,
    "uniform": lambda layer: 0.05**2 / 3,
    "uniform:0.6": lambda layer: 0.12,
    "pytorch": lambda layer: 1 / (3 * layer.fan_in),
    "lecun_normal": lambda layer: 1 / layer.fan_in,
    "lecun_uniform": lambda layer: 1 / layer.fan_in,
    "xavier_normal": lambda layer: 2 / (layer.fan_in + layer.fan_out),
    "xavier_uniform": lambda layer: 2 / (layer.fan_in + layer.fan_out),
    "he_normal": lambda layer: 2 / ((1 + layer.activation.negative_slope**2) * layer.fan_in),
    "he_uniform": lambda layer: 2 / ((1 + layer.activation.negative_slope**2) * layer.fan_in),
    "he_fan_out": lambda layer: 2 / ((1 + layer.activation.negative_slope**2) * layer.fan_out),
    "geometric": lambda layer: (layer.fan_in * layer.fan_out) ** -0.5,
    "siren": lambda layer: (
        (6 / layer.fan_in) / (30 if layer.activation.key == "sine" else 1) ** 2 / 3
    ),
    "sparse": lambda layer: 1 / layer.fan_in,
    "sparse:5": lambda layer: 1 / layer.fan_in,
    "orthogonal": lambda layer: 1 / max(layer.fan_in, layer.fan_out),
    "orthogonal:1.5": lambda layer: 2.25 / max(layer.fan_in, layer.fan_out),
    "scaled_normal": lambda layer: 1 / layer.fan_in,
    "scaled_normal:1.5": lambda layer: 2.25 / layer.fan_in,
}


def layer(
    fan_in: int, fan_out: int, activation: str = "relu", bias_std: float = 0.0, index: int = 2
) -> Layer:
    return Layer(index, 5, fan_in, fan_out, ACTIVATIONS[activation], bias_std, residual=False)


LAYERS = [layer(120, 120), layer(60, 240), layer(240, 60), layer(1, 512), layer(512, 1)]


VALUES = [
    "normal:0.3",
    "truncated_normal:0.3",
    "sparse:5",
    "uniform:0.6",
    "orthogonal:1.5",
    "scaled_normal:1.5",
    "constant:-2",
]


def mean_square_within(entries: torch.Tensor, variance: float, errors: float = 5) -> bool:
    """True if the mean square is the variance up to so many standard errors."""
    squares = entries.square().flatten()
    kurtosis = squares.square().mean() / squares.mean().square() if variance else torch.ones(())
    error = variance * ((kurtosis - 1).clamp(min=0) / squares.numel()).sqrt()
    return (
        abs(squares.mean() - variance) <= errors * error + 1e-12 * variance
    )  # entries all alike have no error but rounding


@pytest.mark.parametrize("key", [*SCHEMES, *VALUES])
@pytest.mark.parametrize("of", LAYERS, ids=lambda of: f"{of.fan_in}x{of.fan_out}")
def test_weights_have_the_promised_variance_and_mean_zero(key, of):
    scheme = parse_scheme(key)
    if key == "looks_linear":  # units come in pairs
        of = replace(of, fan_in=2 * of.fan_in, fan_out=2 * of.fan_out)
    noises = [Draws(3, replicate, of) for replicate in range(4)]
    drawn = torch.stack([scheme.draw(of, noise)[0] for noise in noises])
    assert drawn.shape == (4, of.fan_out, of.fan_in)
    assert drawn.dtype == torch.float64
    promised = scheme.weight_variance(of)
    if promised is not None:
        assert mean_square_within(drawn, promised)
        assert abs(drawn.mean()) <= 5 * math.sqrt(promised / drawn.numel())


@pytest.mark.parametrize("key", [*SCHEMES, *VALUES])
def test_a_mean_is_added_in_units_of_the_size_of_the_weights_and_then_comes_the_gain(key):
    scheme, of = parse_scheme(key), layer(60, 30)
    changed = replace(of, mean=1.5, gain=0.2)
    plain, bias = scheme.draw(of, Draws(3, 0, of))
    drawn, same_bias = scheme.draw(changed, Draws(3, 0, changed))
    assert torch.equal(bias, same_bias)
    size = plain.square().mean().sqrt()
    if scheme.variance and not scheme.weights:
        size = math.sqrt(scheme.weight_variance(of))
    assert torch.allclose(drawn, 0.2 * (plain + 1.5 * size), rtol=1e-12, atol=1e-15)
    assert scheme.weight_variance(changed) is None
    if scheme.variance:
        scaled = scheme.weight_variance(replace(of, gain=0.2))
        assert math.isclose(scaled, 0.04 * scheme.weight_variance(of))


def test_uniform_weights_moved_by_the_root_of_three_are_those_of_rand():
    of = replace(layer(300, 200), mean=math.sqrt(3))
    drawn, _ = parse_scheme("uniform:0.5").draw(of, Draws(0, 0, of))
    assert 0 <= drawn.min() < 1e-3
    assert 1 - 1e-3 < drawn.max() <= 1 + 1e-12
    assert math.isclose(drawn.mean(), 0.5, abs_tol=5 / math.sqrt(12 * drawn.numel()))


@pytest.mark.parametrize("gain", [0.25, 0.0])
def test_the_readout_has_its_gain_behind_a_scheme_that_adjusts_to_data_too(gain):
    e = Experiment(schemes=("lsuv", "he_normal"), depth=4, readout_gain=gain, activation="tanh")
    stack, data = draw_stack_and_data(e)
    stds = [z[0].std(correction=0) for z in stack.forward(data.x[next(batch_indices(e))], 0).z]
    assert all(abs(std**2 - 1) < 0.1 for std in stds[:-1])
    assert abs(stds[-1] - gain) <= 0.06 * gain


@pytest.mark.parametrize("key", VARIANCES)
@pytest.mark.parametrize("of", LAYERS, ids=lambda of: f"{of.fan_in}x{of.fan_out}")
def test_the_promised_variance_is_that_of_the_paper(key, of):
    for activation in ACTIVATIONS:
        of = layer(of.fan_in, of.fan_out, activation)
        assert math.isclose(
            parse_scheme(key).weight_variance(of), VARIANCES[key](of), rel_tol=1e-12
        ), activation


def test_only_schemes_whose_entries_are_not_drawn_alike_promise_no_variance():
    promising = {key for key, row in SCHEMES.items() if row.variance}
    assert promising <= {*VARIANCES, "unit_gain", "critical", "mup"}
    assert set(SCHEMES) - promising == {
        "zeros",
        "constant",
        "identity",
        "looks_linear",
        "lsuv",
        "fixup",
        "zero_hadamard",
        "metainit",
    }


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_unit_gain_keeps_a_second_moment_of_one(row):
    """Against the sum of phi^2 over a grid of steps of 1e-4, right to about 1e-9 at a corner."""
    density = torch.exp(FAR.square() / -2) / math.sqrt(2 * math.pi)
    moment = (row.phi(FAR).square() * density).sum().item() * 1e-4
    of = layer(50, 70, row.key)
    assert math.isclose(
        parse_scheme("unit_gain").weight_variance(of) * of.fan_in * moment, 1, rel_tol=1e-6
    )
    assert parse_scheme("unit_gain").weight_variance(replace(of, index=1)) == 1 / of.fan_in


def test_siren_fills_the_intervals_of_the_paper_and_keeps_what_stands_within_the_sine():
    """Sitzmann et al. 2020: bounds 1 / n first, then sqrt(6 / n) / w0; w0 z of variance about 1.

    Half of the variance of an arcsine law is theirs; of N(0, x) it is (1 - e^(-2 x)) / 2, so deep
    layers settle where x = 1 - e^(-2 x), at 0.797. The units of a layer are 256, the examples 64.
    """
    e = Experiment(schemes=("siren",), activation="sine", w0=12, width=256, depth=9, features=40)
    stack, data = draw_stack_and_data(e)
    first, *others = (weights[0].abs().max().item() for weights, _ in stack.layers())
    assert 0.999 / 40 < first <= 1 / 40 + 1e-9
    assert all(0.99 < 12 * most / math.sqrt(6 / 256) <= 1 + 1e-6 for most in others)
    seen = stack.forward(data.x[next(batch_indices(e))], 0)
    variances = [(12 * z).square().mean().item() for z in seen.z]
    assert all(abs(one - 0.797) < 0.08 for one in variances[4:-1]), variances


def test_the_sine_has_the_frequency_of_its_experiment():
    u = torch.linspace(-2, 2, 9)
    assert torch.equal(Experiment(activation="sine", w0=7).phi.phi(u), torch.sin(7 * u))
    assert Experiment(w0=7) != Experiment()
    assert Experiment(activation="sine").phi is ACTIVATIONS["sine"]


def test_critical_is_he_for_relu_and_the_published_point_for_tanh():
    assert math.isclose(
        parse_scheme("critical").weight_variance(layer(50, 70)), 2 / 50, rel_tol=1e-9
    )
    tanh = layer(50, 70, "tanh", bias_std=math.sqrt(0.05))
    assert math.isclose(
        parse_scheme("critical").weight_variance(tanh) * 50, 1.761, abs_tol=5e-4
    )  # Schoenholz et al. 2017, to 4 digits


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias_std", [0.0, 0.3])
def test_critical_is_refused_where_there_is_no_edge_of_chaos_and_what_is_offered_has_one(
    activation, bias_std
):
    settings = {"schemes": "critical", "activation": activation, "bias_std": str(bias_std)}
    experiment, notes = Experiment.from_query(settings)
    changed = {
        name
        for name in ("activation", "bias_std")
        if str(getattr(experiment, name)) != settings[name]
    }
    assert len(notes) == len(changed)
    assert all("critical" in note for note in notes)
    of = experiment.layers[3]
    assert parse_scheme("critical").weight_variance(of) > 0
    if notes:
        with pytest.raises(ValueError, match="critical"):
            Experiment(schemes=("critical",), activation=activation, bias_std=bias_std)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mup_is_unit_gain_but_for_its_last_layer_whose_variance_falls_with_the_square(activation):
    """Yang et al. 2022, table 3."""
    e = Experiment(depth=4, width=256, taper=4.0, activation=activation)
    mup, unit_gain = parse_scheme("mup:32"), parse_scheme("unit_gain")
    for one in e.layers[:-1]:
        assert mup.weight_variance(one) == unit_gain.weight_variance(one)
    last = e.layers[-1]
    expected = 32 / last.fan_in * unit_gain.weight_variance(last)
    assert math.isclose(mup.weight_variance(last), expected, rel_tol=1e-12)


@pytest.mark.case
@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.005), ("sgd", 0.1)])
def test_with_mup_outputs_move_as_far_at_every_width_and_with_unit_gain_they_do_not(
    optimizer, rate
):
    """The coordinate check of the paper, of outputs after three updates; widths from 16 to 512."""
    moves = {}
    for width in (16, 512):
        e = Experiment(
            schemes=("mup:16", "unit_gain"), depth=3, width=width, steps=3, replicates=4,
            activation="tanh", optimizer=optimizer, learning_rate=rate, dataset="teacher",
        )  # fmt: skip
        training = Training(*draw_stack_and_data(e))
        x = training.data.x_test
        before = outputs(training.stack, x)
        for step, batch in zip(range(4), batch_indices(e), strict=False):
            training.measure_and_update(step, batch)
        after = outputs(training.stack, x)
        size = (after - before).square().mean(dim=(1, 2)).sqrt().detach()
        moves[width] = size.view(2, 4).mean(dim=1)
    mup, unit_gain = moves[512] / moves[16]
    assert 0.5 < mup < 2
    assert unit_gain > 3 if optimizer == "adam" else unit_gain > 1.2 * mup


def test_mup_asks_for_an_optimizer_of_its_table():
    with pytest.raises(ValueError, match=r"^optimizer must be one of sgd, .* for the scheme mup"):
        Experiment(schemes=("mup",), optimizer="lars")
    e, notes = Experiment.from_query({"schemes": "mup", "optimizer": "muon"})
    assert (e.optimizer, len(notes)) == ("adam", 1)


def test_fixup_starts_every_branch_and_the_output_at_zero_and_wants_residual_connections():
    with pytest.raises(ValueError, match="residual must be true for the scheme fixup, not false"):
        Experiment(schemes=("fixup",))
    assert Experiment.from_query({"schemes": "fixup"})[0].residual
    first, *others = (
        parse_scheme("fixup").draw(of, Draws(0, 0, of))[0] for of in Experiment(depth=4).layers
    )
    assert mean_square_within(first, 2 / 32)
    assert all((weights == 0).all() for weights in others)


def test_of_two_layers_in_a_branch_fixup_starts_the_second_at_zero():
    """Zhang et al. 2019, sec. 3: the first is as He, over the root of the number of branches."""
    e = Experiment(schemes=("fixup",), residual=True, branch_layers=2, depth=9)
    weights = [parse_scheme("fixup").draw(of, Draws(0, 0, of))[0] for of in e.layers]
    assert [index + 1 for index, one in enumerate(weights) if one.any()] == [1, 2, 4, 6]
    assert all(mean_square_within(weights[index], 2 / 64 / 4) for index in (1, 3, 5))


@pytest.mark.parametrize(
    "settings", [{}, {"activation": "sigmoid"}, {"dropout": 0.2}, {"normalization": "layer"}]
)
def test_lsuv_starts_every_layer_with_a_variance_near_one_on_the_first_batch(settings):
    e = Experiment(schemes=("lsuv", "orthogonal:3", "lsuv"), depth=7, replicates=2, **settings)
    stack, data = draw_stack_and_data(e)
    seen = stack.forward(data.x[next(batch_indices(e))], 0)
    for z in seen.z:
        variance = z[:2].flatten(1).var(dim=1, correction=0)
        assert ((variance - 1).abs() <= 0.1 + 1e-4).all()  # to the rounding of float32
    untouched = Stack(replace(e, schemes=("orthogonal:3",)), stack.device)
    assert all(
        torch.equal(ours[:, 2:], own)
        for ours, own in zip(stack.weights, untouched.weights, strict=True)
    )


@pytest.mark.parametrize("key", [key for key in VARIANCES if "uniform" in key or key == "pytorch"])
def test_uniform_weights_fill_the_interval_that_their_variance_says_and_no_more(key):
    of = layer(240, 240)
    largest = parse_scheme(key).draw(of, Draws(0, 0, of))[0].abs().max().item()
    edge = math.sqrt(3 * VARIANCES[key](of))
    assert 0.999 * edge < largest <= edge  # all 57600 below it by chance: 0.999^57600 = 1e-25


@pytest.mark.parametrize("std", [0.01, 0.3])
def test_truncated_weights_end_at_two_standard_deviations_of_the_curve_before_the_cut(std):
    of = layer(240, 240)
    uncut = std / math.sqrt(1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)))
    largest = (
        parse_scheme(f"truncated_normal:{std}").draw(of, Draws(0, 0, of))[0].abs().max().item()
    )
    assert 1.99 * uncut < largest <= 2 * uncut  # 57600 entries, 0.1 % of them in the last hundredth


@pytest.mark.parametrize("count", [1, 15, 240])
@pytest.mark.parametrize("of", LAYERS, ids=lambda of: f"{of.fan_in}x{of.fan_out}")
def test_a_unit_of_sparse_weights_has_exactly_so_many_incoming_ones(count, of):
    weights = parse_scheme(f"sparse:{count}").draw(of, Draws(0, 0, of))[0]
    assert ((weights != 0).sum(dim=1) == min(count, of.fan_in)).all()


def test_identity_weights_pass_the_signal_unchanged():
    of = layer(7, 7)
    assert torch.equal(
        parse_scheme("identity").draw(of, Draws(0, 0, of))[0], torch.eye(7, dtype=torch.float64)
    )


@pytest.mark.parametrize(("fan_in", "fan_out"), [(5, 12), (7, 8), (1, 2), (9, 9), (12, 5)])
def test_zero_hadamard_is_algorithm_1_of_its_paper(fan_in, fan_out):
    """Partial identities around Sylvester's matrix, which is [[H, H], [H, -H]] of half the size."""
    hadamard = torch.ones(1, 1, dtype=torch.float64)
    while len(hadamard) < fan_out:
        hadamard = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]]).double(), hadamard)
    order = len(hadamard)
    expected = torch.eye(fan_out, order).double() @ hadamard @ torch.eye(order, fan_in).double()
    expected = expected / order**0.5
    if fan_out <= fan_in:
        expected = torch.eye(fan_out, fan_in, dtype=torch.float64)
    of = layer(fan_in, fan_out)
    drawn = parse_scheme("zero_hadamard").draw(of, Draws(0, 0, of))[0]
    assert torch.allclose(drawn, expected, rtol=1e-15)


def test_a_network_that_looks_linear_is_an_orthogonal_matrix():
    """ReLU between, ends not mirrored: six inputs come out turned, every length kept."""
    h = torch.eye(6, dtype=torch.float64)
    for index, (fan_in, fan_out) in enumerate(
        [(6, 12), (12, 12), (12, 12), (12, 12), (12, 6)], start=1
    ):
        of = layer(fan_in, fan_out, index=index)
        h = h @ parse_scheme("looks_linear").draw(of, Draws(0, 0, of))[0].T
        h = torch.relu(h) if index < 5 else h
    assert torch.allclose(h @ h.T, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-12)


def test_constant_and_zero_weights_are_what_they_say():
    of = layer(3, 4)
    assert (parse_scheme("zeros").draw(of, Draws(0, 0, of))[0] == 0).all()
    assert (parse_scheme("constant").draw(of, Draws(0, 0, of))[0] == 0.1).all()
    assert (parse_scheme("constant:-2").draw(of, Draws(0, 0, of))[0] == -2).all()


@pytest.mark.parametrize("of", LAYERS, ids=lambda of: f"{of.fan_in}x{of.fan_out}")
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal_weights_have_orthogonal_rows_or_columns_of_length_gain(of, gain):
    weights = parse_scheme(f"orthogonal:{gain}").draw(of, Draws(1, 2, of))[0]
    short = weights if of.fan_out <= of.fan_in else weights.T
    identity = gain**2 * torch.eye(len(short), dtype=torch.float64)
    assert torch.allclose(
        short @ short.T, identity, rtol=0, atol=1e-12
    )  # 240 products of rounding 1e-16


def test_orthogonal_matrices_are_uniform_over_all_of_them():
    """The trace of a uniform orthogonal matrix has mean 0 and variance 1 (Diaconis & Shahshahani
    1994); a QR whose signs are left as they come has a trace near -2 sqrt(n / pi) instead."""
    of = layer(24, 24)
    traces = torch.stack([Draws(seed, 0, of).orthogonal.trace() for seed in range(400)])
    assert abs(traces.mean()) < 5 / math.sqrt(400)
    assert mean_square_within(traces, 1.0)


@pytest.mark.parametrize("key", SCHEMES)
@pytest.mark.parametrize("bias_std", [0.0, 0.7])
def test_biases_have_the_spread_that_was_asked_for_and_those_of_pytorch_their_own(key, bias_std):
    of = layer(50, 400, "tanh", bias_std=bias_std)
    drawn = torch.cat(
        [parse_scheme(key).draw(of, Draws(0, replicate, of))[1] for replicate in range(16)]
    )
    variance = 1 / (3 * of.fan_in) if key == "pytorch" else bias_std**2
    assert mean_square_within(drawn, variance)
    assert abs(drawn.mean()) <= 5 * math.sqrt(variance / drawn.numel())


@pytest.mark.parametrize("family", [("lecun", "xavier", "he", "scaled"), ("normal",)])
@pytest.mark.parametrize("shape", ["normal", "uniform"])
def test_schemes_of_one_kind_of_noise_differ_by_their_scale_alone(family, shape):
    of = layer(40, 30)
    keys = [key for key in SCHEMES if key.split("_")[0] in family and key.endswith(shape)] + [shape]
    drawn = [parse_scheme(key).draw(of, Draws(5, 1, of))[0] for key in keys]
    units = [weights / weights.square().mean().sqrt() for weights in drawn]
    assert all(torch.allclose(unit, units[0], rtol=1e-12) for unit in units)


@pytest.mark.parametrize("key", [key for key, row in SCHEMES.items() if row.variance])
def test_every_layer_seed_and_replicate_is_drawn_anew_and_a_repetition_is_the_same(key):
    def draw(seed: int, replicate: int, index: int) -> torch.Tensor:
        of = layer(8, 8, index=index)
        return parse_scheme(key).draw(of, Draws(seed, replicate, of))[0]

    first, *others = [draw(0, 0, 1), draw(1, 0, 1), draw(0, 1, 1), draw(0, 0, 2)]
    assert torch.equal(first, draw(0, 0, 1))
    assert not any(torch.allclose(first, other) for other in others)
