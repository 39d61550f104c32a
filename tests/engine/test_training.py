"""The engine against plain PyTorch, one network at a time, and the laws of its stream.

Tolerances. From the same state everything equals the reference to 1e-10 of the largest entry of its array in float64 and to
1e-4 in float32, array by array and layer by layer. A kink that is crossed, a difference of nearly equal numbers or a chaotic
network amplifies rounding, so that no two orders of summation agree. That is seen in the reference itself: its weights
are changed by about one rounding (1e-15 and 1e-7 of each, or of the largest), its examples summed the other way round, and
gradients near 0 made what a thousand roundings leave. An array that is not equal is excused only if that moves it, or what
it is made of, by more than a hundredth of the tolerance (twelve layers, forward and back, round a few hundred times).
Every case runs in float64, also those in float32, so what float32 cannot decide float64 does; and how many arrays need no
excuse is itself tested, so that the rule cannot swallow the comparison.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from itertools import combinations, groupby, islice, pairwise, product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from lars import Lars
from torch import Tensor, nn

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES
from stability.engine.input_grid import INPUT_GRIDS
from stability.engine.network import Stack
from stability.engine.process_settings import configure_process
from stability.engine.quantities import HISTOGRAM_BINS
from stability.engine.measurement import Measurement
from stability.engine.network import mean_losses
from stability.engine.rounding_shares import SHARES_SHAPE
from stability.records.step_sampling import SAMPLED_STEPS, evenly_spread_steps
from stability.engine.training import Training, batch_indices, measure
from stability.randomness import generator
from stability.records.experiment import Experiment
from stability.records.knobs import reconcile

configure_process()  # as on the page: large arrays are kept, instead of fetched from the system again and again

CPU = torch.device("cpu")
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
ROUNDING = {"float64": 1e-15, "float32": 1e-7}
QUANTITIES = [field.name for field in fields(Measurement)][1:]
COMPARED = [name for name in QUANTITIES if name not in ("rounding_shares", "learned_outputs")]  # which have oracles in files of their own

PHI = {  # the others are called in torch.nn.functional as they are here
    "linear": lambda u: u,
    "erf": torch.erf,
    "leaky_relu_0.2": lambda u: F.leaky_relu(u, 0.2),
}
NORM = {
    "none": lambda width: nn.Identity(),
    "batch": lambda width: nn.BatchNorm1d(width, track_running_stats=False),
    "layer": nn.LayerNorm,
    "rms": nn.RMSNorm,
}
OPTIMIZER = {  # each takes groups of parameters: hidden matrices, the first and the last, vectors
    "sgd": lambda groups, rate: [torch.optim.SGD(groups, rate)],
    "momentum": lambda groups, rate: [torch.optim.SGD(groups, rate, momentum=0.9)],
    "nesterov": lambda groups, rate: [torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True)],
    "adam": lambda groups, rate: [torch.optim.Adam(groups, rate)],
    "adamw": lambda groups, rate: [torch.optim.AdamW(groups, rate)],
    "rmsprop": lambda groups, rate: [torch.optim.RMSprop(groups, rate)],
    "lars": lambda groups, rate: [Lars(groups[:2], rate), torch.optim.SGD(groups[2:], rate, momentum=0.9)],
    "muon": lambda groups, rate: [
        torch.optim.Muon(groups[:1], rate, adjust_lr_fn="match_rms_adamw"), torch.optim.AdamW(groups[1:], rate)
    ],
}  # fmt: skip
FACTORS = {
    "schemes": [key for key in SCHEMES if key not in ("critical", "fixup")],  # which not every other row goes with
    "activation": list(ACTIVATIONS),
    "normalization": list(NORMALIZATIONS),
    "optimizer": list(OPTIMIZERS),
    "dataset": list(DATASETS),
    "residual": [False, True],
    "clip": [0.0, 0.05],
    "weight_decay": [0.0, 0.03],
    "dropout": [0.0, 0.25],
    "bias_std": [0.0, 0.3],
    "replicates": [1, 3],
}


def covering(factors: dict[str, list], together: int = 3) -> Iterator[dict[str, tuple]]:
    """Cases in which every two values of two factors meet; several values of the first factor share a case. Greedy: a case
    starts from a pair that has not met yet and takes, factor by factor, the value that brings most new pairs."""
    first, *others = factors
    missing = dict.fromkeys(frozenset([(a, x), (b, y)]) for a, b in combinations(factors, 2)
                            for x, y in product(factors[a], factors[b]))  # fmt: skip
    shuffle = random.Random(0)
    while missing:
        case = sorted(next(iter(missing)), key=str)
        open_slots = Counter([first] * together + others) - Counter(name for name, _ in case)
        for name in open_slots.elements():
            values = [value for value in factors[name] if (name, value) not in case]
            new = {value: sum(pair in missing for pair in meetings([*case, (name, value)])) for value in values}
            case.append((name, max(shuffle.sample(values, len(values)), key=new.get)))  # ties go to any of them
        for pair in meetings(case):
            missing.pop(pair, None)
        yield {name: tuple(value for key, value in case if key == name) for name in factors}


def meetings(case: list[tuple]) -> set[frozenset]:
    return {frozenset(pair) for pair in combinations(case, 2) if pair[0][0] != pair[1][0]}


def experiment(schemes: tuple[str, ...], **case: tuple) -> Experiment:
    """Depth 6, ends that are not square, two steps: the second meets what the optimizer kept of the first. The batch is odd, so
    that no two classes cancel exactly."""
    case = {name: value for name, (value,) in case.items()}
    return Experiment(
        schemes=schemes, depth=6, width=20, features=13, samples=64, batch=15, steps=2,
        learning_rate=OPTIMIZERS[case["optimizer"]].learning_rate, seed=7, **case,
    )  # fmt: skip


def looked_at(e: Experiment) -> list[int]:
    """Three networks of the stack: one of each scheme, and one of each replicate, in another order than the schemes'."""
    return [scheme * e.replicates + (scheme + 1) % e.replicates for scheme in range(len(e.schemes))]


