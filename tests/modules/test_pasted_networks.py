"""Pasted text is read by a grammar, held against itself, and built; nothing of it is evaluated."""

import random
from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.schemes import SCHEMES
from stability.engine.parameters import Parameters
from stability.modules import network_plan
from stability.modules.built_network import build_network, leaf_modules, standard_inputs
from stability.modules.network_plan import NetworkPlan, read_network
from stability.records.experiment import Experiment

PRINTED = """Sequential(
  (0): Flatten(start_dim=1, end_dim=-1)
  (1): Linear(in_features=784, out_features=300, bias=True)
  (2): ReLU()
  (3): Linear(in_features=300, out_features=10, bias=True)
)"""


def plan(text: str) -> NetworkPlan:
    found = read_network(text)
    assert isinstance(found, NetworkPlan), found
    return found


# Layer sizes


@pytest.mark.parametrize(
    "text",
    [
        "784-512-10", "784x512x10", "784 512 10", " 784 - 512 - 10 ", "784×512×10", "784, 512, 10",
        "[784, 512, 10]", "784→512→10", "784->512->10", "784\n512\n10\n",
    ],
)  # fmt: skip
def test_sizes_are_separated_as_people_separate_them(text):
    assert plan(text).widths == (784, 512, 10)
    assert plan(text).scheme == ""
    assert plan(text).parameters == 785 * 512 + 513 * 10


@pytest.mark.parametrize(
    ("words", "activation", "scheme"),
    [
        ("", "relu", ""),
        ("tanh", "tanh", ""),
        ("he_normal", "relu", "he_normal"),
        ("tanh xavier_normal", "tanh", "xavier_normal"),
        ("kaiming gelu", "gelu", "he_normal"),
        ("ReLU, nn.init.kaiming_uniform_", "relu", "he_uniform"),
        ("leaky relu 0.2 N(0, 0.02)", "leaky_relu_0.2", "normal:0.02"),
        ("orthogonal 1.4 LeakyReLU", "leaky_relu", "orthogonal:1.4"),
        ("swish pytorch default", "silu", "pytorch"),
        ("erf normal:0.1", "erf", "normal:0.1"),
        ("identity", "relu", "identity"),
        ("linear orthogonal", "linear", "orthogonal"),
    ],
)
def test_activation_and_scheme_follow_in_either_order_by_any_of_their_names(
    words, activation, scheme
):
    found = plan(f"6-5-4 {words}")
    assert network_plan.activation_key(found.layers[1]) == activation
    assert found.scheme == scheme


@pytest.mark.parametrize("key", ACTIVATIONS)
def test_every_activation_of_the_page_can_be_named_and_computes_what_its_row_says(key):
    phi = list(leaf_modules(build_network(plan(f"3-4-2 {key}"))))[1]
    u = torch.linspace(-3, 3, 13)
    torch.testing.assert_close(phi(u.clone()), ACTIVATIONS[key].phi(u.clone()))


# What print(model) writes

WIDTH = 4
ELEMENTWISE = [
    nn.ReLU(), nn.ReLU(inplace=True), nn.LeakyReLU(0.2), nn.ELU(1.5), nn.SELU(), nn.CELU(),
    nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Softplus(), nn.Softsign(), nn.Tanh(), nn.Sigmoid(),
    nn.Hardtanh(-2, 2), nn.Hardshrink(0.3), nn.PReLU(), nn.PReLU(WIDTH), nn.RReLU(),
    nn.Threshold(0.1, 2), nn.Dropout(0.1), nn.AlphaDropout(0.5), nn.Identity(), nn.Flatten(),
    nn.Softmax(dim=1), nn.LogSoftmax(dim=-1), nn.BatchNorm1d(WIDTH),
    nn.BatchNorm1d(WIDTH, affine=False),
    nn.BatchNorm1d(WIDTH, momentum=None, track_running_stats=False), nn.LayerNorm(WIDTH),
    nn.LayerNorm(WIDTH, elementwise_affine=False), nn.LayerNorm(WIDTH, bias=False, eps=1e-12),
    nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH, eps=1e-6), nn.GroupNorm(2, WIDTH),
]  # fmt: skip
LAYERS = st.sampled_from(ELEMENTWISE) | st.builds(
    nn.Linear, st.just(WIDTH), st.just(WIDTH), st.booleans()
)
NAMES = st.text("abcxyz_019-", min_size=1, max_size=4)


def sequential(names: list[str], layers: list[nn.Module]) -> nn.Sequential:
    return nn.Sequential(OrderedDict(zip(names, layers, strict=False)))


@given(
    st.recursive(
        LAYERS,
        lambda inner: st.builds(
            sequential,
            st.lists(NAMES, min_size=4, max_size=4, unique=True),
            st.lists(inner, max_size=4),
        ),
    )
)
def test_what_print_writes_is_built_to_a_module_that_prints_the_same(model):
    model = nn.Sequential(model, nn.Linear(WIDTH, 3))
    built = build_network(plan(str(model)))
    assert str(built) == str(model)
    assert built.state_dict().keys() == model.state_dict().keys()
    assert built(standard_inputs(plan(str(model)), batch=8)).shape == (8, 3)


def test_the_program_that_makes_a_network_is_read_too():
    source = (
        "model = nn.Sequential(nn.Linear(5, 4), torch.nn.Tanh(),\n nn.Linear(4, 1, bias=False),)"
    )
    assert plan(source).widths == (5, 4, 1)
    assert plan(f"{source} xavier").scheme == "xavier_normal"


# What cannot be read

