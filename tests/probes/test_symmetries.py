"""Symmetries of hidden units against plain torch.nn; and what breaks ties between units."""

from dataclasses import replace
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stability import frames
from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.schemes import SCHEMES
from stability.engine.runs import Run
from stability.engine.training import batch_indices, draw_stack_and_data
from stability.page import table_headings
from stability.page.probe_sentences import symmetry_sentence, tie_sentence
from stability.probes.symmetries import (
    SYMMETRIES,
    row_differences,
    symmetry_changes,
    why_no_symmetries,
)
from stability.records.experiment import Experiment
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps

E = Experiment(
    schemes=("he_normal", "pytorch"),
    depth=4,
    width=8,
    features=5,
    samples=64,
    batch=16,
    bias_std=0.3,
    replicates=2,
)
PHI = {"relu": nn.ReLU, "tanh": nn.Tanh, "linear": nn.Identity, "gelu": nn.GELU}
ROUNDING = 1e-12  # of the output: a few hundred operations in float64
ODD = {"linear", "tanh", "hardtanh", "softsign", "erf", "sine"}
HOMOGENEOUS = {"linear", "relu", "leaky_relu", "leaky_relu_0.2"}


class Plain(nn.Module):
    """The same network in torch.nn alone, with the weights of network n."""

    def __init__(self, e: Experiment, n: int):
        super().__init__()
        stack, _ = draw_stack_and_data(replace(e, precision="float64"))
        pairs = zip(
            *[
                [part[n].detach() for group in groups for part in group]
                for groups in (stack.weights, stack.biases)
            ],
            strict=True,
        )
        self.phi, self.residual, self.layers = PHI[e.activation](), e.residual, nn.ModuleList()
        self.norm = {
            "none": nn.Identity(),
            "layer": nn.LayerNorm(e.width, elementwise_affine=False),
        }[e.normalization]
        for weight, bias in pairs:
            self.layers.append(nn.Linear(weight.shape[1], weight.shape[0]).double())
            self.layers[-1].load_state_dict({"weight": weight.clone(), "bias": bias.clone()})

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        z = self.layers[0](x)
        for index, layer in enumerate(self.layers[1:], start=1):
            through = layer(self.phi(self.norm(z)))
            z = z + through if self.residual and index < len(self.layers) - 1 else through
        return z


@torch.no_grad()
def by_hand(plain: Plain, key: str, index: int, i: int, j: int) -> None:
    """The same change, entry by entry; `start` is what `shift` is compared with."""
    here, there = plain.layers[index], plain.layers[index + 1]
    ways_in = [here.weight, here.bias]
    for part in ways_in:
        if key in ("swap", "swap_incoming"):
            part[i], part[j] = part[j].clone(), part[i].clone()
        elif key in ("flip", "rescale"):
            part[i] *= {"flip": -1, "rescale": 2}[key]
        else:
            part[j] = part[i]
    for row in there.weight:
        if key == "swap":
            row[i], row[j] = row[j].clone(), row[i].clone()
        elif key in ("flip", "rescale"):
            row[i] /= {"flip": -1, "rescale": 2}[key]
        elif key == "shift":
            row[i], row[j] = row[i] + row[j], 0


def reference(
    e: Experiment, key: str, layer: int, units: tuple[int, int], n: int
) -> tuple[float, float]:
    """Largest difference of the output, and its largest entry before."""
    _, data = draw_stack_and_data(replace(e, precision="float64"))
    x, outputs = data.x[next(batch_indices(e))], []
    for done in ("start" if key == "shift" else "", key):
        plain = Plain(e, n)
        for index in range(e.depth - 1) if e.residual else (layer - 1,):
            if done:
                by_hand(plain, done, index, *units)
        outputs.append(plain(x))
    return (outputs[1] - outputs[0]).abs().max().item(), outputs[0].abs().max().item()


# The output


def test_layers_have_the_same_output_in_the_reference():
    e = replace(E, precision="float64")
    stack, data = draw_stack_and_data(e)
    x = data.x[:7]
    for n in range(e.network_count):
        assert torch.allclose(stack.forward(x).output[n], Plain(e, n)(x), rtol=1e-12)