def few(cases: list[dict]) -> Iterator[int]:
    """Numbers of cases in which every row occurs: greedily, those that bring most new rows."""
    rows = [{(name, value) for name in case for value in case[name]} for case in cases]
    missing = set().union(*rows)
    while missing:
        number = max(range(len(cases)), key=lambda number: len(rows[number] & missing))
        missing -= rows[number]
        yield number


CASES = list(covering(FACTORS))
SINGLE = set(few(CASES))  # in float32 too: so every row meets both formats


class Plain(nn.Module):
    """Network `n` of a stack in plain PyTorch, started from the stack's own parameters.

    `change` shakes each weight by that part of it, or, with `spread`, of the largest in its array.
    """

    def __init__(self, stack: Stack, n: int, change: float = 0.0, spread: bool = False):
        super().__init__()
        e = self.e = stack.experiment
        self.index, self.dtype, self.shaken = n, e.number_format.dtype, change > 0
        shapes = [(layer.fan_in, layer.fan_out) for layer in e.layers]
        self.linears = nn.ModuleList(nn.Linear(*shape, dtype=self.dtype) for shape in shapes)
        self.norms = nn.ModuleList(NORM[e.normalization](e.width).to(self.dtype) for _ in shapes[1:])
        shake = torch.Generator().manual_seed(n)
        with torch.no_grad():
            for parameter, start in zip(self.ordered(), unstacked(stack.parameters, n), strict=True):
                noise = torch.randn(start.shape, generator=shake, dtype=torch.float64)
                parameter.copy_(start + change * noise * (start.abs().max() if spread else start))
        matrices, vectors = self.ordered()[: e.depth], self.ordered()[e.depth :]
        # The optimizer keeps its books in float64: so a step is known to more digits than the weight that it changes.
        self.books = [nn.Parameter(parameter.detach().double()) for parameter in (*matrices, *vectors)]
        parts = self.books[1 : e.depth - 1], [self.books[0], self.books[e.depth - 1]], self.books[e.depth :]
        decays = e.weight_decay, e.weight_decay, 0.0
        groups = [{"params": part, "weight_decay": decay} for part, decay in zip(parts, decays, strict=True)]
        self.optimizers = OPTIMIZER[e.optimizer](groups, e.learning_rate)
        self.update = [0.0] * e.depth
        self.steepest = steepest(e.activation)
        # A step read off as a difference of weights is known up to a rounding of the weights, and to the smallest of numbers.
        double, own = torch.finfo(torch.float64).eps, torch.finfo(self.dtype)
        self.floors = {
            "update": [4 * double * norm(book) for book in self.books[: e.depth]],
            "step": [4 * own.eps * book.abs().max().item() + own.tiny for book in self.books],
        }

    def ordered(self) -> list[nn.Parameter]:
        """Weights, biases, gains, shifts: first to last layer, as in a stack."""
        norms = [list(norm.parameters()) for norm in self.norms]
        gains, shifts = [p[0] for p in norms if p], [p[1] for p in norms if len(p) > 1]
        return [linear.weight for linear in self.linears] + [linear.bias for linear in self.linears] + gains + shifts

    def forward(self, x: Tensor, step: int | None) -> Tensor:
        """Leaves `z` and `u` behind; without a step there is no dropout."""
        h, self.z, self.u = x, [], []
        for number, linear in enumerate(self.linears, start=1):
            z = linear(h)
            if self.e.residual and 1 < number < self.e.depth:
                z = self.z[-1] + z
            self.z.append(z)
            if number < self.e.depth:
                self.u.append(self.norms[number - 1](z))
                h = self.phi(self.u[-1])
                if step is not None and self.e.dropout:
                    h = h * self.mask(h.shape, number, step)
        return self.z[-1]

    def phi(self, u: Tensor) -> Tensor:
        return phi_of(self.e.activation)(u)

    def mask(self, shape: torch.Size, number: int, step: int) -> Tensor:
        """The masks of the definition: by (seed, replicate, step, layer), the same for all schemes."""
        draw = torch.rand(shape, generator=generator(self.e.seed, "dropout", self.index % self.e.replicates, number, step))
        return self.ordering((draw >= self.e.dropout).to(self.dtype) / (1 - self.e.dropout))

    def ordering(self, examples: Tensor) -> Tensor:
        """A shaken network sums over the examples from the last to the first."""
        return examples.flip(0) if self.shaken else examples

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(output, y) if self.e.dataset_row.classes is None else F.cross_entropy(output, y)

    def accuracy(self, output: Tensor, y: Tensor) -> float:
        """An output with NaN in it is never right. NaN in a shaken network where two classes tie: rounding decides."""
        if not self.e.dataset_row.classes or (self.shaken and ties(output)):
            return torch.nan
        right = (output.argmax(dim=1) == y) & ~output.isnan().any(dim=1)
        return right.double().mean().item()

    def trained(self, data) -> list[dict[str, list]]:
        return [self.train_on(data, batch, step) for step, batch in enumerate(islice(batch_indices(self.e), self.e.steps + 1))]

    def train_on(self, data, batch: Tensor, step: int) -> dict[str, list]:
        """One measurement by its definitions, then one update. Lists of tensors or numbers, by name."""
        x, y = self.ordering(data.x[batch]), self.ordering(data.y[batch])
        output = self(x, step)
        for z in self.z:
            z.retain_grad()
        self.zero_grad()
        loss = self.loss(output, y)
        loss.backward()
        gradients = [parameter.grad.clone() for parameter in self.ordered()]
        found = {"output": [output], "z": self.z, "dz": [z.grad for z in self.z]}
        found = {name: list(map(self.ordering, arrays)) for name, arrays in found.items()} | {"gradient": gradients}
        found |= {"loss": [loss.item()], "update": self.update, "scale": [1.0]}
        found["accuracy"] = [self.accuracy(output, y)]
        found["signal"] = [root_mean_square(z) for z in self.z]
        found["signal_gradient"] = [root_mean_square(len(x) * z.grad.double()) for z in self.z]
        found["weight_gradient"] = [norm(gradient) for gradient in gradients[: self.e.depth]]
        found["weight"] = [norm(linear.weight) for linear in self.linears]
        found["gradient_norm"] = [norm(torch.cat([gradient.flatten() for gradient in gradients]))]
        if step in (0, self.e.steps):
            found |= {"distinct": kinds(self.z[:-1], self.shaken), "pre_activations": self.histograms()}
            found |= self.flat_shares() | self.held_out(data)
        return found | {"step": self.descend() if step < self.e.steps else []}

    def flat_shares(self) -> dict[str, list[float]]:
        """Of a layer with NaN in it there is no share. NaN in a shaken network where rounding decides: beside a kink, and
        where a slope is no more than its own rounding."""
        u = torch.stack(self.u).detach()  # (L-1, batch, width)
        slope = derivative(self.phi, u.double()).abs()
        saturated, dead = slope < 0.005 * self.steepest, slope == 0
        near = 100 * ROUNDING[self.e.precision] * u.double().abs().amax(dim=(1, 2), keepdim=True)
        beside = [derivative(self.phi, u.double() + side * near).abs() for side in (-1, 1)]
        unclear = (beside[0] < 0.005 * self.steepest) != (beside[1] < 0.005 * self.steepest)
        unclear |= (slope > 0) & (slope < torch.finfo(self.dtype).eps)
        lost = u.isnan().flatten(1).any(dim=1) | (unclear.flatten(1).any(dim=1) & torch.tensor(self.shaken))
        shares = {"saturated": saturated.double().mean(dim=(1, 2)), "dead": dead.all(dim=1).double().mean(dim=1)}
        return {name: torch.where(lost, torch.nan, share).tolist() for name, share in shares.items()}

    def histograms(self) -> list[Tensor]:
        """Shares of u between edges a quarter apart, 66 a layer. NaN with NaN in u, and where rounding decides in a shaken
        network: beside an edge."""
        edges, shares = torch.cat([torch.arange(-32, 33) / 4, torch.tensor([torch.inf])]), []
        for u in (u.detach().double().flatten() for u in self.u):
            below = (u[:, None] < edges).sum(dim=0)  # each edge
            below[-1] = len(u)
            share = below.diff(prepend=torch.zeros(1, dtype=torch.int64)) / len(u)
            near = 100 * ROUNDING[self.e.precision] * u.abs().max()
            unclear = self.shaken and ((u[:, None] - edges[:-1]).abs() <= near).any()
            shares.append(torch.full_like(share, torch.nan) if unclear or u.isnan().any() else share)
        return shares

    @torch.no_grad()
    def held_out(self, data) -> dict[str, list[float]]:
        output = self(data.x_test, None)
        return {
            "test_loss": [self.loss(output, data.y_test).item()],
            "test_accuracy": [self.accuracy(output, data.y_test)],
        }

    def descend(self) -> list[Tensor]:
        """One update; returns what it added."""
        if self.e.clip:
            nn.utils.clip_grad_norm_(self.parameters(), self.e.clip)
        for parameter, book in zip(self.ordered(), self.books, strict=True):
            book.data.copy_(parameter.detach())
            book.grad = parameter.grad.double()
            if self.shaken:  # a sum that cancels in one order leaves a rounding in another, and Adam makes much of it
                level = 1000 * ROUNDING[self.e.precision] * book.grad.abs().max()
                book.grad = torch.where(book.grad.abs() < level, level, book.grad)
        before = [book.detach().clone() for book in self.books]
        for optimizer in self.optimizers:
            optimizer.step()
        for parameter, book in zip(self.ordered(), self.books, strict=True):
            parameter.data.copy_(book.detach())
        steps = [book.detach() - start for book, start in zip(self.books, before, strict=True)]
        self.update = [norm(matrix) for matrix in steps[: self.e.depth]]
        return steps


