"""Sick networks whose fault is in the numbers: sizes of weights, biases, inputs, activations."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from network_cases import (
    Block,
    blobs,
    graphs,
    he,
    images,
    per_token,
    sequences,
    sick,
    standardised,
    surface,
    tokens,
    want,
)
from torch import nn
from torch.nn.utils import parametrizations


@sick(want("non_finite_forward", "", "attention*"), plain="loss not finite, cured 0.83 to 0.0004")
def empty_sequence(well=False):
    """One sequence is padding alone: attention over nothing is 0 / 0."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(20, 16, padding_idx=0), nn.Embedding(8, 16)
            self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
            self.head = nn.Linear(16, 2)

        def forward(self, t):
            padding = t == 0
            x = self.token(t) + self.position(torch.arange(t.shape[1]))
            hidden = padding & (torch.arange(t.shape[1]) > 0) if well else padding
            x = x + self.attention(x, x, x, key_padding_mask=hidden)[0]
            kept = (~padding).float()[..., None]
            return self.head(F.gelu((x * kept).sum(1) / kept.sum(1).clamp(min=1)))

    t = torch.randint(1, 20, (32, 8)) * (torch.arange(8) < torch.randint(2, 9, (32, 1)))
    t[5] = 0
    return Reader(), t, (t == 7).any(1).long(), F.cross_entropy


@sick(want("non_finite_forward", "", "attention*"), plain="loss not finite, cured 1.4 to 3e-06")
def half_precision_scores(well=False):
    """In float16, queries times keys go beyond 65504, and the softmax divides inf by inf."""

    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(32, 32, bias=False) for _ in range(3))
            for part in (self.q, self.k):
                nn.init.normal_(part.weight, 0, 0.2 if well else 25.0)

        def forward(self, x):
            return (self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(32)).softmax(2) @ self.v(x)

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.attention, self.head = nn.LayerNorm(32), Scores(), nn.Linear(32, 4)

        def forward(self, x):
            return self.head(F.gelu(x + self.attention(self.norm(x))).mean(1))

    x, y = sequences(16, 10, 32)
    return Reader().half(), x.half(), y, lambda out, y: F.cross_entropy(out.float(), y)


