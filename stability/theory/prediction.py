"""What theory says of this very network before any training: signals and gradients, layer by layer.

Each example is followed by its own squared length: q, the mean square of its z over the units of a wide layer. Exact in the
limit of wide layers for Gaussian weights; for the other families from about 30 incoming weights on, where sums are Gaussian.
Poole et al. 2016; Schoenholz et al. 2017.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stability.catalogues.mean_field import second_moment, slope_moment
from stability.catalogues.scheme_entry import Scheme
from stability.engine.training import batch_indices
from stability.records.experiment import Experiment

SOFTMAX_LOG_Q = np.linspace(-12, 14, 53)  # where the softmax is tabled; below it is flat, above it is hard
MONTE_CARLO_SAMPLES = 4096  # of a fixed Monte Carlo; a mean of numbers in [0, 1] is known to 1/128 at worst
BAND_PERCENTILES = 5, 95  # percent of networks that lie below and above a band


@dataclass(frozen=True)
class Prediction:
    """On the scale of a Measurement at step 0, `(S, L)`: NaN where theory does not apply; `notes` say why.

    `signal_band` and `signal_gradient_band` are the factors `(S, 2, L)` between which nine of ten networks lie for one
    example, NaN where no law of their spread is known.
    """

    experiment: Experiment
    signal: np.ndarray
    signal_gradient: np.ndarray
    signal_band: np.ndarray
    signal_gradient_band: np.ndarray
    notes: tuple[str, ...]


@lru_cache(maxsize=256)
def predict(experiment: Experiment) -> Prediction:
    """The root of the expected squares over networks drawn anew, for the data and the first batch of this experiment."""
    e = experiment
    signal, gradient = np.full((2, len(e.schemes), e.depth), np.nan)
    bands = np.full((2, len(e.schemes), 2, e.depth), np.nan)
    covered = [index for index, row in enumerate(e.scheme_rows) if row.variance and e.normalization_row.variance]
    if covered:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, and said to be
            squares, y = first_batch_squares(e)
            q, of_weights = propagate_variances(e, [e.scheme_rows[index] for index in covered], squares)
            g = propagate_gradient_squares(e, q, of_weights, output_gradient_squares(e, q[:, -1], y))
            signal[covered], gradient[covered] = np.sqrt(q.mean(axis=2)), np.sqrt(g.mean(axis=2))
    for index in covered:
        if has_band(e, e.scheme_rows[index]):
            bands[:, index] = band_factors(tuple(layer.fan_out for layer in e.layers), e.phi.negative_slope, not e.phi.corners)
    return Prediction(e, signal, gradient, *bands, tuple(missing_prediction_notes(e)))


def first_batch_squares(e: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Mean square of each example over its features, and its target, `(batch,)` each."""
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)
    batch = next(batch_indices(e))
    return data.x[batch].double().square().mean(dim=1).numpy(), data.y[batch].double().numpy().reshape(len(batch))