def norm(tensor: Tensor) -> float:
    """The 2-norm in float64, scaled: some of these networks leave the squared range of float64 too."""
    entries = tensor.detach().double().numpy().ravel()
    largest = np.abs(entries).max()
    scale = largest if 0 < largest < np.inf else 1.0
    return float(np.linalg.norm(entries / scale) * scale)


def root_mean_square(tensor: Tensor) -> float:
    return norm(tensor) / tensor.numel() ** 0.5


def ties(output: Tensor) -> bool:
    """Whether two classes of any example are closer than 1e-5 of the largest output."""
    best, second = output.detach().double().topk(2, dim=1).values.unbind(dim=1)
    return bool((best - second).min() < 1e-5 * output.abs().max())


def kinds(hidden: list[Tensor], shaken: bool) -> list[float]:
    """Different units in each layer: two are alike if they differ nowhere by more than 1e-5 of the layer's RMS.

    A shaken network counts NaN where one unit is like two that are not alike: there the definition leaves it open.
    """
    z = torch.stack([layer.detach().double() / (root_mean_square(layer) or 1) for layer in hidden])
    units = z.mT  # (L-1, width, batch)
    alike = (torch.cdist(units, units, p=torch.inf) <= 1e-5).double()
    count = units.shape[1] - alike.tril(-1).any(dim=2).sum(dim=1)
    unclear = ((alike @ alike > 0) != (alike > 0)).flatten(1).any(dim=1) & torch.tensor(shaken)
    return torch.where(unclear | z.isnan().flatten(1).any(dim=1), torch.nan, count.double()).tolist()


