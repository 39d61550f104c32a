"""The quantities that a map can show of its cells, one row each.

To add one, add a row, and what it names to the Outcome of the package `cells`.
"""

from dataclasses import dataclass

from stability.i18n import N_, Translated


@dataclass(frozen=True, kw_only=True)
class MapQuantity:
    """A row: an Outcome's attribute `key` is a number for each replicate, or a word for them all.

    `domain` holds the values at the ends of the colours, None where that depends on the map; `best`
    is the value that one hopes for. `unit` follows a number in a sentence.
    """

    key: str
    label: Translated = Translated()
    help: Translated = Translated()
    unit: Translated = Translated("")
    is_log: bool = False
    is_word: bool = False
    domain: tuple[float, float] | None = None
    best: float = 0.0
    needs_classes: bool = False
    is_of_start: bool = False  # known before the first step, whatever training does
    not_finite: Translated = Translated(N_("infinite"))  # in words


QUANTITIES = {
    row.key: row
    for row in (
        MapQuantity(
            key="test_accuracy", label="Held-out accuracy",
            help="The share of held-out examples that are classified right after the last step; 0 "
            "where a number has become NaN.",
            domain=(0.0, 1.0), best=1.0, needs_classes=True,
        ),
        MapQuantity(
            key="relative_loss", label="Held-out loss against guessing",
            help="The held-out loss after the last step over that of guessing: below 1/2 the "
            "network learns, at 1 it knows nothing. Infinite where a number has become NaN.",
            is_log=True, domain=(0.01, 10.0),
        ),
        MapQuantity(
            key="steps_to_half", label="Steps to half of guessing",
            help="The step at which the held-out loss falls below half of what guessing costs, "
            "interpolated between the steps at which it is measured. Infinite where it never does.",
            unit="steps", not_finite="never",
        ),
        MapQuantity(
            key="first_loss", label="First loss against guessing",
            help="The held-out loss before training over that of guessing: near 1 the network "
            "starts as one that knows nothing should, far above it the outputs are too large.",
            is_log=True, domain=(0.1, 100.0), best=1.0, is_of_start=True,
        ),
        MapQuantity(
            key="gradient_ratio", label="Gradient, first over last layer",
            help="log10 of the signal gradient of the first hidden layer over that of the last, "
            "before training: below 0 it vanishes on its way back, above 0 it explodes.",
            unit="decades", domain=(-8.0, 8.0), is_of_start=True,
        ),
        MapQuantity(
            key="signal_ratio", label="Signal, last over first layer",
            help="log10 of the signal of the last hidden layer over that of the first, before "
            "training: below 0 it vanishes on its way forward, above 0 it explodes.",
            unit="decades", domain=(-8.0, 8.0), is_of_start=True,
        ),
        MapQuantity(
            key="verdict", label="Verdict",
            help="The word for what became of the network, as on its card.", is_word=True,
        ),
        MapQuantity(
            key="learns", label="Share of replicates that learn",
            help="k of n networks of the cell, drawn anew each, end below half of what guessing "
            "costs. With more replicates the share shows what is chance.",
            domain=(0.0, 1.0), best=1.0,
        ),
    )
}  # fmt: skip