def propagate_variances(e: Experiment, rows: list[Scheme], squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances q of z `(S, L, batch)` from mean squares of x, and the variances `(S, L)` of the weights of each layer."""
    layers = e.layers
    of_weights = np.array([[row.weight_variance(layer) for layer in layers] for row in rows])
    of_biases = np.array([[row.bias_variance(layer) for layer in layers] for row in rows])
    gain = (of_weights * [layer.fan_in for layer in layers])[..., None]
    q = [gain[:, 0] * squares + of_biases[:, 0, None]]
    for index in range(1, e.depth):
        h2 = second_moment(e.phi, clip_to_averages(e.normalization_row.variance(q[-1]))) / (1 - e.dropout)
        through = q[-1] if e.residual and index < e.depth - 1 else 0
        q.append(gain[:, index] * h2 + of_biases[:, index, None] + through)
    return np.stack(q, axis=1), of_weights


def clip_to_averages(q: np.ndarray) -> np.ndarray:
    """Within the range that has averages; NaN, the variance of u where z is infinite and normalized, counts as infinite."""
    return np.nan_to_num(q, nan=np.inf, posinf=np.inf)


def propagate_gradient_squares(e: Experiment, q: np.ndarray, of_weights: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Expected squares of batch x d(loss)/dz of one unit, `(S, L, batch)`: from the `last` layer's back through the others."""
    u = clip_to_averages(e.normalization_row.variance(q[:, :-1]))
    # of h by z: of phi by u, of u by z, and of what dropout lets through
    slope = slope_moment(e.phi, u) * np.where((q[:, :-1] > 0) & (q[:, :-1] < np.inf), u / q[:, :-1], 1) / (1 - e.dropout)
    passed = slope * (of_weights * [layer.fan_out for layer in e.layers])[:, 1:, None]
    g = [last]
    for index in range(e.depth - 2, -1, -1):
        through = g[0] if e.residual and index < e.depth - 2 else 0
        g.insert(0, passed[:, index] * g[0] + through)
    return np.stack(g, axis=1)


def output_gradient_squares(e: Experiment, q: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Expected square of batch x d(loss)/dz at the output, of outputs that are normal with variance q `(S, batch)`."""
    if not e.dataset_row.classes:
        return 4 * (q + y**2)  # the loss is (z - y)^2, and z knows nothing of y
    with np.errstate(divide="ignore"):
        squares = np.interp(np.log(q), SOFTMAX_LOG_Q, expected_softmax_squares(e.dataset_row.classes))
    return (squares - 2 / e.dataset_row.classes + 1) / e.dataset_row.classes  # |softmax(z) - e_y|^2, in which every class is as likely


@lru_cache
def expected_softmax_squares(classes: int) -> np.ndarray:
    """E |softmax(z)|^2 of `classes` logits N(0, q) at each of LOG_Q, by a fixed Monte Carlo."""
    noise = np.random.default_rng(0).standard_normal((MONTE_CARLO_SAMPLES, classes))
    logits = np.exp(SOFTMAX_LOG_Q / 2)[:, None, None] * (noise - noise.max(axis=1, keepdims=True))
    shares = np.exp(logits)
    return ((shares / shares.sum(axis=2, keepdims=True)) ** 2).sum(axis=2).mean(axis=1)


def has_band(e: Experiment, row: Scheme) -> bool:
    """Whether the spread over networks is known: Gaussian weights, straight lines from 0, and nothing else."""
    straight = e.phi.corners is not None and all(at == 0 for at, _ in e.phi.corners)
    silent = not any(row.bias_variance(layer) for layer in e.layers)
    plain = e.normalization_row.variance and not (e.normalization_row.has_gain or e.dropout or e.residual)
    return bool(straight and silent and plain and row.distribution == "normal" and not row.weights)


@lru_cache(maxsize=64)
def band_factors(widths: tuple[int, ...], slope: float, linear: bool) -> np.ndarray:
    """Factors `(2, 2, L)` of signal and gradient, low and high, by the exact law of one example, from fixed draws.

    Of n units with a random sign B ~ Bin(n, 1/2) have slope 1, the others `slope`, and each adds the square of a normal: per
    layer of He-ReLU ln((2/n) chi^2_B), whose variance is 5/n to leading order. Hanin & Rolnick 2018.
    """
    random = np.random.default_rng(0)
    n = np.array(widths)
    up = random.binomial(n, 0.5, (2, MONTE_CARLO_SAMPLES, len(n)))  # one set for the way forward, one for the way back
    of_up, of_down = (2 * random.standard_gamma(count / 2) for count in (up, n - up))
    a2 = 1.0 if linear else slope**2
    with np.errstate(divide="ignore"):  # a layer of two units may be dead
        size = np.log((of_up + of_down) / n)
        passed = np.log((of_up + a2 * of_down) / (n * (1 + a2) / 2))
    start = np.zeros((MONTE_CARLO_SAMPLES, 1))
    signal = size[0] + np.cumsum(np.hstack([start, passed[0, :, :-1]]), axis=1)
    gradient = np.cumsum(np.hstack([start, passed[1, :, -2::-1]]), axis=1)[:, ::-1]
    return np.exp(np.stack([np.percentile(log, BAND_PERCENTILES, axis=0, method="nearest") for log in (signal, gradient)]) / 2)  # of roots


def missing_prediction_notes(e: Experiment) -> Iterator[str]:
    """Why something is not predicted."""
    if not e.normalization_row.variance:
        yield f"No prediction with {e.normalization_row.label.lower()}: it mixes the examples of a batch."
        return
    absent = [row.title for row in e.scheme_rows if not row.variance]
    if absent:
        yield f"No prediction for {', '.join(absent)}: the weights are not drawn one by one from one distribution."
