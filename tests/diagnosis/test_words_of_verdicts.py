"""The words of verdicts: what is said is explained, and the README says the same."""

import ast
import re
from pathlib import Path

from stability.diagnosis import findings
from stability.diagnosis.forecast import LEARNING_COMES_TRUE
from stability.diagnosis.words import EXPLANATIONS
from stability.text import percent

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def words_said() -> set[str]:
    """The words in the source of the findings: the first of `Finding`, the third of `disease`."""
    places = {"Finding": 0, "disease": 2}
    words = set()
    for node in ast.walk(ast.parse(Path(findings.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            argument = node.args[places[node.func.id]] if node.func.id in places else None
            words |= {argument.value} if isinstance(argument, ast.Constant) else set()
    return words


def test_every_word_that_is_said_is_explained_and_no_other():
    assert words_said() == set(EXPLANATIONS)


def test_the_readme_lists_the_words_with_their_explanations_in_their_order():
    table = re.search(r"\| word \| what it means \|\n\|[-|]+\|\n((?:\|.*\n)+)", README)
    assert table
    rows = [tuple(row.strip("| ").split(" | ")) for row in table[1].splitlines()]
    assert rows == list(EXPLANATIONS.items())


def test_the_readme_and_the_page_name_the_same_share_of_forecasts_that_come_true():
    shares = re.findall(r"(\d+ %) did \(`python\s+tests/audit\.py\s+report`\)", README)
    assert shares == [percent(LEARNING_COMES_TRUE)]
