"""The page's own HTML, CSS and JavaScript, and text made safe for it."""

import re
from collections.abc import Mapping
from html import escape

from stability.charts import AXIS_WIDTH, COLOURS, SYMBOLS, style
from stability.frames import standing
from stability.remarks import remarks
from stability.runs import Run
from stability.schemes import title

PROMISE = "See what an initialization does to a deep network: one architecture, one data set, different first weights."
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
.heading {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; }}
.heading h1, .heading p {{ margin: 0; padding: 0; }}
.st-key-training_charts, .st-key-depth_charts {{ padding-right: {AXIS_WIDTH + 8}px; }}
</style>"""  # Streamlit makes a panel as wide as its place, and the axis stands beside it
CARDS_CSS = """<style>
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 0.5rem; }
.card { display: flex; flex-direction: column; border-left: 4px solid; padding: 0.1rem 0.6rem; font-size: 0.875rem; }
.waiting { border-color: #808080; opacity: 0.7; }
</style>"""


COPY_LINK = {"html": "<button>Copy link</button>", "css": COPY_CSS, "js": COPY_JS}


def heading_html() -> str:
    return f"{PAGE_CSS}<div class='heading'><h1>Stability</h1><p>{PROMISE}</p></div>"


def cards_html(run: Run, count: int, waiting: Mapping[str, str]) -> str:
    """A card for each scheme after the first `count` measurements, as the charts' legend; grey ones for those that wait."""
    found = remarks(run, count)
    cards = [
        card(scheme, index, [standing(run, count, scheme), *(remark.text for remark in found if remark.scheme == scheme)])
        for scheme, index in style(run.experiment.schemes).items()
    ]
    cards += [f"<div class='card waiting'><b>{escape(title(scheme))}</b>{escape(why)}</div>" for scheme, why in waiting.items()]
    return f"{CARDS_CSS}<div class='cards'>{''.join(cards)}</div>"


def card(scheme: str, index: int, sentences: list[str]) -> str:
    head = f"<b><span style='color: {COLOURS[index]}'>{SYMBOLS[index]}</span> {escape(title(scheme))}</b>"
    rows = "".join(f"<span>{escape(sentence)}</span>" for sentence in sentences)
    return f"<div class='card' style='border-color: {COLOURS[index]}'>{head}{rows}</div>"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is; a word joiner, which has no width, cuts what it would turn into a link."""
    text = re.sub(r"(?i)https?(?=:)|www(?=\.)|@", "\\g<0>\u2060", text)
    return "".join(f"\\{letter}" if letter in r"\`*_{}[]()<>#+-!|$:~^" else letter for letter in text)
