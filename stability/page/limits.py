"""The limits of what visitors may use of one server; an environment variable changes each."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from stability.engine.workers import available_cores

try:
    import resource
except ImportError:  # no such limits on Windows
    resource = None  # type: ignore[assignment]

PREFIX = "STABILITY_"
SPARE_DESCRIPTORS, VISITOR_DESCRIPTORS = 200, 7  # of the server itself, and of each visitor


@dataclass(frozen=True)
class Limits:
    """The limits of a server. `STABILITY_RUN_SECONDS` changes `run_seconds`, and so on."""

    run_seconds: float = 60  # the estimated cost of one run
    run_bytes: int = 2 * 2**30
    # The estimated cost of a map, or of a search for a cure, which give way to all others.
    long_seconds: float = 600
    trainings: int = 2  # at once, if there are as many processors; the others wait for their turn
    kept_runs: int = 2000  # in memory; the least recently opened go first
    kept_bytes: int = 2**29
    visitors: int = 500  # at once
    tried: int = 100  # experiments in a visitor's list; the oldest go first

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Limits":
        """Return the limits that an environment asks for.

        Raises ValueError, naming the variable and its value, for what is no whole number from 1 on.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            if (text := environment.get(name, "")) and not (text.isdecimal() and int(text)):
                raise ValueError(f"{name} must be a whole number from 1 on, not {text!r}")
            if text:
                values[field.name] = int(text)
        return cls(**values)


LIMITS = Limits.of(os.environ)


def trainings_at_once() -> int:
    """Return how many trainings run at once: the limit, but one a processor at most."""
    return min(LIMITS.trainings, available_cores())


def most_visitors() -> int:
    """Return how many visitors have a place: the limit, or fewer for want of file descriptors."""
    return min(LIMITS.visitors, max(1, int(places_of(open_descriptors()))))


def places_of(descriptors: float) -> float:
    return (descriptors - SPARE_DESCRIPTORS) // VISITOR_DESCRIPTORS


def open_descriptors() -> float:
    """Return how many files and lines this process may have open, after asking for all it can."""
    if not resource:
        return math.inf
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return math.inf if hard == resource.RLIM_INFINITY else hard
