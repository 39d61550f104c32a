"""The rules that a lesson's file must keep, each raised as a ValueError that says what is wrong."""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from stability.records.view import MOST_OPTIONS
from stability.text import did_you_mean, quote

LOOK_FOR = {"en": "**Look for**", "zh": "**请看**"}  # by language: begins what to look at
FEWEST_WORDS, MOST_WORDS = 80, 200  # of prose: a screen
FORMULA, TAG = re.compile(r"\$[^$]*\$|`[^`]*`"), re.compile(r"<[a-zA-Z/!?]")


def check_keys(matter: Mapping[str, Any], texts: Sequence[str], lists: Sequence[str]) -> None:
    """Raise a ValueError unless every key is there, known, and of its kind."""
    keys = *texts, *lists, "discussion"
    for key in matter.keys() - set(keys):
        near, known = did_you_mean(key, keys), ", ".join(keys)
        raise ValueError(f"{quote(key)} is no key of a lesson{near}; they are {known}")
    for key in set(keys) - matter.keys():
        raise ValueError(f"the key {key} is missing")
    for key in texts:
        if not is_text(matter[key]):
            raise ValueError(f"{key} must be a text, not empty, not {quote(matter[key])}")
    for key in lists:
        if not isinstance(matter[key], list) or not all(map(is_text, matter[key])):
            texts_given = quote(matter[key])
            raise ValueError(f"{key} must be a list of texts, none empty, not {texts_given}")


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def check_options(options: Sequence[str], answer: str) -> None:
    """Raise a ValueError unless these are different texts, not too many, and one is the answer."""
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise ValueError(f"options: a question has 2 to {MOST_OPTIONS} options, not {len(options)}")
    if len(set(options)) < len(options):
        raise ValueError("options: two options are the same")
    if answer not in options:
        raise ValueError(f"answer must be one of the options, not {quote(answer)}")


def check_discussion(discussion: Any, wrong: Set[str]) -> None:
    """Raise a ValueError unless this is a table with a text for each wrong option."""
    if not isinstance(discussion, dict) or not all(map(is_text, discussion.values())):
        raise ValueError("discussion must be a table of texts, none empty")
    for option in wrong - discussion.keys():
        raise ValueError(f"discussion: nothing is said about {quote(option)}")
    for option in discussion.keys() - wrong:
        raise ValueError(f"discussion: {quote(option)} is no wrong option")


def check_length(prose: str) -> None:
    """Raise a ValueError unless the prose fills a screen, and no more than that."""
    words = len(prose.split())
    if not FEWEST_WORDS <= words <= MOST_WORDS:
        raise ValueError(f"prose has {FEWEST_WORDS} to {MOST_WORDS} words, not {words}")


def check_prose(prose: str, look_for: str) -> None:
    """Raise a ValueError unless the prose is Markdown that says what to look for."""
    if tag := TAG.search(FORMULA.sub("", prose)):  # 1 < 2 in a formula is no tag
        raise ValueError(f"prose is Markdown, without HTML such as {tag[0]}")
    paragraphs = re.split(r"\n\s*\n", prose)
    if not any(paragraph.lstrip().startswith(look_for) for paragraph in paragraphs):
        raise ValueError(f"no paragraph of the prose begins with {look_for}")
