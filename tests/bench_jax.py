"""The same training and the same measurements in JAX, as fast as its authors could make them.

Of the ways that were tried, this one is the fastest on a CPU (jax 0.8): all layers written out in
one jitted step, and the way back by hand, with the update fused in. Autodiff of `lax.scan` over
the layers, with or without `vmap` over the networks, takes 1.1 to 2.1 times as long, plain sums
for the norms 1.2 times. XLA multiplies small matrices up to three times faster if both lie with
the summed axis last: so weights are (outputs, inputs), and the way back has a transposed copy of
narrow ones. It adds one number after another unless the sum runs over an outer axis: so norms are
taken in lanes first. Fast math made nothing faster. Large stacks are faster in blocks of 8
networks by `lax.map`: both are built, and the faster one counts.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_lines import median_seconds
from bench_shapes import CLASSES, FEATURES, LEARNING_RATE, Shape

THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))
os.environ["JAX_PLATFORMS"] = "cpu"
if THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
try:
    import jax
    import jax.numpy as jnp
    from jax import lax
except ImportError:
    jax = None

BLOCK = 8  # networks
Array = Any


def jax_step(shape: Shape) -> tuple[Callable[[], object], float] | None:
    """One step with all its measurements in NumPy, and the seconds of its first call; None without
    JAX.
    """
    if jax is None:
        return None
    blocks = [shape.networks // BLOCK] if shape.networks % BLOCK == 0 else []
    built = [build(shape, count) for count in {1, *blocks}]
    quickest = min(built, key=lambda pair: median_seconds(pair[0], 3, time.process_time))
    return quickest


def build(shape: Shape, blocks: int) -> tuple[Callable[[], object], float]:
    key = jax.random.PRNGKey(0)
    x = jax.random.normal(key, (shape.batch, FEATURES))
    y = jax.random.randint(key, (shape.batch,), 0, CLASSES)

    def whole(parameters):
        if blocks == 1:
            return train_step(parameters, x, y)
        parts = jax.tree.map(lambda a: a.reshape(blocks, -1, *a.shape[1:]), parameters)
        parts, found = lax.map(lambda part: train_step(part, x, y), parts)
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), parts), found

    jitted, state = jax.jit(whole, donate_argnums=0), [drawn(shape, key)]

    def step() -> list[np.ndarray]:
        state[0], found = jitted(state[0])
        return [np.asarray(values) for values in found]

    start = time.perf_counter()
    step()
    return step, time.perf_counter() - start


def drawn(shape: Shape, key: Array) -> list[tuple[Array, Array]]:
    """Weights `(N, fan_out, fan_in)` as by He, biases 0, by layer."""
    n = shape.networks
    return [
        (
            jax.random.normal(jax.random.fold_in(key, index), (n, fan_out, fan_in))
            * (2 / fan_in) ** 0.5,
            jnp.zeros((n, fan_out)),
        )
        for index, (fan_in, fan_out) in enumerate(shape.dimensions)
    ]


def train_step(parameters: list, x: Array, y: Array) -> tuple[list, list[Array]]:
    """The parameters after one step of SGD, and what was measured on the way."""
    h, inputs, signal = jnp.broadcast_to(x, (len(parameters[0][0]), *x.shape)), [], []
    for weights, biases in parameters:
        inputs.append(h)
        z = jnp.einsum("nbi,nji->nbj", h, weights) + biases[:, None]
        signal.append(norms(z))
        h = jnp.maximum(z, 0)
    right, log_p = jax.nn.one_hot(y, CLASSES), jax.nn.log_softmax(z)
    loss = -(log_p * right).sum(2).mean(1)
    accuracy = (jnp.argmax(z, 2) == y).mean(1)
    delta, found, after = (jnp.exp(log_p) - right) / len(y), [], []
    for (weights, biases), h in zip(reversed(parameters), reversed(inputs), strict=True):
        of_weights, of_biases = jnp.einsum("nbj,nbi->nji", delta, h), delta.sum(1)
        update = -LEARNING_RATE * of_weights
        after.append((weights + update, biases - LEARNING_RATE * of_biases))
        measured = [norms(delta), norms(of_weights), norms(update), norms(weights)]
        active = (h > 0).sum(1, dtype=jnp.float32)
        saturated, dead = 1 - active.mean(1) / len(y), (active == 0).mean(1)
        found.append([*measured, jnp.sqrt((of_biases**2).sum(1)), saturated, dead])
        if h is not inputs[0]:
            delta = jnp.where(h > 0, multiplied(delta, weights), 0)
    by_layer = [jnp.stack(values) for values in zip(*found, strict=True)]
    total = jnp.sqrt((by_layer[1] ** 2 + by_layer[4] ** 2).sum(0))
    return after[::-1], [loss, accuracy, total, jnp.stack(signal), *by_layer]


def multiplied(delta: Array, weights: Array) -> Array:
    if weights.shape[1] > 32:
        return jnp.einsum("nbj,nji->nbi", delta, weights)
    transposed = lax.optimization_barrier(weights.mT)
    return jnp.einsum("nbj,nij->nbi", delta, transposed)


def norms(matrices: Array) -> Array:
    """The 2-norms of `(N, rows, columns)`: `(N,)`."""
    rows, columns = matrices.shape[1:]
    count = next(k for k in (8, 4, 2, 1) if rows % k == 0 and (k == 1 or columns * k <= 128))
    lanes = (matrices * matrices).reshape(-1, rows // count, columns * count).sum(1)
    return jnp.sqrt(lax.optimization_barrier(lanes).sum(1))
