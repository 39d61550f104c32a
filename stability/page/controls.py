"""Draw the controls of settings.

A container is what Streamlit calls a delta generator; nothing here needs to know more about it.
"""

from collections.abc import MutableMapping, Sequence
from functools import partial
from typing import Any

from stability.i18n import language, speaking
from stability.page.control_arguments import Control, setting_controls
from stability.page.safe_text import escape_markdown
from stability.page.session import Session
from stability.page.settings import axis_sentence

ENTERED = "entered_values"  # what a visitor gave each widget last, while it still shows that


def draw_control(
    container: Any, state: MutableMapping[str, Any], session: Session, name: str, key: str = ""
) -> None:
    """Draw the control of one setting, of one widget or two, side by side.

    The keys of widgets in the `state` begin with `name`, unless another widget has that key.
    """
    parts = setting_controls(session.page, session.chosen_schemes, name)
    if not parts:
        container.caption(escape_markdown(axis_sentence(session.page, name)))
    row = container.container(horizontal=True) if len(parts) > 1 else container
    entered = state.setdefault(ENTERED, {})

    @speaking(language.get())  # not yet set where Streamlit calls it
    def enter(field: str, found: Control) -> None:
        entered[field] = state[field]
        session.enter_value(name, found.whole(state[field]))

    for part, found in parts.items():
        field = f"{key or name}{part}"
        # Whatever is set is sent to the browser, where the visitor may have gone on meanwhile: a
        # slider that is dragged would jump back. What the visitor has given the browser knows, but
        # for the title of what was typed.
        is_known = field in state and field in entered and entered[field] == found.value
        if not is_known or found.arguments.get("accept_new_options"):
            entered.pop(field, None)
            state[field] = found.value
        draw = getattr(row, found.widget)
        draw(key=field, on_change=partial(enter, field, found), **found.arguments)


def draw_controls(
    container: Any, state: MutableMapping[str, Any], session: Session, names: Sequence[str]
) -> None:
    """Draw the controls of several settings side by side."""
    if names:
        row = container.container(horizontal=True)
        for name in names:
            draw_control(row, state, session, name)
