"""An audit of what verdicts say: random experiments, their forecasts, findings and remedies.

    python tests/audit.py report --seed 1 --count 300
    python tests/audit.py collect --seed 2 --count 2000 networks.jsonl
    python tests/audit.py fit --write networks.jsonl

`report` prints how often forecasts come true and remedies cure. `collect` trains networks, `fit`
fits the tables of the forecast to them: run both after a data set or an optimizer is added.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from audit_cases import OUTCOMES, Trained, random_experiment, train, train_changes
from audit_fit import PROGRESS_KNOTS, START_KNOTS, Design, Row, fit, write

from stability import Run
from stability.diagnosis.changes import single_changes, treated
from stability.diagnosis.features import categories, numeric_features
from stability.diagnosis.findings import LIKELY
from stability.diagnosis.forecast import Outlook, progress_features
from stability.diagnosis.prior import PATIENCE
from stability.diagnosis.verdicts import verdicts_before_training
from stability.records.experiment import Experiment

FOLDS = 5  # of cross-validation
START_PENALTY, PROGRESS_PENALTY = 1.0, 1.0
CHANGED_WEIGHT = 0.3  # of networks under a change in the fit: many of them are alike
SLOWER = "rate x 0.01", "rate x 0.1", "rate x 0.3", "typical rate"
BLAME = "healthy, but"  # how a sentence blames the learning rate


@dataclass(frozen=True)
class Case:
    """What was said of one network of the audit, and what was so."""

    foretold: str
    chance: float  # of learning, as foretold
    found: str
    outcome: str
    suggestion_cures: bool
    cures: tuple[str, ...]  # the single changes that cure
    found_cure_cures: bool  # the one that is offered after all were tried
    patience_suggested: bool
    blames_rate: bool  # for a divergence
    slower_is_steady: bool  # with a smaller rate it does not diverge, whether it learns or not


def cases_of(seed: int) -> list[Case]:
    """Return the cases of one random experiment."""
    torch.set_num_threads(1)
    e = random_experiment(random.Random(seed))
    run = Run(e).train()
    trained, final = train(e), run.verdicts()
    first = verdicts_before_training(e, run.measurements[0])
    sick = [v.scheme for v, t in zip(final, trained, strict=True) if not t.learned]
    changes = train_changes(e, sick)
    cases = []
    for before, after, network in zip(first, final, trained, strict=True):
        tried = changes.get(after.scheme, {})
        cures = {key: other for key, other in tried.items() if other.learned}
        best = min(cures, key=lambda key: cures[key].losses[-1][1], default="")
        remedy = after.remedy
        changed = treated(e, after.scheme, remedy) if remedy else None
        cases.append(
            Case(
                before.word,
                before.evidence.outlook.learns,
                after.word,
                network.outcome,
                bool(changed) and train(changed)[0].learned,
                tuple(cures),
                bool(best) and cures_in_full(e, after.scheme, best),
                bool(remedy) and dict(remedy.settings).keys() == {PATIENCE},
                BLAME in after.sentence,
                any(key in SLOWER and other.outcome != "diverged" for key, other in tried.items()),
            )
        )
    return cases


def cures_in_full(e: Experiment, scheme: str, key: str) -> bool:
    """Return whether this change cures in a run that measures all: as one who applies it sees."""
    remedy = dict(single_changes(e, scheme))[key]
    changed = treated(e, scheme, remedy)
    return bool(changed) and Run(changed).train().verdicts()[0].word == "learns"


def report(seed: int, count: int, workers: int) -> None:
    """Print how often the forecasts of random experiments come true, and the remedies cure."""
    with get_context("spawn").Pool(workers) as pool:
        seeds = range(seed * 10**6, seed * 10**6 + count)
        cases = [case for found in pool.imap(cases_of, seeds) for case in found]
    print(f"{count} random experiments from seed {seed * 10**6}, {len(cases)} verdicts")
    print("\nforetold, and found:")
    for pair, times in Counter((case.foretold, case.found) for case in cases).most_common():
        print(f"  {pair[0]:>10} {pair[1]:>10} {times:4}")
    said = [case for case in cases if case.foretold == "learns"]
    print(share("\nforetold to learn, and learned", [case.found == "learns" for case in said]))
    chances = torch.tensor([case.chance for case in cases])
    print_calibration(chances, torch.tensor([case.outcome == "learns" for case in cases]))
    print_cures(cases)


def print_calibration(chances: torch.Tensor, learned: torch.Tensor) -> None:
    """Print for five bins of the foretold probability how many networks learned."""
    print(share("foretold above 0.7, and learned", learned[chances > LIKELY].tolist()))
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        chosen = (low <= chances) & (chances < low + 0.2 + (low == 0.8))
        mean = chances[chosen].double().mean()
        title = f"foretold {low:.1f} to {low + 0.2:.1f}, {mean:.2f} on average: learned"
        print(share(title, learned[chosen].tolist()))


def print_cures(cases: Sequence[Case]) -> None:
    """Print how often the first suggestion cures, and how often the rate is blamed wrongly."""
    sick = [case for case in cases if case.outcome != "learns"]
    curable = [case for case in sick if case.cures]
    print(share("\nsick networks that some single change cures", [bool(c.cures) for c in sick]))
    print(share("first suggestion cures, of these", [case.suggestion_cures for case in curable]))
    title = "after a search the offered cure cures, of these"
    print(share(title, [case.found_cure_cures for case in curable]))
    impatient = [case for case in curable if set(case.cures) != {PATIENCE}]
    title = "first suggestion cures, of those that more than patience cures"
    print(share(title, [case.suggestion_cures for case in impatient]))
    patient = [case for case in sick if case.patience_suggested]
    print(
        share("patience cures where it is suggested", [case.suggestion_cures for case in patient])
    )
    wrongly = [not case.slower_is_steady for case in cases if case.blames_rate]
    print(share("the rate is blamed for a divergence, and a smaller one diverges, too", wrongly))
    print("\nchanges that cure:")
    for key, times in Counter(key for case in curable for key in case.cures).most_common():
        print(f"  {key:>22} {times:4}")


def share(title: str, values: Sequence[bool]) -> str:
    return f"{title}: {sum(values)} of {len(values)} ({sum(values) / max(1, len(values)):.0%})"


def collect(path: str, seed: int, count: int, workers: int) -> None:
    """Train random networks, four schemes at once, and add one line a network to a file.

    Every fourth experiment is a small network that trains long; of every eighth the single changes
    of those that did not learn are trained, too, for the fit decides which of them comes first.
    """
    with get_context("spawn").Pool(workers) as pool, open(path, "a", encoding="utf-8") as file:
        for lines in pool.imap(lines_of, range(seed * 10**6, seed * 10**6 + count)):
            file.writelines(f"{line}\n" for line in lines)


def lines_of(seed: int) -> list[str]:
    torch.set_num_threads(1)
    draw = random.Random(seed)
    e = random_experiment(draw, 4)
    if seed % 4 == 0:
        small = {"depth": min(e.depth, 12), "width": min(e.width, 32), "precision": "float32"}
        e = replace(e, **small, steps=draw.choice([600, 1000, 2000]))
    networks = train(e)
    lines = [line_of(network, seed, 1.0) for network in networks]
    if seed % 8 == 1:
        sick = [network.experiment.schemes[0] for network in networks if not network.learned]
        changed = [other for tried in train_changes(e, sick).values() for other in tried.values()]
        lines += [line_of(network, seed, CHANGED_WEIGHT) for network in changed]
    return lines


def line_of(network: Trained, seed: int, weight: float) -> str:
    """Return what `fit` needs of a network, as JSON."""
    e = network.experiment
    facts = {
        "seed": seed,
        "weight": weight,
        "settings": e.settings(),
        "finite": network.start.is_finite,
        "numbers": numeric_features(e, network.start),
        "outcome": network.outcome,
        "losses": network.losses,
    }
    return json.dumps(facts)


def fit_tables(paths: Iterable[str], writes: bool) -> None:
    """Fit the tables of the forecast, and print how well they do on networks left out."""
    lines = [line for path in paths for line in Path(path).read_text("utf-8").splitlines()]
    networks = [json.loads(line) for line in lines]
    networks = [network for network in networks if network["finite"]]
    for network in networks:
        network["experiment"] = Experiment(**network["settings"])
    rows = [(n["numbers"], categories(n["experiment"])) for n in networks]
    chances = fit_one("forecast", rows, networks, START_KNOTS, START_PENALTY, writes)
    later = list(later_rows(networks, chances))
    chosen = [networks[index] for index, _ in later]
    fit_one("progress", [row for _, row in later], chosen, PROGRESS_KNOTS, PROGRESS_PENALTY, writes)


def later_rows(networks: Sequence[dict], chances: torch.Tensor) -> Iterator[tuple[int, Row]]:
    """Yield for some steps of each network its index, and what was known then."""
    draw = random.Random(0)
    for index, network in enumerate(networks):
        if network["weight"] < 1:
            continue
        inner = range(1, len(network["losses"]) - 1)
        for last in draw.sample(inner, min(4, len(inner))):
            losses = network["losses"][: last + 1]
            if losses[-1][1] == losses[-1][1]:
                before = Outlook(*chances[index].tolist())
                yield index, (progress_features(network["experiment"], before, losses), {})


def fit_one(
    name: str, rows: Sequence[Row], networks: Sequence[dict], knots: dict, penalty: float,
    writes: bool,
) -> torch.Tensor:  # fmt: skip
    """Fit the tables of one file; return the probabilities of networks left out of the fit."""
    design = Design(rows, knots)
    x = design.matrix(rows)
    y = torch.tensor([OUTCOMES.index(network["outcome"]) for network in networks])
    fold = torch.tensor([network["seed"] % FOLDS for network in networks])
    counts = torch.tensor([network["weight"] for network in networks], dtype=torch.float64)
    chances = torch.zeros(len(rows), len(OUTCOMES), dtype=torch.float64)
    for left_out in range(FOLDS):
        kept = fold != left_out
        weights = fit(x[kept], y[kept], len(OUTCOMES), penalty, counts[kept])
        chances[~kept] = torch.softmax(x[~kept] @ weights, dim=1)
    print(f"{name}: {len(rows)} rows")
    print_calibration(chances[counts == 1, 0], y[counts == 1] == 0)
    if writes:
        weights = fit(x, y, len(OUTCOMES), penalty, counts)
        write(name, {key: design.table(weights[:, i]) for i, key in enumerate(OUTCOMES)})
    return chances


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("report", "collect"):
        command = commands.add_parser(name)
        command.add_argument("--seed", type=int, required=True)
        command.add_argument("--count", type=int, required=True)
        command.add_argument("--workers", type=int, default=2)
    commands.choices["collect"].add_argument("path")
    fitting = commands.add_parser("fit")
    fitting.add_argument("--write", action="store_true")
    fitting.add_argument("paths", nargs="+")
    given = parser.parse_args()
    if given.command == "report":
        report(given.seed, given.count, given.workers)
    elif given.command == "collect":
        collect(given.path, given.seed, given.count, given.workers)
    else:
        fit_tables(given.paths, given.write)


if __name__ == "__main__":
    main()
