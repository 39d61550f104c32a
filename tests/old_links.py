"""Links of before the data and the weights had more settings, and what each measured at first.

`old_links.json` holds fifty links and, of the first measurement of each, the losses, the gradient
norm and two profiles of every network, all digits. What a link draws is the same on every machine,
since it is drawn in float64 by stated generators. Sums of products are not, nor with another number
of threads: so the test compares to the digits that a format holds, which no other draw has.

    OMP_NUM_THREADS=1 python tests/old_links.py     says how many are the same to the last bit
    python tests/old_links.py record                writes the file anew
"""

import json
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import numpy as np

from stability import Experiment, measure
from stability.catalogues.activations import ACTIVATIONS
from stability.catalogues.datasets import DATASETS
from stability.catalogues.normalizations import NORMALIZATIONS
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.schemes import SCHEMES

PATH = Path(__file__).with_suffix(".json")
QUANTITIES = "loss", "test_loss", "gradient_norm", "signal", "weight"
COUNT = 50
CYCLES = {  # each with another period, so that rows meet in ever other combinations
    "activation": [*ACTIVATIONS],
    "normalization": ["none", *NORMALIZATIONS, "none"],
    "optimizer": [*OPTIMIZERS],
    "dataset": ["blobs", *DATASETS],
    "precision": ["float32", "float64", "float32", *PRECISIONS],
    "residual": [False, False, True],
    "dropout": [0.0, 0.0, 0.0, 0.2],
    "bias_std": [0.0, 0.0, 0.0, 0.0, 0.1],
    "depth": [20, 5, 10, 3, 1, 2, 8],
    "width": [64, 16, 32, 20],
    "features": [32, 9, 64, 1, 5],
    "samples": [1024, 128, 500],
    "noise": [0.1, 0.1, 0.0, 1.0],
    "batch": [64, 15],
    "replicates": [1, 1, 2, 1, 1, 1],
}


def written_link(index: int) -> str:
    settings = {name: values[index % len(values)] for name, values in CYCLES.items()}
    schemes = [*SCHEMES, "normal:1", "normal:0.02", "scaled_normal:1.6"]
    settings["schemes"] = tuple({schemes[(k * index + k) % len(schemes)]: 0 for k in (1, 2)})
    settings["seed"] = index // 3
    e = Experiment.reconcile(Experiment().settings() | settings)[0]
    return urlencode(e.to_query(), safe=",:")


def first_numbers(link: str) -> dict[str, list[float]]:
    """The quantities of the first measurement of a link, flat; None where one is not finite."""
    e, notes = Experiment.from_query(dict(parse_qsl(link)))  # of a key the last counts
    assert not notes
    measurement = next(measure(e))
    found = {name: getattr(measurement, name).ravel() for name in QUANTITIES}
    return {
        name: [float(v) if np.isfinite(v) else None for v in row] for name, row in found.items()
    }


def recorded() -> dict[str, dict[str, list[float]]]:
    return json.loads(PATH.read_text("utf-8"))


def main() -> None:
    if sys.argv[1:] == ["record"]:
        links = [written_link(index) for index in range(COUNT)]
        rows = [f"{json.dumps(link)}: {json.dumps(first_numbers(link))}" for link in links]
        PATH.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")
    same = sum(first_numbers(link) == numbers for link, numbers in recorded().items())
    print(f"{same} of {len(recorded())} links measure the same, to the last bit")


if __name__ == "__main__":
    main()
