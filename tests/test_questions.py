"""The questions of the README: each link opens and says what stands beside it."""

import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from stability.diagnosis.verdicts import Verdict, current_verdicts
from stability.engine.runs import Run
from stability.records.experiment import Experiment

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Questions people asked")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (.*) \| `\?(.*)` \| (.*) \|$", SECTION, re.MULTILINE)


def verdict_of(e: Experiment) -> Verdict:
    return current_verdicts(Run(e, snapshots=False, ends_only=True).train(), e.steps + 1)[0]


@pytest.mark.case
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:60])
def test_the_page_says_of_a_question_what_the_readme_says_and_its_remedies_cure(row):
    question, link, said = row
    assert "](https://" in question
    e, notes = Experiment.from_query(dict(parse_qsl(link)))
    assert notes == []
    verdict = verdict_of(e)
    for quoted in re.findall("“(.*?)”", said):
        assert quoted in verdict.sentence
    for label in (labels := re.findall(r"\*\*(.*?)\*\*", said)):
        assert verdict.remedy.label == label
        e = verdict.remedy.apply(e, verdict.scheme)
        verdict = verdict_of(e)
    assert verdict.word == "learns" or labels[-1:] == ["Try precision float32"]


def test_there_are_questions():
    assert len(ROWS) >= 8
