"""The page's own HTML, CSS and JavaScript, and text made safe for it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from stability.catalogues.schemes import scheme_title
from stability.charts import AXIS_WIDTH, LINE_NAME_WIDTH, PRESENTER_SCALE, SHARED_PARAMETERS
from stability.charts.palette import (
    ZERO_OR_NOT_FINITE,
    SCHEME_COLOURS,
    DIVERGING_LIGHT,
    DIVERGING_DARK,
    SCHEME_SYMBOLS,
    diverging_colour_index,
    scheme_style_indices,
)
from stability.course.claims import ClaimReading
from stability.diagnosis.forecast import FORECAST_ACCURACY
from stability.diagnosis.nonfinite import nonfinite_remarks
from stability.diagnosis.verdicts import Verdict, size
from stability.engine.replicates import median_of_finite
from stability.engine.runs import Run
from stability.frames import describe_standing
from stability.records.experiment import Experiment

PROMISE = "What an initialization does to a deep network: same architecture, same data, different first weights."
COURSE_INTRODUCTION = (
    "The book's section, claim by claim. Each lesson asks before it shows: answer, and the experiment runs under your hands. "
    "Every claim is tested against the engine, and against a neighbour of which it is false."
)
DASHED_NOTE = "Dashed: what theory foresees before training; shaded: nine of ten networks, where the law of their spread is known."
STRETCH_NOTE = (
    "By how much the hidden layers stretch each direction of a small change before training, the furthest first; all at 1: "
    "gradients keep their size. A line ends where rounding swallows the rest."
)
EDGE_NOTE = "Dashed: the largest value that a wide linear network has."
THEORY_NOTE = (
    "What a very deep and wide network with these weights does. Where χ₁ is 1 gradients keep their size: the edge of chaos. "
    "Below it they vanish and all inputs become alike; above it they explode and the smallest difference grows. Reach: through "
    "how many layers a network can still tell its inputs apart. Point at the head of a column to read what it means."
)
GAINS_NOTE = (
    "What the first layer does to mean squares before training: forward, those of its outputs over those of its inputs; "
    "backward, those of the gradient that it passes down over those of the gradient that arrives. "
    "Forward asks for variance 1 / n_in, backward for 1 / n_out; unless the two are alike, no variance serves both."
)
FORMATS_NOTE = (
    "What the numbers of this run become in each format, from the widest range to the narrowest: those below half the smallest "
    "become 0, those beyond the largest infinite; subnormal ones lose digits. Gradients are those of the mean loss, as stored."
)
SYMMETRIES_NOTE = (
    "The largest change of the output over the first batch before training, in float64: 1e-15 is rounding. "
    "What leaves the output as it is leaves the loss as it is, and gradient descent cannot tell such networks apart."
)
NUMBERS_NOTE = (
    "Medians over the replicates, as the charts draw them; empty where a number is not finite. "
    "Above a table's right corner: search in it, see it large, download it as CSV."
)
HEALING_NOTE = (
    "Entries of standard deviation 1 / sqrt(n) keep the MEAN of the squared norm, so they are called variance preserving. "
    "The typical product shrinks all the same: a few rare, huge products make up the mean. Large matrices differ less from "
    "one another, and the loss heals like 1 / n."
)
EXPONENTS_NOTE = (
    "Each factor multiplies the lengths along n directions by its own rates, in the long run: these are their logarithms. "
    "The first decides the norm; the gap to the last is how fast a gradient becomes blind to all other directions."
)
BOUNDS_NOTE = (
    "No singular value of a product exceeds the product of its factors' largest, or falls below the product of their smallest. "
    "These bounds are dashed."
)
GREETING = "Alike but for their first weights. **Next:** press a button beneath the cards, or change a setting: all train anew."
NO_SCHEMES = "Choose at least one initialization in the sidebar, and its curves appear here."
REMEDY_HELP = "A scheme comes beside the sick one; a setting is changed, and the present run stays behind it, pinned."
PAGE_CSS = f"""
:has(> .st-key-css) {{ display: none; }}
.stMainBlockContainer {{ padding: 1.5rem 2rem 2rem; }}
@media (max-width: 48rem) {{ .stMainBlockContainer {{ padding: 4rem 1rem 2rem; }} }}
@media (max-width: 72rem) {{ .stColumn:has(.st-key-left_chart, .st-key-right_chart) {{ min-width: 100%; }} }}
.st-key-remedies {{ min-height: 2.5rem; }}
.st-key-toolbar > :has(> .st-key-progress) {{ flex: 1 1 14rem; min-width: 14rem; }}
.st-key-setting_schemes {{ position: relative; }}
.st-key-undo_schemes {{ position: absolute; top: -0.6rem; right: 1.6rem; width: auto; }}
@media (max-width: 64rem) {{ .st-key-toolbar button {{ padding: 0.25rem 0.55rem; }} }}
.st-key-left_chart, .st-key-right_chart {{
  [data-testid=stElementToolbar] {{ top: auto !important; bottom: -0.8rem; right: -{AXIS_WIDTH}px; }} }}
