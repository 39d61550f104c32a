"""The averages of sin(w0 u) over one and two bell curves, in closed form.

u, u1 and u2 are normal with mean 0 and variance q, u1 and u2 of correlation c. With x = w0^2 q

    E sin(w0 u)^2 = (1 - e^(-2 x)) / 2,    E sin(w0 u1) sin(w0 u2) = e^-x sinh(x c),

and cosines have the average e^-x cosh(x c). A sine of a wide curve goes through many periods, so
that no rule of quadrature serves every q.
"""

import math
from dataclasses import dataclass

import numpy as np

LOG_SMALLEST, LOG_LARGEST = -700.0, 700.0  # of x: beyond them its exponential is no float


@dataclass(frozen=True)
class SineMoments:
    """The averages of one sine, of frequency w0."""

    w0: float

    def log_moment(self, kind: int, log_q: np.ndarray) -> np.ndarray:
        """Return the logarithm of SECOND, SLOPE, GROWTH or ODD, elementwise, for log_q in +-2000.

        The kinds are those of `gaussian_moments`.
        """
        log_w2 = 2 * math.log(self.w0)
        log_x = np.minimum(log_q + log_w2, LOG_LARGEST)
        x = np.exp(np.maximum(log_x, LOG_SMALLEST))
        slope = log_w2 + np.log1p(np.exp(-2 * x)) - math.log(2)
        second = log_x + np.log(-np.expm1(-2 * x) / (2 * x))
        return np.asarray((second, slope, log_w2 - 2 * x, slope)[kind])

    def deficit(self, log_q: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the correlation deficit and E phi'(u1) phi'(u2) at c = cos(theta), `(2, q)` each.

        They are those of the odd and of the even part of phi, which is 0. See
        `correlation_deficit`.
        """
        x = np.exp(np.clip(log_q + 2 * math.log(self.w0), LOG_SMALLEST, LOG_LARGEST))
        below, above = 2 * x * np.sin(theta / 2) ** 2, 2 * x * np.cos(theta / 2) ** 2  # x (1 -+ c)
        small = np.maximum(below, math.exp(LOG_SMALLEST))  # where both inputs are alike
        mean = (1 + np.exp(-above)) / 2
        deficit = self.w0**2 * mean * -np.expm1(-small) / small
        slope = self.w0**2 * (np.exp(-below) + np.exp(-above)) / 2
        nothing = np.zeros_like(deficit)
        return np.stack([deficit, nothing]), np.stack([slope, nothing])
