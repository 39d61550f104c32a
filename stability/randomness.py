"""Random numbers: CPU generators seeded by one integer mix, never the global generator.

The mix is the finaliser of SplitMix64 (Steele, Lea & Flood 2014), folded over (seed, replicate,
layer, purpose): state = mix(state + number + 0x9E3779B97F4A7C15) modulo 2^64, from state 0. The
numbers do not depend on the device.
"""

import torch

PURPOSES = (
    "data", "batches", "dropout", "normal", "uniform", "truncated_normal", "orthogonal", "sparse",
    "biases", "labels", "metainit",
)  # fmt: skip
MASK = 2**64 - 1


def generator(
    seed: int, purpose: str, replicate: int = 0, layer: int = 0, step: int = 0
) -> torch.Generator:
    """Return a fresh CPU generator, determined by the arguments alone.

    ValueError for an unknown purpose.
    """
    numbers = [seed, replicate, layer, PURPOSES.index(purpose)]
    if step:
        numbers.append(step)
    state = 0
    for number in numbers:
        state = mix((state + number + 0x9E3779B97F4A7C15) & MASK)
    return torch.Generator().manual_seed(state)


def mix(state: int) -> int:
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)
