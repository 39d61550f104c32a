"""The findings about a number format that is too coarse for the optimizer or for the weights."""

from stability.diagnosis.changes import SAFE_EPSILON
from stability.diagnosis.clauses import break_count, loss_course, promises_nothing
from stability.diagnosis.evidence import Evidence
from stability.diagnosis.finding import Finding
from stability.text import capitalize_first, rough_number, share_in_words

LOST = 0.5  # share of a step that rounding takes, from which on it is what holds training up


def find_zero_epsilon(evidence: Evidence) -> Finding | None:
    """Return the finding of an optimizer that divides by 0, since its epsilon is rounded to 0."""
    e, row = evidence.experiment, evidence.experiment.number_format
    epsilon = e.epsilon
    if row.master_dtype or not e.optimizer_row.has_epsilon or epsilon > row.smallest_subnormal / 2:
        return None
    cure = {"epsilon": SAFE_EPSILON}, {"precision": "bfloat16"}, {"precision": "float16_scaled"}
    why = f"the {rough_number(epsilon)} that {e.optimizer_row.label} adds before it divides is 0 in"
    why = f"{why} {row.label}, so where a gradient's square is 0, too, it divides by 0"
    if not evidence.end:
        return Finding("diverged", f"It will break at the first step: {why}.", 1, cure)
    if not evidence.breaks or evidence.breaks[0].step > 2:
        return None
    step = evidence.breaks[0].step
    return Finding(
        "diverged", f"It broke at step {step}{break_count(evidence)}: {why}.", step, cure
    )


def find_lost_updates(evidence: Evidence) -> Finding | None:
    """Return the finding of weights that cannot move, since rounding takes their updates.

    Updates that promised nothing anyhow are too small for another reason.
    """
    seen, row = evidence.end, evidence.experiment.number_format
    if not seen or not seen.lost_updates > LOST or evidence.learns or promises_nothing(evidence):
        return None
    sentence = (
        f"{row.label} rounds {share_in_words(seen.lost_updates)} of the updates away: they are "
        "smaller than half a unit in the last place of the weights. "
        f"{capitalize_first(loss_course(evidence))}."
    )
    word = "slow" if evidence.is_slow else "stalled"
    return Finding(word, sentence, seen.lost_updates, ({"precision": "float32"},))
