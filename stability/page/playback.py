"""The step that is shown, and how far its run has come: what the playback component is told.

The component plays a run and moves through its steps in the browser. The server hears of a step
once it rests there, as `View.moment`, and makes what the browser cannot: cards and sections.
"""

import math
from html import escape
from typing import Any

from stability import page_layout
from stability.engine.runs import steps_with_profiles
from stability.i18n import _
from stability.records.experiment import Experiment
from stability.records.page import Page
from stability.records.view import NEWEST_STEP


def playback_data(page: Page, idle: bool, links_followed: int) -> dict[str, Any]:
    """Return the data of the component; it is disabled while it is `idle`, without a run.

    A link that was followed sets the step whatever the browser shows by then.
    """
    start = _("back to the untrained networks, paused")
    if not page.view.bench_link.trains:
        start = _("back to the first matrix, paused")
    return {
        "words": playback_words(_(page.record.unit)),
        "last": page.last_step,
        "stride": step_stride(page),
        "moment": "" if page.view.moment >= page.last_step else str(page.view.moment),
        "linksFollowed": links_followed,
        "shared": page_layout.SHARED_STEP,
        "idle": idle,
        "help": {
            "play": _("once again from here, or from the start (space)"),
            "start": start,
            "back": _("Left arrow"),
            "on": _("Right arrow"),
        },
    }


def playback_words(unit: str) -> dict[str, Any]:
    """Return the words of the component; those with a {step} or a {remark} are filled in there."""
    return {
        "step": _("{unit} {step} of {last}").replace("{unit}", unit),
        "remark": _("{remark}; {words}"),
        "shown": _("The {unit} shown").format(unit=unit),
        "play": _("Play"),
        "pause": _("Pause"),
        "start": _("To {unit} 0").format(unit=unit),
        "back": _("One {unit} back").format(unit=unit),
        "on": _("One {unit} on").format(unit=unit),
        "title": _("{label}: {help}"),
        "group": _("Playback"),
        "speed": _("Speed"),
        "speedHelp": _("How long it takes to play all of it"),
        "speeds": [_("Slow"), _("Medium"), _("Fast")],
    }


def step_stride(page: Page) -> int:
    """Return how many steps a key moves: 1, or more where a long run keeps fewer profiles."""
    if not isinstance(page.record, Experiment):
        return 1
    return math.ceil(page.last_step / (len(steps_with_profiles(page.record)) - 1))


def step_to_show(page: Page, text: str) -> int:
    """Return the step that a visitor asks for, or the last before it whose profiles are kept.

    The last step of a run, and no text, are the newest step of any run.
    """
    if not text or int(text) >= page.last_step:
        return NEWEST_STEP
    if not isinstance(page.record, Experiment):
        return int(text)
    return max(step for step in steps_with_profiles(page.record) if step <= int(text))


def progress_html(trained: int, remark: str) -> str:
    """Return how far the run has come, for the component, which watches it; nothing to see."""
    return f"<i data-trained='{trained}' data-remark='{escape(remark, quote=True)}'></i>"
