"""The cost of a diagnosis of a large transformer, beside one plain pass forward and back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from bench_lines import Line, in_turns
from torch import Tensor, nn

from stability import diagnose

ROOT = Path(__file__).resolve().parent.parent
LAYERS, WIDTH, HEADS = 12, 832, 8  # 100 million parameters
EXAMPLES, LENGTH, CLASSES = 8, 64, 16


class Encoder(nn.Module):
    """A transformer encoder, normalization first, with a linear readout of the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(LAYERS)
        )
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


def network() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    return Encoder(), torch.randn(EXAMPLES, LENGTH, WIDTH), torch.arange(EXAMPLES) % CLASSES


def plain_pass(module: nn.Module, x: Tensor, y: Tensor) -> None:
    F.cross_entropy(module(x), y).backward()
    module.zero_grad(set_to_none=True)


def look(module: nn.Module, x: Tensor, y: Tensor) -> None:
    assert diagnose(module, x, y, F.cross_entropy).healthy


def diagnosis(quick: bool) -> Iterator[Line]:
    """The time of a diagnosis, and the memory of a process that makes one."""
    module, x, y = network()
    count = sum(parameter.numel() for parameter in module.parameters())
    ways = [partial(way, module, x, y) for way in (plain_pass, look)]
    times = in_turns(2 if quick else 5, *ways)
    yield Line(f"a pass through {count / 1e6:.0f} M parameters", [t[0] for t in times], "s")
    yield Line("  a diagnosis, of a pass", [t[1] / t[0] for t in times], "times", at_most=3)
    peaks = [peak_of(way.__name__) for way in (plain_pass, look)]
    yield Line("  memory at the peak, of a pass", [peaks[1] / peaks[0]], "times", at_most=1.5)


def peak_of(way: str) -> float:
    """Return the largest memory, in bytes, of a process that does this once."""
    code = (
        f"import sys, resource; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
        f"import bench_diagnose as b; b.{way}(*b.network())\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    return float(done.stdout)
