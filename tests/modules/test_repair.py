"""Repaired modules: which weights change and how, what stays, and that they then learn."""

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from stability import repair
from stability.modules.sizes import rms, spread_over

IMAGES = torch.linspace(-2, 3, 8 * 4 * 6 * 6).sin().reshape(8, 4, 6, 6)


class Deep(nn.Module):
    """Weight layers with one function between them; the last is the readout."""

    def __init__(self, phi, depth=20, width=32):
        super().__init__()
        self.phi = phi
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.phi(layer(x))
        return self.layers[-1](x)


def batch(rows=32, columns=32):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1))


def trained_loss(module, x, y, steps=60):
    optimizer = torch.optim.Adam(module.parameters(), lr=0.003)
    for _ in range(steps):
        loss = F.cross_entropy(module(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("phi", [torch.sigmoid, torch.tanh, torch.relu])
def test_signal_and_gradient_pass_twenty_layers(phi):
    module, x = Deep(phi), batch()
    nn.init.constant_(module.layers[7].bias, -100.0)
    repair(module, x)
    seen = []
    for layer in module.layers:
        layer.register_forward_hook(lambda part, args, z: seen.append(z) or z.retain_grad())
    (module(x) * batch()).sum().backward()
    for sizes in (
        [spread_over(z, 0) for z in seen[:-1]],
        [float(z.grad.norm()) for z in seen[:-1]],
    ):
        assert 0 < max(sizes) < 30 * min(sizes)
    assert rms(seen[-1]) == pytest.approx(0.3, rel=1e-3)  # the first answers are guesses


@pytest.mark.parametrize("phi", [torch.sigmoid, torch.relu])
def test_what_is_repaired_learns(phi):
    module, x = Deep(phi, depth=10), batch()
    y = torch.arange(32) % 4
    x = x + 2 * batch()[y]
    for layer in module.layers:
        nn.init.constant_(layer.weight, 0.1)
    repair(module, x)
    assert trained_loss(module, x, y) < 0.5


def test_a_scheme_is_drawn_by_the_fans_of_each_type_of_layer():
    module = nn.Sequential(
        nn.Conv2d(4, 128, 3, groups=2), nn.ReLU(), nn.ConvTranspose2d(128, 16, 2, stride=2),
        nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(1024, 64, bias=False),
    )  # fmt: skip
    nn.init.constant_(module[3].weight, 7.0)
    module.eval()
    repair(module, IMAGES, "kaiming")
    conv, up, norm, head = module[0], module[2], module[3], module[5]
    assert conv.weight.detach().std() == pytest.approx((2 / (2 * 9)) ** 0.5, rel=0.05)
    assert up.weight.detach().std() == pytest.approx(
        (2 / 128) ** 0.5, rel=0.05
    )  # kernels do not overlap
    assert head.weight.detach().std() == pytest.approx((2 / 1024) ** 0.5, rel=0.05)
    assert not conv.bias.any()
    assert (norm.weight == 1).all()
    repair(module, IMAGES, "normal:0.5")
    assert conv.weight.detach().std() == pytest.approx(0.5, rel=0.05)
    repair(module, IMAGES, "pytorch")
    assert 0 < conv.bias.detach().abs().max() <= 18**-0.5


def test_gates_and_states_are_drawn_one_by_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.lstm = nn.Embedding(9, 6), nn.LSTM(6, 8, bidirectional=True)
            self.rnn, self.attend = nn.RNN(16, 8, nonlinearity="relu"), nn.MultiheadAttention(8, 2)

        def forward(self, t):
            x = self.rnn(self.lstm(self.embed(t))[0])[0]
            return self.attend(x, x, x)[0]

    net = Net()
    repair(net, torch.arange(20).reshape(5, 4) % 9)
    for gate in net.lstm.weight_hh_l0_reverse.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8))
    assert not torch.equal(net.lstm.weight_ih_l0, net.lstm.weight_ih_l0_reverse)
    assert net.lstm.bias_ih_l0.detach().sum() == 8  # the forget gate
    assert not net.lstm.bias_hh_l0.any()
    torch.testing.assert_close(net.rnn.weight_hh_l0.detach(), torch.eye(8))
    q, k, _ = net.attend.in_proj_weight.detach().chunk(3)
    assert not torch.equal(q, k)
    torch.testing.assert_close(q @ q.T / (q @ q.T)[0, 0], torch.eye(8))


def test_scores_of_attention_are_brought_to_where_a_softmax_is_soft():
    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.head = (nn.Linear(64, 64) for _ in range(4))

        def forward(self, x):
            self.rows = (self.q(x) @ self.k(x).mT).softmax(-1)  # without 1 / sqrt(64)
            return self.head(self.rows @ self.v(x))

    module = Attend()
    x = batch(160, 64).reshape(16, 10, 64)
    repair(module, x)
    module(x)
    assert module.rows.amax(-1).mean() < 0.5


