"""Contracts that every row of every catalogue keeps. A new row is tested by being there.

Sampling errors. The mean square of n independent entries of mean 0, variance s^2 and kurtosis k = E w^4 / s^4 has the
standard error s^2 sqrt((k - 1) / n); k is 3 for a bell curve, 9/5 for a flat one, and is taken from the sample here. The
mean has the standard error s / sqrt(n). Five standard errors: once in two million draws, and the draws are fixed by a seed.
"""

import math
import re
from dataclasses import replace

import pytest
import torch
from lars import Lars

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS, HELD_OUT_EXAMPLES, standardize
from stability.catalogues.draws import Layer, Draws
from stability.catalogues.entry import Entry, catalogue
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import FORMATS, PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES, parse_scheme
from stability.engine.network import Stack
from stability.engine.quantities import SATURATION_SLOPE
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.randomness import PURPOSES, generator
from stability.records import knobs
from stability.records.experiment import Experiment

CATALOGUES = (ACTIVATIONS, NORMALIZATIONS, FORMATS, PRECISIONS, DATASETS, OPTIMIZERS, SCHEMES)
ROWS = [row for rows in CATALOGUES for row in rows.values()]
FAR = torch.linspace(-30, 30, 600_001, dtype=torch.float64)  # steps of 1e-4

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
    "sparse": lambda layer: 1 / layer.fan_in,
    "sparse:5": lambda layer: 1 / layer.fan_in,
    "orthogonal": lambda layer: 1 / max(layer.fan_in, layer.fan_out),
    "orthogonal:1.5": lambda layer: 2.25 / max(layer.fan_in, layer.fan_out),
    "scaled_normal": lambda layer: 1 / layer.fan_in,
    "scaled_normal:1.5": lambda layer: 2.25 / layer.fan_in,
}


def layer(fan_in: int, fan_out: int, activation: str = "relu", bias_std: float = 0.0, index: int = 2) -> Layer:
    return Layer(index, 5, fan_in, fan_out, ACTIVATIONS[activation], bias_std, residual=False)


LAYERS = [layer(120, 120), layer(60, 240), layer(240, 60), layer(1, 512), layer(512, 1)]
VALUES = ["normal:0.3", "truncated_normal:0.3", "sparse:5", "uniform:0.6", "orthogonal:1.5", "scaled_normal:1.5", "constant:-2"]


def mean_square_within(entries: torch.Tensor, variance: float, errors: float = 5) -> bool:
    """Whether the mean square is the variance up to so many standard errors, s^2 sqrt((k - 1) / n)."""
    squares = entries.square().flatten()
    kurtosis = squares.square().mean() / squares.mean().square() if variance else torch.ones(())
    error = variance * ((kurtosis - 1).clamp(min=0) / squares.numel()).sqrt()
    return abs(squares.mean() - variance) <= errors * error + 1e-12 * variance  # entries all alike have no error but rounding


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_row_says_what_it_is_in_plain_words(row):
    assert all(getattr(row, name).strip() == getattr(row, name) != "" for name in ("label", "summary", "formula", "source"))
    assert len(row.label) <= 24
    assert 20 <= len(row.summary) <= 130
    assert re.fullmatch(r"[A-Z][^\n]*\.", row.summary)
    assert len(re.findall(r"[.!?](?=\s|$)", row.summary)) <= 2
    assert row.formula.count("{") == row.formula.count("}")


@pytest.mark.parametrize("rows", CATALOGUES, ids=lambda rows: type(next(iter(rows.values()))).__name__)
def test_keys_are_canonical_and_labels_tell_rows_apart(rows):
    assert all(key == row.key and re.fullmatch(r"[a-z][a-z0-9_.]*", key) for key, row in rows.items())
    assert len({row.label for row in rows.values()}) == len(rows)


