"""Groups of cells that train in one stack, coarse to fine."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product

from stability.cells.outcome import Outcome, outcomes_of_run
from stability.engine.blocks import BLOCK_NUMBERS
from stability.engine.family import Family, family_shape
from stability.engine.runs import Run
from stability.records.experiment import Experiment
from stability.records.step_sampling import evenly_spread_steps
from stability.records.sweep import Sweep

COARSEST = 5  # rows and columns of the picture that is there first
BLOCKS_A_GROUP = 2  # of networks that fit in the cache, so that two cores have work


@dataclass(frozen=True)
class Group:
    """Experiments of one scheme each that are a family: they differ in what networks may."""

    experiments: tuple[Experiment, ...]


def groups_of(sweep: Sweep) -> Iterator[Group]:
    """Yield all cells of a map in groups, each experiment once, however many cells it has.

    The first groups are a picture of five rows and columns, the next ones of nine, and so on; those
    of one picture follow by their cost.
    """
    seen: set[Experiment] = set()
    columns, rows = finer_and_finer(sweep.x_values), finer_and_finer(sweep.y_values)
    for level in range(max(len(columns), len(rows))):
        values = (pictures[min(level, len(pictures) - 1)] for pictures in (columns, rows))
        found = [sweep.experiment_at(*pair) for pair in product(*values)]
        new = [experiment for experiment in dict.fromkeys(found) if experiment not in seen]
        seen.update(new)
        yield from sorted(group_by_shape(new), key=operation_count)


def operation_count(group: Group) -> int:
    """Return about how many operations the training of a group takes, to compare it with others."""
    e = group.experiments[0]
    weights = sum(layer.fan_in * layer.fan_out for layer in e.layers)
    return len(group.experiments) * e.replicates * weights * e.batch * e.steps


def finer_and_finer(values: tuple[float, ...]) -> list[tuple[float, ...]]:
    """Return five of these values, nine, seventeen, ..., and then all of them.

    Evenly spread, both ends included. Fewer than half as many again are not worth a step.
    """
    pictures, count = [], COARSEST
    while 1.5 * count < len(values):
        spread = sorted(evenly_spread_steps(len(values) - 1, count))
        pictures.append(tuple(values[index] for index in spread))
        count = 2 * count - 1
    return [*pictures, values]


def group_by_shape(experiments: Iterable[Experiment]) -> Iterator[Group]:
    """Yield groups of experiments of equal shape, all of about one size."""
    families: dict[object, list[Experiment]] = {}
    for experiment in experiments:
        families.setdefault(family_shape(experiment), []).append(experiment)
    for members in families.values():
        groups = -(-len(members) // most_in_group(members[0]))
        ends = [len(members) * index // groups for index in range(groups + 1)]
        for first, last in pairwise(ends):
            yield Group(tuple(members[first:last]))


def most_in_group(e: Experiment) -> int:
    """Return how many such experiments fill the blocks of a group."""
    widest = max(layer.fan_out for layer in e.layers)
    networks = BLOCKS_A_GROUP * BLOCK_NUMBERS["cpu"] // (e.batch * widest)
    return max(1, networks // e.replicates)


def train_group(group: Group) -> list[Outcome]:
    """Return the outcomes of a group's experiments, in their order."""
    steps = train_in_steps(group)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return list(end.value)


def train_in_steps(group: Group) -> Generator[None, None, list[Outcome]]:
    """Yield after each step of training; return what `train_group` does."""
    e = group.experiments[0]
    # A loss that is scaled may begin with skipped steps, and the verdict looks at the first taken.
    ends_only = not e.number_format.scales_loss
    run = Run(Family(group.experiments), snapshots=False, ends_only=ends_only)
    for _ in run:
        yield
    return outcomes_of_run(run)
