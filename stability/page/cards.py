"""The HTML of a scheme's card, of a lesson's claim and of the charts' legend."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from stability import page_layout
from stability.catalogues.schemes import scheme_title
from stability.charts.palette import (
    SCHEME_COLOURS,
    SCHEME_SYMBOLS,
    diverging_colour_index,
    scheme_style_indices,
)
from stability.course.claims import ClaimReading
from stability.diagnosis.forecast import LEARNING_COMES_TRUE
from stability.diagnosis.nonfinite import nonfinite_remarks
from stability.diagnosis.verdicts import Verdict
from stability.diagnosis.words import EXPLANATIONS
from stability.engine.replicates import median_of_finite
from stability.engine.runs import Run
from stability.frames.tidy import describe_standing
from stability.page.prose import PROMISE
from stability.page.safe_text import sentence_html
from stability.records.experiment import Experiment
from stability.text import percent, rough_number

HEADING_HTML = f"<div class='heading'><h1>Stability</h1><p>{PROMISE}</p></div>"
MOST_STOPS = 30  # colours of one strip
WAITING_HTML = (
    "<div class='cards'><div class='card waiting'><b>Others train before you.</b>"
    "<span>Your curves appear here as soon as it is your turn.</span></div></div>"
)


def cards_html(
    run: Run, count: int, verdicts: Sequence[Verdict], waiting: Mapping[str, str]
) -> str:
    """Return a card for each scheme after the first `count` measurements.

    Chosen schemes that are illegal with the other settings get a grey card that says why.
    """
    remarks, styles = nonfinite_remarks(run, count), scheme_style_indices(run.experiment.schemes)
    cards = []
    for index, verdict in enumerate(verdicts):
        sentences = [describe_standing(run, count, verdict.scheme)]
        for remark in remarks:
            if remark.scheme == verdict.scheme:
                sentences.append(remark.profiles_text or remark.text)
        strips = layer_strips_html(run, count, index)
        cards.append(card_html(verdict, styles[verdict.scheme], strips, sentences))
    for scheme, reason in waiting.items():
        title = escape(scheme_title(scheme))
        cards.append(f"<div class='card waiting'><b>{title}</b>{escape(reason)}</div>")
    # Once nothing is a forecast, the note is hidden, so that what follows does not move.
    hidden = "" if any(verdict.forecast for verdict in verdicts) else " style='visibility: hidden'"
    return (
        f"<div class='cards'>{''.join(cards)}</div><p class='note'{hidden}>"
        "Before the last step this is a forecast. Of random networks that “will probably learn”, "
        f"{percent(LEARNING_COMES_TRUE)} did.</p>"
    )


def card_html(verdict: Verdict, style: int, strips: str, sentences: Sequence[str]) -> str:
    """Return the card of one scheme: its title, its layers, the verdict, and more sentences."""
    colour, title = SCHEME_COLOURS[style], escape(scheme_title(verdict.scheme))
    mark = f"<span style='color: {colour}'>{SCHEME_SYMBOLS[style]}</span>"
    lead, colon, rest = verdict.sentence.partition(":")
    meaning = escape(f"{verdict.word}: {EXPLANATIONS[verdict.word]}", quote=True)
    finding = f"<b title='{meaning}'>{sentence_html(lead)}</b>{colon}{sentence_html(rest)}"
    rows = [f"<span class='less'>{sentence_html(sentence)}</span>" for sentence in sentences]
    return (
        f"<div class='card' style='border-color: {colour}'><b>{mark} {title}</b>{strips}"
        f"<span>{finding}</span>{''.join(rows)}</div>"
    )


def layer_strips_html(run: Run, count: int, index: int) -> str:
    """Return the layers of one scheme as two strips, coloured as in the heat map.

    Signal stands above, signal gradient below; the first layer is on the left.
    """
    profiles = run.newest_profiles(run.counts_before_divergence(count)[index])
    signal = median_of_finite(profiles.signal[index], axis=0)
    gradient = median_of_finite(profiles.signal_gradient[index], axis=0)
    strips = ("Signal", "signal", signal), ("Signal gradient", "gradient", gradient)
    return "".join(layer_strip_html(*strip) for strip in strips)


def layer_strip_html(label: str, word: str, values: np.ndarray) -> str:
    """Return values by layer `(L,)` as one strip, with `word` behind it."""
    ends = [rough_number(end) if np.isfinite(end) else "not finite" for end in values[[0, -1]]]
    description = (
        f"{label} by layer, from {ends[0]} at the first to {ends[1]} at the last: "
        "blue is below 1, orange above"
    )
    return (
        f"<div class='strip' role='img' aria-label='{description}' title='{description}'>"
        f"<i style='background: {strip_gradient(values)}'></i><span>{word}</span></div>"
    )


def strip_gradient(values: np.ndarray) -> str:
    """Return values by layer `(L,)` as a CSS gradient of at most 30 colours with sharp edges."""
    count = min(MOST_STOPS, len(values))
    picked = values[np.linspace(0, len(values) - 1, count).round().astype(int)]
    stops = [
        f"var(--decades-{diverging_colour_index(value)}) 0 {100 * (index + 1) / count:.3g}%"
        for index, value in enumerate(picked)
    ]
    return f"linear-gradient(90deg, {', '.join(stops)}, transparent 0)"


def claim_html(reading: ClaimReading) -> str:
    """Return a lesson's claim with the numbers that were measured, and whether it holds."""
    word = {True: "Holds here", False: "Does not hold here", None: "Undecided"}[reading.holds]
    marks = {True: "✓", False: "✗", None: "…"}
    lines = [f"{marks[holds]} {line}" for line, holds in reading.lines]
    spans = [f"<span>{sentence_html(line)}</span>" for line in (*lines, reading.why) if line]
    return f"<div class='claim'><b>{word}:</b>{''.join(spans)}</div>"


def legend_data(experiment: Experiment, step_shown: int) -> dict[str, Any]:
    """Return the data of the legend component: the schemes, and the step of the profiles."""
    schemes = [
        {
            "scheme": scheme,
            "title": scheme_title(scheme),
            "symbol": SCHEME_SYMBOLS[style],
            "colour": SCHEME_COLOURS[style],
        }
        for scheme, style in scheme_style_indices(experiment.schemes).items()
    ]
    return {
        "schemes": schemes,
        "steps": experiment.steps,
        "moment": "" if step_shown >= experiment.steps else str(step_shown),
        "shared": [page_layout.SHARED_STEP, page_layout.SHARED_SCHEME],
    }
