"""The controls of settings, as names and arguments of Streamlit's functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from stability.frames.maps import axis_label, map_axis
from stability.i18n import _
from stability.modules.text_error import EXAMPLE_OF_SIZES
from stability.page.glossary_text import describe_schemes
from stability.page.settings import axis_sentence, page_knobs
from stability.records.choice_list import ChoiceList
from stability.records.knobs import Choice, Flag, Integer, Knob, Number, Real
from stability.records.page import Page
from stability.records.pasted_network import PastedText
from stability.records.sweep_axis import Interval, SweepAxis
from stability.text import typographic_minus

MOST_LINES = 11  # of a text in sight


@dataclass(frozen=True, eq=False)
class Control:
    """The widget of one setting: its name, its value, and all arguments but key and callback."""

    widget: str
    value: Any
    arguments: dict[str, Any]
    whole: Callable[[Any], Any] = lambda value: value  # the setting's value, by that of the widget


def setting_controls(page: Page, chosen_schemes: Sequence[str], name: str) -> dict[str, Control]:
    """Return the controls of one setting, by what is appended to its name: several for a pair.

    There is none for a setting that a map varies.
    """
    knob = page_knobs(page)[name]
    if axis_sentence(page, name):
        return {}
    if isinstance(knob, Interval):
        return range_controls(page, name)
    return {"": setting_control(page, chosen_schemes, name)}


def range_controls(page: Page, name: str) -> dict[str, Control]:
    """Return two number fields, for the ends of an axis within the bounds of its setting."""
    letter = name.removesuffix("_range")
    axis, label = map_axis(page.sweep, letter), axis_label(page.sweep, letter)
    knob, help = axis.knob, page_knobs(page)[name].help
    kind, format = (int, "%d") if isinstance(knob, Integer) else (float, "%g")
    arguments: dict[str, Any] = {"min_value": kind(knob.low), "max_value": kind(knob.high)}
    arguments |= {"step": kind(1) if kind is int else kind(range_step(axis)), "format": format}
    low, high = kind(axis.low), kind(axis.high)
    return {
        "_low": Control(
            "number_input", low,
            {"label": _("{label} from").format(label=label), "help": help} | arguments,
            lambda value: (value, high),
        ),
        "_high": Control(
            "number_input", high,
            {"label": _("{label} to").format(label=label), "help": help} | arguments,
            lambda value: (low, value),
        ),
    }  # fmt: skip


def setting_control(page: Page, chosen_schemes: Sequence[str], name: str) -> Control:
    """Return the control of one setting of the bench or of the view."""
    knob, value = page_knobs(page)[name], page.record.settings().get(name)
    if isinstance(knob, ChoiceList) and page.view.bench_link.trains:
        value = list(chosen_schemes)
    if knob.choices_for is None:
        widget, arguments = setting_widget(knob, value)
    else:
        value = page.view.value_shown(name, page.record)
        choices = knob.choices_for(page.record)
        slides = isinstance(knob, Integer) and len(choices) > 1
        widget = "select_slider" if slides else "selectbox"
        arguments = {"options": list(choices), "format_func": lambda choice: _(choices[choice])}
    arguments = {"label": knob.label, "help": setting_help(knob, value)} | arguments
    if isinstance(knob, ChoiceList) and knob.most == 1:  # a menu of titles, or a text
        return Control(widget, knob.title(value or ()), arguments, lambda title: [title])
    return Control(widget, value, arguments)


def range_step(axis: SweepAxis) -> float:
    """Return the step of the buttons of a number field: about a twentieth of an axis."""
    return float(f"{(axis.high - axis.low) / 20:.0e}")


def setting_help(knob: Knob, value: Any) -> str:
    """Return the help of a setting; that of a list says what each chosen entry is."""
    chosen = value if isinstance(knob, ChoiceList) else ()
    return "\n\n".join(filter(None, [knob.help, describe_schemes(chosen)]))


def setting_widget(knob: Knob, value: Any) -> tuple[str, dict[str, Any]]:
    """Return the widget that fits a setting of a bench, and the arguments of its own."""
    match knob:
        case ChoiceList(most=1):
            titles = dict.fromkeys([knob.entry_title(key) for key in [*value, *knob.rows]])
            return "selectbox", {
                "options": list(titles), "accept_new_options": True, "filter_mode": "prefix",
            }  # fmt: skip
        case ChoiceList():
            by_title = {knob.entry_title(key): key for key in [*knob.rows, *value]}
            return "multiselect", {
                "options": list(by_title.values()),
                "format_func": knob.entry_title,
                "max_selections": knob.most,
                "accept_new_options": True,
                "filter_mode": "prefix",  # Enter takes the first match: He (normal) for "He"
                "select_all": False,
                "placeholder": _("Choose or type: He, kaiming, N(0, 0.02)"),
            }
        case PastedText():
            lines = min(max(3, value.count("\n") + 1), MOST_LINES)
            return "text_area", {"height": 24 * lines + 26, "placeholder": EXAMPLE_OF_SIZES}
        case Choice():
            labels = knob.menu_labels
            return "selectbox", {"options": list(labels), "format_func": labels.get}
        case Flag():
            return "toggle", {}
        case Number(log=True) | Real(steps=[_, *_]):
            stops = knob.slider_stops(value)
            return "select_slider", {
                "options": stops, "format_func": lambda stop: typographic_minus(knob.spell(stop)),
            }  # fmt: skip
        case Real():
            bounds = {"min_value": float(knob.low), "max_value": float(knob.high)}
            return "number_input", bounds | {"step": 0.05, "format": "%g"}
        case Integer():
            widget = "slider" if knob.high < 1000 else "number_input"
            return widget, {"min_value": int(knob.low), "max_value": int(knob.high)}
    raise TypeError(f"no widget for {type(knob).__name__}")
