"""What a case is: a network to diagnose, its cure, and what may and may not be said of it.

The cases themselves stand in known_networks.py, fresh_sick_wiring.py, fresh_sick_numbers.py and
fresh_healthy.py; all_networks.py gathers them.
"""

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from stability.modules import kinds as diagnose_kinds

KINDS = frozenset(kind.key for kind in diagnose_kinds.KINDS)


@dataclass(frozen=True)
class Want:
    """One of `kinds`, separated by spaces, at one of `where`: patterns of dotted names."""

    kinds: str
    where: tuple[str, ...]

    def met_by(self, kind: str, where: str, module: nn.Module) -> bool:
        """Say if a finding is the one wanted; the name of a parameter stands for its module."""
        names = {where or ""}
        if where in dict(module.named_parameters(remove_duplicate=False)):
            names.add(where.rpartition(".")[0])
        return kind in self.kinds.split() and any(
            fnmatch.fnmatchcase(name, pattern) for name in names for pattern in self.where
        )


@dataclass(frozen=True)
class Case:
    """A network with what is wanted of a diagnosis, and the kinds that would be false."""

    key: str
    build: Callable[..., tuple[nn.Module, Any, Any, Any]]
    want: tuple[Want, ...]
    never: frozenset[str]
    plain: str  # what plain PyTorch did when it trained the network and its cure

    def make(self, **cure: bool) -> tuple[nn.Module, Any, Any, Any]:
        """Return module, inputs, targets and loss, the same at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(sum(map(ord, self.key)))
            return self.build(**cure)


class Cases(dict[str, Case]):
    """The cases of a collection by name, which its decorators add to."""

    def sick(self, *wanted: Want, defensible: str = "", plain: str = ""):
        """Add a sick network: all kinds but the wanted and the defensible ones are false."""
        allowed = {kind for one in wanted for kind in one.kinds.split()} | set(defensible.split())
        assert allowed <= KINDS
        return lambda build: self._add(build, wanted, KINDS - allowed, plain)

    def healthy(self, *, plain: str = ""):
        """Add a healthy network: nothing may be said of it."""
        return lambda build: self._add(build, (), KINDS, plain)

    def _add(self, build, wanted, never, plain):
        key = build.__name__.replace("_", "-")
        assert key not in self
        self[key] = Case(key, build, wanted, never, plain)
        return build


CASES = Cases()
sick, healthy = CASES.sick, CASES.healthy


def want(kinds: str, *where: str) -> Want:
    assert set(kinds.split()) <= KINDS
    return Want(kinds, where)


def standardised(x):
    return (x - x.mean()) / x.std()


def blobs(n=64, d=32, classes=10, spread=0.5):
    y = torch.arange(n) % classes
    x = torch.randn(classes, d)[y] + spread * torch.randn(n, d)
    return (x - x.mean(0)) / x.std(0), y


def surface(n=64, d=8):
    """A smooth regression: inputs and targets of mean 0 and variance 1, targets (n, 1)."""
    x = torch.randn(n, d)
    return x, standardised(torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3])


def images(n=32, channels=3, size=16, classes=4):
    """Blurred noise around one pattern a class; mean 0, variance 1."""
    y = torch.arange(n) % classes
    x = torch.randn(classes, channels, size, size)[y] + 0.7 * torch.randn(n, channels, size, size)
    return standardised(F.avg_pool2d(x, 3, 1, 1)), y


def sequences(n=32, length=10, d=16, classes=4):
    y = torch.arange(n) % classes
    return torch.randn(classes, length, d)[y] + 0.7 * torch.randn(n, length, d), y


def tokens(n=16, length=12, vocabulary=50):
    """Sequences in which the next token follows from the last, and the next tokens."""
    follow, rows = torch.randperm(vocabulary), [torch.randint(0, vocabulary, (n,))]
    for _ in range(length):
        rows.append(follow[rows[-1]])
    rows = torch.stack(rows, 1)
    return rows[:, :-1], rows[:, 1:]


def graphs(n=32, nodes=12, d=6, neighbours=4):
    """Features (n, nodes, d), and adjacency matrices (n, nodes, nodes) with loops."""
    chosen = torch.rand(n, nodes, nodes).topk(neighbours).indices
    edges = torch.zeros(n, nodes, nodes).scatter(2, chosen, 1.0)
    return torch.randn(n, nodes, d), torch.maximum(edges, torch.eye(nodes))


def per_token(out, y):
    return F.cross_entropy(out.flatten(0, 1), y.flatten())


def he(module):
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return module


class Lambda(nn.Module):
    """A function as a module, so that it can stand in a Sequential and has a name."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Attention(nn.Module):
    """Self-attention by scaled_dot_product_attention, with separate q, k, v and out."""

    def __init__(self, d, heads=2, causal=False):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Linear(d, d) for _ in range(4))
        self.heads, self.causal = heads, causal

    def forward(self, x):  # (n, t, d)
        q, k, v = (
            f(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A transformer block, normalization first."""

    def __init__(self, d, heads=2, causal=False):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = Attention(d, heads, causal)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Mixture(nn.Module):
    """A mixture of experts: each example weighs all experts by its gate."""

    def __init__(self, experts, over=1):
        super().__init__()
        self.gate, self.experts, self.over = nn.Linear(32, len(experts)), experts, over
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        weights = self.gate(x).softmax(self.over)
        features = torch.stack([expert(x) for expert in self.experts], 1)
        return self.head(torch.einsum("ne,ned->nd", weights, F.silu(features)))
