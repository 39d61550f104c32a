"""The engine against plain PyTorch, one network at a time: the main oracle.

Both tests start each step from the same state, so that no rounding is carried from one step to the
next: the reference takes the stack's weights before each pass, and the stack's gradients before
each update. What is left is the rounding of one pass and of one update: 1e-10 of the largest entry
of each array in float64, 1e-4 in float32. Two operations round more, and are given more: batch
norm, which divides by what is left of a difference (30 times, and in float32 also four times what
the reference is from itself in float64), and in float32 an update (10 times), since RMSprop and
Adam divide a sum of gradient and decay by its own size. Muon orthogonalizes in float32 whatever the
format; the tests of the catalogue hold it in float64.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import chain, combinations, islice, product

import numpy as np
import pytest
import torch
from plain_pytorch import PlainNetwork, PlainOptimizer, unstack
from torch import Tensor

from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.branch_scales import BRANCH_SCALES
from stability.catalogues.datasets import DATASETS, Data
from stability.catalogues.normalizations import NORM_POSITIONS, NORMALIZATIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.output_activations import OUTPUT_ACTIVATIONS
from stability.catalogues.schedules import SCHEDULES
from stability.catalogues.schemes import SCHEMES
from stability.engine.measurement import Measurement
from stability.engine.network import Stack
from stability.engine.training import Training, batch_indices, measure
from stability.records.experiment import Experiment

CPU = torch.device("cpu")
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
UPDATE_TOLERANCE = {"float64": 1e-10, "float32": 1e-3}
BATCH_NORM = 30  # times the tolerance
OTHERS = {
    "step",
    "rounding_shares",
    "learned_outputs",
    "update",
    "lost_updates",
    "lost_gain_updates",
}  # with tests of their own; `update` is compared entry by entry
COMPARED = [field.name for field in fields(Measurement) if field.name not in OTHERS]
EQUAL_UNITS = (
    "zeros",
    "constant",
    "identity",
    "zero_hadamard",
)  # softmax and norms cancel what they send: a test of their own
PARTICULAR = "critical", "fixup", "mup", "metainit"  # they do not go with every row
ROWS = {  # those that are missing: below, and in the tests of the catalogue
    # Sorted: the cases do not depend on the order of the menu.
    "schemes": [key for key in sorted(SCHEMES) if key not in (*EQUAL_UNITS, *PARTICULAR)],
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


CROSSED = {  # settings of data and weights, and what they are crossed with, in float64
    "schemes": [
        "he_normal",
        "uniform:0.3",
        "orthogonal",
        "pytorch",
        "sparse",
        "lecun_uniform",
        "mup:8",
    ],
    "activation": ["relu", "tanh", "gelu", "sine"],
    "w0": [1.0, 4.0],
    "normalization": list(NORMALIZATIONS),
    "optimizer": ["sgd", "adam", "muon", "momentum", "rmsprop", "lars"],
    "dataset": ["blobs", "teacher", "moons", "power", "sine"],
    "residual": [False, True],
    "clip": [0.0, 0.05],
    "weight_decay": [0.0, 0.03],
    "dropout": [0.0, 0.25],
    "bias_std": [0.0, 0.3],
    "replicates": [1, 3],
    "input_scale": [1.0, 40.0, 0.01],
    "input_offset": [0.0, 2.5, -0.5],
    "target_scale": [1.0, 50.0],
    "target_offset": [0.0, -2.0],
    "classes": [10, 2, 27],
    "imbalance": [1.0, 20.0],
    "label_noise": [0.0, 0.4],
    "periods": [2, 5],
    "weight_mean": [0.0, 0.4],
    "output_activation": list(OUTPUT_ACTIVATIONS),
    "first_gain": [1.0, 3.0],
    "readout_gain": [1.0, 0.1, 0.0],
    "warmup": [0, 2, 3],
    "momentum": [0.9, 0.5, 0.0],
    "epsilon": [1e-8, 0.1],
    "schedule": list(SCHEDULES),
    "slope": [0.01, 0.4],
    "taper": [1.0, 5.0],
    "branch_layers": [1, 2],
    "norm_position": list(NORM_POSITIONS),
    "branch_scale": list(BRANCH_SCALES),
}


# What residual networks alone have, with their defaults.
OF_BRANCHES = {"branch_layers": 1, "branch_scale": "one", "norm_position": "inside"}


def pairwise_cases(rows_of: dict[str, list]) -> list[dict[str, list]]:
    """Cases in which every two rows of two catalogues meet; three schemes share each.

    Greedy: a case starts from a pair that has not met yet and takes, setting by setting, the row
    that brings most new pairs.
    """
    rows = {name: [(name, value) for value in values] for name, values in rows_of.items()}
    pairs = (product(rows[a], rows[b]) for a, b in combinations(rows, 2))
    missing = dict.fromkeys(map(frozenset, chain(*pairs)))  # a dict, for its order
    shuffle, cases = random.Random(0), []
    while missing:
        case = sorted(next(iter(missing)), key=str)
        wanted = Counter(["schemes", "schemes", *rows_of]) - Counter(name for name, _ in case)
        for name in wanted.elements():
            free = [row for row in rows[name] if row not in case]
            new = {row: sum(frozenset([row, one]) in missing for one in case) for row in free}
            case.append(max(shuffle.sample(free, len(free)), key=new.get))  # ties go to any of them
        for pair in combinations(case, 2):
            missing.pop(frozenset(pair), None)
        cases.append({name: [value for key, value in case if key == name] for name in rows_of})
    return cases


def rows_in(case: dict[str, list]) -> set[tuple]:
    return {(name, value) for name in case for value in case[name]}


def indices_that_meet_every_row(cases: list[dict[str, list]]) -> list[int]:
    """Every fourth case, and each other with a row that none of those before has."""
    met, chosen = set().union(*map(rows_in, cases[::4])), []
    for index, case in enumerate(cases):
        if index % 4 == 0 or rows_in(case) - met:
            chosen.append(index)
            met |= rows_in(case)
    return chosen


CASES = pairwise_cases(ROWS)
SINGLE = indices_that_meet_every_row(CASES)  # in float32, too
CROSSED_CASES = pairwise_cases(CROSSED)


def experiment(case: dict[str, list], precision: str) -> Experiment:
    """Depth 6 with ends that are not square, and two updates.

    The batch is odd: no two classes cancel exactly.
    """
    schemes, settings = case["schemes"], {name: values[0] for name, values in case.items()}
    if any(settings.get(name, usual) != usual for name, usual in OF_BRANCHES.items()):
        settings["residual"] = True
    if "mup:8" in schemes and not OPTIMIZERS[settings["optimizer"]].scaling:
        settings["optimizer"] = "nesterov"  # for which the paper has a rule
    if settings.get("taper", 1) != 1:  # which asks for layers that no connection passes around
        settings |= OF_BRANCHES | {"residual": False}
    if settings.get("slope", 0.01) != 0.01:
        settings["activation"] = "leaky_relu"
    rate = OPTIMIZERS[settings["optimizer"]].learning_rate
    if settings["activation"] == "sine":  # large weights make chaos of rounding
        rate /= 100
    size = {
        "depth": 6,
        "width": 20,
        "features": 13,
        "samples": 64,
        "batch": 15,
        "steps": 2,
        "seed": 7,
        "w0": settings.get("w0", 1.0),  # a fast wave makes chaos of rounding
    }
    more = {"schemes": tuple(schemes), "learning_rate": rate, "precision": precision}
    return Experiment(**settings | size | more)


@dataclass(frozen=True, eq=False)
class Step:
    """A step of the engine: the state before it, what it computed and measured, and what the update
    added.
    """

    number: int
    batch: Tensor
    before: list[Tensor]
    arrays: list[dict[str, list]]  # of each network, by name and then by layer
    gradients: list[Tensor]
    added: list[Tensor]
    update: np.ndarray  # the norms that the next measurement reports


def engine_steps(training: Training) -> Iterator[Step]:
    e, data, parameters = training.stack.experiment, training.data, training.stack.parameters
    for number, batch in enumerate(islice(batch_indices(e), e.steps + 1)):
        before = [parameter.detach().clone() for parameter in parameters]
        passed = training.stack.forward(data.x[batch], number)
        losses = training.stack.losses(passed.output, data.y[batch])
        backward = training.stack.backward(passed, losses, torch.ones(e.network_count))
        measurement = training.measure_and_update(number, batch)
        measured = {
            name: getattr(measurement, name).reshape(e.network_count, -1) for name in COMPARED
        }
        histograms = torch.from_numpy(measurement.pre_activations).flatten(0, 1)
        arrays = [
            {name: list(array[n]) for name, array in measured.items()}
            | {"pre_activations": list(histograms[n]), "output": [passed.output[n]]}
            | {"z": [z[n] for z in passed.z], "dz": [dz[n] for dz in backward.stored_z]}
            | {"gradient": unstack(backward.parameters, n)}
            for n in range(e.network_count)
        ]
        pairs = zip(parameters, before, strict=True)
        added = [after.detach().double() - start.double() for after, start in pairs]
        yield Step(
            number, batch, before, arrays, backward.parameters, added, training.update.numpy()
        )


def chosen_networks(e: Experiment) -> list[int]:
    """One network of each scheme, and one of each replicate, in another order than the schemes'."""
    return [index * e.replicates + (index + 1) % e.replicates for index in range(len(e.schemes))]


