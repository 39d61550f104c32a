"""The style sheets name only elements that the page makes, and nothing in them is left to fill."""

import re

import pytest

from stability import page_layout
from stability.page.css import page_css

KEYS = {value for name, value in vars(page_layout).items() if name.isupper()}
KEYS |= {page_layout.setting_key("schemes"), page_layout.undo_key("schemes")}


@pytest.mark.parametrize("presenting", [False, True])
def test_every_key_in_the_style_sheets_is_one_of_an_element(presenting):
    named = set(re.findall(r"st-key-([\w-]+)", page_css(presenting)))
    assert named
    assert named <= KEYS
    assert "$" not in page_css(presenting)


def test_the_presenter_view_adds_to_the_page_and_takes_nothing_away():
    desk, room = page_css(False).removesuffix("</style>"), page_css(True)
    assert room.startswith(desk)
    assert f"--chart-scale: {page_layout.PRESENTER_SCALE}" in room.removeprefix(desk)