def phi_of(activation: str) -> Callable[[Tensor], Tensor]:
    return PHI.get(activation, getattr(F, activation, None))


@cache
def steepest(activation: str) -> Tensor:
    return derivative(phi_of(activation), torch.linspace(-30, 30, 60001, dtype=torch.float64)).abs().max()


def derivative(phi, u: Tensor) -> Tensor:
    u = u.clone().requires_grad_()
    return torch.autograd.grad(phi(u).sum(), u)[0]


def unstacked(tensors: list[Tensor], n: int) -> list[Tensor]:
    """Network `n` of a list of stacks `(layers, N, ...)`, layer after layer."""
    return [layer.detach() for stack in tensors for layer in stack[:, n].unbind()]


def engine(e: Experiment, data) -> Iterator[list[dict[str, list]]]:
    """What a step of the engine leaves behind, network by network: tensors from inside, and what it measured."""
    stack = Stack(e, CPU)
    training = Training(stack, data)
    for step, batch in enumerate(islice(batch_indices(e), e.steps + 1)):
        seen = stack.forward(data.x[batch], step)
        loss, count = mean_losses(seen.output, data.y[batch]).sum(), len(stack.parameters)
        gradients = torch.autograd.grad(loss, [*stack.parameters, *seen.z])
        before = [parameter.detach().clone() for parameter in stack.parameters]
        measurement = training.measure_and_update(step, batch)
        steps = [after.double() - start.double() for after, start in zip(stack.parameters, before, strict=True)]
        arrays = {name: getattr(measurement, name).reshape(e.network_count, -1) for name in COMPARED}
        yield [
            {name: list(array[n]) for name, array in arrays.items()}
            | {"pre_activations": list(torch.from_numpy(measurement.pre_activations).flatten(0, 1)[n])}
            | {"output": [seen.output[n]], "z": [z[n] for z in seen.z], "dz": [dz[n] for dz in gradients[count:]]}
            | {"gradient": unstacked(gradients[:count], n), "step": unstacked(steps, n) if step < e.steps else []}
            for n in range(e.network_count)
        ]