UNFIT = PRINTED.replace("in_features=300", "in_features=256")


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("", "", "Paste"),
        ("784", "column 4, where the text ends", "further layer"),
        ("784-0-10", "column 5, at “0-10”", "not 0"),
        ("784-1000000-10", "column 5", "100,000"),
        ("99999999999999999999999-3", "column 1", "more than 20 digits"),
        ("784-512-10 relux", "column 12, at “relux”", "did you mean relu?"),
        ("784-512-10 relu hee_normal", "column 17", "did you mean he_normal?"),
        ("784-512-10 relu he_normal and more", "column 27", "no initialization"),
        ("6-5-4 fixup", "", "residual must be true"),
        ("6-5-4 looks_linear", "", "width must be even"),
        ("7000-7000-7000", "", "at most 50,000,000"),
        ("__import__('os').system('rm -rf /')", "column 1", "“__import__” is none of them"),
        ("cos\nsystem\n(S'ls'\ntR.", "line 1, column 1", "expected Sequential"),
        ("MyNet(\n  (fc): Linear(1, 2)\n)", "column 1", "“MyNet” is none of them"),
        ("Sequential(\n  (0): Conv2d(1, 2)\n)", "line 2, column 8", "“Conv2d” is none of them"),
        ("Sequential(\n  (0): Linaer(1, 2)\n)", "line 2, column 8", "did you mean Linear?"),
        ("Sequential((0): Linear(1, 2)", "where the text ends", "closing parenthesis"),
        ("Sequential((0): Linear(1, 2)))", "column 30, at “)”", "the end of the text"),
        ("Linear(1, 2 bias=True)", "column 13", "comma or a closing parenthesis"),
        ("Linear(1, open('x'))", "column 11", "a number, True"),
        ("Linear(1, 2, bias=[])", "column 19", "a number, True"),
        ("Linear(1)", "column 1", "missing a required argument"),
        ("Linear(1, 2, device='cuda')", "column 1", "unexpected keyword argument"),
        ("Linear(1, 2, bias=True, bias=True)", "column 1", "given twice"),
        ("Linear(True, 2)", "column 1", "not True"),
        ("Sequential(Linear(1, 2), Dropout(p=2))", "column 26", "between 0 and 1"),
        ("Sequential(Linear(1, 6), GroupNorm(4, 6))", "column 26", "divisible"),
        ("Sequential(Linear(1, 6), GroupNorm(0, 6))", "column 26", "at least 1"),
        ("Sequential(Linear(1, 6), GELU('no'))", "column 26", "none or tanh"),
        ("Sequential(Linear(1, 6), Softmax())", "column 26", "dim must be"),
        ("Sequential(Linear(1, 6), LayerNorm((2, 3)))", "column 26", "whole numbers"),
        ("Sequential((a): ReLU() (a): ReLU())", "column 24", "second layer of the name a"),
        ("Sequential((train): Linear(1, 2))", "column 21", "name train"),
        ("Sequential(ReLU())", "column 1", "no Linear layer"),
        (UNFIT, "line 5, column 8, at “Linear(in_features=256,…”", "256 inputs, but 300 reach it"),
        ("Sequential(" * 30, "column", "more than 20 layers within one another"),
        ("Sequential(" + "ReLU()," * 1001 + ")", "column", "more than 1000 layers"),
        ("9-" * 600 + "9", "column 1", "more than 1000 layers"),
        *((piece * (100_000 // len(piece)), "olumn", "") for piece in (
            "(", ")", "a", "9", "1-", "1 ", "a=", "Sequential(", "Linear(", "relu ", "'", "\0", "𝟘"
        )),
        ("Linear((" + "1," * 50_000, "where the text ends", "a number"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_network_is_refused_in_a_sentence(text, where, words):
    sentence = read_network(text)
    assert isinstance(sentence, str)
    assert where.lower() in sentence.lower()
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 400


@given(st.text(max_size=40) | st.text("Sequential(Linear01): ,=.-'x", max_size=60))
def test_any_text_is_a_network_or_gets_a_sentence(text):
    assert isinstance(read_network(text), (NetworkPlan, str))


# What is built


def test_a_built_network_has_the_weights_of_the_train_bench():
    for scheme in ("he_normal", "pytorch", "orthogonal:1.4", "unit_gain", "looks_linear"):
        e = Experiment(schemes=scheme, activation="tanh", depth=4, width=6, features=5, seed=3)
        built = build_network(plan("5-6-6-6-10 tanh"), scheme, seed=3)
        linear = [leaf for leaf in leaf_modules(built) if isinstance(leaf, nn.Linear)]
        stack = Parameters(e, torch.device("cpu")).layers()
        for leaf, (weights, bias) in zip(linear, stack, strict=True):
            assert torch.equal(leaf.weight, weights[0])
            assert torch.equal(leaf.bias, bias[0])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_starts_a_network_or_says_why_not(scheme):
    found = read_network(f"6-4-8-2 tanh {scheme}")
    if isinstance(found, str):
        assert scheme == "fixup"
        return
    inputs = standard_inputs(found)
    assert torch.isfinite(build_network(found)(inputs)).all()


def test_lsuv_gives_each_layer_outputs_of_variance_1():
    found = plan(
        "Sequential(Linear(9, 8), Dropout(0.5), BatchNorm1d(8), Tanh(), Linear(8, 7)) lsuv"
    )
    built = build_network(found).eval()
    first = built[0](standard_inputs(found))
    assert first.var(correction=0).item() == pytest.approx(1, abs=0.1)
    assert built[2].num_batches_tracked == 0


def test_building_draws_no_global_random_number_and_gives_the_same_twice():
    before, python = torch.random.get_rng_state(), random.getstate()
    text = "Sequential(Linear(9, 8), Dropout(0.5), RReLU(), PReLU(8), Linear(8, 7)) lsuv"
    one, other = build_network(plan(text)), build_network(plan(text))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert random.getstate() == python
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.dtype == torch.float32
    assert one.training
