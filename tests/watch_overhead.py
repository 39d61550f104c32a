"""Measure what `watch` costs: python tests/watch_overhead.py

For each network, the time of a step of training that is watched at every step, or at every 50th,
over that of a plain one: processor time on one thread, medians of rounds in turns.
"""

import contextlib
import statistics
import time

import torch
from torch import nn

from stability import watch

ROUNDS, STEPS = 3, 50


def mlp(width):
    layers = [part for _ in range(8) for part in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(*layers), torch.randn(128, width)


def convolutional():
    blocks = [(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()) for _ in range(6)]
    return nn.Sequential(*(part for block in blocks for part in block)), torch.randn(16, 32, 16, 16)


def transformer():
    layer = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True, norm_first=True)
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), torch.randn(8, 64, 256)


NETWORKS = {
    "8 x 64, batch 128": lambda: mlp(64),
    "8 x 512, batch 128": lambda: mlp(512),
    "6 convolutions, 16 images": convolutional,
    "6 transformer layers, 8 x 64 tokens": transformer,
}


def seconds(net, x, optimizer, every, steps):
    """Return the seconds of some steps, watched or not."""
    y = torch.randn(net(x).shape)
    begin = time.process_time()
    with watch(net, every) if every else contextlib.nullcontext():
        for _ in range(steps):
            loss = (net(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.process_time() - begin


def main():
    torch.set_num_threads(1)
    for name, make in NETWORKS.items():
        net, x = make()
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
        once = seconds(net, x, optimizer, 0, 5) / 5
        ratios = {1: [], 50: []}
        for _ in range(ROUNDS):
            plain = seconds(net, x, optimizer, 0, STEPS)
            for every, found in ratios.items():
                found.append(seconds(net, x, optimizer, every, STEPS) / plain)
        words = ", ".join(
            f"every {every}: {statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})"
            for every, found in ratios.items()
        )
        print(f"{name}: {1000 * once:.1f} ms a step; {words}", flush=True)


if __name__ == "__main__":
    main()
