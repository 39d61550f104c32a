"""Every lesson has a twin in each language, which says the same and nothing that could differ."""

import re
from collections import Counter

import pytest

from stability.course.lessons import FOLDER, LessonError, all_lessons, broken_lessons, read_lesson
from stability.i18n import ENGLISH, LANGUAGES, speaking

OTHERS = [code for code in LANGUAGES if code != ENGLISH]
NAMES = {lesson.path.name for lesson in all_lessons().values()}
TWINS = [
    (code, lesson.key)
    for code in OTHERS
    for lesson in all_lessons().values()
    if (FOLDER / code / lesson.path.name).exists()
]
FORMULA, HAN = re.compile(r"\$[^$]*\$"), re.compile(r"[\u4e00-\u9fff]")
SPACED = re.compile(r"[\u4e00-\u9fff] [\w$]|[\w$] [\u4e00-\u9fff]|[\u4e00-\u9fff][,.:;?!]")
NAMED_VALUE = re.compile("(正态|常数) (?=[0-9])")  # a scheme with its value, as chips write it
LESSON = """\
+++
title = "Wide enough"
topic = "A width"
section = "Tests"
book = "5.4.4"
link = "depth=3&width=8&steps=2&schemes=he_normal"
figures = ["loss"]
question = "How wide?"
options = ["9", "8"]
answer = "8"
claim = "width == 8"
counterexample = "width=9"
sentences = ["The width is {width}."]

[discussion]
"9" = "That is one too many."
+++
"""
LESSON += f"**Look for** the width.\n\n{'word ' * 80}\n"
TWIN = """\
+++
title = "够宽了"
topic = "宽度"
section = "测试"
question = "多宽？"
options = ["九", "八"]
sentences = ["宽度是{width}。"]

[discussion]
"九" = "多了一个。"
+++
**请看**宽度。
"""


@pytest.mark.parametrize("code", OTHERS)
def test_every_lesson_has_a_twin(code):
    assert {path.name for path in (FOLDER / code).glob("*.md")} >= NAMES


@pytest.mark.parametrize("code", OTHERS)
def test_every_twin_has_a_lesson_and_is_read(code):
    assert {path.name for path in (FOLDER / code).glob("*.md")} <= NAMES
    assert not broken_lessons(code)
    with speaking(code):
        assert all_lessons() is all_lessons(code)


@pytest.mark.parametrize("code", OTHERS)
def test_sections_and_titles_are_as_many_in_every_language(code):
    pairs = {(all_lessons()[key].section, all_lessons(code)[key].section) for _, key in TWINS}
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    assert len({twin.title for twin in all_lessons(code).values()}) == len(all_lessons())


@pytest.mark.parametrize(("code", "key"), TWINS)
def test_a_twin_keeps_all_that_is_no_language(code, key):
    lesson, twin = all_lessons()[key], all_lessons(code)[key]
    assert (twin.page, twin.counterexample) == (lesson.page, lesson.counterexample)
    assert (twin.claim.text, twin.figures) == (lesson.claim.text, lesson.figures)
    assert twin.options.index(twin.answer) == lesson.options.index(lesson.answer)
    for own, other in ((twin, lesson), (lesson, twin)):
        formulas = FORMULA.findall(" ".join(own.prose.split()))
        assert not Counter(formulas) - Counter(FORMULA.findall(" ".join(other.prose.split())))


@pytest.mark.parametrize("key", [key for code, key in TWINS if code == "zh"])
def test_a_chinese_twin_reads_as_a_page(key):
    twin, words = all_lessons("zh")[key], len(all_lessons()[key].prose.split())
    assert 1.2 < len(HAN.findall(twin.prose)) / words < 2, "as long as the lesson"
    assert twin.question.endswith("？")
    assert not twin.title.endswith("。")
    assert twin.topic != twin.title
    assert twin.answer not in twin.topic, "a list does not give the answer away"
    parts = [part for one in twin.claim.sentences for part in one.parts]
    sentences = [part for part in parts if isinstance(part, str)]
    texts = twin.title, twin.topic, twin.question, *twin.options, *twin.discussion.values()
    for text in (*texts, *sentences):
        assert not SPACED.search(NAMED_VALUE.sub("", text)), text
    for line in twin.prose.splitlines():
        assert not SPACED.search(NAMED_VALUE.sub("", line)), line


def test_a_lesson_without_a_twin_is_read_in_english(tmp_path):
    lesson = tmp_path / "01-good.md"
    lesson.write_text(LESSON, encoding="utf-8")
    assert read_lesson(lesson, "zh") == read_lesson(lesson)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"九", "八"', '"九", "八", "七"', "options: the lesson has 2, not 3"),
        ('"九" =', '"八" =', "discussion: nothing is said about '九'"),
        ("{width}", "八", "sentences: the lesson has other numbers than '宽度是八。'"),
        ('["宽度是{width}。"]', "[]", "sentences: the lesson has 1, not 0"),
        ("title =", 'link = "width=9"\ntitle =', "'link' is no key of a lesson"),
        ("**请看**", "看", "no paragraph of the prose begins with **请看**"),
    ],
)
def test_a_twin_that_differs_is_refused_with_its_language(tmp_path, old, new, sentence):
    (tmp_path / "zh").mkdir()
    for name, text in (("01-good.md", LESSON), ("zh/01-good.md", TWIN)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_lesson(tmp_path / "01-good.md", "zh").answer == "八"
    (tmp_path / "zh/01-good.md").write_text(TWIN.replace(old, new), encoding="utf-8")
    with pytest.raises(LessonError) as refused:
        read_lesson(tmp_path / "01-good.md", "zh")
    assert str(refused.value).startswith(f"zh/01-good.md: {sentence}")