def flat_array(value: object) -> np.ndarray:
    """As an array of NumPy, whose operations begin sooner: most of these arrays are small."""
    return np.asarray(value.detach() if isinstance(value, Tensor) else value, np.float64).ravel()


def largest_error(found: object, expected: object, floor: float = 0.0) -> float:
    """The largest difference beyond the floor, relative to the largest finite entry of the array.

    What is not finite is alike: near the end of the range the order of operations decides between
    inf and NaN.
    """
    a, b = flat_array(found), flat_array(expected)
    assert a.shape == b.shape
    with np.errstate(invalid="ignore"):
        off, largest = np.abs(a - b).max(initial=0.0), np.abs(b).max(initial=0.0)
    if not (math.isfinite(off) and math.isfinite(largest)):
        finite = np.isfinite(b)
        if (np.isfinite(a) != finite).any():
            return math.inf
        off = np.abs(a[finite] - b[finite]).max(initial=0.0)
        largest = np.abs(b[finite]).max(initial=0.0)
    off -= floor
    return 0.0 if off <= 0 else off / largest if largest else math.inf


def cancellation_floors(plain: PlainNetwork, expected: dict[str, list]) -> dict[str, list[float]]:
    """The roundings that sums leave whose terms cancel: a gradient is a sum over the batch, and
    behind a batch norm dz is a difference of what comes back from the layers above."""
    e, eps = plain.e, torch.finfo(plain.dtype).eps
    largest = [dz.abs().max().item() for dz in expected["dz"]]
    terms = [max(largest)] * e.depth if e.normalization == "batch" else largest
    inputs = [max(1.0, h.abs().max().item()) for h in (plain.x, *plain.u)]
    # Behind batch norms the reference itself is as far from its own pass in float64.
    roundings = 8 * (BATCH_NORM if e.normalization == "batch" else 1)
    layer = [roundings * eps * e.batch * term * h for term, h in zip(terms, inputs, strict=True)]
    of_norms = sum(1 for _ in plain.norms[0].parameters())
    of_scales = len(plain.ordered()) - 2 * e.depth - of_norms * (e.depth - 1)
    scales = [e.width * max(layer)] * of_scales  # a sum over the units, too
    floors = {"gradient": [*layer, *layer, *(layer[:-1] * of_norms), *scales]}
    # Of a difference between examples that all but cancels, the roundings of z are left.
    floors["spread"] = [roundings * eps * z.abs().max().item() for z in plain.z]
    if e.normalization == "batch":
        floors |= {"dz": layer, "signal_gradient": [e.batch * floor for floor in layer]}
    if e.precision == "float32":  # three entries beside an edge may be counted on either side
        floors["pre_activations"] = [3.5 / (e.batch * e.width)] * (e.depth - 1)
    whole = [e.width * floor for floor in layer]  # at most 20 x 20 entries
    return floors | {"weight_gradient": whole, "gradient_norm": [e.depth * max(whole)]}