@pytest.mark.parametrize("key", SYMMETRIES)
@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize(
    "settings",
    [{}, {"residual": True}, {"normalization": "layer"}],
    ids=["plain", "residual", "layer"],
)
def test_the_output_moves_by_as_much_as_that_of_a_plain_torch_network(key, activation, settings):
    e = replace(E, activation=activation, **settings)
    change = symmetry_changes(e, 2, (6, 1))[key]
    for n in range(e.network_count):
        expected, size = reference(e, key, 2, (6, 1), n)
        assert change.moved.ravel()[n] == pytest.approx(expected, abs=ROUNDING * size)
        assert change.size.ravel()[n] == pytest.approx(size)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_symmetry_moves_the_output_by_rounding_and_what_is_none_moves_it(
    activation, normalization
):
    settings = {"activation": activation, "normalization": normalization}
    e = replace(E, schemes=("normal:1",), w0=1, **settings)  # a fast wave makes chaos of rounding
    for layer, (key, row) in product((1, 3), SYMMETRIES.items()):
        change = symmetry_changes(e, layer, (2, 5))[key]
        share = change.moved / change.size
        assert (share > 1e-6).all() if row.why_broken(e, layer) else (share < ROUNDING).all(), (
            layer,
            key,
        )


def test_which_symmetries_hold_is_what_mathematics_says():
    for activation, normalization in ((a, n) for a in ACTIVATIONS for n in NORMALIZATIONS):
        e = Experiment(activation=activation, normalization=normalization)
        flip, rescale = (
            activation in ODD and normalization != "layer",
            activation in HOMOGENEOUS and normalization == "none",
        )
        expected = {
            "swap": True,
            "swap_incoming": False,
            "flip": flip,
            "rescale": rescale,
            "shift": True,
        }
        assert {key: not row.why_broken(e, 19) for key, row in SYMMETRIES.items()} == expected


def test_a_flipped_sigmoid_leaves_a_constant_that_batch_norm_takes_away_but_not_from_the_output():
    e = replace(E, activation="sigmoid", normalization="batch")
    for layer in (1, 2, 3):
        assert bool(SYMMETRIES["flip"].why_broken(e, layer)) == (layer == 3)
        assert bool(SYMMETRIES["flip"].why_broken(replace(e, normalization="none"), layer))
        assert bool(SYMMETRIES["flip"].why_broken(replace(e, residual=True), layer))


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_every_hidden_layer_and_the_narrowest_one_have_symmetries(layer):
    for e in (
        E,
        replace(E, width=2),
        replace(E, dropout=0.5),
        replace(E, schemes=("lsuv", "orthogonal")),
    ):
        change = symmetry_changes(e, layer)["swap"]
        assert (change.moved <= ROUNDING * change.size).all()


def test_with_residual_connections_one_layer_alone_has_no_symmetry():
    """The skip hands unit i on past all weights: swapping one layer's units is noticed."""
    e = replace(E, residual=True)
    assert (symmetry_changes(e, 2, (0, 1))["swap"].moved < 1e-12).all()
    _, data = draw_stack_and_data(replace(e, precision="float64"))
    plain, x = Plain(e, 0), data.x[:16]
    before = plain(x)
    by_hand(plain, "swap", 1, 0, 1)
    assert (plain(x) - before).abs().max() > 1e-2 * before.abs().max()


def test_numbers_that_leave_the_range_are_null_and_said_to_be():
    e = Experiment(schemes=("normal:1e6", "zeros"), activation="linear", depth=60, width=8)
    change = symmetry_changes(e)["swap"]
    assert np.isnan(change.moved[0, 0])
    assert change.moved[1, 0] == 0
    assert symmetry_sentence(e, "swap", "normal:1e6").endswith("is not finite.")
    assert symmetry_sentence(e, "swap", "zeros").endswith("does not move at all.")


