"""The profile through the depth that shows why networks are sick."""

from collections import Counter

from stability.diagnosis.clauses import growing, shrinking
from stability.diagnosis.evidence import HEALTHY_DECADES, SATURATED, remembered_indicators
from stability.diagnosis.indicators import Indicators
from stability.engine.runs import Run


def deciding_profile(run: Run) -> str:
    """Return "signal" or "signal_gradient": where the cause shows of most of the sick schemes.

    Read from step 0 alone, it never changes during a run; the signal where all are healthy.
    """
    profiles = Counter(filter(None, map(profile_of_cause, remembered_indicators(run, 0))))
    return profiles.most_common(1)[0][0] if profiles else "signal"


def profile_of_cause(seen: Indicators) -> str:
    """Return the profile in which a scheme's disease shows; nothing where it has none."""
    if seen.saturated >= SATURATED or seen.dead_replicates or 0 in seen.signal:
        return "signal"
    less, more = shrinking(seen), growing(seen)
    trend = less if -less.decades >= more.decades else more
    if not abs(trend.decades) > HEALTHY_DECADES:  # NaN is not
        return "" if seen.is_finite else "signal"
    return "signal_gradient" if trend.name == "gradient" else "signal"
