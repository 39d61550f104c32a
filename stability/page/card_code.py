"""The lines of PyTorch behind a card: those of its scheme, and those of what is offered for it."""

from stability.catalogues.schemes import scheme_title
from stability.diagnosis.pytorch_lines import scheme_lines
from stability.i18n import _, cache_by_language
from stability.page.safe_text import escape_markdown
from stability.records.experiment import Experiment


@cache_by_language(maxsize=256)
def scheme_code(e: Experiment, scheme: str) -> str:
    """Return the Markdown of the lines that draw a layer of one's own model by a scheme."""
    return titled_code(
        _("{scheme}, each nn.Linear").format(scheme=scheme_title(scheme)), scheme_lines(e, scheme)
    )


def titled_code(title: str, lines: str) -> str:
    """Return Markdown: a title with lines of Python beneath it; nothing without lines."""
    return f"{escape_markdown(title)}\n\n```python\n{lines}\n```" if lines else ""
