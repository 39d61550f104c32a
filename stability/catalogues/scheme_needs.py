"""The settings that some schemes need, and where an activation has an edge of chaos."""

from collections.abc import Iterator
from functools import lru_cache

from stability.catalogues.activations import ACTIVATIONS, Activation, activation_with
from stability.catalogues.mean_field import critical_sigma_w2
from stability.catalogues.number_formats import PRECISIONS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.catalogues.scheme_entry import Disagreement, OtherSettings
from stability.i18n import _
from stability.text import exact_number


def require_even_width(settings: OtherSettings) -> Iterator[Disagreement]:
    width = settings["width"]
    if width % 2 and settings["depth"] > 1:
        yield (
            _("width must be even for the scheme looks_linear, not {width}").format(width=width),
            "width",
            width + 1,
        )


def require_residual(settings: OtherSettings) -> Iterator[Disagreement]:
    if not settings["residual"]:
        yield _("residual must be true for the scheme fixup, not false"), "residual", True


def require_edge_of_chaos(settings: OtherSettings) -> Iterator[Disagreement]:
    row, bias_std = activation_with(settings), settings["bias_std"]
    if not has_edge_of_chaos(row, 0.0) and not has_edge_of_chaos(row, bias_std):
        sentence = _(
            "activation must have an edge of chaos for the scheme critical, not {activation}"
        )
        yield sentence.format(activation=row.key), "activation", "tanh"
        row = ACTIVATIONS["tanh"]
    if not has_edge_of_chaos(row, bias_std):
        sentence = _("bias_std must be 0 for the scheme critical with {activation}, not {bias_std}")
        words = sentence.format(activation=row.key, bias_std=exact_number(bias_std))
        yield words, "bias_std", 0.0


def require_known_scaling(settings: OtherSettings) -> Iterator[Disagreement]:
    optimizer = settings.get("optimizer")  # of a pasted network it is not known
    if optimizer and not OPTIMIZERS[optimizer].scaling:
        sentence = _(
            "optimizer must be one of {known} for the scheme mup, whose table has no rates for "
            "others, not {optimizer}"
        )
        known = _(", ").join(key for key, row in OPTIMIZERS.items() if row.scaling)
        yield sentence.format(known=known, optimizer=optimizer), "optimizer", "adam"


def require_many_digits(settings: OtherSettings) -> Iterator[Disagreement]:
    precision = settings.get("precision")  # of a pasted network it is not known
    if precision and PRECISIONS[precision].is_rounded:
        sentence = _(
            "precision must be float32 or float64 for the scheme metainit, which takes "
            "derivatives of derivatives, not {precision}"
        )
        yield sentence.format(precision=precision), "precision", "float32"


@lru_cache(maxsize=1024)
def critical_sigma_w2_or_none(activation: str | Activation, bias_std: float) -> float | None:
    """Return sigma_w2 at the edge of chaos, None where there is none."""
    try:
        return critical_sigma_w2(activation, bias_std**2)
    except ValueError:
        return None


def has_edge_of_chaos(activation: str | Activation, bias_std: float) -> bool:
    return critical_sigma_w2_or_none(activation, bias_std) is not None
