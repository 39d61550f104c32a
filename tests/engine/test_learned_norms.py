"""MetaInit against the paper's own program, one plain network of torch.nn at a time.

Dauphin & Schoenholz 2019, appendix A: the product Hg is taken there by the derivative of |g|^2 / 2,
here from the whole matrix of second derivatives.
"""

import pytest
import torch
from plain_pytorch import PlainNetwork
from torch import Tensor
from torch.autograd.functional import hessian
from torch.func import functional_call

from stability.catalogues.draws import Draws
from stability.catalogues.metainit import gradient_quotients
from stability.catalogues.schemes import parse_scheme
from stability.engine.learned_norms import random_examples
from stability.engine.losses import mean_losses
from stability.engine.network import Stack
from stability.engine.training import draw_stack_and_data
from stability.records.experiment import Experiment

CPU = torch.device("cpu")
SMALL = {"depth": 3, "width": 4, "features": 3, "batch": 6, "samples": 64, "steps": 1,
         "classes": 3}  # fmt: skip
SHAPES = [
    {"activation": "relu", "bias_std": 0.3, "depth": 4, "width": 6, "features": 5, "batch": 12},
    {"activation": "tanh", "dataset": "teacher"},
    {"activation": "gelu", "residual": True, "branch_scale": "root_half"},
    {"activation": "softplus", "normalization": "layer", "taper": 2.0},
    {"activation": "tanh", "normalization": "rms", "readout_gain": 0.5},
]
EACH_SHAPE = pytest.mark.parametrize(
    "shape", SHAPES, ids=[shape["activation"] + str(n) for n, shape in enumerate(SHAPES)]
)


def experiment(shape: dict, *schemes: str) -> Experiment:
    return Experiment(schemes=schemes, precision="float64", seed=3, **SMALL | shape)


def plain_quotient(plain: PlainNetwork, x: Tensor, y: Tensor) -> float:
    """The gradient quotient of the paper, from all second derivatives."""
    named = {name: p.detach() for name, p in plain.named_parameters() if p.requires_grad}
    sizes = [p.numel() for p in named.values()]

    def loss_of(flat: Tensor) -> Tensor:
        parts = zip(named.items(), flat.split(sizes), strict=True)
        values = {name: part.view(p.shape) for (name, p), part in parts}
        return plain.loss(functional_call(plain, values, (x, None)), y)

    flat = torch.cat([p.flatten() for p in named.values()]).requires_grad_()
    g = torch.autograd.grad(loss_of(flat), flat)[0]
    hg = hessian(loss_of, flat.detach(), vectorize=True) @ g
    epsilon = 1e-5 * (2 * (g >= 0).double() - 1)
    return ((g - hg) / (g + epsilon) - 1).abs().mean().item()


def plain_metainit(plain: PlainNetwork, e: Experiment, steps: int) -> list[float]:
    """The paper's loop, with derivatives by the logarithm of each norm as differences.

    Returns the quotients before each step.
    """
    memory, found = [0.0] * e.depth, []
    for step in range(steps):
        x, y = random_examples(e, step)
        found.append(plain_quotient(plain, x, y))
        signs = []
        for linear in plain.linears:
            ends = []
            for change in (1e-6, -1e-6):
                kept = linear.weight.data.clone()
                linear.weight.data *= 1 + change
                ends.append(plain_quotient(plain, x, y))
                linear.weight.data = kept
            signs.append(1.0 if ends[0] > ends[1] else -1.0)
        for index, (linear, sign) in enumerate(zip(plain.linears, signs, strict=True)):
            norm = linear.weight.data.norm().item()
            memory[index] = 0.9 * memory[index] - 0.1 * sign
            linear.weight.data *= max((norm + memory[index]) / norm, 0.5)
    return found


@EACH_SHAPE
def test_quotients_of_a_stack_are_those_of_plain_networks_from_all_second_derivatives(shape):
    e = experiment(shape, "he_normal", "metainit:0", "orthogonal")
    stack = Stack(e, CPU)
    x, y = random_examples(e, 0)
    found = gradient_quotients(mean_losses(stack.forward(x).output, y), stack.parameters)
    expected = [plain_quotient(PlainNetwork(stack, n), x, y) for n in range(e.network_count)]
    assert torch.allclose(found, torch.tensor(expected).double(), rtol=1e-6)


@EACH_SHAPE
def test_norms_are_learned_as_the_paper_s_program_does(shape):
    e = experiment(shape, "metainit:4", "he_normal", "metainit:0", "metainit:2")
    stack, _ = draw_stack_and_data(e)
    start = Stack(e, CPU)
    for n, steps in enumerate((4, 0, 0, 2)):
        plain = PlainNetwork(start, n)
        plain_metainit(plain, e, steps)
        own = [layer[n] for group in stack.weights for layer in group]
        for linear, weights in zip(plain.linears, own, strict=True):
            assert torch.allclose(weights, linear.weight, rtol=1e-9), steps


def test_a_scheme_without_steps_is_lecun_s():
    e = experiment({}, "metainit:0", "lecun_normal")
    first, second = (
        parse_scheme(key).draw(e.layers[1], Draws(3, 0, e.layers[1])) for key in e.schemes
    )
    assert torch.allclose(first[0], second[0], rtol=1e-12)


def test_from_small_weights_the_quotient_falls_and_the_signal_recovers():
    """Deep tanh and ReLU networks, held-out random examples; the paper's fig. 3."""
    for activation in ("tanh", "relu"):
        settings = {"depth": 8, "width": 24, "features": 16, "samples": 64, "batch": 32}
        e = Experiment(
            schemes=("metainit:0", "metainit:60"), activation=activation, precision="float64",
            replicates=2, **settings,
        )  # fmt: skip
        stack, _ = draw_stack_and_data(e)
        x, y = random_examples(e, 10_000)
        found = gradient_quotients(mean_losses(stack.forward(x).output, y), stack.parameters)
        before, after = found.detach().view(2, 2).mean(dim=1)
        assert after < before, activation


def test_metainit_asks_for_a_format_with_many_digits():
    with pytest.raises(ValueError, match=r"^precision must be float32 or float64 for .* metainit"):
        Experiment(schemes=("metainit",), precision="bfloat16")
    assert Experiment.from_query({"schemes": "metainit", "precision": "float16"})[0].precision == (
        "float32"
    )