def test_a_catalogue_is_read_only_and_refuses_two_rows_of_one_key():
    row = Entry(key="a", label="A", summary="A.", formula="a", source="a")
    with pytest.raises(TypeError):
        catalogue(row)["b"] = row
    with pytest.raises(ValueError, match="share a key"):
        catalogue(row, row)


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_derivative_of_an_activation_is_what_autograd_says(row):
    u = torch.linspace(-12, 12, 4800, dtype=torch.float64, requires_grad=True)  # an even count: no point on a kink at 0
    h = row.phi(u)
    (slope,) = torch.autograd.grad(h.sum(), u)
    # The two may subtract numbers near 1 in another order: a few roundings of 1e-16, no more.
    assert torch.allclose(row.dphi(u, h), slope, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_derivative_of_an_activation_is_right_to_the_ends_of_float32(row):
    u = torch.tensor([-3e38, -1e20, -60, -5, 5, 60, 1e20, 3e38])
    exact = row.dphi(u.double(), row.phi(u.double()))
    assert torch.allclose(row.dphi(u, row.phi(u)).double(), exact, rtol=0, atol=4 * torch.finfo(u.dtype).eps * row.max_slope)


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_steepest_slope_of_an_activation_is_the_largest_on_a_fine_grid(row):
    largest = row.dphi(FAR, row.phi(FAR)).abs().max().item()
    assert math.isclose(row.max_slope, largest, rel_tol=1e-7)  # a smooth maximum between points 1e-4 apart is off by 1e-9


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_flat_share_of_an_activation_is_how_much_of_a_bell_curve_it_cuts_by_design(row):
    density = torch.exp(FAR.square() / -2) / math.sqrt(2 * math.pi)
    flat = row.dphi(FAR, row.phi(FAR)).abs() < SATURATION_SLOPE * row.max_slope
    # Up to 1%: where a smooth curve bends back or runs out, which is not by design.
    assert abs(row.saturated_by_design - density[flat].sum() * 1e-4) < 0.01


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


@pytest.mark.parametrize("key", VARIANCES)
@pytest.mark.parametrize("of", LAYERS, ids=lambda of: f"{of.fan_in}x{of.fan_out}")
def test_the_promised_variance_is_that_of_the_paper(key, of):
    for activation in ACTIVATIONS:
        of = layer(of.fan_in, of.fan_out, activation)
        assert math.isclose(parse_scheme(key).weight_variance(of), VARIANCES[key](of), rel_tol=1e-12), activation


def test_only_schemes_whose_entries_are_not_drawn_alike_promise_no_variance():
    promising = {key for key, row in SCHEMES.items() if row.variance}
    assert promising <= {*VARIANCES, "unit_gain", "critical"}
    assert set(SCHEMES) - promising == {"zeros", "constant", "identity", "looks_linear", "lsuv", "fixup"}


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_unit_gain_keeps_a_second_moment_of_one(row):
    """Against the sum of phi^2 over a grid of steps of 1e-4, right to about 1e-9 at a corner."""
    density = torch.exp(FAR.square() / -2) / math.sqrt(2 * math.pi)
    moment = (row.phi(FAR).square() * density).sum().item() * 1e-4
    of = layer(50, 70, row.key)
    assert math.isclose(parse_scheme("unit_gain").weight_variance(of) * of.fan_in * moment, 1, rel_tol=1e-6)
    assert parse_scheme("unit_gain").weight_variance(replace(of, index=1)) == 1 / of.fan_in


def test_critical_is_he_for_relu_and_the_published_point_for_tanh():
    assert math.isclose(parse_scheme("critical").weight_variance(layer(50, 70)), 2 / 50, rel_tol=1e-9)
    tanh = layer(50, 70, "tanh", bias_std=math.sqrt(0.05))
    assert math.isclose(parse_scheme("critical").weight_variance(tanh) * 50, 1.761, abs_tol=5e-4)  # Schoenholz et al. 2017, to 4 digits


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias_std", [0.0, 0.3])
def test_critical_is_refused_where_there_is_no_edge_of_chaos_and_what_is_offered_has_one(activation, bias_std):
    settings = {"schemes": "critical", "activation": activation, "bias_std": str(bias_std)}
    experiment, notes = Experiment.from_query(settings)
    changed = {name for name in ("activation", "bias_std") if str(getattr(experiment, name)) != settings[name]}
    assert len(notes) == len(changed)
    assert all("critical" in note for note in notes)
    of = experiment.layers[3]
    assert parse_scheme("critical").weight_variance(of) > 0
    if notes:
        with pytest.raises(ValueError, match="critical"):
            Experiment(schemes=("critical",), activation=activation, bias_std=bias_std)


def test_fixup_starts_every_branch_and_the_output_at_zero_and_wants_residual_connections():
    with pytest.raises(ValueError, match="residual must be true for the scheme fixup, not false"):
        Experiment(schemes=("fixup",))
    assert Experiment.from_query({"schemes": "fixup"})[0].residual
    first, *others = (parse_scheme("fixup").draw(of, Draws(0, 0, of))[0] for of in Experiment(depth=4).layers)
    assert mean_square_within(first, 2 / 32)
    assert all((weights == 0).all() for weights in others)


@pytest.mark.parametrize("settings", [{}, {"activation": "sigmoid"}, {"dropout": 0.2}, {"normalization": "layer"}])
def test_lsuv_starts_every_layer_with_a_variance_near_one_on_the_first_batch(settings):
    e = Experiment(schemes=("lsuv", "orthogonal:3", "lsuv"), depth=7, replicates=2, **settings)
    stack, data = draw_stack_and_data(e)
    seen = stack.forward(data.x[next(batch_indices(e))], 0)
    for z in seen.z:
        variance = z[:2].flatten(1).var(dim=1, correction=0)
        assert ((variance - 1).abs() <= 0.1 + 1e-4).all()  # to the rounding of float32
    untouched = Stack(replace(e, schemes=("orthogonal:3",)), stack.device)
    assert all(torch.equal(ours[:, 2:], own) for ours, own in zip(stack.weights, untouched.weights, strict=True))


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
    largest = parse_scheme(f"truncated_normal:{std}").draw(of, Draws(0, 0, of))[0].abs().max().item()
    assert 1.99 * uncut < largest <= 2 * uncut  # 57600 entries, 0.1 % of them in the last hundredth


@pytest.mark.parametrize("count", [1, 15, 240])
@pytest.mark.parametrize("of", LAYERS, ids=lambda of: f"{of.fan_in}x{of.fan_out}")
def test_a_unit_of_sparse_weights_has_exactly_so_many_incoming_ones(count, of):
    weights = parse_scheme(f"sparse:{count}").draw(of, Draws(0, 0, of))[0]
    assert ((weights != 0).sum(dim=1) == min(count, of.fan_in)).all()


def test_identity_weights_pass_the_signal_unchanged():
    of = layer(7, 7)
    assert torch.equal(parse_scheme("identity").draw(of, Draws(0, 0, of))[0], torch.eye(7, dtype=torch.float64))


def test_a_network_that_looks_linear_is_an_orthogonal_matrix():
    """ReLU between, ends not mirrored: six inputs come out turned, every length kept."""
    h = torch.eye(6, dtype=torch.float64)
    for index, (fan_in, fan_out) in enumerate([(6, 12), (12, 12), (12, 12), (12, 12), (12, 6)], start=1):
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
    assert torch.allclose(short @ short.T, identity, rtol=0, atol=1e-12)  # 240 products of rounding 1e-16


def test_orthogonal_matrices_are_uniform_over_all_of_them():
    """The trace of a uniform orthogonal matrix has mean 0 and variance 1 (Diaconis & Shahshahani 1994); a QR whose signs
    are left as they come has a trace near -2 sqrt(n / pi) instead."""
    of = layer(24, 24)
    traces = torch.stack([Draws(seed, 0, of).orthogonal.trace() for seed in range(400)])
    assert abs(traces.mean()) < 5 / math.sqrt(400)
    assert mean_square_within(traces, 1.0)


@pytest.mark.parametrize("key", SCHEMES)
@pytest.mark.parametrize("bias_std", [0.0, 0.7])
def test_biases_have_the_spread_that_was_asked_for_and_those_of_pytorch_their_own(key, bias_std):
    of = layer(50, 400, "tanh", bias_std=bias_std)
    drawn = torch.cat([parse_scheme(key).draw(of, Draws(0, replicate, of))[1] for replicate in range(16)])
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
    def drawn(seed: int, replicate: int, index: int) -> torch.Tensor:
        of = layer(8, 8, index=index)
        return parse_scheme(key).draw(of, Draws(seed, replicate, of))[0]

    first, *others = [drawn(0, 0, 1), drawn(1, 0, 1), drawn(0, 1, 1), drawn(0, 0, 2)]
    assert torch.equal(first, drawn(0, 0, 1))
    assert not any(torch.allclose(first, other) for other in others)


def test_no_two_purposes_seeds_replicates_layers_or_steps_share_a_stream():
    numbers = [(seed, replicate, index, step) for seed in (0, 1, 2**31 - 1) for replicate in (0, 1, 15)
               for index in (0, 1, 101) for step in (0, 1, 2, 5000)]  # fmt: skip
    seeds = {generator(seed, purpose, *rest).initial_seed() for purpose in PURPOSES for seed, *rest in numbers}
    assert len(seeds) == len(PURPOSES) * len(numbers)


def test_a_generator_for_an_unknown_purpose_is_refused():
    with pytest.raises(ValueError):  # noqa: PT011
        generator(0, "colour")


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
@pytest.mark.parametrize("noise", [0.0, 0.1, 10.0])
def test_training_data_are_standardised(row, noise):
    data = row.load(500, 7, noise, 3, torch.float64)
    for columns in (data.x, *([data.y] if row.classes is None else [])):
        variance, mean = torch.var_mean(columns, dim=0, correction=0)
        assert torch.allclose(mean, torch.zeros_like(mean), rtol=0, atol=1e-12)
        assert torch.allclose(variance, torch.ones_like(variance), rtol=1e-12)


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_held_out_data_are_further_examples_on_the_scale_of_the_training_data(row):
    data = row.load(300, 7, 0.1, 3, torch.float64)
    x, _ = row.draw(300 + HELD_OUT_EXAMPLES, row.input_dimension(7), 0.1, generator(3, "data"))
    variance, mean = torch.var_mean(x[:300], dim=0, correction=0)
    assert torch.allclose(data.x_test, (x[300:] - mean) / variance.sqrt(), rtol=1e-12, atol=1e-12)
    assert torch.cdist(data.x_test, data.x).min() > 0
    assert (len(data.x), len(data.y), len(data.x_test), len(data.y_test)) == (300, 300, 512, 512)


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_targets_are_classes_from_zero_or_one_column_of_values(row):
    data = row.load(4096, 7, 0.1, 3, torch.float32)
    if row.classes is None:
        assert data.y.shape == (4096, 1)
        assert data.y.dtype == data.y_test.dtype == torch.float32
        assert (row.outputs, row.guessing_loss) == (1, 1.0)
    else:
        assert data.y.dtype == data.y_test.dtype == torch.int64
        assert set(data.y.tolist()) == set(data.y_test.tolist()) == set(range(row.classes))
        assert (row.outputs, row.guessing_loss) == (row.classes, math.log(row.classes))


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_data_depend_on_their_settings_alone(row):
    data, again = row.load(64, 5, 0.1, 3, torch.float64), row.load(64, 5, 0.1, 3, torch.float64)
    other, short = row.load(64, 5, 0.1, 4, torch.float64), row.load(64, 5, 0.1, 3, torch.float32)
    assert torch.equal(data.x, again.x)
    assert torch.equal(data.y_test, again.y_test)
    assert not torch.allclose(data.x, other.x)
    assert torch.equal(data.x.float(), short.x)


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.key)
def test_data_have_as_many_columns_as_asked_unless_their_dimension_is_their_own(row):
    for features in (1, 9, 1024):
        assert row.load(64, features, 0.1, 0, torch.float32).x.shape[1] == (row.fixed_features or features)