def errors(found: list, expected: list, floors: list[float]) -> list[float]:
    """The largest difference in each array beyond its floor, relative to the largest entry; 0 is 0, and what is not finite
    is alike: near the end of the range the order of operations decides between inf and NaN."""
    relative, start = [], 0
    for a, b in zip(rectangles(found), rectangles(expected), strict=True):  # (arrays of one size, entries)
        floor = torch.tensor(floors[start : start + len(a)], dtype=torch.float64)
        off = torch.where((a == b) | ~(a.isfinite() | b.isfinite()), 0, (a - b).abs()).amax(dim=1) - floor
        largest = torch.where(b.isfinite(), b.abs(), 0).amax(dim=1)
        relative += torch.where(off <= 0, 0, off / largest).nan_to_num(nan=torch.inf).tolist()
        start += len(a)
    return relative


def rectangles(arrays: list) -> list[Tensor]:
    """Neighbours of one size as the rows of one float64 tensor; numbers as a column."""
    if not len(arrays) or not isinstance(arrays[0], Tensor):
        return [torch.tensor(arrays, dtype=torch.float64).unsqueeze(1)] if len(arrays) else []
    groups = [list(group) for _, group in groupby(arrays, key=Tensor.numel)]
    return [torch.stack([array.detach().flatten() for array in group]).double() for group in groups]


PARENTS = {
    "signal": "z", "signal_gradient": "dz", "weight_gradient": "gradient", "accuracy": "output", "test_accuracy": "output",
    "saturated": "z", "dead": "z", "distinct": "z", "pre_activations": "z", "step": "gradient", "update": "gradient",
    "weight": "gradient",
}  # fmt: skip


def compared(e: Experiment) -> Iterator[tuple[str, int, int, int, float, bool]]:
    """(name, step, network, place, error of the engine in tolerances, whether the reference's own sensitivity excuses it)."""
    data = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)
    found, stack, limit = list(engine(e, data)), Stack(e, CPU), TOLERANCE[e.precision]
    tiny = torch.finfo(e.number_format.dtype).tiny  # below it digits are lost one by one
    for n in looked_at(e):
        plain = Plain(stack, n)
        expected = plain.trained(data)
        off = [apart(mine[n], one, plain.floors, tiny) for mine, one in zip(found, expected, strict=True)]
        away = [{name: [0.0] * len(arrays) for name, arrays in one.items()} for one in expected]
        if any(max(errors, default=0) > limit for one in off for errors in one.values()):
            probes = [Plain(stack, n, ROUNDING[e.precision], spread).trained(data) for spread in (False, True)]
            away = [farther(apart(one, seen), apart(other, seen)) for one, other, seen in zip(*probes, expected, strict=True)]
        for before, now in pairwise(away):  # what rounding once decided, it has decided for all that follows from it
            now |= farther(*({name: one[name] for name in set(PARENTS.values())} for one in (before, now)))
        for step, name in ((step, name) for step, one in enumerate(off) for name in one):
            farthest = map(max, away[step][name], away[step][PARENTS.get(name, name)])
            for place, (error, moved) in enumerate(zip(off[step][name], farthest, strict=True)):
                yield name, step, n, place, error / limit, moved > limit / 100


def farther(one: dict[str, list[float]], other: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: list(map(max, one[name], other[name])) for name in one}


def apart(found: dict, expected: dict, floors: dict | None = None, floor: float = 0.0) -> dict[str, list[float]]:
    """The errors of each list of arrays, beyond floors by name, or one floor."""
    floors = floors or {}
    return {name: errors(found[name], arrays, floors.get(name, [floor] * len(arrays))) for name, arrays in expected.items()}


@pytest.fixture(scope="module")
def oracle() -> list[tuple]:
    """(case, format, name, step, network, place, error in tolerances, whether it is excused) of all cases."""
    with pytest.MonkeyPatch.context() as patch:
        # torch.optim.Muon orthogonalizes in bfloat16 and this engine in float32: here both do it in float64, and the
        # catalogue's tests in float32.
        patch.setattr(Tensor, "bfloat16", Tensor.double)
        patch.setattr(Tensor, "float", Tensor.double)
        return [
            (number, precision, *record)
            for number, case in enumerate(CASES)
            for precision in (("float64", "float32") if number in SINGLE else ("float64",))
            for record in compared(replace(experiment(**case), precision=precision))
        ]


def test_the_cases_bring_every_two_rows_together():
    met = {pair for case in CASES for pair in meetings([(name, value) for name in case for value in case[name]])}
    for a, b in combinations(FACTORS, 2):
        assert all(frozenset([(a, x), (b, y)]) in met for x, y in product(FACTORS[a], FACTORS[b]))


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_outputs_gradients_updates_and_every_quantity_equal_plain_pytorch(oracle, precision):
    wrong = [record for record in oracle if record[1] == precision and not record[6] <= 1 and not record[7]]
    assert not wrong, f"{len(wrong)} arrays, first of all " + "\n".join(map(str, [*wrong[:5], CASES[wrong[0][0]]]))