[data-testid=stElementToolbar]:focus-within {{ opacity: 1; }}
.said {{ margin: 0 0 0.3rem; }}
.claim {{ display: flex; flex-direction: column; font-size: 0.875rem; border-left: 4px solid; padding-left: 0.6rem; }}
sup {{ line-height: 0; }}
.st-key-lesson p {{ max-width: 52rem; }}
.heading {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; }}
.heading h1, .heading p {{ margin: 0; padding: 0; }}
.heading p {{ font-size: 0.9rem; }}
.st-key-left_chart, .st-key-right_chart, .st-key-closer_chart {{ padding-right: {AXIS_WIDTH + 8}px; }}
@media (min-width: 82rem), (min-width: 40rem) and (max-width: 71.99rem) {{
  .st-key-left_chart, .st-key-right_chart {{ padding-right: {AXIS_WIDTH + LINE_NAME_WIDTH}px;
    [data-testid=stElementToolbar] {{ right: -{AXIS_WIDTH + LINE_NAME_WIDTH}px; }} }} }}
[data-tag] *, [data-testid=stBaseButton-primary] * {{ color: light-dark(#ffffff, #0b1015); }}
@media (prefers-reduced-motion: reduce) {{ *, *::before, *::after {{
  animation-duration: 0.01ms !important; animation-iteration-count: 1 !important; transition-duration: 0.01ms !important; }} }}
"""  # Streamlit makes a panel as wide as its place, and the axis stands beside it
PRESENT_CSS = f"""
:root {{ font-size: {100 * PRESENTER_SCALE}%; }}
.stMainBlockContainer {{ padding: 1rem 1.5rem; }}
.heading p, .note, .st-key-remedies {{ display: none; }}
@media (max-width: 60rem) {{ .heading {{ position: absolute; clip-path: inset(50%); }} }}
.cards .card {{ min-height: 7.1rem; }}
@media (max-width: 40rem) {{  /* no keys to press, and little room */
  [class*=st-key-conduct] kbd {{ display: none; }}
  [class*=st-key-conduct] button {{ padding: 0.25rem 0.5rem; }} }}
.st-key-left_chart, .st-key-right_chart, .st-key-closer_chart {{ padding-right: {PRESENTER_SCALE * AXIS_WIDTH + 8}px; }}
@media (min-width: 82rem), (min-width: 40rem) and (max-width: 71.99rem) {{
  .st-key-left_chart, .st-key-right_chart {{ padding-right: {PRESENTER_SCALE * (AXIS_WIDTH + LINE_NAME_WIDTH)}px; }} }}
"""
DECADES_CSS = "; ".join(f"--decades-{index}: light-dark({light}, {dark})"
                        for index, (light, dark) in enumerate(zip(DIVERGING_LIGHT, DIVERGING_DARK, strict=True)))  # fmt: skip
CARDS_CSS = (
    f"<style>.cards {{ --decades-None: {ZERO_OR_NOT_FINITE}; {DECADES_CSS} }}</style>"
    + """<style>
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 0.5rem; }
.card { display: flex; flex-direction: column; border-left: 4px solid; padding: 0.1rem 0.6rem; font-size: 0.875rem; }
.cards { container-type: inline-size; }
@container (min-width: 43rem) { .card { min-height: 9.8rem; } }  /* or what it says moves the charts */
.card .less { opacity: 0.75; }
.strip { display: flex; align-items: center; gap: 0.5rem; font-size: 0.75rem; line-height: 0.9rem; }
.strip i { height: 0.45rem; flex: 0 1 18rem; border-radius: 2px; }
.strip span { flex: none; width: 3.2rem; }
.note { font-size: 0.8rem; opacity: 0.75; margin: 0.4rem 0 0; }
.waiting { border-color: #808080; opacity: 0.75; }
</style>"""
)


LESSON_MARKS = {True: "✓", False: "✗", None: "○"}  # how a lesson's question was answered in this visit


def lesson_links(lessons: Mapping[str, str], course: str = "") -> list[dict[str, str]]:
    """Links to lessons by key, with their labels; where `course` says so, one to the list of them."""
    listed = [{"key": key, "label": label, "query": f"lesson={key}"} for key, label in lessons.items()]
    return listed + [{"key": "", "label": course, "query": "bench=course"}] * bool(course)


def legend_data(experiment: Experiment, moment: int) -> dict[str, Any]:
    """What stands above the charts: their legend, and a slider to the step of the profiles."""
    looks = scheme_style_indices(experiment.schemes)
    schemes = [
        {"scheme": scheme, "title": scheme_title(scheme), "symbol": SCHEME_SYMBOLS[index], "colour": SCHEME_COLOURS[index]}
        for scheme, index in looks.items()
    ]
    shown = "" if moment >= experiment.steps else str(moment)
    return {"schemes": schemes, "steps": experiment.steps, "moment": shown, "shared": list(SHARED_PARAMETERS.values())}


def waiting_html() -> str:
    words = "<b>Others train before you.</b><span>Your curves appear here as soon as it is your turn.</span>"
    return f"{CARDS_CSS}<div class='cards'><div class='card waiting'>{words}</div></div>"


HEADING_HTML = f"<div class='heading'><h1>Stability</h1><p>{PROMISE}</p></div>"


def page_css(presents: bool) -> str:
    """One element: Markdown goes on after the end of the first."""
    return f"<style>{PAGE_CSS}{PRESENT_CSS * presents}</style>"


def cards_html(run: Run, count: int, found: Sequence[Verdict], waiting: Mapping[str, str]) -> str:
    """A card for each scheme after the first `count` measurements, as the charts' legend; grey ones for those that wait."""
    said, colours = nonfinite_remarks(run, count), scheme_style_indices(run.experiment.schemes)
    cards = [
        card_html(
            verdict, colours[verdict.scheme], layer_strips_html(run, count, index), describe_standing(run, count, verdict.scheme),
            *(remark.profiles_text or remark.text for remark in said if remark.scheme == verdict.scheme),
        )
        for index, verdict in enumerate(found)
    ]  # fmt: skip
    cards += [f"<div class='card waiting'><b>{escape(scheme_title(scheme))}</b>{escape(why)}</div>" for scheme, why in waiting.items()]
    note = f"What is said before the end is a forecast: {FORECAST_ACCURACY:.0%} of them come true for random networks."
    late = "" if any(verdict.forecast for verdict in found) else " style='visibility: hidden'"  # its place stays
    return f"{CARDS_CSS}<div class='cards'>{''.join(cards)}</div><p class='note'{late}>{note.replace('%', ' %')}</p>"


def sentences_html(sentences: Iterable[str]) -> str:
    return "".join(f"<p class='said'>{sentence_html(sentence)}</p>" for sentence in sentences)


def sentence_html(sentence: str) -> str:
    """A sentence as HTML; powers are raised, `10^-12.5` as people write it, and no line breaks within 3e-5."""
    sentence = re.sub(r"(?<=\d)e-(?=\d)", "e−", sentence)
    return re.sub(r"\^(-?[\d.]*\d)", lambda power: f"<sup>{power[1].replace('-', '−')}</sup>", escape(sentence))


def claim_html(reading: ClaimReading) -> str:
    """The claim of a lesson with the numbers that were measured, and whether it holds."""
    word = {True: "Holds here", False: "Does not hold here", None: "Undecided"}[reading.holds]
    marks = {True: "✓ ", False: "✗ ", None: "… "}
    said = [marks[holds] + line for line, holds in reading.lines] + [reading.why] * bool(reading.why)
    lines = "".join(f"<span>{sentence_html(line)}</span>" for line in said)
    return f"<div class='claim'><b>{word}:</b>{lines}</div>"


def card_html(verdict: Verdict, index: int, layers: str, *sentences: str) -> str:
    head = f"<b><span style='color: {SCHEME_COLOURS[index]}'>{SCHEME_SYMBOLS[index]}</span> {escape(scheme_title(verdict.scheme))}</b>"
    word = "" if verdict.forecast else verdict.word
    finding = f"<span><b>{word}</b>{sentence_html(verdict.sentence.removeprefix(word))}</span>"
    rows = "".join(f"<span class='less'>{sentence_html(sentence)}</span>" for sentence in sentences)
    return f"<div class='card' style='border-color: {SCHEME_COLOURS[index]}'>{head}{layers}{finding}{rows}</div>"


def layer_strips_html(run: Run, count: int, index: int) -> str:
    """The layers of one scheme from left to right: signal above, signal gradient below, coloured as in the heat map."""
    shown = run.newest_profiles(run.counts_before_divergence(count)[index])
    rows = {"signal": ("Signal", "signal"), "signal_gradient": ("Signal gradient", "gradient")}
    return "".join(layer_strip_html(*words, median_of_finite(getattr(shown, name)[index], axis=0)) for name, words in rows.items())


def layer_strip_html(label: str, word: str, values: np.ndarray) -> str:
    first, last = (size(value) if np.isfinite(value) else "not finite" for value in values[[0, -1]])
    said = f"{label} by layer, from {first} at the first to {last} at the last: blue is below 1, orange above"
    colours = f"<i style='background: {gradient_stops(values)}'></i>"
    return f"<div class='strip' role='img' aria-label='{said}' title='{said}'>{colours}<span>{word}</span></div>"


def gradient_stops(values: np.ndarray, most: int = 30) -> str:
    """Values by layer as a CSS gradient of at most `most` colours, without blending."""
    picked = values[np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)]
    parts = [f"var(--decades-{diverging_colour_index(value)}) 0 {100 * (place + 1) / len(picked):.3g}%" for place, value in enumerate(picked)]
    return f"linear-gradient(90deg, {', '.join(parts)}, transparent 0)"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is; a word joiner, which has no width, cuts what it would turn into a link."""
    text = re.sub(r"(?i)https?(?=:)|www(?=\.)|@", "\\g<0>\u2060", text)
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-!|$:~^" else letter for letter in text)
