"""The examples of the READMEs: what they print is what comes out."""

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("name", "fewest"), [("README.md", 16), ("README.zh.md", 9)])
def test_the_examples_of_a_readme_come_out_as_printed(name, fewest):
    outcome = doctest.testfile(str(ROOT / name), module_relative=False, encoding="utf-8")
    assert outcome.attempted >= fewest
    assert not outcome.failed


def test_the_readmes_link_to_each_other():
    for name, other in (("README.md", "README.zh.md"), ("README.zh.md", "README.md")):
        assert f"]({other})" in (ROOT / name).read_text(encoding="utf-8")
