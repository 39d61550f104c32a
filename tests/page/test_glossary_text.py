"""Every term has one explanation, which the popover shows and README lists."""

from pathlib import Path

import pytest

from stability.catalogues.schemes import SCHEMES
from stability.diagnosis.words import EXPLANATIONS
from stability.glossary import GLOSSARY
from stability.page.control_arguments import setting_control
from stability.page.glossary_text import glossary_markdown
from stability.page.prose import settings_found
from stability.page.safe_text import escape_markdown
from stability.records.page import Page

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("term", GLOSSARY)
def test_readme_explains_every_term_in_the_words_of_the_page(term):
    assert f"| {term} | {GLOSSARY[term]} |" in README.read_text(encoding="utf-8").splitlines()
    assert GLOSSARY[term].endswith(".")


def test_the_glossary_has_all_terms_verdicts_and_initializations():
    text = glossary_markdown()
    for name in (*GLOSSARY, *EXPLANATIONS, *(row.title for row in SCHEMES.values())):
        assert f"**{escape_markdown(name)}**" in text, name


def test_the_help_of_the_list_says_what_each_chosen_initialization_is():
    text = setting_control(Page(), ["he_normal", "normal:1"], "schemes").arguments["help"]
    assert SCHEMES["he_normal"].formula in text
    assert "**Normal 1**" in text


def test_a_search_says_how_many_settings_it_found_and_how_to_see_all():
    assert settings_found(" bf17 ", 0) == (
        "No setting found for “bf17”. Clear the field to see all."
    )
    assert settings_found("lr", 1).startswith("1 setting found for “lr”.")
