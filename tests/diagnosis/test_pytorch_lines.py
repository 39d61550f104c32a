"""The lines of PyTorch that a remedy gives do in torch what the remedy does here.

The mean square of n independent entries of variance s^2 and kurtosis k has the standard error
s^2 sqrt((k - 1) / n), k taken from the sample; five of them, and the draws are fixed by a seed.
Numbers in lines are rounded to 4 digits, which moves a variance by at most 1 / 1000.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.branch_scales import BRANCH_SCALES
from stability.catalogues.draws import Draws
from stability.catalogues.normalizations import NORM_POSITIONS, NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.scheme_needs import has_edge_of_chaos
from stability.catalogues.schemes import SCHEMES, parse_scheme
from stability.diagnosis.changes import CHANGES, single_changes
from stability.diagnosis.pytorch_lines import SETTING_LINES, scheme_lines, settings_lines
from stability.diagnosis.remedies import Remedy, join_remedies, scheme_remedy, settings_remedy
from stability.records.experiment import Experiment
from stability.records.knobs import Choice

VALUES = ("normal:1e-05", "uniform:0.6", "truncated_normal:0.3", "orthogonal:1.5", "sparse:5",
          "sparse:1000", "scaled_normal:1.5")  # fmt: skip
DRAWN = (*(key for key, row in SCHEMES.items() if row.variance), *VALUES)
SICK = (
    Experiment(schemes=("zeros",)),
    Experiment(schemes=("normal:1",), activation="sigmoid", normalization="batch", residual=True),
    Experiment(schemes=("normal:1",), optimizer="lars", learning_rate=5.0, precision="float16",
               batch=8, dropout=0.3, weight_decay=0.1, clip=3.0, activation="elu"),
    Experiment(schemes=("normal:1",), precision="float16_scaled", optimizer="muon", depth=2),
    Experiment(input_scale=77.0, input_offset=0.4),
    Experiment(weight_mean=1.7, first_gain=3.0, readout_gain=0.5, output_activation="softmax",
               warmup=1000),
    Experiment(dataset="teacher", target_scale=100.0, target_offset=-1.0),
    Experiment(label_noise=1.0, optimizer="adam", epsilon=0.1, bias_std=3.0),
    Experiment(residual=True, branch_layers=2, branch_scale="learned", normalization="layer",
               norm_position="after"),
    Experiment(taper=8.0, normalization="layer", depth=101, width=1024),
)  # fmt: skip


def execute(lines: str, **names):
    """The names after the lines were executed, with a fixed seed."""
    names |= {"torch": torch, "nn": nn}
    with torch.random.fork_rng():
        torch.manual_seed(7)
        exec(compile(lines, "<lines>", "exec"), names)
    return names


def drawn_layer(e: Experiment, scheme: str) -> nn.Linear:
    """A layer as large as the middle one, drawn by the lines of a scheme."""
    middle = e.layers[len(e.layers) // 2]
    layer = nn.Linear(middle.fan_in, middle.fan_out)
    execute(scheme_lines(e, scheme), layer=layer, first_layer=nn.Linear(9, 9), z=torch.arange(9.0))
    return layer


def has_variance(entries: torch.Tensor, variance: float) -> bool:
    squares = entries.detach().double().square().flatten()
    kurtosis = squares.square().mean() / squares.mean().square()
    error = variance * math.sqrt((kurtosis - 1).clamp(min=0) / squares.numel())
    return abs(squares.mean().item() - variance) <= 5 * error + 1e-3 * variance


@pytest.mark.parametrize("scheme", DRAWN)
@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu_0.2", "gelu"])
def test_the_lines_of_a_scheme_draw_weights_of_its_variance(scheme, activation):
    if scheme == "critical" and not has_edge_of_chaos(activation, 0.0):
        activation = "tanh"
    for e in (
        Experiment(activation=activation, width=200, depth=5),
        Experiment(activation=activation, width=300, features=100, depth=1),  # 100 x 10
    ):
        layer, middle = drawn_layer(e, scheme), e.layers[len(e.layers) // 2]
        assert has_variance(layer.weight, parse_scheme(scheme).weight_variance(middle))
        assert scheme == "pytorch" or (layer.bias == 0).all()


def test_the_lines_of_a_scheme_draw_the_biases_too():
    e = Experiment(bias_std=0.3, width=512)
    assert has_variance(drawn_layer(e, "he_normal").bias, 0.09)
    assert has_variance(drawn_layer(e, "pytorch").bias, 1 / (3 * 512))


def test_the_lines_of_a_sparse_start_leave_each_unit_so_many_weights():
    assert (drawn_layer(Experiment(), "sparse:5").weight.count_nonzero(dim=1) == 5).all()


@pytest.mark.parametrize(
    ("scheme", "e"),
    [
        *((scheme, Experiment(width=30)) for scheme in ("zeros", "constant", "constant:-2")),
        *((scheme, Experiment(width=30)) for scheme in ("identity", "zero_hadamard")),
        ("zero_hadamard", Experiment(depth=1, features=3)),  # 3 x 10
    ],
)
def test_the_lines_of_a_start_without_chance_set_the_very_weights(scheme, e):
    middle = e.layers[len(e.layers) // 2]
    expected, _ = parse_scheme(scheme).draw(middle, Draws(0, 0, middle))
    assert torch.equal(drawn_layer(e, scheme).weight, expected.float())


def test_the_lines_of_looks_linear_mirror_an_orthogonal_matrix():
    weight = drawn_layer(Experiment(width=40), "looks_linear").weight.detach()
    v = weight[:20, :20]
    assert torch.equal(weight, torch.cat([torch.cat([v, -v], 1), torch.cat([-v, v], 1)]))
    assert torch.allclose(v @ v.T, torch.eye(20), atol=1e-5)


def test_the_lines_of_lsuv_leave_an_output_of_variance_one():
    layer = nn.Linear(50, 40)
    orthogonal, biases, scaling = scheme_lines(Experiment(), "lsuv").splitlines()
    execute(f"{orthogonal}\n{biases}", layer=layer)
    x = 7 * torch.randn(64, 50, generator=torch.Generator().manual_seed(1))
    execute(scaling, layer=layer, z=layer(x).detach())
    assert math.isclose(layer(x).std().item(), 1, rel_tol=1e-4)


def test_the_lines_of_fixup_draw_the_first_layer_and_add_the_residual_connections():
    e, layers = Experiment(), [nn.Linear(64, 64) for _ in range(3)]
    names = {"z": torch.ones(5, 64), "act": nn.ReLU(), "first_layer": layers[0]}
    after = [execute(scheme_lines(e, "fixup"), layer=layer, **names)["z"] for layer in layers]
    assert has_variance(layers[0].weight, 2 / 64)
    assert all((layer.weight == 0).all() for layer in layers[1:])
    assert torch.equal(after[-1], names["z"])
    assert len(scheme_lines(replace(e, residual=True), "fixup").splitlines()) == 3


def test_only_schemes_with_a_variance_leave_their_lines_to_it():
    for row in SCHEMES.values():
        assert row.variance or not ("{std}" in row.pytorch or "{sigma_w}" in row.pytorch)
    plain = replace(SCHEMES["normal"], pytorch=type(SCHEMES["normal"]).pytorch, value=0.25)
    assert "std=0.25)" in plain.pytorch_lines(Experiment().layers[3])


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.key)
def test_the_line_of_an_activation_is_that_function(row):
    u = torch.linspace(-30, 30, 4001, dtype=torch.float64)
    act = execute(settings_lines(Experiment(), {"activation": row.key}))["act"]
    assert torch.equal(act(u), row.phi(u))


@pytest.mark.parametrize("row", NORMALIZATIONS.values(), ids=lambda row: row.key)
@pytest.mark.parametrize("before", NORMALIZATIONS)
def test_the_line_of_a_normalization_is_that_function(row, before):
    line = settings_lines(Experiment(normalization=before), {"normalization": row.key, "width": 24})
    z = 3 + torch.randn(64, 24, generator=torch.Generator().manual_seed(1))
    module = execute(f"norm = {line.splitlines()[0]}")["norm"]
    assert torch.allclose(module(z), row.apply(z), atol=1e-5)


@pytest.mark.parametrize(("decay", "beta", "eps"), [(0.0, 0.9, 1e-8), (0.1, 0.5, 0.01)])
@pytest.mark.parametrize("row", OPTIMIZERS.values(), ids=lambda row: row.key)
def test_the_lines_of_an_optimizer_take_its_steps(row, decay, beta, eps):
    model = nn.Linear(6, 6, bias=False)
    weight, state = model.weight.detach().clone(), {}
    e = Experiment(weight_decay=decay, momentum=beta, epsilon=eps)
    lines = settings_lines(e, {"optimizer": row.key, "learning_rate": row.learning_rate})
    names = {"hidden_weights": [model.weight], "other_parameters": [nn.Parameter(torch.ones(2))]}
    made = execute(lines, model=model, **names)
    made = [one for one in made.values() if isinstance(one, torch.optim.Optimizer)]
    if row is OPTIMIZERS["lars"]:  # torch has none
        assert not made
        assert all(line.startswith("#") for line in lines.splitlines())
        return
    for group in (group for one in made for group in one.param_groups):
        assert (group["lr"], group["weight_decay"]) == (row.learning_rate, decay)
    for t in range(3):
        gradient = torch.randn(6, 6, generator=torch.Generator().manual_seed(t))
        model.weight.grad = gradient.clone()
        made[0].step()
        rule = row.step_for(matrix=True, hidden=True)
        weight += rule(weight, gradient, state, row.learning_rate, decay, beta, eps)
    tolerance = 0.02 if row.hidden_step else 1e-6  # torch's Muon computes in bfloat16
    assert torch.allclose(model.weight, weight, rtol=0, atol=tolerance * weight.abs().max().item())


@pytest.mark.parametrize("row", PRECISIONS.values(), ids=lambda row: row.key)
def test_the_lines_of_a_precision_train_in_it(row):
    model, y = nn.Linear(4, 3), torch.tensor([0, 1, 2, 0])
    names = {
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loss_function": nn.functional.cross_entropy,
    }
    lines = settings_lines(Experiment(), {"precision": row.key})
    x = torch.eye(4) + 1
    before = model.weight.detach().clone()
    made = execute(lines, model=model, x=x, y=y, **names)
    assert model.weight.dtype == row.weight_dtype
    if row.scales_loss:  # the lines take a step
        assert not torch.equal(before, model.weight)
    else:
        assert made["x"].dtype == made["model"](made["x"]).dtype == row.dtype


@pytest.mark.parametrize("normalization", ["none", "layer"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("residual", [True, False])
def test_the_line_of_residual_connections_is_their_definition(residual, normalization, dropout):
    e = Experiment(residual=not residual, normalization=normalization, dropout=dropout)
    z, layer = torch.randn(8, 5, generator=torch.Generator().manual_seed(1)), nn.Linear(5, 5)
    parts = {"norm": nn.LayerNorm(5), "act": nn.ReLU(), "dropout": nn.Threshold(0.4, 0.1)}
    line = settings_lines(e, {"residual": residual})
    u = parts["norm"](z) if normalization == "layer" else z
    h = parts["dropout"](torch.relu(u)) if dropout else torch.relu(u)
    expected = z * residual + layer(h)
    assert torch.equal(execute(line, z=z, layer=layer, **parts)["z"], expected)


@pytest.mark.parametrize("scale", BRANCH_SCALES)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_line_of_branches_is_their_definition(scale, layers):
    e, z = Experiment(residual=True), torch.randn(8, 5)
    first, second, norm = nn.Linear(5, 5), nn.Linear(5, 5), nn.LayerNorm(5)
    line = settings_lines(e, {"branch_layers": layers, "branch_scale": scale})
    factor = BRANCH_SCALES[scale].factor(e.depth)
    names = {"z": z, "first": first, "second": second, "layer": first, "act": torch.relu}
    found = execute(line, norm=norm, **names)["z"]
    branch = first(torch.relu(z))
    branch = second(torch.relu(branch)) if layers == 2 else branch
    assert torch.allclose(found, z + factor * branch, atol=1e-4)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("position", NORM_POSITIONS)
def test_the_line_of_a_normalization_says_where_it_stands(position, residual):
    e, z = Experiment(residual=residual, normalization="layer"), torch.randn(8, 5)
    layer, norm, act = nn.Linear(5, 5), nn.LayerNorm(5), torch.tanh
    found = execute(settings_lines(e, {"norm_position": position}), z=z, layer=layer, norm=norm,
                    act=act)["z"]  # fmt: skip
    branch = layer(norm(act(z)) if position == "before" else act(norm(z)))
    if position == "after" and residual:  # z is normalized already
        assert torch.equal(found, norm(z + layer(act(z))))
    else:
        assert torch.equal(found, z * residual + branch)


@pytest.mark.parametrize("settings", [{"depth": 7}, {"width": 9}, {"depth": 1}, {"depth": 2}])
def test_the_lines_of_depth_and_width_make_the_layers(settings):
    e = Experiment(**settings)
    layers = execute(settings_lines(Experiment(), settings))["layers"]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [
        (layer.fan_in, layer.fan_out) for layer in e.layers
    ]


def test_the_lines_of_numbers_set_them():
    e, model = Experiment(), nn.Linear(3, 3)
    assert execute(settings_lines(e, {"steps": 900}))["steps"] == 900
    dataset = [(torch.zeros(3), 0)] * 100
    made = execute(settings_lines(e, {"batch": 32}), dataset=dataset)["loader"]
    assert [len(y) for _, y in made] == [32, 32, 32]
    model(torch.full((2, 3), 100.0)).sum().backward()
    execute(settings_lines(e, {"clip": 0.5}), model=model)
    norms = [parameter.grad.norm() for parameter in model.parameters()]
    assert math.isclose(torch.stack(norms).norm(), 0.5, rel_tol=1e-4)
    assert execute("d = " + settings_lines(e, {"dropout": 0.25}))["d"].p == 0.25


def test_the_lines_of_scaled_inputs_standardise_them_and_those_of_others_scale_them():
    x = 77 * (torch.randn(500, 3, generator=torch.Generator().manual_seed(1)) + 0.4)
    e = Experiment(input_scale=77.0, input_offset=0.4)
    plain = execute(settings_lines(e, {"input_scale": 1.0, "input_offset": 0.0}), x=x)["x"]
    assert torch.allclose(plain.mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(plain.std(0), torch.ones(3))
    lines = settings_lines(Experiment(), {"input_scale": 77.0, "input_offset": 0.4})
    assert torch.allclose(execute(lines, x=plain)["x"], 77 * (plain + 0.4))
    e = replace(SICK[-1], target_scale=77.0, target_offset=0.4)
    lines = settings_lines(e, {"target_scale": 1.0, "target_offset": 0.0})
    assert torch.allclose(execute(lines, y=x[:, :1])["y"], plain[:, :1], atol=1e-5)
    lines = settings_lines(SICK[-1], {"target_scale": 2.0, "target_offset": 0.5})
    assert torch.allclose(execute(lines, y=plain)["y"], 2 * plain + 1)


def test_the_lines_of_labels_find_those_that_were_made_wrong():
    e, noisy = Experiment(dataset="blobs"), Experiment(label_noise=0.25)
    y, x = torch.arange(2000) % 10, torch.zeros(2000, 1)
    made = execute(settings_lines(e, {"label_noise": 0.25}), y=y.clone())["y"]
    changed = made != y
    assert abs(changed.double().mean() - 0.25) < 4 * (0.25 * 0.75 / 2000) ** 0.5
    found = execute(
        settings_lines(noisy, {"label_noise": 0.0}),
        x=x, y=made, model=lambda _: 5.0 * nn.functional.one_hot(y, 10),
    )["suspects"]  # fmt: skip
    assert set(found[: changed.sum()].tolist()) == set(changed.nonzero().flatten().tolist())


def test_the_lines_of_weights_move_and_scale_them_and_those_of_the_output_append_a_module():
    layer = nn.Linear(50, 40)
    before = layer.weight.data.clone()
    execute(settings_lines(Experiment(), {"weight_mean": 1.5}), layer=layer)
    assert math.isclose(layer.weight.data.mean(), 1.5 * before.std(), rel_tol=1e-4)
    execute(settings_lines(Experiment(weight_mean=1.5), {"weight_mean": 0.0}), layer=layer)
    assert torch.allclose(layer.weight, before - before.mean(), atol=1e-6)
    model = nn.Sequential(nn.Linear(4, 3))
    x = torch.randn(5, 4)
    plain = model(x)
    model = execute(settings_lines(Experiment(), {"output_activation": "relu"}), model=model)[
        "model"
    ]
    assert torch.equal(model(x), plain.relu())
    e = Experiment(output_activation="relu")
    model = execute(settings_lines(e, {"output_activation": "none"}), model=model)["model"]
    assert torch.equal(model(x), plain)
    layers = [nn.Linear(4, 4), nn.Linear(4, 3)]
    before = [each.weight.data.clone() for each in layers]
    execute(settings_lines(Experiment(), {"readout_gain": 0.1}), layers=layers)
    assert torch.equal(layers[0].weight, before[0])
    assert torch.allclose(layers[1].weight, 0.1 * before[1])


def test_every_setting_of_a_network_or_its_training_has_a_line():
    inert = {"schemes", "dataset", "features", "samples", "noise", "replicates", "seed"}
    inert |= {"classes", "imbalance", "exponent", "periods"}
    assert set(SETTING_LINES) == set(Experiment.knobs()) - inert
    for name, knob in Experiment.knobs().items():
        for key in knob.rows if isinstance(knob, Choice) else ():
            assert bool(settings_lines(Experiment(), {name: key})) == (name not in inert), key


@pytest.mark.parametrize("e", SICK, ids=lambda e: e.optimizer + e.precision + e.activation)
def test_every_change_has_one_to_three_lines_that_compile(e):
    found = dict(single_changes(e, e.schemes[0]))
    for key, remedy in found.items():
        assert 1 <= len(remedy.pytorch.splitlines()) <= 3, key
        assert all(len(line) <= 100 for line in remedy.pytorch.splitlines()), remedy.pytorch
        compile(remedy.pytorch, key, "exec")


def test_every_change_is_among_those_whose_lines_are_compiled():
    compiled = {key for e in SICK for key, _ in single_changes(e, e.schemes[0])}
    assert compiled == {change.key for change in CHANGES}


@pytest.mark.parametrize(("depth", "width", "taper"), [(20, 64, 8.0), (5, 21, 2.5), (3, 9, 64.0)])
def test_the_lines_of_a_taper_make_layers_of_its_sizes(depth, width, taper):
    e = Experiment(depth=depth, width=width)
    found = execute(settings_lines(e, {"taper": taper}))["layers"]
    layers = replace(e, taper=taper).layers
    assert [(one.in_features, one.out_features) for one in found] == [
        (layer.fan_in, layer.fan_out) for layer in layers
    ]


def test_a_joined_remedy_has_the_lines_of_both_without_contradiction():
    e = Experiment(weight_decay=0.1)
    rate, decay = settings_remedy(e, learning_rate=0.002), settings_remedy(e, weight_decay=0.0)
    joined = join_remedies(rate, decay)
    assert joined.pytorch == "optimizer = torch.optim.SGD(model.parameters(), lr=0.002)"
    joined = join_remedies(scheme_remedy(e, "he_normal"), settings_remedy(e, activation="tanh"))
    assert "act = nn.Tanh()" in joined.pytorch
    assert "kaiming_normal_" in joined.pytorch
    leaky = settings_remedy(e, activation="leaky_relu_0.2")
    assert "a=0.2" in join_remedies(scheme_remedy(e, "he_normal"), leaky).pytorch
    joined = join_remedies(Remedy(scheme="zeros", pytorch="a"), Remedy(pytorch="b"))
    assert joined.pytorch == "a\nb"