class Own(nn.Module):
    """Matrices without a layer, a scalar, a table that is not multiplied, and tied weights."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(12, 16), nn.Linear(16, 12)
        self.head.weight = self.table.weight
        self.w, self.v = (nn.Parameter(torch.full((16, 16), 0.1)) for _ in range(2))
        self.b, self.scale = nn.Parameter(torch.zeros(16)), nn.Parameter(torch.tensor(2.0))
        self.shift = nn.Parameter(torch.ones(1, 16))
        self.fixed = nn.Linear(16, 16).requires_grad_(False)

    def forward(self, t):
        x = torch.tanh(self.table(t) @ self.w) * self.scale + self.shift
        return self.head(self.fixed(torch.tanh(F.linear(x, self.v, self.b))))


def test_bare_matrices_are_drawn_where_they_multiply_and_all_else_stays():
    module = Own()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    repair(module, torch.arange(12))
    after = dict(module.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"table.weight", "head.bias", "w", "v", "b"}
    assert module.head.weight is module.table.weight
    assert module.table.weight.detach().std() == pytest.approx(0.25, rel=0.2)  # as a layer needs it
    torch.testing.assert_close(torch.linalg.svdvals(module.v.detach())[0],
                               torch.linalg.svdvals(module.v.detach())[-1])  # fmt: skip


@pytest.mark.parametrize("product", [
    lambda x, w: torch.einsum("bi, hio -> bho", x, w).mean(1),
    lambda x, w: torch.bmm(x.expand(3, -1, -1), w).mean(0),
    lambda x, w: (x @ w).mean(0),
])  # fmt: skip
def test_heads_of_one_parameter_are_drawn_by_what_is_summed(product):
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.head = nn.Parameter(torch.zeros(3, 400, 100)), nn.Linear(100, 2)

        def forward(self, x):
            return self.head(torch.tanh(product(x, self.w)))

    module = Heads()
    repair(module, batch(8, 400), "lecun")
    assert module.w.detach().std() == pytest.approx(400**-0.5, rel=0.02)


def test_parametrized_weights_are_set_through_their_parametrization():
    module = nn.Sequential(
        weight_norm(nn.Linear(32, 32)),
        nn.Tanh(),
        spectral_norm(nn.Linear(32, 32)),
        nn.Tanh(),
        nn.Linear(32, 4),
    )
    x = batch()
    repair(module, 1000 * x)
    assert spread_over(module[0](1000 * x), 0) == pytest.approx(1, rel=1e-3)
    assert torch.linalg.matrix_norm(module[2].weight.detach(), 2) == pytest.approx(1, rel=1e-3)


def test_random_states_mode_buffers_hooks_and_gradients_stay_and_draws_repeat():
    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Flatten(),
                           nn.Linear(128, 3))  # fmt: skip
    module[1].eval()
    module[0].weight.grad = torch.ones_like(module[0].weight)
    buffers = [b.clone() for b in module.buffers()]
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    identities = [id(p) for p in module.parameters()]
    repair(module, IMAGES)
    assert torch.equal(states[0], torch.get_rng_state())
    assert (states[1] == np.random.get_state()[1]).all()
    assert states[2] == random.getstate()
    assert [part.training for part in module] == [True, False, True, True, True]
    assert all(torch.equal(a, b) for a, b in zip(buffers, module.buffers(), strict=True))
    assert not any(part._forward_hooks for part in module.modules())
    assert (module[0].weight.grad == 1).all()
    assert module[4].weight.grad is None
    assert identities == [id(p) for p in module.parameters()]
    first = [p.detach().clone() for p in module.parameters()]
    torch.manual_seed(5)
    repair(module, IMAGES)
    assert all(torch.equal(a, b) for a, b in zip(first, module.parameters(), strict=True))
    repair(module, IMAGES, seed=1)
    assert not torch.equal(first[0], module[0].weight)


def test_complex_and_short_formats_keep_their_type():
    half = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4)).bfloat16()
    repair(half, batch().bfloat16())
    assert half[0].weight.dtype is torch.bfloat16
    wave = nn.Linear(32, 8, dtype=torch.complex64)
    module = nn.Sequential(wave, nn.Flatten())
    repair(module, batch().to(torch.complex64))
    assert wave.weight.imag.abs().max() > 0
    assert spread_over(module(batch().to(torch.complex64)), 0) * 2**0.5 == pytest.approx(
        0.3, rel=0.5
    )


@pytest.mark.parametrize(
    ("module", "scheme", "sentence"),
    [
        (nn.ReLU(), "lsuv", "the module has no parameters"),
        (nn.Linear(32, 2, device="meta"), "lsuv", "on the meta device"),
        (nn.LazyLinear(3), "lsuv", "is lazy and has no shape yet"),
        (nn.Linear(32, 2), "kaimin", "scheme must be .*did you mean he_normal.*not 'kaimin'"),
        (nn.Linear(32, 2), "fixup", "scheme cannot be fixup here"),
        (nn.Linear(32, 2), "looks_linear", "scheme cannot be looks_linear here"),
    ],
)
def test_what_cannot_be_repaired_is_said_in_a_sentence(module, scheme, sentence):
    with pytest.raises(ValueError, match=sentence):
        repair(module, batch(), scheme)


def test_inputs_that_do_not_fit_raise_what_the_module_raises_and_change_nothing():
    module = nn.Sequential(nn.Linear(32, 8), nn.Linear(9, 2))
    before = [p.detach().clone() for p in module.parameters()]
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        repair(module, batch())
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    with pytest.raises(ValueError, match="not str"):
        repair("module", batch())
