"""The column headings of the page's tables, as Streamlit's column_config takes them."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from stability.frames.maps import SHARES, axis_label
from stability.i18n import _
from stability.records.map_quantities import QUANTITIES
from stability.records.sweep import Sweep
from stability.text import number, percent, typographic_minus

# Formats of numbers as the page's sentences spell them: of any size, shares, and rounded ones.
SPELLED, SHARE, WHOLE = "spelled", "share", "whole"
TYPES: Mapping[str, Mapping[str, Any]] = {
    SPELLED: {"type": "number"},
    SHARE: {"type": "number", "min_value": 0, "max_value": 1},
    WHOLE: {"type": "number", "step": 1},
}
SPELLINGS: Mapping[str, Callable[[float], str]] = {
    SPELLED: lambda value: typographic_minus(number(value)),
    SHARE: percent,
    WHOLE: "{:.0f}".format,
}


QUANTITY_FORMATS: dict[Any, str] = {SHARES: SHARE}  # by the ends of a quantity


def column(
    label: str, format: str = "", help: str = "", width: str | int | None = None
) -> dict[str, Any]:
    """Return a heading: for numbers if there is a `format`, else for texts."""
    own = TYPES.get(format, {"type": "number", "format": format})
    numbers = {"type_config": dict(own)} if format else {}
    return {"label": label, "help": help or None, "width": width} | numbers


def headings_in_language(headings: Mapping[str, Any]) -> dict[str, Any]:
    """Return headings in the reader's language; those of buttons are no dicts, and empty."""
    return {
        name: heading
        | {"label": _(heading["label"]), "help": heading["help"] and _(heading["help"])}
        if isinstance(heading, dict)
        else heading
        for name, heading in headings.items()
    }


def spell_numbers(rows: pd.DataFrame, headings: Mapping[str, Any]) -> Styler:
    """Return a table whose numbers of any size and shares are spelled as in the page's sentences.

    It is sorted by the numbers themselves, and copied and downloaded as they are.
    """
    formats: Any = {
        name: SPELLINGS[key]
        for key, config in TYPES.items()
        for name, heading in headings.items()
        if name in rows and isinstance(heading, dict) and heading.get("type_config") == config
    }
    return rows.style.format(formats, na_rep="–")


def map_headings(sweep: Sweep) -> dict[str, dict[str, Any]]:
    """Return the headings of a map's cells: the values of its two settings, and all quantities."""
    axes = {letter: column(axis_label(sweep, letter), SPELLED) for letter in "xy"}
    texts = {"learned": column("Learn", help="Networks of the cell that learn, of all")}
    return (
        axes
        | texts
        | {
            row.key: column(
                row.label,
                "" if row.is_word else QUANTITY_FORMATS.get(row.domain, SPELLED),
                row.help,
            )
            for row in QUANTITIES.values()
        }
    )


