"""The single changes of an experiment that may cure a sick network, one row each.

To add one, add a row: the search for a cure, the first suggestion and the audit follow.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stability.catalogues.number_formats import FORMATS
from stability.catalogues.optimizers import OPTIMIZERS
from stability.diagnosis.faults import FAULTS
from stability.diagnosis.remedies import (
    Remedy,
    have_similar_variance,
    scheme_remedy,
    settings_remedy,
)
from stability.records.experiment import Experiment

SAFE_EPSILON = 1e-4  # that float16 holds with all its digits
PLAIN_WIDTH, PLAIN_DEPTH = 64, 10  # of a network that most settings train


@dataclass(frozen=True)
class Change:
    """A row: the settings to change, or the scheme to put in place of the sick one.

    `settings` and `scheme` return nothing where the change is not one, such as batch norm in a
    network that has it.
    """

    key: str
    settings: Callable[[Experiment], Mapping[str, Any]] = lambda e: {}
    scheme: Callable[[Experiment], str] = lambda e: ""
    reluctance: float = 0.0  # how much likelier than another change it must cure to come first


def scheme_change(key: str) -> Change:
    return Change(key, scheme=lambda e: key)


def setting_change(key: str, **settings: Any) -> Change:
    return Change(key, lambda e: settings)


def optimizer_change(key: str) -> Change:
    """Return the change to an optimizer at its typical rate."""
    return setting_change(key, optimizer=key, learning_rate=OPTIMIZERS[key].learning_rate)


def rate_change(key: str, factor: float) -> Change:
    return Change(key, lambda e: {"learning_rate": float(f"{e.learning_rate * factor:.1e}")})


def plain_precision(e: Experiment) -> Mapping[str, Any]:
    """Return the change to float32; nothing where the format is as fine."""
    is_coarser = e.number_format.epsilon > FORMATS["float32"].epsilon
    return {"precision": "float32"} if is_coarser else {}


def safe_epsilon(e: Experiment) -> Mapping[str, Any]:
    """Return the change to an epsilon that no format rounds away; nothing where it is larger."""
    is_small = e.optimizer_row.has_epsilon and e.epsilon < SAFE_EPSILON
    return {"epsilon": SAFE_EPSILON} if is_small else {}


CHANGES = (
    Change("suited scheme", scheme=lambda e: e.phi.suited_scheme),
    *map(scheme_change, ("xavier_normal", "unit_gain", "orthogonal", "lsuv", "fixup")),
    *(
        setting_change(f"normalization {key}", normalization=key)
        for key in ("batch", "layer", "none")
    ),
    setting_change("pre-norm", norm_position="inside"),
    setting_change("residual on", residual=True),
    setting_change("residual off", residual=False),
    *(setting_change(f"branches {key}", branch_scale=key) for key in ("root_depth", "learned")),
    *map(optimizer_change, ("adam", "momentum", "sgd")),
    Change("typical rate", lambda e: {"learning_rate": e.optimizer_row.learning_rate}),
    *(rate_change(f"rate x {f:g}", f) for f in (0.01, 0.1, 0.3, 3.0, 10.0, 100.0)),
    Change("warm-up", lambda e: {"warmup": max(2, e.steps // 10)}),
    setting_change("cosine", schedule="cosine"),
    *(
        setting_change(f"activation {key}", activation=key)
        for key in ("relu", "leaky_relu", "tanh", "gelu")
    ),
    Change("width", lambda e: {"width": max(PLAIN_WIDTH, 2 * e.width)}, reluctance=0.05),
    setting_change("no taper", taper=1.0),
    Change("half the depth", lambda e: {"depth": max(2, e.depth // 2)}, reluctance=0.1),
    Change("shallow", lambda e: {"depth": 3}, reluctance=0.1),
    Change("larger epsilon", safe_epsilon),
    Change("float32", plain_precision),
    setting_change("clipping", clip=1.0),
    setting_change("no clipping", clip=0.0),
    setting_change("no dropout", dropout=0.0),
    setting_change("no weight decay", weight_decay=0.0),
    Change("small readout", lambda e: {"readout_gain": float(f"{0.1 * e.readout_gain:.1e}")}),
    setting_change("plain readout", readout_gain=1.0),
    setting_change("plain first layer", first_gain=1.0),
    *(setting_change(fault.key, **fault.repair) for fault in FAULTS),
    Change("batch", lambda e: {"batch": min(64, e.samples)}),
    Change("steps", lambda e: {"steps": 3 * e.steps}),
)  # fmt: skip


def single_changes(e: Experiment, sick: str) -> Iterator[tuple[str, Remedy]]:
    """Yield the key and the remedy of every change that has an effect on this scheme."""
    seen = {alone(e, sick)}
    for change in CHANGES:
        scheme, settings = change.scheme(e), dict(change.settings(e))
        if scheme and have_similar_variance(e, sick, scheme):
            continue
        if scheme:
            remedy = scheme_remedy(e, scheme)
        elif settings:
            remedy = settings_remedy(e, **settings)
        else:
            continue
        changed = treated(e, sick, remedy)
        if changed and changed not in seen and has_effect(e, remedy):
            seen.add(changed)
            yield change.key, remedy


def alone(e: Experiment, scheme: str) -> Experiment:
    """Return the experiment with this scheme only."""
    return replace(e, schemes=(scheme,))


def treated(e: Experiment, sick: str, remedy: Remedy) -> Experiment | None:
    """Return the experiment with the sick scheme alone, under the remedy.

    None where that is not legal: no other setting may have to give way.
    """
    changes: dict[str, Any] = dict(remedy.settings)
    return change_legally(e, changes | {"schemes": (remedy.scheme or sick,)})


def treated_together(e: Experiment, remedy: Remedy) -> Experiment | None:
    """Return the experiment with all its schemes under the settings of a remedy, if legal."""
    return change_legally(e, dict(remedy.settings))


def change_legally(e: Experiment, changes: Mapping[str, Any]) -> Experiment | None:
    settings = {**e.settings(), **changes}
    return None if list(Experiment.disagreements(settings)) else Experiment(**settings)


HIDDEN_ONLY = {
    "activation": 2, "width": 2, "taper": 3, "normalization": 2, "dropout": 2, "residual": 3,
    "branch_scale": 3, "norm_position": 2,
}  # fmt: skip


def has_effect(e: Experiment, remedy: Remedy) -> bool:
    """True unless the remedy changes only what such a network does not have."""
    knobs = e.knobs()
    return bool(remedy.scheme) or any(
        e.depth >= HIDDEN_ONLY.get(name, 1) and knobs[name].has_effect(e)
        for name in dict(remedy.settings)
    )