def test_few_arrays_need_an_excuse_for_not_being_equal_to_plain_pytorch(oracle):
    """Of every quantity, and of the gradients that every row leads to. Most excuses are those of biases before a batch norm,
    whose gradient is 0 but for rounding, and of Adam, which divides such a gradient by its own size."""
    equal, total = Counter(), Counter()
    for number, precision, name, *_, error, _ in oracle:
        rows = [(precision, key, value) for key in CASES[number] for value in CASES[number][key] if name == "gradient"]
        for key in [(precision, name), *rows]:
            total[key] += 1
            equal[key] += error <= 1
    assert {name for _, name, *row in total if not row} == {*COMPARED, "output", "z", "dz", "gradient", "step"}
    assert min(equal[key] / total[key] for key in total) > 0.5
    assert min(equal[key] / total[key] for key in total if len(key) == 2) > 0.85


SMALL = {"depth": 8, "width": 16, "features": 9, "samples": 128, "batch": 32, "steps": 20, "seed": 3}
CURVES = {
    "three fates": Experiment(schemes=("he_normal", "xavier_normal", "normal:1"), **SMALL),
    "chaos": Experiment(schemes=("scaled_normal:3", "orthogonal:2", "pytorch"), activation="tanh", learning_rate=0.1, **SMALL),
    "regression": Experiment(schemes=("lecun_uniform", "he_uniform", "constant"), dataset="teacher", activation="gelu",
                                     optimizer="adam", learning_rate=0.001, clip=1.0, bias_std=0.1, **SMALL),
    "everything": Experiment(schemes=("xavier_uniform", "normal:0.3"), replicates=2, normalization="layer", residual=True,
                             dropout=0.2, optimizer="momentum", learning_rate=0.005, weight_decay=0.01, **SMALL),
}  # fmt: skip


def curves(e: Experiment) -> dict[str, list[tuple[float, float]]]:
    """By quantity, for every network and layer: how far the engine's curve is from that of plain PyTorch, relative to its
    largest value, and how far the latter moves when the weights change by one part in 1e7, or in 1e15."""
    data, stack = e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype), Stack(e, CPU)
    plain, shaken = ({n: Plain(stack, n, change) for n in looked_at(e)} for change in (0, ROUNDING[e.precision]))
    rows = {name: [] for name in COMPARED if name != "pre_activations"}  # which jump where an entry passes an edge
    for measurement, batch in zip(measure(e), batch_indices(e), strict=False):
        for n in looked_at(e):
            expected, moved = (networks[n].train_on(data, batch, measurement.step) for networks in (plain, shaken))
            for name in set(rows) & set(expected):
                found = getattr(measurement, name).reshape(e.network_count, -1)[n]
                rows[name].append((n, np.stack([found, expected[name], moved[name]])))
    return {
        name: [strayed(np.stack([row for m, row in taken if m == n])) for n in looked_at(e)] for name, taken in rows.items()
    }


def strayed(curve: np.ndarray) -> tuple[float, float]:
    """Of `(steps, 3, layers)`: the largest distances of the engine and of the shaken reference from the reference."""
    found, expected, moved = (list(torch.from_numpy(curve[:, i].T.copy())) for i in range(3))  # layers of (steps,)
    return tuple(max(errors(one, expected, [0.0] * len(one))) for one in (found, moved))


@pytest.mark.parametrize("name", CURVES)
def test_twenty_steps_follow_plain_pytorch_wherever_rounding_does_not_grow(name):
    """Where the reference in float32 leaves itself by 1e-4 after a change of one rounding, the float64 pair must agree."""
    single = curves(CURVES[name])
    chaotic = {quantity for quantity, networks in single.items() if any(moved > 1e-4 for _, moved in networks)}
    for networks in single.values():
        assert all(error < 1e-3 for error, moved in networks if moved <= 1e-4)
    if chaotic:
        double = curves(replace(CURVES[name], precision="float64"))
        assert not {q: networks for q, networks in double.items() if q in chaotic and max(networks)[0] >= 1e-3}


ALL = {**SMALL, "residual": True, "normalization": "batch", "dropout": 0.2, "optimizer": "adam", "clip": 0.5,
       "weight_decay": 0.01, "bias_std": 0.1}  # fmt: skip
EIGHT = ("he_normal", "zeros", "normal:3", "pytorch", "orthogonal", "xavier_uniform", "constant", "scaled_normal:1.5")


def same(one: Measurement, other: Measurement, first: tuple = (), second: tuple = ()) -> bool:
    """Whether two measurements, or parts of their arrays, agree to the last bit."""
    return all(
        np.array_equal(getattr(one, name)[first], getattr(other, name)[second], equal_nan=True) for name in QUANTITIES
    )  # fmt: skip


