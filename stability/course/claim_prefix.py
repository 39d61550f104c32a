"""The first measurements of a run, which are all that a claim knows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stability.engine.streams import Stream
from stability.i18n import _


class PendingError(ValueError):
    """Raised if a run has not come to the step that a claim speaks of."""


@dataclass(frozen=True, eq=False)
class StreamPrefix:
    """The first `count` measurements of a run."""

    stream: Stream[Any, Any]
    count: int

    @property
    def record(self) -> Any:
        """The settings of the run."""
        return self.stream.record

    def newest(self, step: int, serves: Callable[[Any], bool] = lambda measurement: True) -> Any:
        """Return the newest measurement at or before `step` that serves.

        PendingError where `step` is not measured yet.
        """
        if step >= self.count:
            raise PendingError(_("step {step} is still to come").format(step=step))
        return next(m for m in reversed(self.stream.measurements[: step + 1]) if serves(m))
