"""The shapes of the speed table, this engine's steps on them, and the bare products."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from stability.engine.training import Training, batch_indices, begin_training
from stability.records.experiment import Experiment
from stability.records.step_sampling import sampled_steps

SCHEMES = (
    "he_normal", "xavier_normal", "lecun_normal", "he_uniform",
    "orthogonal", "pytorch", "scaled_normal:1.2", "scaled_normal:1.6",
)  # fmt: skip
FEATURES, CLASSES = 32, 10
LEARNING_RATE = 1e-4  # so that no network ends and leaves the others less to do


@dataclass(frozen=True)
class Shape:
    networks: int
    depth: int
    width: int
    batch: int

    def __str__(self) -> str:
        return f"{self.networks} x {self.depth} x {self.width}, batch {self.batch}"

    @property
    def dimensions(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each layer."""
        hidden = [(self.width, self.width)] * (self.depth - 2)
        return [(FEATURES, self.width), *hidden, (self.width, CLASSES)]

    @property
    def is_large(self) -> bool:
        """True where a step takes so long that a few of them are enough."""
        weights = sum(fan_in * fan_out for fan_in, fan_out in self.dimensions)
        return self.networks * self.batch * weights > 1e8

    def experiment(self, **settings) -> Experiment:
        schemes = SCHEMES[: min(self.networks, 8, 6 if self.networks % 8 else 8)]
        return Experiment(
            schemes=schemes,
            replicates=self.networks // len(schemes),
            depth=self.depth,
            width=self.width,
            batch=self.batch,
            features=FEATURES,
            **{"learning_rate": LEARNING_RATE} | settings,
        )


FORTY = Shape(40, 20, 32, 64)
SHAPES = (
    Shape(6, 10, 64, 128),
    FORTY,
    Shape(64, 30, 64, 128),
    Shape(8, 30, 256, 128),
    Shape(128, 10, 16, 32),
)


def engine_steps(e: Experiment) -> tuple[Callable[[], object], Callable[[], object], float]:
    """An ordinary step and a sampled one, and the share of sampled ones in a whole run."""
    stack, data, _ = begin_training(e, torch.device("cpu"))
    training, batches = Training(stack, data), batch_indices(e)
    return (
        lambda: training.measure_and_update(1, next(batches)),
        lambda: training.measure_and_update(0, next(batches)),
        len(sampled_steps(e.steps)) / (e.steps + 1),
    )


def bare_products(shape: Shape) -> Callable[[], None]:
    """Products, biases and ReLUs, forward and back, into buffers that stay: no norm, no loss, no
    optimizer, no memory taken or given back. The least that a step by torch can cost.
    """
    n, batch = shape.networks, shape.batch
    weights = [
        torch.randn(n, fan_out, fan_in) * (2 / fan_in) ** 0.5
        for fan_in, fan_out in shape.dimensions
    ]
    biases = [torch.zeros(n, 1, fan_out) for _, fan_out in shape.dimensions]
    of_weights = [torch.empty_like(matrix) for matrix in weights]
    of_biases = [torch.empty(n, fan_out) for _, fan_out in shape.dimensions]
    z, h, delta = (
        [torch.empty(n, batch, fan_out) for _, fan_out in shape.dimensions] for _ in range(3)
    )
    inputs = [torch.randn(batch, FEATURES).expand(n, batch, FEATURES), *h[:-1]]
    delta[-1] = torch.randn(n, batch, CLASSES) / batch
    cut = torch.ops.aten.threshold_backward.grad_input

    def step() -> None:
        for layer in range(shape.depth):
            torch.baddbmm(biases[layer], inputs[layer], weights[layer].mT, out=z[layer])
            if layer < shape.depth - 1:
                torch.clamp(z[layer], min=0, out=h[layer])
        for layer in reversed(range(shape.depth)):
            torch.bmm(delta[layer].mT, inputs[layer], out=of_weights[layer])
            torch.sum(delta[layer], 1, out=of_biases[layer])
            if layer:
                below = torch.bmm(delta[layer], weights[layer], out=delta[layer - 1])
                cut(below, z[layer - 1], 0, grad_input=below)

    return step