def test_a_constant_column_is_standardised_to_zero():
    assert (standardize(torch.full((5, 2), 3.0), 4) == 0).all()


TORCH_OPTIMIZERS = {
    "sgd": lambda parameters, rate, decay: torch.optim.SGD(parameters, rate, weight_decay=decay),
    "momentum": lambda parameters, rate, decay: torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=decay),
    "nesterov": lambda p, rate, decay: torch.optim.SGD(p, rate, momentum=0.9, nesterov=True, weight_decay=decay),
    "adam": lambda parameters, rate, decay: torch.optim.Adam(parameters, rate, weight_decay=decay),
    "adamw": lambda parameters, rate, decay: torch.optim.AdamW(parameters, rate, weight_decay=decay),
    "rmsprop": lambda parameters, rate, decay: torch.optim.RMSprop(parameters, rate, weight_decay=decay),
    "lars": Lars,
    "muon": lambda p, rate, decay: torch.optim.Muon(p, rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
}


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0, 1e8])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_an_optimizer_takes_the_steps_of_its_reference_with_each_matrix_of_a_stack(row, scale, decay, monkeypatch):
    # torch.optim.Muon orthogonalizes in bfloat16, which keeps two digits; here both do it in float32.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)
    random = torch.Generator().manual_seed(0)
    theirs = [torch.randn(2, 4, generator=random, dtype=torch.float64).requires_grad_() for _ in range(3)]
    ours, state = torch.stack([matrix.detach() for matrix in theirs]), {}
    optimizer, step = TORCH_OPTIMIZERS[row.key](theirs, row.learning_rate, decay), row.step_for(matrix=True, hidden=True)
    for _ in range(5):
        for matrix in theirs:
            matrix.grad = scale * torch.randn(2, 4, generator=random, dtype=torch.float64)
        ours += step(ours, torch.stack([matrix.grad for matrix in theirs]), state, row.learning_rate, decay)
        optimizer.step()
    # Five sums in float64; Newton-Schulz in float32 amplifies its rounding by about ten a round where directions are weak.
    assert torch.allclose(ours, torch.stack([matrix.detach() for matrix in theirs]), rtol=1e-5 if row.key == "muon" else 1e-12)


