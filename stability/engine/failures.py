"""Failed computations, and why they failed, in words."""


class RunError(RuntimeError):
    """A failed computation; reading the stream again tries again."""


def reason_of(failure: Exception) -> str:
    """Return why a computation failed, in words that are never empty."""
    words = str(failure)
    if "can't allocate memory" in words or (isinstance(failure, MemoryError) and not words):
        return "there is too little memory"
    return words or type(failure).__name__
