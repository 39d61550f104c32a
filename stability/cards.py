"""One card a scheme: its mark and colour, its name, its numbers, and what no curve can show. They are the charts' legend."""

from html import escape

from stability.charts import COLOURS, SYMBOLS, style
from stability.frames import standing
from stability.remarks import remarks
from stability.runs import Run
from stability.schemes import title

CSS = """<style>
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: 0.5rem; }
.card { display: flex; flex-direction: column; border-left: 4px solid; padding: 0.1rem 0.6rem; font-size: 0.875rem; }
</style>"""


def html(run: Run, count: int) -> str:
    """The cards after the first `count` measurements."""
    found = remarks(run, count)
    cards = [
        card(scheme, index, [standing(run, count, scheme), *(remark.text for remark in found if remark.scheme == scheme)])
        for scheme, index in style(run.experiment.schemes).items()
    ]
    return f"{CSS}<div class='cards'>{''.join(cards)}</div>"


def card(scheme: str, index: int, sentences: list[str]) -> str:
    head = f"<b><span style='color: {COLOURS[index]}'>{SYMBOLS[index]}</span> {escape(title(scheme))}</b>"
    rows = "".join(f"<span>{escape(sentence)}</span>" for sentence in sentences)
    return f"<div class='card' style='border-color: {COLOURS[index]}'>{head}{rows}</div>"
