"""The panels of a run's charts: which there are, in which order, and how high they are."""

from collections.abc import Collection, Sequence

from stability.frames.arrow import DEPTH_QUANTITIES
from stability.records.experiment import Experiment

TRAINING_PANELS = "loss", "accuracy", "gradient_norm", "scale", "heat"
DEPTH_PANELS = DEPTH_QUANTITIES
FORETOLD_PANELS = "signal", "signal_gradient"  # weight gradients have no prediction
LEAD_HEIGHT = 230  # pixels of the first panel, which is read first
HEIGHTS = {"loss": 100, "accuracy": 60, "gradient_norm": 70, "scale": 50, "heat": 90}  # of others
HEIGHTS |= dict.fromkeys(DEPTH_PANELS, 100)


def panels_shown(
    e: Experiment, panels: Sequence[str], known: Collection[str] = tuple(HEIGHTS)
) -> tuple[str, ...]:
    """Return those of the panels that an experiment has, in their order.

    A regression has no accuracy, and only loss scaling has a scale. Raises ValueError where a panel
    is not among the `known` ones of a chart, and where none is left.
    """
    if unknown := [name for name in panels if name not in known]:
        raise ValueError(f"this chart has no panel {unknown[0]!r}, only {', '.join(known)}")
    missing = set() if e.dataset_row.classes else {"accuracy"}
    if not e.number_format.scales_loss:
        missing.add("scale")
    shown = tuple(name for name in panels if name not in missing)
    if not shown:
        raise ValueError(f"this experiment has none of the panels {', '.join(panels)}")
    return shown


def lead_first(lead: str, panels: Sequence[str]) -> tuple[str, ...]:
    """Return the panels with `lead` moved to the front."""
    return (lead, *(name for name in panels if name != lead))


def panel_heights(panels: Sequence[str]) -> dict[str, int]:
    """Return the height of each panel in pixels; the first one leads."""
    return {name: HEIGHTS[name] if index else LEAD_HEIGHT for index, name in enumerate(panels)}
