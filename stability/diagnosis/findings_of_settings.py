"""The findings about a setting that holds training up, whatever the initialization.

A number format that is too coarse for the optimizer or for the weights, a weight decay or a clip
that is too strong.
"""

from collections.abc import Mapping

import torch

from stability.diagnosis.changes import SAFE_EPSILON
from stability.diagnosis.clauses import break_count, is_clipped_hard, loss_course
from stability.diagnosis.evidence import Evidence
from stability.diagnosis.finding import Finding
from stability.diagnosis.reasons import as_sentence
from stability.i18n import _
from stability.text import join_sentences, number, percent, rough_number, share_in_words

LOST = 0.5  # share of a step that rounding takes, from which on it is what holds training up
PROMISED = 0.1  # of the loss, by all steps together: what promises less fails in any format
FADED = 0.5  # of the first size of the weights: less is left by a decay that rules
FINE = torch.finfo(torch.float32).eps


def find_zero_epsilon(evidence: Evidence) -> Finding | None:
    """Return the finding of an optimizer that divides by 0, since its epsilon is rounded to 0."""
    e, row = evidence.experiment, evidence.experiment.number_format
    epsilon = e.epsilon
    if row.master_dtype or not e.optimizer_row.has_epsilon or epsilon > row.smallest_subnormal / 2:
        return None
    cure = {"epsilon": SAFE_EPSILON}, {"precision": "bfloat16"}, {"precision": "float16_scaled"}
    why = _(
        "the {epsilon} that {optimizer} adds before it divides is 0 in {format}, so where a "
        "gradient's square is 0, too, it divides by 0"
    )
    why = why.format(
        epsilon=rough_number(epsilon), optimizer=e.optimizer_row.label, format=row.label
    )
    if not evidence.end:
        sentence = _("It will break at the first step: {why}.").format(why=why)
        return Finding("diverged", sentence, 1, cure)
    if not evidence.breaks or evidence.breaks[0].step > 2:
        return None
    step, where = evidence.breaks[0].step, break_count(evidence)
    sentence = _("It broke at step {step}{where}: {why}.").format(step=step, where=where, why=why)
    return Finding("diverged", sentence, step, cure)


def find_harmful_setting(evidence: Evidence) -> Finding | None:
    """Return the finding of a setting that keeps a network of a healthy start from learning."""
    return find_lost_updates(evidence) or find_decay(evidence)


def find_lost_updates(evidence: Evidence) -> Finding | None:
    """Return the finding of weights that cannot move, since rounding takes their updates.

    Rounding is not to blame where the steps promised little anyhow, nor in float32 or a finer
    format: updates that are too small even there have vanished for another reason.
    """
    seen, row = evidence.end, evidence.experiment.number_format
    if not seen or not seen.lost_updates > LOST or evidence.learns:
        return None
    is_fine = torch.finfo(row.weight_dtype).eps <= FINE
    if is_fine or 10**evidence.start.log_predicted_drop < PROMISED:
        return None
    sentence = _(
        "{format} rounds {share} of the updates away: they are smaller than half a unit in the "
        "last place of the weights."
    ).format(format=row.label, share=share_in_words(seen.lost_updates))
    sentence = join_sentences(sentence, as_sentence(loss_course(evidence)))
    return Finding(word_of(evidence), sentence, seen.lost_updates, ({"precision": "float32"},))


def find_decay(evidence: Evidence) -> Finding | None:
    """Return the finding of a weight decay that outweighs the gradient.

    The weights fade; or the optimizer, which divides both by their common size, takes steps that
    follow the decay alone, and are too small to fade the weights within the run.
    """
    e, seen = evidence.experiment, evidence.end
    if not seen or not e.weight_decay or evidence.learns:
        return None
    left = 10 ** (seen.log_weight - evidence.start.log_weight)
    pull = 10**evidence.start.log_decay_pull
    decay = number(e.weight_decay)
    if left < FADED:
        share = percent(left) if left >= 0.005 else _("less than 1 %")
        sentence = _(
            "Weight decay outweighs the gradient: by step {step} a decay of {decay} has shrunk the "
            "weights to {share} of their first size."
        ).format(step=seen.step, decay=decay, share=share)
    elif e.optimizer_row.divides_decay and pull >= 1:
        sentence = _(
            "Weight decay outweighs the gradient: at the start a decay of {decay} pulls at the "
            "weights {pull} times as strongly, and {optimizer} divides both by their common size."
        ).format(decay=decay, pull=number(pull), optimizer=e.optimizer_row.label)
    else:
        return None
    sentence = join_sentences(sentence, as_sentence(loss_course(evidence)))
    return Finding(word_of(evidence), sentence, left, ({"weight_decay": 0.0},))


def word_of(evidence: Evidence) -> str:
    return "slow" if evidence.is_slow else "stalled"


def unclipped(evidence: Evidence) -> tuple[Mapping[str, float], ...]:
    """Return the settings that let a gradient go that is clipped hard; nothing where none is."""
    return ({"clip": 0.0},) if is_clipped_hard(evidence) else ()
