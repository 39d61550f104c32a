"""The HTML of a scheme's card, of a lesson's claim and of the charts' legend."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from stability import page_layout
from stability.catalogues.schemes import scheme_title
from stability.charts.palette import (
    SCHEME_SYMBOLS,
    css_colour,
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
from stability.frames.relative import relative_profile
from stability.frames.tidy import describe_standing
from stability.i18n import N_, _
from stability.page.safe_text import sentence_html
from stability.records.experiment import Experiment
from stability.text import behind_label, capitalize_first, lower_first, percent, rough_number

MOST_SENTENCES = 3  # of a claim in sight
MOST_STOPS = 30  # colours of one strip
LEAD = re.compile(": |：")  # the colon behind the first clause, in Chinese, too
FORECAST_NOTE = N_(
    "Before the last step this is a forecast. Of random networks that “will probably learn”, "
    "{share} did."
)


def heading_html(sentence: str) -> str:
    """Return the name of the page, and a sentence in Markdown beside it."""
    return f"<div class='heading'><h1>Stability</h1><p>{sentence_html(sentence)}</p></div>"


def card_htmls(
    run: Run, count: int, verdicts: Sequence[Verdict], waiting: Mapping[str, str]
) -> tuple[str, ...]:
    """Return a card for each scheme after the first `count` measurements.

    Chosen schemes that are illegal with the other settings get a grey card that says why.
    """
    remarks, styles = nonfinite_remarks(run, count), scheme_style_indices(run.experiment.schemes)
    cards = []
    for index, verdict in enumerate(verdicts):
        sentences = [describe_standing(run, count, verdict.scheme)]
        if verdict.evidence.end and run.experiment.replicates > 1:
            learned = verdict.evidence.learned_replicates
            sentence = _("{count} of {all} replicates learned")
            sentences.insert(0, sentence.format(count=learned, all=run.experiment.replicates))
        for remark in remarks:
            if remark.scheme == verdict.scheme:
                sentences.append(remark.profiles_text or remark.text)
        strips = layer_strips_html(run, count, index)
        cards.append(card_html(verdict, styles[verdict.scheme], strips, sentences))
    cards += [waiting_html(scheme_title(scheme), reason) for scheme, reason in waiting.items()]
    return tuple(cards)


def waiting_html(title: str, reason: str) -> str:
    """Return a grey card of what has to wait, and why."""
    return f"<div class='card waiting'><h2>{escape(title)}</h2><p>{escape(reason)}</p></div>"


def card_html(verdict: Verdict, style: int, strips: str, sentences: Sequence[str]) -> str:
    """Return the card of one scheme: the verdict, large, its layers, the reason, and the rest.

    The reason is cut to the height of the card; whoever clicks it sees all of it.
    """
    colour, (headline, reason) = css_colour(style), headline_and_reason(verdict)
    meaning = behind_label(_(verdict.word), _(EXPLANATIONS[verdict.word]))
    symbol = f"<span style='color: {colour}'>{SCHEME_SYMBOLS[style]}</span>"
    rest = " · ".join(map(sentence_html, sentences))
    if verdict.forecast:
        note = _(FORECAST_NOTE).format(share=percent(LEARNING_COMES_TRUE))
        word = _("forecast")
        rest = f"<i title='{escape(note, quote=True)}'>{word}</i> · {rest}"
    return (
        f"<div class='card' style='border-color: {colour}'>"
        f"<h2 title='{escape(meaning, quote=True)}'>{symbol} "
        f"{sentence_html(headline)}</h2>{strips}"
        f"<p tabindex='0'>{sentence_html(reason)}</p><p class='less'>{rest}</p></div>"
    )


def headline_and_reason(verdict: Verdict) -> tuple[str, str]:
    """Return the verdict with the scheme as its subject, and the sentences that give the reason."""
    title, (lead, *reason) = scheme_title(verdict.scheme), LEAD.split(verdict.sentence, maxsplit=1)
    headline = _("{title}: {lead}").format(title=title, lead=lower_first(lead))
    if lead.startswith("It "):  # in English
        headline = f"{title}{lead[2:]}"
    return headline, capitalize_first("".join(reason))


def layer_strips_html(run: Run, count: int, index: int) -> str:
    """Return the layers of one scheme as two strips, coloured as in the heat map.

    Signal stands above, signal gradient below; the first layer is on the left.
    """
    profiles = run.newest_profiles(run.counts_before_divergence(count)[index])
    signal = median_of_finite(profiles.signal[index], axis=0)
    gradient = median_of_finite(profiles.signal_gradient[index], axis=0)
    strips = ("signal", signal), ("signal_gradient", gradient)
    return "".join(layer_strip_html(*strip) for strip in strips)


STRIP_DESCRIPTIONS = {
    "signal": N_(
        "The signal by layer, from {first} at the first to {last} at the last: blue is below that "
        "at the first, orange above"
    ),
    "signal_gradient": N_(
        "The signal gradient by layer, from {first} at the first to {last} at the last: blue is "
        "below that at the last, orange above"
    ),
}


def layer_strip_html(quantity: str, profile: np.ndarray) -> str:
    """Return a profile `(L,)` relative to where it enters as one strip, its name behind it."""
    first, last = (
        rough_number(end) if np.isfinite(end) else _("not finite") for end in profile[[0, -1]]
    )
    values = relative_profile(quantity, profile)
    description = _(STRIP_DESCRIPTIONS[quantity]).format(first=first, last=last)
    word = _("signal") if quantity == "signal" else _("gradient")
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
    word = {True: _("Measured here:"), False: _("Does not hold here:"), None: _("Undecided:")}[
        reading.holds
    ]
    marks = {True: "✓", False: "✗", None: "…"}
    holds = [true for _line, true in reading.lines]
    exact = [f"{marks[true]} {line}" for line, true in reading.lines]
    said = [f"{marks[true]} {text}" for text, true in zip(reading.sentences, holds, strict=False)]
    # A sentence that is false is always in sight.
    first = [
        text
        for index, (text, true) in enumerate(zip(said, holds, strict=False))
        if index < MOST_SENTENCES or true is False
    ]
    rest = [text for text in said if text not in first]
    summary = _("{count} more, and the exact claim").format(count=len(rest))
    summary = summary if rest else _("The exact claim")
    spans = [
        [f"<span>{sentence_html(line)}</span>" for line in part if line]
        for part in ((*first, reading.why), (*rest, *exact))
    ]
    return (
        f"<div class='claim'><b>{word}</b>{''.join(spans[0])}"
        f"<details><summary>{summary}</summary>{''.join(spans[1])}</details></div>"
    )


def legend_data(experiment: Experiment) -> dict[str, Any]:
    """Return the data of the legend component: the schemes."""
    schemes = [
        {
            "scheme": scheme,
            "title": scheme_title(scheme),
            "symbol": SCHEME_SYMBOLS[style],
            "colour": css_colour(style),
        }
        for scheme, style in scheme_style_indices(experiment.schemes).items()
    ]
    shared = page_layout.SHARED_SCHEME
    return {"schemes": schemes, "shared": shared, "label": _("Show one scheme alone")}
