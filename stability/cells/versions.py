"""The version of all that decides an outcome: this code, and torch."""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

PACKAGE = Path(__file__).parents[1]
# All that this package imports: a change in any of these files may change an outcome.
DECISIVE = (
    "text.py", "i18n.py", "randomness.py",
    "catalogues", "records", "engine", "diagnosis", "cells",
)  # fmt: skip


@cache
def engine_version() -> str:
    """Return a hash of the sources of the engine and its catalogues, torch and NumPy.

    Outcomes of equal experiments are equal where this is, up to the rounding of the processor.
    Nobody has to raise a number: any edit of a source is a new version.
    """
    facts = [torch.__version__, np.__version__]
    for path in sorted(path for name in DECISIVE for path in sources(PACKAGE / name)):
        facts += [path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def sources(path: Path) -> list[Path]:
    """Return a file, or the files of Python and JSON in a folder."""
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.suffix in {".py", ".json"}]
