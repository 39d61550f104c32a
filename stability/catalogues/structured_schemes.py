"""Schemes whose weights have a structure: all alike, mostly 0, mirrored, or none of them random.

Each row says how the weights of one layer are drawn; see `schemes`, whose menu they end.
"""

import math

import torch

from stability.catalogues.scheme_entry import Scheme
from stability.catalogues.scheme_needs import require_even_width, require_residual
from stability.catalogues.scheme_weights import (
    constant_weights,
    fixup_weights,
    mirrored_weights,
    sparse_weights,
    zero_hadamard_weights,
)

STRUCTURED_SCHEMES = (
    Scheme(
        key="zeros", label="Zeros",
        source="Dive into Deep Learning, Numerical Stability and Initialization", formula=r"W = 0",
        other_names=("zero", "零"),
        summary="Every weight 0: no signal passes, and no gradient reaches a hidden layer.",
        weights=lambda layer, draws: constant_weights(layer, 0.0),
        pytorch="nn.init.zeros_(layer.weight)\n{bias}",
    ),
    Scheme(
        key="constant", label="Constant",
        source="Dive into Deep Learning, Numerical Stability and Initialization", formula=r"W = c",
        other_names=("const", "常量"),
        summary="Every weight the same: all units of a layer stay copies of one, however many "
        "there are.",
        value=0.1, value_name="weight", low=-math.inf,
        weights=lambda layer, draws, value: constant_weights(layer, value),
        pytorch="nn.init.constant_(layer.weight, {value})\n{bias}",
    ),
    Scheme(
        key="identity", label="Identity", source="Le, Jaitly & Hinton 2015", formula=r"W = I",
        other_names=("eye", "恒等"),
        summary="Ones on the main diagonal, the rest 0: the signal passes unchanged, and units "
        "beyond the inputs stay silent.",
        weights=lambda layer, draws: torch.eye(layer.fan_out, layer.fan_in, dtype=torch.float64),
        pytorch="nn.init.eye_(layer.weight)\n{bias}",
    ),
    Scheme(
        key="zero_hadamard", label="ZerO", source="Zhao et al. 2021, algorithm 1",
        formula=r"W = I \; (n_{out} \le n_{in}), \quad W = 2^{-m/2} I^* H_m I^*",
        other_names=("hadamard", "zero init hadamard"),
        summary="Nothing is random: ones on the diagonal, and signs of Hadamard where the width "
        "grows. It needs a width above the number of inputs.",
        weights=zero_hadamard_weights,
        pytorch="i, j = torch.arange(layer.out_features), torch.arange(layer.in_features)\n"
        "grows = layer.out_features > layer.in_features\n"
        "order = 1 << (layer.out_features - 1).bit_length()\n"
        "odd = sum((i[:, None] & j) >> bit & 1 for bit in range(31)) % 2\n"
        "nn.init.eye_(layer.weight)\n"
        "layer.weight.data = (1.0 - 2 * odd) / order**0.5 if grows else layer.weight.data\n{bias}",
    ),
    Scheme(
        key="sparse", label="Sparse", source="Martens 2010",
        formula=r"m = \min(k, n_{in}) \text{ of them} \sim N(0, 1/m)",
        summary="A few incoming weights for each unit, large enough that the sum has variance 1; "
        "the rest are 0.",
        value=15.0, value_name="number of weights", low=1.0,
        variance=lambda layer, count: 1 / layer.fan_in,
        weights=lambda layer, draws, count: sparse_weights(layer, draws, int(count)),
        integer_value=True, usual_values=(1.0, 32.0),
        pytorch="nn.init.normal_(layer.weight, std=min({value}, layer.in_features) ** -0.5)\n"
        "layer.weight.data *= torch.rand_like(layer.weight).argsort(1) < {value}\n{bias}",
    ),
    Scheme(
        key="looks_linear", label="Looks linear", source="Balduzzi et al. 2017",
        formula=r"W = \begin{pmatrix} V & -V \\ -V & V \end{pmatrix}, \quad V^\top V = I",
        other_names=("mirrored",),
        summary="Mirrored pairs of units: with ReLU the network starts as a product of orthogonal "
        "matrices, exactly linear.", weights=mirrored_weights, needs=require_even_width,
        pytorch="v = nn.init.orthogonal_(torch.empty(layer.out_features // 2, "
        "layer.in_features // 2))\nlayer.weight.data = torch.kron(torch.tensor("
        "[[1.0, -1.0], [-1.0, 1.0]]), v)  # ends: [v; -v], [v, -v]\n{bias}",
    ),
    Scheme(
        key="fixup", label="Fixup", source="Zhang et al. 2019",
        formula=r"W_1 \text{ as He}, \quad W_l = 0 \; (l > 1)",
        summary="For residual networks: every branch and the output start at 0, so that depth "
        "starts without effect.", weights=fixup_weights, needs=require_residual,
        pytorch="nn.init.zeros_(layer.weight)  # the last of its branch\n{bias}\n"
        "nn.init.kaiming_normal_(first_layer.weight, {nonlinearity})  # then, the first alone",
    ),
)  # fmt: skip
