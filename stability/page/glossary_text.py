"""The glossary and the initializations as the page's Markdown: in a popover, and as help."""

from collections.abc import Iterable

from stability.catalogues.schemes import SCHEMES, parse_scheme
from stability.diagnosis.words import EXPLANATIONS
from stability.glossary import GLOSSARY
from stability.i18n import _
from stability.page.safe_text import escape_markdown, keep_punctuation
from stability.text import behind_label


def definitions(terms: Iterable[tuple[str, str]]) -> str:
    """Return terms with their meanings as Markdown, a paragraph each."""
    return "\n\n".join(
        behind_label(f"**{escape_markdown(_(term))}**", escape_markdown(_(text)))
        for term, text in terms
    )


def describe_schemes(keys: Iterable[str]) -> str:
    """Return each scheme with its formula, its summary and its source as Markdown."""
    paragraph = _("**{title}**: ${formula}$. {summary} *{source}*")
    paragraphs = [
        paragraph.format(
            title=escape_markdown(row.title),
            formula=row.formula,
            summary=escape_markdown(row.summary),
            source=escape_markdown(row.source),
        )
        for row in map(parse_scheme, keys)
    ]
    return keep_punctuation("\n\n".join(paragraphs))


def glossary_markdown() -> str:
    """Return all terms, the words of the verdicts, and all initializations."""
    return "\n\n".join(
        [
            "##### " + _("Terms"), definitions(GLOSSARY.items()),
            "##### " + _("Verdicts"), definitions(EXPLANATIONS.items()),
            "##### " + _("Initializations"), describe_schemes(SCHEMES),
        ]
    )  # fmt: skip
