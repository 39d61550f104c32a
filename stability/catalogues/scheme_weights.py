"""The weights and variances of those schemes that need more than a line for them."""

import math

import torch
from torch import Tensor

from stability.catalogues.draws import Draws, Layer, orthonormal
from stability.catalogues.gaussian_moments import second_moment
from stability.catalogues.scheme_needs import critical_sigma_w2_or_none


def constant_weights(layer: Layer, value: float) -> Tensor:
    return torch.full((layer.fan_out, layer.fan_in), value, dtype=torch.float64)


def sparse_weights(layer: Layer, draws: Draws, count: int) -> Tensor:
    """Return m weights N(0, 1/m) for each unit, from inputs of which any choice is as likely."""
    m = min(count, layer.fan_in)
    order = draws.sparse_order
    noise = draws.normal
    return noise * (order < m).to(torch.float64) / math.sqrt(m)


def mirrored_weights(layer: Layer, draws: Draws) -> Tensor:
    """Return [V; -V] for layer 1, [V -V; -V V] between, [V -V] for the last, V orthogonal.

    For a ReLU phi(a) - phi(-a) = a, so the network starts linear.
    """
    mirrored_in = layer.index > 1
    mirrored_out = layer.index < layer.depth
    fan_in = layer.fan_in // 2 if mirrored_in else layer.fan_in
    fan_out = layer.fan_out // 2 if mirrored_out else layer.fan_out
    weights = orthonormal(draws.generator_for("orthogonal"), fan_out, fan_in)
    if mirrored_in:
        weights = torch.cat([weights, -weights], dim=1)
    if mirrored_out:
        weights = torch.cat([weights, -weights], dim=0)
    return weights


def zero_hadamard_weights(layer: Layer, draws: Draws) -> Tensor:
    """Return ones on the diagonal; where the width grows, the corner of a Hadamard matrix.

    Its columns are orthogonal, of length 1 if the width is a power of two. The entry of Sylvester's
    matrix in row i and column j is -1 to the number of ones in the bits that i and j share.
    """
    if layer.fan_out <= layer.fan_in:
        return torch.eye(layer.fan_out, layer.fan_in, dtype=torch.float64)
    bits = torch.arange(layer.fan_out)[:, None] & torch.arange(layer.fan_in)
    for shift in (32, 16, 8, 4, 2, 1):  # the last bit becomes the parity of all
        bits = bits ^ (bits >> shift)
    order = 1 << (layer.fan_out - 1).bit_length()  # the next power of two
    return (1.0 - 2.0 * (bits & 1).to(torch.float64)) / math.sqrt(order)


def fixup_weights(layer: Layer, draws: Draws) -> Tensor:
    """Return zeros, so that depth starts without effect; layer 1 as He.

    Of two layers in a branch the first is as He, over the root of the number of branches.
    """
    std = math.sqrt(he_variance(layer))
    if layer.index == 1:
        return draws.normal * std
    if layer.ends_branch:
        return constant_weights(layer, 0.0)
    std = std / math.sqrt((layer.depth - 1) // 2)
    return draws.normal * std


def he_variance(layer: Layer) -> float:
    return 2 / ((1 + layer.activation.negative_slope**2) * layer.fan_in)


def siren_variance(layer: Layer) -> float:
    """Return 2 / (fan_in w0^2), which keeps w0 z near N(0, 1); of layer 1 1 / (3 fan_in^2)."""
    if layer.index == 1:
        return 1 / (3 * layer.fan_in**2)
    return 2 / (layer.fan_in * layer.activation.frequency**2)


def critical_variance(layer: Layer) -> float:
    """Return sigma_w^2 / fan_in at the edge of chaos, where sigma_w^2 E phi'(u)^2 = 1."""
    sigma_w2 = critical_sigma_w2_or_none(layer.activation, layer.bias_std)
    assert sigma_w2 is not None, "require_edge_of_chaos"
    return sigma_w2 / layer.fan_in


def unit_gain_variance(layer: Layer) -> float:
    """Return 1 / (fan_in E phi(z)^2), z ~ N(0, 1); for layer 1, fed by inputs, 1 / fan_in."""
    moment = float(second_moment(layer.activation, 1.0)) if layer.index > 1 else 1.0
    return 1 / (layer.fan_in * moment)


def mup_variance(layer: Layer, base: float) -> float:
    """Return 1 / (fan_in E phi(z)^2), the last layer's times base / fan_in; layer 1: 1 / fan_in."""
    variance = unit_gain_variance(layer)
    return variance * base / layer.fan_in if 1 < layer.index == layer.depth else variance


def mup_matrix_rate(layer: Layer, scaling: str, base: float) -> float:
    """Return the factor on the learning rate of a weight matrix. Yang et al. 2022, table 3."""
    if scaling == "sgd":
        rate = layer.fan_out / base if layer.index == 1 else 1.0
        rate = base / layer.fan_in if layer.index == layer.depth else rate
    else:
        rate = 1.0 if layer.index == 1 else base / layer.fan_in
    return rate if layer.depth > 1 else 1.0


def mup_vector_rate(layer: Layer, scaling: str, base: float) -> float:
    """Return the factor on the learning rate of biases, gains and shifts; as above."""
    rate = 1.0 if layer.index == layer.depth else layer.fan_out / base
    return rate if scaling == "sgd" else 1.0


def unit_variance_factor(z: Tensor) -> float:
    """Return the factor that gives z variance 1; 1 where the variance is within 0.1 of 1.

    Mishkin & Matas 2016. It is 1 also where z is constant or not finite.
    """
    std = z.double().std(correction=0).item()
    return 1 / std if 0 < std < math.inf and abs(std**2 - 1) > 0.1 else 1.0
