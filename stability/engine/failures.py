"""Failed computations, and why they failed, in words."""

from stability.i18n import _


class RunError(RuntimeError):
    """A failed computation; reading the stream again tries again."""


def reason_of(failure: Exception) -> str:
    """Return why a computation failed, in words that are never empty."""
    words = str(failure)
    if "can't allocate memory" in words or (isinstance(failure, MemoryError) and not words):
        return _("there is too little memory")
    return words or type(failure).__name__


def stopped_before(step: int, failure: Exception) -> RunError:
    """Return the error of a run that a failure stopped before this step."""
    sentence = _("This run stopped before step {step}: {reason}")
    return RunError(sentence.format(step=step, reason=reason_of(failure)))
