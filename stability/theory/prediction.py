"""Predictions of theory for this very network before training: signals and gradients by layer.

Each example is followed by q, the mean square of its z over the units of a wide layer. Exact in the
limit of wide layers for Gaussian weights; for the other families from about 30 incoming weights on,
where sums are Gaussian. Poole et al. 2016; Schoenholz et al. 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stability.catalogues.gaussian_moments import mean_share, second_moment, slope_moment
from stability.catalogues.scheme_entry import Scheme
from stability.engine.training import batch_indices
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.theory.shifted_weights import shifted_squares

SOFTMAX_LOG_Q = np.linspace(-12, 14, 53)  # the softmax is flat below this table and hard above it
MONTE_CARLO_SAMPLES = 4096  # a mean of numbers in [0, 1] is known to 1/128 at worst
BAND_PERCENTILES = 5, 95  # of the networks that lie below and above a band


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted profiles `(S, L)` on the scale of a Measurement at step 0.

    NaN where theory does not apply; `notes` say why. `signal_band` and `signal_gradient_band` are
    the factors `(S, 2, L)` between which nine of ten networks lie for one example, NaN where no law
    of their spread is known.
    """

    experiment: Experiment
    signal: np.ndarray
    signal_gradient: np.ndarray
    signal_band: np.ndarray
    signal_gradient_band: np.ndarray

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each part of the prediction that is missing."""
        return tuple(missing_prediction_notes(self.experiment))


@lru_cache(maxsize=256)
def predict(experiment: Experiment) -> Prediction:
    """Return roots of the expected squares over all draws of the network, for its first batch."""
    e, widths = experiment, tuple(layer.fan_out for layer in experiment.layers)
    signal, gradient = np.full((2, len(e.schemes), e.depth), np.nan)
    bands = np.full((2, len(e.schemes), 2, e.depth), np.nan)
    known = bool(e.normalization_row.variance) and (not e.weight_mean or is_unbranched(e))
    covered = [index for index, row in enumerate(e.scheme_rows) if known and row.variance]
    if covered:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite
            rows = [e.scheme_rows[index] for index in covered]
            q, g = expected_squares(e, rows)
            signal[covered], gradient[covered] = np.sqrt(q.mean(axis=2)), np.sqrt(g.mean(axis=2))
    for index in covered:
        if has_band(e, e.scheme_rows[index]):
            bands[:, index] = band_factors(widths, e.phi.negative_slope, not e.phi.corners)
    return Prediction(e, signal, gradient, bands[0], bands[1])


def is_unbranched(e: Experiment) -> bool:
    """Return True for layers that follow each other with nothing but the activation between."""
    return not (e.residual or e.dropout or e.normalization_row.has_gain)


def expected_squares(e: Experiment, rows: Sequence[Scheme]) -> tuple[np.ndarray, np.ndarray]:
    """Return E z^2 and E (batch x d(loss)/dz)^2, `(S, L, batch)` each; NaN what is not known."""
    x, y = first_examples(e)
    if e.weight_mean:
        q = shifted_squares(e, rows, x)
        return q, np.full_like(q, np.nan)
    q, weight_variances = propagate_variances(e, rows, np.square(x).mean(axis=1))
    last = output_gradient_squares(e, q[:, -1], y)
    last = last if not e.output_row.pytorch else np.full_like(last, np.nan)
    return q, propagate_gradient_squares(e, q, weight_variances, last)


def first_examples(e: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs of the first batch `(batch, features)` and its targets `(batch,)`."""
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)
    batch = next(batch_indices(e))
    return data.x[batch].double().numpy(), data.y[batch].double().numpy().reshape(len(batch))