def test_a_sentence_says_what_was_done_and_by_how_much():
    words = symmetry_sentence(replace(E, activation="tanh"), "swap", "he_normal", 2, (3, 6))
    assert words.startswith(
        "Units 4 and 7 of layer 2 swapped: the output of He (normal) moves by at most "
    )
    assert "all hidden layers" in symmetry_sentence(replace(E, residual=True), "rescale", "pytorch")
    for key in SYMMETRIES:
        assert symmetry_sentence(E, key, "pytorch").endswith(".")


def test_where_there_is_nothing_a_sentence_says_why():
    e = replace(E, depth=1)
    assert symmetry_changes(e) == row_differences(e) == {}
    assert symmetry_sentence(e, "swap", "he_normal") == why_no_symmetries(e) != ""
    assert why_no_symmetries(E) == ""
    assert len(frames.symmetry_frame(e)) == 0


@pytest.mark.parametrize(
    ("layer", "units"), [(0, (0, 1)), (4, (0, 1)), (1, (0, 0)), (1, (0, 8)), (1, (-1, 2))]
)
def test_only_hidden_layers_and_two_of_their_units_are_legal(layer, units):
    with pytest.raises(ValueError, match=r"(layer|units) must be"):
        symmetry_changes(E, layer, units)


@pytest.mark.parametrize("layer", [0, 4])
def test_gradients_have_rows_of_hidden_units_alone(layer):
    with pytest.raises(ValueError, match="layer must be"):
        row_differences(E, layer)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_can_be_swapped_and_no_two_rows_share_a_deed(scheme):
    e, _ = Experiment.from_query({"schemes": scheme, "width": "8", "depth": "4"})
    change = symmetry_changes(e)["swap"]
    assert (change.moved <= ROUNDING * change.size).all()
    assert len({row.description for row in SYMMETRIES.values()}) == len(SYMMETRIES)


def test_a_change_does_not_depend_on_what_the_caller_has_switched_off():
    expected = symmetry_changes(replace(E, seed=5))["flip"].moved
    with torch.inference_mode():
        assert np.array_equal(symmetry_changes(replace(E, seed=5, steps=7))["flip"].moved, expected)
        assert row_differences(E)["drawn"].moved.shape == (2, 2)


