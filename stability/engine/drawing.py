"""All that an experiment draws at random besides its data: first weights, and masks of dropout."""

import torch
from torch import Tensor

from stability.catalogues.draws import Draws, Layer
from stability.engine.family import Family
from stability.randomness import generator
from stability.records.experiment import Experiment


def draw_layer(family: Family, layer: Layer) -> tuple[Tensor, Tensor]:
    """Draw weights `(N, fan_out, fan_in)` and biases `(N, fan_out)`, schemes outermost.

    `layer` is that of any experiment of the family. The replicates of all schemes share their
    noise.
    """
    e = family.shared
    noises = [Draws(e.seed, replicate, layer) for replicate in range(e.replicates)]
    pairs = [
        row.draw(own.layers[layer.index - 1], noise)
        for own, row in family.members
        for noise in noises
    ]
    return torch.stack([weights for weights, _ in pairs]), torch.stack([b for _, b in pairs])


def dropout_masks(e: Experiment, step: int, batch: int) -> list[Tensor]:
    """Draw the masks of inverted dropout by hidden layer, `(R, batch, width)`.

    A mask follows from (seed, replicate, step, layer) and is the same for all schemes.
    """
    masks, row = [], e.number_format
    for index, width in enumerate(e.hidden_widths, start=1):
        drawn = torch.empty(e.replicates, batch, width, dtype=torch.float32)
        for replicate, uniform in enumerate(drawn):
            torch.rand(
                uniform.shape,
                generator=generator(e.seed, "dropout", replicate, index, step),
                out=uniform,
            )
        # Comparing in place, as 0 and 1, saves a pass over a boolean mask.
        kept = torch.ge(drawn, e.dropout, out=drawn).to(row.compute_dtype)
        masks.append(kept.div_(1 - e.dropout).to(row.dtype).to(row.compute_dtype))
    return masks