@dataclass(frozen=True, eq=False)
class Trained:
    """A run of the engine: its stack, whose parameters are now those after the last step."""

    e: Experiment
    data: Data
    stack: Stack
    steps: list[Step]


def trained_by_the_engine(e: Experiment) -> Trained:
    training = Training(Stack(e, CPU), load(e))
    return Trained(e, training.data, training.stack, list(engine_steps(training)))


@pytest.fixture(
    scope="module",  # one run for all tests of a case, which follow each other
    params=[(CASES, i, "float64") for i in range(len(CASES))]
    + [(CASES, i, "float32") for i in SINGLE]
    + [(CROSSED_CASES, i, "float64") for i in range(len(CROSSED_CASES))],
    ids=lambda param: f"{'crossed' * (param[0] is CROSSED_CASES)}case{param[1]}-{param[2]}",
)
def trained(request) -> Trained:
    cases, index, precision = request.param
    return trained_by_the_engine(experiment(cases[index], precision))


def references_in_float64(e: Experiment) -> dict[int, PlainNetwork]:
    """The references whose own rounding is measured: those of batch norm in float32, which divides
    by a standard deviation that may be hundreds of times smaller than what it is the rest of."""
    if e.normalization != "batch" or e.precision != "float32":
        return {}
    stack = Stack(replace(e, precision="float64"), CPU)
    return {n: PlainNetwork(stack, n) for n in chosen_networks(e)}