def propagate_variances(
    e: Experiment, rows: Sequence[Scheme], squares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return Var z `(S, L, batch)`, from the mean squares of x, and Var W `(S, L)`."""
    layers = e.layers
    weights = np.array([[row.weight_variance(layer) for layer in layers] for row in rows])
    biases = np.array([[row.bias_variance(layer) for layer in layers] for row in rows])[..., None]
    gain = (weights * [layer.fan_in for layer in layers])[..., None]
    q = [gain[:, 0] * squares + biases[:, 0]]
    for index in range(1, e.depth):
        hidden = hidden_squares(e, q[-1])
        product = gain[:, index] * hidden.h / (1 - e.dropout) + biases[:, index]
        if start := e.shortcuts.get(index + 1):  # the product has mean 0 whatever it is added to
            product = e.branch_factor**2 * product + hidden_squares(e, q[start - 1]).stream
        q.append(product)
    return np.stack(q, axis=1), weights


@dataclass(frozen=True, eq=False)
class HiddenSquares:
    """Mean squares behind a wide hidden layer, and of their derivatives by its z, arrays alike."""

    h: np.ndarray  # of what the next layer multiplies, without dropout
    stream: np.ndarray  # of what a shortcut takes along
    h_by_z: np.ndarray
    stream_by_z: np.ndarray


def hidden_squares(e: Experiment, q: np.ndarray) -> HiddenSquares:
    """Return the squares behind a hidden layer whose z has variance q."""
    row, position, one = e.normalization_row, e.norm_position_row, np.ones_like(q)
    if position.follows_activation:
        h = second_moment(e.phi, q)
        spread = h * (1 - mean_share(e.phi, q)) if row.centers else h
        normalized = normalized_variance(e, spread)
        slope = slope_moment(e.phi, q) * squared_slope(normalized, spread)
        return HiddenSquares(normalized, q, slope, one)
    u = normalized_variance(e, q)
    u_by_z = squared_slope(u, q)
    stream, stream_by_z = (u, u_by_z) if position.on_stream else (q, one)
    h, h_by_u = second_moment(e.phi, u), slope_moment(e.phi, u)
    return HiddenSquares(h, stream, h_by_u * u_by_z, stream_by_z)


def normalized_variance(e: Experiment, q: np.ndarray) -> np.ndarray:
    """Return the variance of u where z has variance q; infinite where q is."""
    variance = e.normalization_row.variance
    assert variance, "of a normalization without a formula nothing is predicted"
    return np.asarray(np.nan_to_num(variance(q), nan=np.inf, posinf=np.inf))


def squared_slope(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the square of what a normalization multiplies by, 1 where nothing is known of it."""
    return np.where((before > 0) & (before < np.inf), after / before, 1)


def propagate_gradient_squares(
    e: Experiment, q: np.ndarray, weight_variances: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Return E (batch x d(loss)/dz)^2 of one unit, `(S, L, batch)`, back from the `last` layer."""
    hidden = hidden_squares(e, q[:, :-1])
    by_h, by_stream = hidden.h_by_z / (1 - e.dropout), hidden.stream_by_z
    gain = (weight_variances * [layer.fan_out for layer in e.layers])[:, 1:, None]
    g = [last]
    around: dict[int, np.ndarray] = {}  # what passes around a branch, by the layer it starts at
    for layer in range(e.depth, 1, -1):
        sent, factor = g[-1], 1.0
        if start := e.shortcuts.get(layer):
            around[start], factor = sent, e.branch_factor**2
        sent = by_h[:, layer - 2] * gain[:, layer - 2] * factor * sent
        g.append(sent + by_stream[:, layer - 2] * around.pop(layer - 1, 0))
    return np.stack(g[::-1], axis=1)


def output_gradient_squares(e: Experiment, q: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return E (batch x d(loss)/dz)^2 at outputs that are normal with variance q `(S, batch)`."""
    classes = e.dataset_row.classes
    if not classes:
        return np.asarray(4 * (q + y**2))  # of the loss (z - y)^2, where z does not depend on y
    with np.errstate(divide="ignore"):
        squares = np.interp(np.log(q), SOFTMAX_LOG_Q, expected_softmax_squares(classes))
    # |softmax(z) - e_y|^2, in which every class is as likely
    return np.asarray((squares - 2 / classes + 1) / classes)


@lru_cache
def expected_softmax_squares(classes: int) -> np.ndarray:
    """Return E |softmax(z)|^2 of logits N(0, q) at each of SOFTMAX_LOG_Q, by fixed Monte Carlo."""
    noise = np.random.default_rng(0).standard_normal((MONTE_CARLO_SAMPLES, classes))
    squares = []
    for scale in np.exp(SOFTMAX_LOG_Q / 2):  # one by one: of 100 classes all together are large
        shares = np.exp(scale * (noise - noise.max(axis=1, keepdims=True)))
        shares /= shares.sum(axis=1, keepdims=True)
        squares.append((shares**2).sum(axis=1).mean())
    return np.array(squares)


def has_band(e: Experiment, row: Scheme) -> bool:
    """True if the law of the spread is known: Gaussian weights, phi straight but for 0."""
    straight = e.phi.corners is not None and all(at == 0 for at, _ in e.phi.corners)
    silent = not any(row.bias_variance(layer) for layer in e.layers)
    gaussian = row.distribution == "normal" and not row.weights
    return straight and silent and is_unbranched(e) and gaussian and not e.weight_mean


@lru_cache(maxsize=64)
def band_factors(widths: tuple[int, ...], slope: float, linear: bool) -> np.ndarray:
    """Return factors `(2, 2, L)` of signal and gradient, low and high.

    They are quantiles of fixed draws from the exact law of one example. Of n units a random number
    B ~ Bin(n, 1/2) have slope 1, the others `slope`, and each adds the square of a normal. For ReLU
    with He weights a layer adds ln((2/n) chi^2_B), of variance 5/n to leading order. Hanin &
    Rolnick 2018.
    """
    random = np.random.default_rng(0)
    n = np.array(widths)
    up = random.binomial(n, 0.5, (2, MONTE_CARLO_SAMPLES, len(n)))  # one set forward, one backward
    up_squares, down_squares = (2 * random.standard_gamma(count / 2) for count in (up, n - up))
    a2 = 1.0 if linear else slope**2
    with np.errstate(divide="ignore"):  # all units of a narrow layer may be dead
        size = np.log((up_squares + down_squares) / n)
        passed = np.log((up_squares + a2 * down_squares) / (n * (1 + a2) / 2))
    start = np.zeros((MONTE_CARLO_SAMPLES, 1))
    signal = size[0] + np.cumsum(np.hstack([start, passed[0, :, :-1]]), axis=1)
    gradient = np.cumsum(np.hstack([start, passed[1, :, -2::-1]]), axis=1)[:, ::-1]
    logs = np.stack([signal, gradient])
    bands = np.percentile(logs, BAND_PERCENTILES, axis=1, method="nearest").swapaxes(0, 1)
    return np.asarray(np.exp(bands / 2))  # of roots


def missing_prediction_notes(e: Experiment) -> list[str]:
    """Return a sentence that says why a prediction is missing, or none, as a list."""
    if not e.normalization_row.variance:
        label = e.normalization_row.label.lower()
        note = _("No prediction with {label}: it mixes the examples of a batch.")
        return [note.format(label=label)]
    if e.output_row.pytorch:
        note = _(
            "No prediction of gradients with a {label} at the output: what the loss sends back is "
            "unknown."
        )
        return [note.format(label=e.output_row.label)]
    if e.weight_mean:
        note = _(
            "No prediction of gradients with weights that are not drawn around 0: they come back "
            "along the direction in which all units shift."
        )
        if not is_unbranched(e):
            note = _(
                "No prediction with weights that are not drawn around 0 but of plain layers: all "
                "units shift together."
            )
        return [note]
    absent = _(", ").join(row.title for row in e.scheme_rows if not row.variance)
    note = _(
        "No prediction for {absent}: the weights are not drawn one by one from one distribution."
    )
    return [note.format(absent=absent)] if absent else []