def test_muon_leaves_ends_and_vectors_to_adamw_and_lars_leaves_vectors_to_momentum():
    muon, lars = OPTIMIZERS["muon"], OPTIMIZERS["lars"]
    assert muon.step_for(matrix=True, hidden=False) is muon.step_for(matrix=False, hidden=False) is OPTIMIZERS["adamw"].step
    assert lars.step_for(matrix=False, hidden=False) is OPTIMIZERS["momentum"].step
    assert lars.step_for(matrix=True, hidden=False) is lars.step_for(matrix=True, hidden=True)


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
def test_an_optimizer_leaves_the_gradient_as_it_was(row):
    gradient, state = torch.arange(6.0).view(2, 3), {}
    for _ in range(3):
        row.step_for(matrix=True, hidden=True)(torch.ones(2, 3), gradient, state, 0.1, 0.1)
    assert torch.equal(gradient, torch.arange(6.0).view(2, 3))


@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
def test_the_typical_learning_rate_of_an_optimizer_is_a_legal_one(row):
    assert Experiment(optimizer=row.key, learning_rate=row.learning_rate).learning_rate == row.learning_rate


@pytest.mark.parametrize("row", NORMALIZATIONS.values(), ids=lambda row: row.key)
def test_a_normalization_keeps_the_shape_and_the_format(row):
    z = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    assert row.apply(z).shape == z.shape
    assert row.apply(z).dtype == z.dtype


def test_every_row_of_a_choice_can_be_chosen_by_its_key():
    chosen = {name: knob.rows for name, knob in Experiment.knobs().items() if isinstance(knob, knobs.Choice)}
    assert {id(rows) for rows in chosen.values()} == {
        id(rows) for rows in CATALOGUES if not (rows is SCHEMES or rows is FORMATS)
    }
    for name, rows in chosen.items():
        assert all(getattr(Experiment(**{name: key}), name) == key for key in rows)