@pytest.mark.parametrize("settings", [SMALL, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_two_equal_runs_are_bitwise_equal(settings, precision):
    e = Experiment(schemes=EIGHT, precision=precision, **{**settings, "steps": 6})  # an epoch is 4
    assert all(same(*both) for both in zip(measure(e), measure(replace(e)), strict=True))


def opening(e: Experiment) -> list[Measurement]:
    """The first epoch of four steps and what comes after it; two of the steps at which costly quantities are taken."""
    return list(islice(measure(e), 5))


@pytest.mark.parametrize("settings", [SMALL, ALL], ids=["plain", "all"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("replicates", [1, 2])
def test_a_scheme_alone_follows_the_same_curve_as_among_seven_others(settings, precision, replicates):
    e = Experiment(schemes=EIGHT, precision=precision, replicates=replicates, **{**settings, "steps": 3 * SAMPLED_STEPS})
    together, reverse = opening(e), opening(replace(e, schemes=EIGHT[::-1]))
    for index, scheme in enumerate(EIGHT):
        for measurement, one, other in zip(opening(replace(e, schemes=(scheme,))), together, reverse, strict=True):
            assert same(measurement, one, (0,), (index,)), (scheme, measurement.step)
            assert same(measurement, other, (0,), (7 - index,)), (scheme, measurement.step)


@pytest.mark.parametrize("settings", [SMALL, ALL], ids=["plain", "all"])
def test_a_replicate_follows_the_same_curve_however_many_others_there_are(settings):
    e = Experiment(schemes=EIGHT[:3], replicates=3, **settings)
    for few, many in zip(measure(replace(e, replicates=2)), measure(e), strict=True):
        assert same(few, many, (), (slice(None), slice(2)))


def test_replicates_and_seeds_differ():
    e = Experiment(schemes=("he_normal",), replicates=3, **SMALL)
    first, other = next(measure(e)), next(measure(replace(e, seed=4)))
    numbers = [*first.signal[0, :, 0], *other.signal[0, :, 0]]
    assert len(set(numbers)) == 6


def test_a_run_leaves_the_global_generators_alone_and_does_not_read_them():
    e = Experiment(**ALL)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    one = list(measure(e))
    after = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    assert torch.equal(before[0], after[0])
    assert (before[1] == after[1]).all()
    assert before[2] == after[2]
    torch.manual_seed(1)
    assert all(same(*both) for both in zip(one, measure(e), strict=True))


def test_a_yield_leaves_gradients_switched_on_for_the_caller():
    stream = measure(Experiment(**SMALL))
    for _ in range(3):
        next(stream)
        assert torch.is_grad_enabled()
    stream.close()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_caller_who_has_switched_gradients_off_gets_the_same_run(mode):
    with mode():
        inside = list(measure(Experiment(**SMALL)))
    assert all(same(*both) for both in zip(inside, measure(Experiment(**SMALL)), strict=True))


def test_the_default_format_of_the_caller_changes_nothing():
    before, expected = torch.get_default_dtype(), list(measure(Experiment(**ALL)))
    try:
        torch.set_default_dtype(torch.float64)
        found = list(measure(Experiment(**ALL)))
    finally:
        torch.set_default_dtype(before)
    assert all(same(*both) for both in zip(found, expected, strict=True))


def test_a_measurement_does_not_change_after_it_was_yielded():
    kept, copies = [], []
    for measurement in measure(Experiment(**ALL)):
        kept.append(measurement)
        copies.append(replace(measurement, **{name: getattr(measurement, name).copy() for name in QUANTITIES}))
    assert all(same(*both) for both in zip(kept, copies, strict=True))


def test_a_second_stream_of_one_experiment_does_not_disturb_the_first():
    e = Experiment(**ALL)
    expected, first, second = list(measure(e)), measure(e), measure(e)
    for measurement in expected:
        assert same(next(first), measurement)
        if measurement.step % 2:
            next(second)


SETTINGS = {
    "schemes": st.lists(st.sampled_from([*SCHEMES, "normal:1e6", "normal:1e-6"]), min_size=1, max_size=3),
    "depth": st.integers(1, 5),
    "width": st.integers(2, 9),
    "features": st.integers(1, 5),
    "samples": st.integers(64, 70),
    "batch": st.integers(1, 64),
    "steps": st.integers(1, 4),
    "replicates": st.integers(1, 3),
    "residual": st.booleans(),
    **{name: st.sampled_from(FACTORS[name]) for name in ("activation", "normalization", "optimizer", "dataset")},
    "precision": st.sampled_from(list(PRECISIONS)),
    "learning_rate": st.floats(1e-6, 100),
    **{name: st.floats(0, 10) for name in ("noise", "bias_std", "weight_decay")},
    "dropout": st.floats(0, 0.95),
    "clip": st.floats(0, 1e6),
    "seed": st.integers(0, 2**31 - 1),
}


@settings(max_examples=30)
@given(st.fixed_dictionaries(SETTINGS).map(lambda settings: reconcile(Experiment, settings)[0]))
def test_any_experiment_yields_its_measurements_whatever_the_numbers_become(e):
    measurements = list(measure(e))
    assert [measurement.step for measurement in measurements] == list(range(e.steps + 1))
    outer = len(e.schemes), e.replicates
    for measurement in measurements:
        assert measurement.learned_outputs.shape == (len(e.schemes), len(INPUT_GRIDS[e.dataset_row.plotted_dimensions]), e.dataset_row.outputs)
        for name in [*COMPARED, "rounding_shares"]:
            array, hidden = getattr(measurement, name), name in ("saturated", "dead", "distinct", "pre_activations")
            by_layer = name in ("signal", "signal_gradient", "weight_gradient", "weight", "update")
            pictured = {"pre_activations": [HISTOGRAM_BINS + 2], "rounding_shares": SHARES_SHAPE}.get(name, [])
            assert array.dtype == (np.float32 if pictured else np.float64)
            layers = [e.depth] if by_layer or name == "rounding_shares" else [e.depth - 1] if hidden else []
            assert array.shape == (*outer, *layers, *pictured)
            assert not (array < 0).any()
        assert np.isnan(measurement.accuracy).all() == (e.dataset_row.classes is None)
        for name in ("accuracy", "test_accuracy", "saturated", "dead"):
            assert not (getattr(measurement, name) > 1).any()
        assert not (measurement.distinct > e.width).any()
        assert not (measurement.distinct < 1).any()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_a_network_of_one_layer_trains_although_it_has_nothing_to_normalize(normalization):
    e = Experiment(schemes=("xavier_normal",), normalization=normalization, **{**SMALL, "depth": 1})
    losses = [measurement.loss.item() for measurement in measure(e)]
    assert losses[-1] < losses[0]


def test_no_update_led_to_the_first_measurement_and_one_to_each_other():
    first, *others = measure(Experiment(schemes=("he_normal",), **SMALL))
    assert (first.update == 0).all()
    assert all((measurement.update > 0).all() for measurement in others)


@pytest.mark.parametrize(("samples", "batch"), [(64, 64), (100, 32), (65, 1), (64, 33)])
def test_batches_are_fresh_shuffles_without_replacement_and_without_the_last_partial_one(samples, batch):
    e, count = Experiment(samples=samples, batch=batch), samples // batch
    stream = batch_indices(e)
    epochs = [torch.stack(list(islice(stream, count))) for _ in range(3)]
    for epoch in epochs:
        assert epoch.shape == (count, batch)
        assert epoch.unique().numel() == count * batch
        assert 0 <= epoch.min() <= epoch.max() < samples
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[1], epochs[2])
    assert torch.equal(epochs[0], torch.stack(list(islice(batch_indices(replace(e, schemes=("zeros",), depth=3)), count))))


@given(st.integers(1, 5000), st.integers(2, 60))
def test_the_steps_of_costly_quantities_are_spread_evenly_and_hold_the_first_and_the_last(steps, most):
    chosen = sorted(evenly_spread_steps(steps, most))
    gaps = np.diff(chosen)
    assert len(chosen) == min(most, steps + 1)
    assert (chosen[0], chosen[-1]) == (0, steps)
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("steps", [1, 7, 200])
def test_costly_quantities_are_taken_at_sixty_steps_at_most_and_are_nan_between(steps):
    e = Experiment(schemes=("he_normal",), depth=2, width=4, samples=64, batch=8, steps=steps, dataset="moons")
    measurements = list(measure(e))
    for name in ("test_loss", "test_accuracy", "distinct", "pre_activations", "rounding_shares", "learned_outputs"):
        taken = [not np.isnan(getattr(measurement, name)).any() for measurement in measurements]
        assert taken[0]
        assert taken[-1]
        assert sum(taken) <= 60


def late_losses(seed: int) -> list[float]:
    """Loss of He, Xavier, normal:0.01 and PyTorch's default over the last 20 steps, in units of guessing, ln 10."""
    e = Experiment(
        schemes=("he_normal", "xavier_normal", "normal:0.01", "pytorch"), activation="relu", depth=30, width=64,
        dataset="blobs", noise=0.5, batch=64, optimizer="sgd", learning_rate=0.01, steps=500, seed=seed,
    )  # fmt: skip
    late = [measurement.loss[:, 0] for measurement in measure(e) if measurement.step > e.steps - 20]
    return (np.mean(late, axis=0) / e.dataset_row.guessing_loss).tolist()


def test_he_learns_thirty_relu_layers_where_xavier_small_weights_and_the_default_stall():
    """He et al. 2015, sec. 2.2 and fig. 3, in this engine, for at least 4 of 5 seeds. Learned: below half of the loss of
    guessing; stalled: still above nine tenths of it. The fifth seed runs only where one of four fails."""
    found = [late_losses(seed) for seed in range(4)]
    found += [late_losses(4)] if not all(map(reproduced, found)) else []
    assert sum(map(reproduced, found)) >= 4, found


def reproduced(late: list[float]) -> bool:
    he, *others = late
    return he < 0.5 and min(others) > 0.9
