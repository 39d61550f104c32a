"""The page's own HTML, CSS and JavaScript, and text made safe for it."""

import re
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from stability.charts import AXIS_WIDTH
from stability.frames import standing
from stability.outlook import FORECASTS_RIGHT
from stability.palette import COLOURS, SYMBOLS, decades_colour, style
from stability.remarks import remarks
from stability.runs import Run
from stability.schemes import title
from stability.verdicts import Verdict

PROMISE = "See what an initialization does to a deep network: one architecture, one data set, different first weights."
DASHED = "Dashed: what theory foresees before training; shaded: nine of ten networks, where the law of their spread is known."
STRETCH = (
    "By how much the hidden layers stretch each direction of a small change before training, the furthest first; all at 1: "
    "gradients keep their size. A line ends where rounding swallows the rest. Dashed: the largest of wide linear networks."
)
CURE = "A scheme comes beside the sick one; a setting is changed, and the present run stays behind it, pinned."
COPY_JS = """
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  button.onclick = async () => {
    const link = location.origin + location.pathname + "?" + data.query;
    try { await navigator.clipboard.writeText(link); button.textContent = "Link copied"; }
    catch { prompt("Copy this link", link); }
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  };
}
"""
COPY_CSS = """
button { font: inherit; color: var(--st-text-color); background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
  min-height: 2.5rem; padding: 0.25rem 0.75rem; font-size: 0.875rem; }
button:hover, button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); outline: none; }
"""
PAGE_CSS = f"""<style>
.stMainBlockContainer {{ padding: 1.5rem 2rem 2rem; }}
@media (max-width: 48rem) {{ .stMainBlockContainer {{ padding: 4rem 1rem 2rem; }} }}
@media (max-width: 72rem) {{ .stColumn:has(.st-key-training_charts, .st-key-depth_charts) {{ min-width: 100%; }} }}
.st-key-remedies {{ min-height: 2.5rem; }}
.heading {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; }}
.heading h1, .heading p {{ margin: 0; padding: 0; }}
.st-key-training_charts, .st-key-depth_charts, .st-key-singular_chart {{ padding-right: {AXIS_WIDTH + 8}px; }}
</style>"""  # Streamlit makes a panel as wide as its place, and the axis stands beside it
CARDS_CSS = """<style>
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 0.5rem; }
.card { display: flex; flex-direction: column; border-left: 4px solid; padding: 0.1rem 0.6rem; font-size: 0.875rem; }
.card .less { opacity: 0.75; }
.strip { height: 0.45rem; max-width: 18rem; margin: 0.1rem 0; border-radius: 2px; }
.note { font-size: 0.8rem; opacity: 0.75; margin: 0.4rem 0 0; }
.waiting { border-color: #808080; opacity: 0.7; }
</style>"""


COPY_LINK = {"html": "<button>Copy link</button>", "css": COPY_CSS, "js": COPY_JS}


def heading_html() -> str:
    return f"{PAGE_CSS}<div class='heading'><h1>Stability</h1><p>{PROMISE}</p></div>"


def cards_html(run: Run, count: int, found: Sequence[Verdict], waiting: Mapping[str, str]) -> str:
    """A card for each scheme after the first `count` measurements, as the charts' legend; grey ones for those that wait."""
    said, colours = remarks(run, count), style(run.experiment.schemes)
    cards = [
        card(
            verdict, colours[verdict.scheme], strip(run, count, index), standing(run, count, verdict.scheme),
            *(remark.shown or remark.text for remark in said if remark.scheme == verdict.scheme),
        )
        for index, verdict in enumerate(found)
    ]  # fmt: skip
    cards += [f"<div class='card waiting'><b>{escape(title(scheme))}</b>{escape(why)}</div>" for scheme, why in waiting.items()]
    note = f"What is said before the end is a forecast: {FORECASTS_RIGHT:.0%} of them come true for random networks."
    return f"{CARDS_CSS}<div class='cards'>{''.join(cards)}</div><p class='note'>{note.replace('%', ' %')}</p>"


def card(verdict: Verdict, index: int, layers: str, *sentences: str) -> str:
    head = f"<b><span style='color: {COLOURS[index]}'>{SYMBOLS[index]}</span> {escape(title(verdict.scheme))}</b>"
    word = "" if verdict.forecast else verdict.word
    finding = f"<span><b>{word}</b>{escape(verdict.sentence.removeprefix(word))}</span>"
    rows = "".join(f"<span class='less'>{escape(sentence)}</span>" for sentence in sentences)
    return f"<div class='card' style='border-color: {COLOURS[index]}'>{head}{layers}{finding}{rows}</div>"


def strip(run: Run, count: int, index: int) -> str:
    """The layers of one scheme from left to right: signal above, signal gradient below, coloured as in the heat map."""
    shown = run.profiled(run.finite(count)[index])
    rows = {"signal": "Signal", "signal_gradient": "Signal gradient"}
    return "".join(
        f"<div class='strip' title='{label} by layer, 1 on the left: blue below 1, orange above' "
        f"style='background: {stops(np.median(getattr(shown, name)[index], axis=0))}'></div>"
        for name, label in rows.items()
    )


def stops(values: np.ndarray, most: int = 30) -> str:
    """Values by layer as a CSS gradient of at most `most` colours, without blending."""
    picked = values[np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int)]
    parts = [f"{decades_colour(value)} 0 {100 * (place + 1) / len(picked):.3g}%" for place, value in enumerate(picked)]
    return f"linear-gradient(90deg, {', '.join(parts)}, transparent 0)"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is; a word joiner, which has no width, cuts what it would turn into a link."""
    text = re.sub(r"(?i)https?(?=:)|www(?=\.)|@", "\\g<0>\u2060", text)
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-!|$:~^" else letter for letter in text)
