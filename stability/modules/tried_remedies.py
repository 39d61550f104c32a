"""Remedies of findings, tried: each is applied as printed, and the module trains for some steps."""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from stability.i18n import _
from stability.modules.finding import ModuleFinding
from stability.modules.module_repair import repair
from stability.modules.safekeeping import untouched
from stability.modules.tensors import call_module
from stability.text import number

OPTIMIZERS: tuple[Callable[[list[nn.Parameter]], torch.optim.Optimizer], ...] = (
    lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
    lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    lambda parameters: torch.optim.Adam(parameters, lr=0.001),
    lambda parameters: torch.optim.Adam(parameters, lr=0.01),
)
HELPS = 0.9  # of the loss that is reached without it; a remedy that helps ends below
NAMES = {"torch": torch, "nn": nn, "stability": SimpleNamespace(repair=repair)}


@dataclass(frozen=True)
class TriedRemedy:
    """A remedy and the loss that it led to: at `first`, after the steps `last`, and `without` it.

    `findings` are those that it is for. `error` says why it could not be tried, then the losses
    are NaN. `in_other_units` is true of one that changes the targets or the loss: then the losses
    are compared by what remains of each.
    """

    findings: tuple[ModuleFinding, ...]
    remedy: str
    first: float
    last: float
    without: float
    first_without: float
    in_other_units: bool = False
    error: str = ""

    @property
    def helps(self) -> bool:
        """True if the loss ended clearly lower than without the remedy."""
        with_it, without = self.last, self.without
        if self.in_other_units:
            with_it, without = with_it * abs(self.first_without), without * abs(self.first)
        learns_alone = math.isfinite(self.without)
        return with_it < HELPS * without if learns_alone else math.isfinite(self.last)

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        if self.error:
            return _("not tried: {reason}").format(reason=self.error)
        without = number(self.without)
        if self.in_other_units:
            without = _("from {first} to {last}, in other units").format(
                first=number(self.first_without), last=without
            )
        sentence = _("tried: the loss goes from {first} to {last}; without: {without}")
        if self.last < 0.99 * self.first:
            sentence = _("tried: the loss falls from {first} to {last}; without: {without}")
        return sentence.format(first=number(self.first), last=number(self.last), without=without)


class TriedRemedies(tuple[TriedRemedy, ...]):
    """The remedies that were tried, in the order of their findings; printed, they are a letter."""

    __slots__ = ()

    def __str__(self) -> str:
        if not self:
            return _("There is no remedy to be tried.")
        return "\n".join(f"{tried.remedy}\n   {tried.sentence}" for tried in self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = (
            f"<li><code>{html.escape(tried.remedy)}</code><br>{html.escape(tried.sentence)}</li>"
            for tried in self
        )
        return f"<ul>{''.join(items)}</ul>" if self else f"<p>{self}</p>"


@dataclass(frozen=True)
class TrainingSetup:
    """A module with all that it trains on: a batch of inputs and targets, and a loss."""

    model: nn.Module
    inputs: Any
    targets: Any
    loss: Callable[[Any, Any], Tensor] | None

    def after(self, lines: str) -> "TrainingSetup":
        """Return the setup after lines of Python that may change each of its four names.

        They are remedies, which the library has written itself.
        """
        names = NAMES | vars(self)
        exec(lines, names)
        return TrainingSetup(*(names[name] for name in vars(self)))  # type: ignore[arg-type]

    def trained(self, steps: int) -> tuple[float, float]:
        """Return the first loss, and the best that one of the optimizers ends with; inf for NaN."""
        runs = [self.trained_by(optimizer, steps) for optimizer in OPTIMIZERS]
        return runs[0][0], min(last for _, last in runs)

    def trained_by(self, make_optimizer: Any, steps: int) -> tuple[float, float]:
        """Return the first and the last loss of a training; what it changes is brought back."""
        with untouched(self.model, self.inputs, self.targets, self.loss):
            torch.manual_seed(0)
            parameters = [p for p in self.model.parameters() if p.requires_grad]
            optimizer = make_optimizer(parameters)
            losses = []
            for _ in range(steps):
                value = self.value()
                losses.append(float(value.detach()))
                if not math.isfinite(losses[-1]) or not value.requires_grad:
                    break
                gradients = torch.autograd.grad(value, parameters, allow_unused=True)
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient
                optimizer.step()
            last = float(self.value().detach())
            return losses[0], last if math.isfinite(last) else math.inf

    def value(self) -> Tensor:
        assert self.loss is not None
        return self.loss(call_module(self.model, self.inputs), self.targets)


def try_each_remedy(
    setup: TrainingSetup, findings: Sequence[ModuleFinding], steps: int
) -> TriedRemedies:
    """Try the remedy of each finding, and where there are several, all of them together.

    ValueError if there is no loss, or no step.
    """
    if setup.loss is None:
        raise ValueError(_("remedies are tried by training, so diagnose needs targets and a loss"))
    if steps < 1:
        raise ValueError(_("steps must be at least 1, not {value}").format(value=steps))
    cured = {f.remedy: tuple(x for x in findings if x.remedy == f.remedy) for f in findings}
    cured.pop("", None)
    if not cured:
        return TriedRemedies()
    if len(cured) > 1:
        cured["\n".join(cured)] = tuple(f for f in findings if f.remedy)
    without = trained_after(setup, "", steps)
    return TriedRemedies(
        try_remedy(setup, remedy, found, steps, without) for remedy, found in cured.items()
    )


def try_remedy(
    setup: TrainingSetup, remedy: str, found: tuple[ModuleFinding, ...], steps: int,
    without: "Outcome",
) -> TriedRemedy:  # fmt: skip
    """Return what becomes of a remedy; one that raises has an error instead of losses."""
    error = ""
    try:
        after = trained_after(setup, remedy, steps)
    except NameError as unknown:
        error = _("it belongs into the program, where {name} is known").format(name=unknown.name)
    except Exception as problem:  # of any module, in a line that was made for it
        error = f"{type(problem).__name__}: {problem}"
    after = Outcome(math.nan, math.nan, False) if error else after
    return TriedRemedy(
        found, remedy, after.first, after.last, without.last, without.first, after.in_other_units,
        error,
    )  # fmt: skip


class Outcome(NamedTuple):
    """The first and the last loss of a training, and whether it was measured in other units."""

    first: float
    last: float
    in_other_units: bool


def trained_after(setup: TrainingSetup, remedy: str, steps: int) -> Outcome:
    """Train after a remedy; everything is brought back."""
    with untouched(setup.model, setup.inputs, setup.targets, setup.loss):
        after = setup.after(remedy)
        changed = after.targets is not setup.targets or after.loss is not setup.loss
        return Outcome(*after.trained(steps), changed)