# Ties


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_gradient_rows_tie_only_where_the_outgoing_weights_do(activation):
    """By plain autograd: W_1 constant; W_2 constant, then random.

    The tie of W_1's rows breaks at the first step.
    """
    x, y = (
        torch.randn((32, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64),
        torch.arange(32) % 3,
    )
    random = torch.randn((3, 8), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tied = random[:, :1].expand(
        3, 8
    )  # every unit's outgoing weights the same, and not all classes alike
    for second, ties in (
        (torch.full((3, 8), 0.1, dtype=torch.float64), True),
        (tied, True),
        (random, False),
    ):
        first = torch.full((8, 5), 0.1, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(
            F.cross_entropy(PHI[activation]()(x @ first.T) @ second.T, y), first
        )
        after = x @ (first - 0.1 * gradient).T
        apart = (after - after[:, :1]).abs().max().item()
        assert (apart < 1e-15) == ties if second is not random else apart > 1e-4


def test_row_differences_are_those_of_plain_autograd():
    e = replace(
        E,
        schemes=("constant", "he_normal"),
        bias_std=0.0,
        activation="tanh",
        replicates=1,
        dataset="teacher",
    )
    found, (stack, data) = (
        row_differences(e, 2),
        draw_stack_and_data(replace(e, precision="float64")),
    )
    batch = next(batch_indices(e))
    for n in range(2):
        weights = [w[n].detach().clone().requires_grad_() for group in stack.weights for w in group]
        h = data.x[batch]
        for weight in weights[:-1]:
            h = torch.tanh(h @ weight.T)
        (gradient,) = torch.autograd.grad(F.mse_loss(h @ weights[-1].T, data.y[batch]), weights[1])
        apart = (gradient.unsqueeze(0) - gradient.unsqueeze(1)).abs().max().item()
        assert found["drawn"].size[n, 0] == pytest.approx(gradient.abs().max().item())
        assert found["drawn"].moved[n, 0] == pytest.approx(
            apart, abs=1e-12 * gradient.abs().max().item()
        )
    tie, break_ = (found[name].moved[0, 0] / found[name].size[0, 0] for name in ("drawn", "random"))
    assert tie < 1e-12 < 0.1 < break_


def test_a_constant_output_layer_sends_back_nothing_through_a_softmax():
    """The errors of an example add up to 0 over the classes, and equal weights add them up."""
    e = replace(E, schemes=("constant",), bias_std=0.0, activation="tanh")
    assert (row_differences(e, 3)["drawn"].size < 1e-16).all()
    assert (row_differences(e, 3)["random"].size > 1e-6).all()


@cache
def trained(**settings) -> Run:
    run = Run(
        Experiment(
            schemes=("constant", "he_normal"),
            depth=4,
            width=8,
            features=5,
            samples=64,
            batch=16,
            steps=30,
            activation="tanh",
            learning_rate=0.5,
            **settings,
        )
    )
    assert len(list(run)) == 31
    return run


def distinct(run: Run) -> np.ndarray:
    """`(taken, S, L-1)`."""
    return np.stack(
        [
            run.measurements[step].distinct[:, 0]
            for step in sorted(evenly_spread_steps(run.experiment.steps, SAMPLED_STEPS))
        ]
    )


def test_constant_weights_stay_one_unit_wide_and_learn_while_random_ones_start_apart():
    run = trained()
    assert (distinct(run)[:, 0] == 1).all()
    assert (distinct(run)[:, 1] == 8).all()
    assert run.measurements[-1].loss[0, 0] < run.measurements[0].loss[0, 0] - 0.1
    assert (run.measurements[-1].update[0] > 0).all(), "every layer moves, its units together"


def test_dropout_breaks_the_tie():
    counts = distinct(trained(dropout=0.3))[:, 0]
    assert (counts[0] == 1).all()
    assert (counts[-1] == 8).all()


def test_batch_by_batch_training_of_plain_torch_stays_as_wide():
    """torch.nn and torch.optim.SGD from constant weights: the rows of W stay equal to rounding."""
    model = nn.Sequential(
        nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)
    ).double()
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.1)
    random = torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(30):
        x = torch.randn((16, 5), generator=random, dtype=torch.float64)
        optimizer.zero_grad()
        F.cross_entropy(model(x), x.argmax(dim=1) % 3).backward()
        optimizer.step()
    for layer in (model[0], model[2]):
        assert (layer.weight - layer.weight[0]).abs().max() < 1e-12
        assert (layer.weight - 0.1).abs().max() > 1e-2


# Tables and pictures


def brute(z: np.ndarray) -> int:
    """Count units `(batch, width)` of which none before is within 1e-5 of the RMS everywhere."""
    rms, leaders = np.sqrt(np.square(z).mean()) or 1, []
    for unit in z.T:
        if not any(np.abs(unit - leader).max() <= 1e-5 * rms for leader in leaders):
            leaders.append(unit)
    return len(leaders)


RUNS = {
    "three fates": {"schemes": ("he_normal", "constant", "normal:30"), "depth": 30, "steps": 25},
    "replicates": {"schemes": ("sparse:1", "identity"), "depth": 5, "steps": 7, "replicates": 3},
    "one hidden layer": {"schemes": ("zeros",), "depth": 2, "steps": 1},
    "none": {"depth": 1, "steps": 3},
}


@cache
def finished(name: str) -> Run:
    run = Run(Experiment(**{"width": 4, "features": 3, "samples": 64, "batch": 8} | RUNS[name]))
    assert list(run)
    return run


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("part", [0.01, 0.5, 1.0])
def test_the_table_covers_every_scheme_layer_and_step_taken_with_the_count_measured(name, part):
    run = finished(name)
    e, count = run.experiment, max(1, int(part * len(run.measurements)))
    frame = frames.symmetry_tables(run, count)["distinct"].to_pandas()
    taken = [step for step in sorted(evenly_spread_steps(e.steps, SAMPLED_STEPS)) if step < count]
    assert sorted(set(frame["step"])) == (taken if e.depth > 1 else [])
    found = {
        (row.scheme, row.step, layer): row
        for row in frame.itertuples()
        for layer in range(row.layer, row.last + 1)
    }
    assert (
        len(found)
        == (frame["last"] - frame["layer"] + 1).sum()
        == len(e.schemes) * len(taken) * (e.depth - 1)
    )
    for (scheme, step, layer), row in found.items():
        expected = np.sort(run.measurements[step].distinct[e.schemes.index(scheme), :, layer - 1])[
            e.replicates // 2
        ]
        assert row.distinct == pytest.approx(expected, nan_ok=True)
        assert row.share == pytest.approx(expected / e.width, nan_ok=True)
        assert row.since <= step <= row.until


def test_bins_of_steps_follow_one_another_from_the_first_to_the_last():
    for name in ("three fates", "replicates", "one hidden layer"):
        run = finished(name)
        frame = frames.symmetry_tables(run)["distinct"].to_pandas()
        edges = sorted(set(zip(frame["since"], frame["until"], strict=True)))
        assert edges[0][0] == 0
        assert edges[-1][1] == run.experiment.steps
        assert all(one[1] == other[0] for one, other in pairwise(edges))


def test_counts_at_the_start_are_those_of_brute_force():
    for name in ("replicates", "three fates"):
        e = replace(finished(name).experiment, replicates=1, depth=5)
        stack, data = draw_stack_and_data(e)
        z = stack.forward(data.x[next(batch_indices(e))], 0).z
        frame = frames.symmetry_tables(started(e), 1)["distinct"].to_pandas()
        for row in frame.itertuples():
            for layer in range(row.layer, row.last + 1):
                assert row.distinct == brute(
                    z[layer - 1][e.schemes.index(row.scheme)].detach().double().numpy()
                )


def started(e: Experiment) -> Run:
    run = Run(e)
    run.measurement_at(0)
    return run


def test_steps_whose_profiles_were_let_go_are_left_out():
    run = Run(replace(finished("replicates").experiment, steps=60), profile_bytes=30_000)
    assert list(run)
    assert len(run.profile_steps & evenly_spread_steps(60, SAMPLED_STEPS)) < SAMPLED_STEPS
    assert set(
        frames.symmetry_tables(run)["distinct"]["step"].to_pylist()
    ) == run.profile_steps & evenly_spread_steps(60, SAMPLED_STEPS)


def test_the_frame_has_a_row_for_each_symmetry_and_scheme_and_headings_for_its_columns():
    frame = frames.symmetry_frame(E)
    assert len(frame) == len(SYMMETRIES) * len(E.schemes)
    assert list(frame.columns) == list(table_headings.SYMMETRY_HEADINGS)
    assert (frame["share"] < ROUNDING)[frame["unnoticed"]].all()
    by_luck = frame["note"].str.startswith("Of these weights alone.")
    assert ((frame["note"] == "") | by_luck).equals(frame["unnoticed"])
    swap = symmetry_changes(E)["swap_incoming"]
    assert (
        frame[frame["symmetry"] == SYMMETRIES["swap_incoming"].label]["moved"].tolist()
        == swap.moved.max(axis=1).tolist()
    )


def units(node: dict) -> list[dict]:
    """The drawn layers, each with the data of its panel where it has none of its own."""
    return [
        {"data": panel.get("data", node.get("data"))} | unit
        for panel in node["vconcat"]
        for unit in panel["layer"]
    ]


def test_what_ties_equal_units_is_said_and_only_of_them():
    e = Experiment(
        schemes=("constant:0.1", "zeros", "he_normal"),
        activation="tanh",
        depth=3,
        width=6,
        features=5,
    )
    assert "layer 2 gets no gradient" in tie_sentence(e, "constant:0.1", 2), (
        "the errors of a softmax add up to 0"
    )
    assert "layer 2 gets a gradient of equal rows" in tie_sentence(
        replace(e, dataset="linear"), "constant:0.1", 2
    )
    assert "would differ by up to" in tie_sentence(e, "constant:0.1", 2)
    assert tie_sentence(e, "constant:0.1", 1) == "", "nothing arrives there whatever is above it"
    assert tie_sentence(e, "he_normal", 2) == "", "these were never alike"
