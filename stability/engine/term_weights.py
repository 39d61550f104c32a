"""The weight of each term of the cost of a training run: measured, in calls and in operations.

`python tests/bench.py cost` fits and prints them. Calls count in calls of one layer by one block of
networks; an operation takes as long as that on small matrices of float64, seven times as long as
one in a large product of float32. Products are counted apart, as some processors are twice as fast
in them as others that do all else alike; the weights are the geometric mean of those found on two
kinds of processor, but for what is learned, settled, sampled, dropped or ruled, which was timed on
one.
"""

from collections.abc import Mapping

Terms = Mapping[str, float]

CALLS: Terms = {
    "draw": 12,
    "drawn matrix": 0.56,
    "learned step": 16,
    "learned layer": 9.8,
    "learned normalized layer": 16,
    "block": 9.8,
    "layer": 1,
    "tensor": 0.46,
    "divided tensor": 0.57,
    "matrix": 0.029,
    "normalized layer": 2.2,
    "rounded layer": 1.5,
    "mask": 0.32,
    "settled layer": 2.2,
    "sample": 3.2,
    "sampled shape": 8.3,
    "sampled matrix": 0.22,
    "adjusted layer": 9,
    "held-out normalized layer": 2.5,
    "held-out rounded layer": 2.7,
}
OPERATIONS: Terms = {
    "drawn weight": 230,
    "learned weight": 490,
    "learned unit": 290,
    "learned normalized unit": 1500,
    "learned activation": 16,
    "logit": 24,
    "held-out logit": 51,
    "weight": 1.1,
    "weight out of cache": 15,
    "ruled weight": 1.5,
    "ruled weight out of cache": 3,
    "rounded weight": 53,
    "optimizer sgd": 0,
    "activation relu": 11,
    "normalization none": 11,
    "dropout": 17,
    "drawn mask": 33,
    "residual": 22,
    "rounded": 16,
    "settled": 37,
    "settled weight": 14,
    "activation linear": 2.5,
    "activation sigmoid": 17,
    "activation tanh": 34,
    "activation hardtanh": 27,
    "activation softsign": 33,
    "activation erf": 35,
    "activation leaky_relu": 55,
    "activation leaky_relu_0.2": 46,
    "activation elu": 42,
    "activation selu": 95,
    "activation gelu": 35,
    "activation silu": 31,
    "activation mish": 120,
    "activation softplus": 40,
    "activation sine": 58,
    "normalization batch": 80,
    "normalization layer": 81,
    "normalization rms": 50,
    "optimizer momentum": 18,
    "optimizer nesterov": 15,
    "optimizer adam": 45,
    "optimizer adamw": 42,
    "optimizer rmsprop": 52,
    "optimizer lars": 25,
    "optimizer muon": 98,
    "sampled": 110,
    "sampled weight": 45,
    "drawn input": 330,
    "adjusted unit": 240,
    "held-out activation": 0.49,
    "held-out normalized": 22,
}
PRODUCTS: Terms = {  # of matrices: two operations a multiply-add
    "product": 0.15,
    "held-out product": 0.22,
    "learned product": 2.4,
    "orthogonalized": 0.15,
}
# Of a row without a measured weight.
AVERAGES: Terms = {"activation": 70.0, "normalization": 50.0, "optimizer": 50.0}


def sum_of_terms(terms: Terms, weights: Terms) -> float:
    """Return the sum of all amounts, each times its weight."""
    return sum(amount * weight_of(name, weights) for name, amount in terms.items() if amount)


def sum_of_operations(terms: Terms) -> tuple[float, float]:
    """Return the operations of these terms on numbers alone, and those in products of matrices."""
    products = {name: terms[name] for name in terms if name in PRODUCTS}
    others = {name: terms[name] for name in terms if name not in PRODUCTS}
    return sum_of_terms(others, OPERATIONS), sum_of_terms(products, PRODUCTS)


def weight_of(name: str, weights: Terms) -> float:
    """Return the measured weight of a term; that of an average row where it has none."""
    return weights[name] if name in weights else AVERAGES[name.partition(" ")[0]]