# fmt: off
TRIED_HEADINGS = {
    "settings": column("Settings", help="What differs from the first visit's settings",
        width=130),
    "scheme": column("Initialization", width=115),
    "verdict": column("Verdict", help="After the last step", width=85),
    "learned": column("Learn", help="Replicates that learn, of all", width=54),
    "start": column("Start", SPELLED,
        "Held-out loss at step 0 over that of guessing: near 1 where the outputs are small",
        width=68),
    "loss": column("Last loss", SPELLED, "Of the last batch", width=68),
    "test_accuracy": column("Right", SHARE,
        "Share of 512 held-out examples, after the last step", width=54),
    "first_gradient": column("Grad 1, step 0", SPELLED,
        "Signal gradient of the first layer before training", width=100),
    "last_gradient": column("Grad L, step 0", SPELLED,
        "Signal gradient of the last layer before training", width=100),
    "diverged": column("Diverged at", "%d", "Step", width=80),
    "seconds": column("Time", "%.1f s", "Of computing, for all schemes together", width=58),
}
STEP_HEADINGS = {
    "scheme": column("Initialization"),
    "step": column("Step", "%d"),
    "loss": column("Loss", SPELLED, "Of the batch at this step"),
    "test_loss": column("Held-out loss", SPELLED,
        "Loss on 512 further examples, at few steps"),
    "accuracy": column("Accuracy", SHARE, "Share of the batch classified right"),
    "test_accuracy": column("Held-out accuracy", SHARE,
        "Share of 512 further examples, at few steps"),
    "gradient_norm": column("Gradient norm", SPELLED,
        "Of all parameters together, before clipping"),
}
LAYER_HEADINGS = {
    "scheme": column("Initialization"),
    "layer": column("Layer", "%d"),
    "step": column("Step", "%d", "The newest at which every number was finite"),
    "signal": column("Signal", SPELLED, "RMS of the pre-activations z"),
    "signal_gradient": column("Signal gradient", SPELLED,
        "RMS of the loss's derivative by z, of one example"),
    "weight_gradient": column("Weight gradient", SPELLED,
        "Frobenius norm of the loss's derivative by the weights"),
    "predicted_signal": column("Signal predicted", SPELLED,
        "By theory, before training"),
    "predicted_signal_gradient": column("Signal gradient predicted", SPELLED,
        "By theory, before training"),
}
NORM_HEADINGS = {
    "factor": column("Further factors", "%d"),
    "low": column("Norms from", "10^%.2f",
        "19 of 20 norms are larger; of fewer than 20 products all are"),
    "median": column("Median", "10^%.2f"),
    "high": column("Norms to", "10^%.2f",
        "19 of 20 norms are smaller; of fewer than 20 products all are"),
    "law": column("Law", "10^%.2f",
        "Mean power of ten of Gaussian matrices, exact but for a small offset"),
}
THEORY_HEADINGS = {
    "scheme": column("Initialization"),
    "sigma_w": column("σw", SPELLED, "Root of fan_in times the variance of a weight"),
    "edge": column("σw at the edge", SPELLED,
        "Where this activation, with these biases, is on the edge of chaos"),
    "phase": column("Phase",
        help="Ordered: inputs merge. Chaotic: they fly apart. On the edge: neither"),
    "chi_1": column("χ₁", SPELLED, "By how much a layer multiplies a squared gradient"),
    "reach": column("Reach (layers)", WHOLE,
        "To which depth information survives: a scale, not a wall"),
    "q": column("q*", SPELLED, "The variance of z that a deep network settles at"),
    "sigma_b": column("σ_b", SPELLED, "Standard deviation of the biases"),
}
SYMMETRY_HEADINGS = {
    "scheme": column("Initialization"),
    "symmetry": column("What is done"),
    "moved": column("Output moves by", SPELLED,
        "Largest absolute difference on the first batch before training"),
    "size": column("Of", SPELLED, "Largest absolute output"),
    "share": column("Share", SPELLED, "The one over the other: about 1e-15 is rounding"),
    "unnoticed": column("A symmetry here",
        help="✓: the output stays as it is, but for rounding"),
    "note": column("Why", width="large"),
}
GAIN_HEADINGS = {
    "scheme": column("Initialization"),
    "variance": column("Variance", SPELLED,
        "Mean square of a weight of the first layer, as drawn"),
    "forward": column("Forward", SPELLED, "Mean square of z over that of the inputs"),
    "predicted_forward": column("predicted", SPELLED, "Inputs times the variance"),
    "backward": column("Backward", SPELLED,
        "Mean square of the gradient behind the first layer over that before it"),
    "predicted_backward": column("predicted ", SPELLED, "Units times the variance"),
}
DIAGNOSIS_HEADINGS = {
    "layer": column("Layer", help="Its name in the module", width=65),
    "kind": column("Kind", width=95),
    "fan_out": column("Units", "%d", "The number of units of a Linear layer", width=60),
    "signal": column("Signal", SPELLED, "RMS of what the layer returns", width=75),
    "signal_gradient": column("Its gradient", SPELLED,
        "RMS of the loss's derivative by it, for one example", width=90),
    "weight_gradient": column("Weight gradient", SPELLED,
        "Norm of the loss's derivative by the weights", width=105),
}
ALL_DIAGNOSIS_HEADINGS = DIAGNOSIS_HEADINGS | {
    "fan_in": column("fan_in", "%d", "The number of inputs of a unit"),
    "weight_std": column("Weight std", SPELLED, "Standard deviation of the weights"),
    "looks_like": column("Looks like", help="The initialization whose weights have this spread"),
    "spread": column("Spread", SPELLED, "What of the signal differs between examples"),
    "flat": column("Flat", "percent", "Activations where the function is flat"),
    "dead": column("Dead", "percent", "Units that are off for every example"),
    "twins": column("Alike", "percent", "Units with the same weights as another"),
    "leaves": column("Leaves", help="Number formats that cannot hold the signal"),
}
CURE_HEADINGS = {
    "change": column("Change", help="Everything else stays as it is, the seed too", width=230),
    "verdict": column("Verdict", help="After the last step"),
    "loss": column("Held-out loss", SPELLED, "Loss on 512 further examples, after the last step"),
    "pytorch": column("In PyTorch", width="large"),
}
# fmt: on