@sick(
    want("non_finite_backward", "", "root", "features*"),
    plain="SGD ends at nan, Adam at nan, cured 3e-07",
)
def signed_root(well=False):
    """Bilinear pooling: the signed square root of exact zeros has an infinite derivative."""

    class Root(nn.Module):
        def forward(self, x):
            return x.sign() * (x.abs() + (1e-3 if well else 0.0)).sqrt()

    class Pooling(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.root = nn.Sequential(nn.Linear(32, 20), nn.ReLU()), Root()
            self.head = nn.Linear(400, 10)

        def forward(self, x):
            h = self.features(x)
            return self.head(self.root(torch.einsum("ni,nj->nij", h, h).flatten(1)))

    return (he(Pooling()), *blobs(), F.cross_entropy)


@sick(
    want("input_scale", "", "inputs*", "net.0", "net"),
    defensible="first_loss leaves_float16",
    plain="SGD ends at 1.39, Adam at 0 all the same, cured 1e-08",
)
def audio_samples(well=False):
    """Sound as 16-bit samples, +-10000, straight into a one-dimensional convolution."""

    class Sound(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv1d(1, 16, 9, 4), nn.ReLU(), nn.Conv1d(16, 24, 9, 4), nn.ReLU()
            )
            self.head = nn.Linear(24, 4)

        def forward(self, x):
            return self.head(self.net(x).mean(2))

    y = torch.arange(32) % 4
    time = torch.arange(256) + 50 * torch.rand(32, 1)
    x = (time * (0.2 + 0.3 * y[:, None])).sin() + 0.3 * torch.randn(32, 256)
    return Sound(), (x if well else (8000 * x).round())[:, None], y, F.cross_entropy


@sick(
    want("input_scale", "", "inputs*", "signal*", "gru*"),
    plain="SGD ends at 1.39, Adam at 1.39, cured 0.0002",
)
def microvolts(well=False):
    """Brain waves in volts: 20 millionths, beside which all biases are giants."""

    class Waves(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.head = nn.GRU(8, 24, batch_first=True), nn.Linear(24, 4)

        def forward(self, signal):
            return self.head(self.gru(signal)[0].mean(1))

    x, y = sequences(32, 8, 8)
    return Waves(), {"signal": x if well else 2e-5 * x}, y, F.cross_entropy


@sick(want("symmetric", "weights*", ""), plain="SGD ends at 0.77, Adam at 0.70, cured 2e-09")
def matrices_of_one_number(well=False):
    """Matrices in a ParameterList, each full of 1 / fan_in: all units of a layer are one."""

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = [(8, 24), (24, 24), (24, 1)]
            draw = torch.randn if well else torch.ones
            self.weights = nn.ParameterList(
                draw(a, b) / (math.sqrt(a) if well else a) for a, b in sizes
            )
            self.biases = nn.ParameterList(torch.zeros(b) for _, b in sizes)

        def forward(self, x):
            for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
                x = torch.tanh(x @ weight + bias)
            return x @ self.weights[-1] + self.biases[-1]

    return (Functional(), *surface(), F.mse_loss)


@sick(want("symmetric", "gru*"), plain="SGD ends at 0.32, Adam at 0.30, cured 5e-10")
def gru_of_one_number(well=False):
    """Every parameter of a recurrent network is 0.1: its 16 units remember one number."""

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.head = nn.GRU(6, 16, batch_first=True), nn.Linear(16, 1)

        def forward(self, x):
            return self.head(self.gru(x)[0][:, -1])

    net = Recurrent()
    for parameter in net.parameters() if not well else ():
        nn.init.constant_(parameter, 0.1)
    x = torch.randn(64, 6, 6)
    return net, x, standardised(x[:, -1, :1].sin() + x[:, -2, 1:2] * x[:, -1, 2:3]), F.mse_loss


@sick(
    want("dead", "features.0", "features.1", "features"),
    defensible="zero_gradient",
    plain="SGD ends at 1.39, Adam at 1.39, cured 8e-05",
)
def negative_filters(well=False):
    """Filters without a positive weight on pixels in 0..1, in float64: no unit is ever on."""

    class Filters(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU()
            )
            self.head = nn.Linear(16, 4)

        def forward(self, x):
            return self.head(self.features(x).mean((2, 3)))

    net = he(Filters()).double()
    if not well:
        with torch.no_grad():
            net.features[0].weight.abs_().neg_()
    x, y = images(32, 1, 10)
    return net, torch.sigmoid(x).double(), y, F.cross_entropy


@sick(want("bottleneck", "encoder*", "code*"), plain="SGD ends at 0.45, Adam at 0.38, cured 0.25")
def code_of_one_unit(well=False):
    """An autoencoder whose code is one rectified unit: half of the examples leave as 0."""

    class Auto(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(8, 32), nn.Tanh())
            self.code = nn.Linear(32, 1)
            self.decoder = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 8))

        def forward(self, x):
            code = self.code(self.encoder(x))
            return self.decoder(code if well else code.relu())

    angle = torch.rand(64, 1) * 3 - 1.5
    x = standardised(torch.cat([torch.sin(k * angle + k) for k in range(1, 9)], 1))
    net = Auto()
    with torch.no_grad():
        net.code.weight.mul_(3)
        net.code.bias.sub_(net.code(net.encoder(x)).median())
    return net, x, x.clone(), F.mse_loss


class Gated(nn.Module):
    """A residual block of WaveNet: tanh of a filter times sigmoid of a gate."""

    def __init__(self, channels, dilation, std):
        super().__init__()
        self.filter, self.gate = (
            nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation) for _ in range(2)
        )
        self.out = nn.Conv1d(channels, channels, 1)
        for conv in (self.filter, self.gate):
            nn.init.normal_(conv.weight, 0, std)

    def forward(self, x):
        return x + self.out(torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x)))


@sick(want("saturated", "blocks*"), plain="learns all the same: 3e-05, cured 9e-05")
def gates_of_normal_weights(well=False):
    """Dilated convolutions drawn from N(0, 1.5^2): filters and gates stand in their flat parts."""

    class Wave(nn.Module):
        def __init__(self):
            super().__init__()
            std = 0.1 if well else 1.5
            self.stem = nn.Conv1d(2, 16, 1)
            self.blocks = nn.Sequential(*[Gated(16, dilation, std) for dilation in (1, 2, 4)])
            self.head = nn.Linear(16, 4)

        def forward(self, x):
            return self.head(self.blocks(self.stem(x)).mean(2))

    x, y = sequences(32, 2, 20)
    return Wave(), standardised(x), y, F.cross_entropy


@sick(
    want("saturated", "block.attention*", "block"), plain="learns all the same: 7e-09, cured 4e-09"
)
def attention_of_one(well=False):
    """Large queries and keys in scaled_dot_product_attention: each row is nearly one-hot."""

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.block, self.head = Block(32), nn.Linear(32, 4)
            for part in (self.block.attention.q, self.block.attention.k):
                nn.init.normal_(part.weight, 0, 0.1 if well else 1.5)

        def forward(self, x):
            return self.head(self.block(x).mean(1))

    return (Reader(), *sequences(32, 10, 32), F.cross_entropy)


