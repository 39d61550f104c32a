"""What all tests share: one thread, so that nothing depends on how many cores are free, and Hypothesis without a clock."""

import os

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)  # a push must not fail by the luck of the draw
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser):
    parser.addoption("--update-docs", action="store_true", help="make the picture in docs/ anew")