def farthest(found: object, expected: object) -> float:
    """The largest difference of two arrays; 0 where either is not finite."""
    a, b = flat_array(found), flat_array(expected)
    return float(np.nan_to_num(np.abs(a - b), nan=0.0, posinf=0.0).max(initial=0.0))


def unequal(trained: Trained) -> list[tuple]:
    """(name, step, scheme, layer, error) of every array that differs from plain PyTorch's.

    At the first step and at the last, where the weights have been updated.
    """
    e, data, wrong = trained.e, trained.data, []
    references = {n: PlainNetwork(trained.stack, n) for n in chosen_networks(e)}
    exact = references_in_float64(e)
    tolerance = TOLERANCE[e.precision] * (BATCH_NORM if e.normalization == "batch" else 1)
    for step in (trained.steps[0], trained.steps[-1]):
        for n, plain in references.items():
            plain.load(step.before)
            expected = plain.measure(data, step.batch, step.number)
            floors = cancellation_floors(plain, expected)
            if n in exact:
                exact[n].load([values.double() for values in step.before])
                doubles = exact[n].measure(load(exact[n].e), step.batch, step.number)
            for name, arrays in expected.items():
                floor = floors.get(name, [0.0] * len(arrays))
                if n in exact:
                    own = map(farthest, arrays, doubles[name])
                    floor = [one + 4 * off for one, off in zip(floor, own, strict=True)]
                triples = zip(step.arrays[n][name], arrays, floor, strict=True)
                errors = enumerate(largest_error(*triple) for triple in triples)
                where = name, step.number, e.schemes[n // e.replicates]
                wrong += [(*where, layer, error) for layer, error in errors if error > tolerance]
    return wrong


@pytest.mark.parametrize("normalization", ["none", "rms", "layer"])
@pytest.mark.parametrize("optimizer", [key for key, row in OPTIMIZERS.items() if row.scaling])
def test_updates_with_rates_for_each_layer_equal_torch_optim_with_groups(optimizer, normalization):
    settings = {"depth": 5, "width": 24, "features": 9, "samples": 64, "batch": 16, "steps": 3}
    more = {"optimizer": optimizer, "normalization": normalization, "learning_rate": 0.003}
    e = Experiment(
        schemes=("mup:8", "he_normal", "mup:40"), weight_decay=0.02, taper=2.0, bias_std=0.1,
        warmup=2, precision="float64", activation="tanh", **settings, **more,
    )  # fmt: skip
    trained = trained_by_the_engine(e)
    assert wrong_updates(trained) == []
    he = replace(e, schemes=("he_normal",))
    for one, other in zip(measure(e), measure(he), strict=True):  # a neighbour's rates are its own
        assert np.array_equal(one.weight[1], other.weight[0])


def load(e: Experiment) -> Data:
    return e.dataset_row.load(e.samples, e.features, e.noise, e.seed, e.number_format.dtype)


def test_a_pass_from_the_same_weights_equals_plain_pytorch(trained):
    assert unequal(trained) == []


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_pass_of_units_that_are_copies_equals_plain_pytorch(activation, precision):
    """The case is a regression without normalization, where nothing cancels but what is 0."""
    settings = {"depth": 6, "width": 20, "features": 13, "samples": 64, "batch": 15, "steps": 2}
    more = {"dataset": "teacher", "learning_rate": 0.001, "activation": activation, "w0": 3.0}
    e = Experiment(schemes=EQUAL_UNITS, precision=precision, **settings, **more)
    assert unequal(trained_by_the_engine(e)) == []


def wrong_updates(trained: Trained) -> list[tuple]:
    """(step, scheme, parameter, error) of every update that differs from that of torch.optim."""
    e = trained.e
    tolerance = UPDATE_TOLERANCE["float32" if e.optimizer == "muon" else e.precision]
    own, optimizers, wrong = torch.finfo(e.number_format.dtype), {}, []
    for step in trained.steps[: e.steps]:
        for n in chosen_networks(e):
            before, gradients, added = (
                unstack(stack, n) for stack in (step.before, step.gradients, step.added)
            )
            scheme = e.schemes[n // e.replicates]
            optimizer = optimizers.setdefault(n, PlainOptimizer(e, before, scheme))
            expected = optimizer.step(before, gradients)
            # A step that is read off as a difference of weights is known up to a rounding of the
            # weights.
            floors = [4 * own.eps * start.abs().max().item() + own.tiny for start in before]
            errors = [
                largest_error(*triple) for triple in zip(added, expected, floors, strict=True)
            ]
            whole = [
                math.sqrt(one.numel()) * floor for one, floor in zip(expected, floors, strict=True)
            ]
            errors += [
                largest_error(step.update[layer, n], expected[layer].norm(), whole[layer])
                for layer in range(e.depth)
            ]
            where = step.number, e.schemes[n // e.replicates]
            wrong += [(*where, i, error) for i, error in enumerate(errors) if error > tolerance]
    return wrong


def test_an_update_from_the_same_gradients_equals_torch_optim(trained):
    assert wrong_updates(trained) == []


def test_every_two_rows_meet_and_every_row_meets_both_precisions():
    met = {(name, value): set() for name in ROWS for value in ROWS[name]}
    for case in CASES:
        for row in rows_in(case):
            met[row] |= rows_in(case)
    for a, b in combinations(ROWS, 2):
        assert all((b, y) in met[(a, x)] for x, y in product(ROWS[a], ROWS[b]))
    assert set().union(*(rows_in(CASES[index]) for index in SINGLE)) == set(met)


SMALL = {
    "depth": 8,
    "width": 16,
    "features": 9,
    "samples": 128,
    "batch": 32,
    "steps": 20,
    "seed": 3,
}
RUNS = {
    "three fates": Experiment(schemes=("he_normal", "xavier_normal", "normal:1"), **SMALL),
    "chaos": Experiment(
        schemes=("scaled_normal:3", "orthogonal:2", "pytorch"),
        activation="tanh", learning_rate=0.1, **SMALL,
    ),
    "regression": Experiment(
        schemes=("lecun_uniform", "he_uniform", "constant"), dataset="teacher", activation="gelu",
        optimizer="adam", learning_rate=0.001, clip=1.0, bias_std=0.1, **SMALL,
    ),
    "everything": Experiment(
        schemes=("xavier_uniform", "normal:0.3"), replicates=2, normalization="layer",
        residual=True, dropout=0.2, optimizer="momentum", learning_rate=0.005, weight_decay=0.01,
        **SMALL,
    ),
}  # fmt: skip
ROUNDING = {"float64": 1e-15, "float32": 1e-7}


def plain_curves(e: Experiment, n: int, change: float = 0.0) -> dict[str, np.ndarray]:
    """A whole run of one network in plain PyTorch, `(steps + 1, layers)` by name.

    Each of its first weights is changed by about the part `change` of itself.
    """
    data, plain = load(e), PlainNetwork(Stack(e, CPU), n)
    random = torch.Generator().manual_seed(n)
    with torch.no_grad():
        for parameter in plain.ordered():
            parameter *= 1 + change * torch.randn(
                parameter.shape, generator=random, dtype=torch.float64
            )
    optimizer, rows = PlainOptimizer(e, plain.ordered()), []
    for step, batch in enumerate(islice(batch_indices(e), e.steps + 1)):
        rows.append(plain.measure(data, batch, step))
        optimizer.step(plain.ordered(), [parameter.grad for parameter in plain.ordered()])
        with torch.no_grad():
            for parameter, book in zip(plain.ordered(), optimizer.books, strict=True):
                parameter.copy_(book)
    return {name: np.array([row[name] for row in rows]) for name in CURVES}


CURVES = (
    "loss",
    "accuracy",
    "gradient_norm",
    "signal",
    "signal_gradient",
    "weight_gradient",
    "weight",
)


def relative_distance(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest distance of two curves `(steps, layers)`, relative to each layer's largest."""
    return max(map(largest_error, found.T, expected.T))


@pytest.mark.parametrize("name", RUNS)
def test_twenty_steps_follow_plain_pytorch_wherever_rounding_does_not_grow(name):
    """If one rounding moves the reference itself by 1e-4 in float32, float64 must agree."""
    for e in (RUNS[name], replace(RUNS[name], precision="float64")):
        measurements, chaotic = list(measure(e)), 0
        for n in chosen_networks(e):
            expected, moved = (plain_curves(e, n, change) for change in (0, ROUNDING[e.precision]))
            for quantity in CURVES:
                arrays = (
                    getattr(m, quantity).reshape(e.network_count, -1)[n] for m in measurements
                )
                if relative_distance(moved[quantity], expected[quantity]) <= 1e-4:
                    assert relative_distance(np.stack(list(arrays)), expected[quantity]) < 1e-3
                else:
                    chaotic += 1
        if not chaotic:
            return
    assert not chaotic, "in float64 a change of one rounding decides nothing in twenty steps"