@sick(
    want("exploding", "layers*", "head", ""),
    defensible="leaves_float16",
    plain="SGD ends at nan, Adam at 5e+04, cured 2e-10",
)
def sums_over_neighbours(well=False):
    """A graph network adds up 11 neighbours, layer upon layer, instead of averaging them."""

    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = [6] + [24] * 6
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
            self.head = nn.Linear(24, 1)

        def forward(self, x, edges):
            edges = edges / edges.sum(2, keepdim=True) if well else edges
            for layer in self.layers:
                x = F.relu(layer(edges @ x))
            return self.head(x.mean(1))

    x, edges = graphs(neighbours=11)
    y = standardised(x[..., :1].sin().mean(1) + x[..., 1:2].mean(1))
    return he(Graph()), (x, edges), y, F.mse_loss


@sick(
    want("exploding", "cell*", ""),
    defensible="leaves_float16",
    plain="SGD ends at nan, Adam at 0.89, cured 1e-06",
)
def cell_in_a_loop(well=False):
    """A rectified nn.RNNCell grows by a third at each of 40 steps."""

    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = nn.RNNCell(4, 24, nonlinearity="relu"), nn.Linear(24, 1)
            nn.init.orthogonal_(self.cell.weight_hh, 1.9)
            if well:
                self.cell.weight_hh.data.copy_(0.9 * torch.eye(24))

        def forward(self, x):
            h = x.new_zeros(len(x), 24)
            for now in x.unbind(1):
                h = self.cell(now, h)
            return self.head(h)

    x = torch.randn(32, 40, 4)
    return Loop(), x, standardised(x[:, -3:, :1].sum(1).tanh()), F.mse_loss


@sick(
    want("vanishing", "lstm*", ""),
    plain="52 % of fresh sequences right after 150 steps, cured 100 %",
)
def lstm_of_100_steps(well=False):
    """A fresh LSTM halves its memory at each step; the answer stands at the first of 100."""

    class Memory(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 24, batch_first=True), nn.Linear(24, 2)
            if well:
                nn.init.constant_(self.lstm.bias_ih_l0[24:48], 5.0)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    x, y = torch.randn(128, 100, 4), torch.arange(128) % 2
    x[:, :3] += 3.0 * (2 * y - 1)[:, None, None]
    return Memory(), x, y, F.cross_entropy


@sick(
    want("vanishing", "layers*", ""),
    plain="SGD ends at 2.3, Adam at 0.005 all the same, cured 3e-07",
)
def small_weight_norm(well=False):
    """Weight normalization with all lengths 0.1: each layer leaves a tenth of the differences."""

    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            sizes = [32] + [48] * 7 + [10]
            self.layers = nn.ModuleList(
                parametrizations.weight_norm(nn.Linear(a, b)) for a, b in pairwise(sizes)
            )
            for layer in self.layers:
                length = layer.parametrizations.weight.original0
                nn.init.constant_(length, math.sqrt(2) if well else 0.1)

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = F.leaky_relu(layer(x))
            return self.layers[-1](x)

    return (Normed(), *blobs(), F.cross_entropy)


@sick(want("first_loss", "", "head*", "token*"), plain="first loss 45.5, guessing 4.1, cured 4.5")
def tied_to_unit_embedding(well=False):
    """A language model's head is its embedding, drawn from N(0, 1): the first logits are +-8."""

    class Language(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(60, 64), nn.Embedding(12, 64)
            self.blocks, self.norm = nn.Sequential(Block(64, causal=True)), nn.LayerNorm(64)
            self.head = nn.Linear(64, 60, bias=False)
            self.head.weight = self.token.weight
            for part in (self.token, self.position) if well else ():
                nn.init.normal_(part.weight, 0, 0.1)

        def forward(self, t):
            x = self.token(t) + self.position(torch.arange(t.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    return (Language(), *tokens(16, 12, 60), per_token)


@sick(want("leaves_float16", "", "spectrum*"), plain="power up to 4e5, cured 400")
def power_spectrum(well=False):
    """The power of a tone over 1024 samples reaches 200000 before its logarithm is taken."""

    class Spectrum(nn.Module):
        def forward(self, x):
            power = torch.fft.rfft(x, norm="ortho" if well else "backward").abs() ** 2
            return torch.log1p(power)

    class Tone(nn.Module):
        def __init__(self):
            super().__init__()
            self.spectrum, self.norm = Spectrum(), nn.LayerNorm(513)
            self.body = nn.Sequential(nn.Linear(513, 32), nn.ReLU(), nn.Linear(32, 4))

        def forward(self, x):
            return self.body(self.norm(self.spectrum(x)))

    y = torch.arange(32) % 4
    time = torch.arange(1024) + 50 * torch.rand(32, 1)
    x = math.sqrt(2) * (time * (0.2 + 0.3 * y[:, None])).sin() + 0.3 * torch.randn(32, 1024)
    return Tone(), x, y, F.cross_entropy
