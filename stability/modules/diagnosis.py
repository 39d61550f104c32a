"""The diagnosis of a module: findings, a table by layer, and a chart of it."""

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor, nn

from stability.modules.examination import Examination
from stability.modules.finding import NOT_SEEN, REPAIR_NOTE, ModuleFinding
from stability.modules.kinds import findings_of
from stability.modules.refusals_of_modules import check_module
from stability.modules.safekeeping import untouched
from stability.modules.table_by_layer import layer_table
from stability.modules.tensors import trainable
from stability.modules.tried_remedies import TrainingSetup, TriedRemedies, try_each_remedy

if TYPE_CHECKING:
    from stability.charts.network_profiles import ProfilesChart


@dataclass(frozen=True, repr=False, eq=False)
class Diagnosis:
    """The result of `diagnose`: `findings`, the most important first, and a `frame` by layer."""

    findings: tuple[ModuleFinding, ...]
    frame: pd.DataFrame = field(repr=False)
    setup: TrainingSetup = field(repr=False)

    @property
    def healthy(self) -> bool:
        """True if there is no finding."""
        return not self.findings

    def chart(self) -> "ProfilesChart":
        """Return signal, signal gradient and weight gradient by layer, the findings marked."""
        from stability.charts.network_profiles import module_profiles  # Altair loads slowly

        marks = {finding.where: finding.kind for finding in reversed(self.findings)}
        return module_profiles(self.frame, marks)

    def try_remedies(self, steps: int = 50) -> TriedRemedies:
        """Train with each remedy and without, from the same batch; nothing is changed by it.

        Each is applied as printed, and trains with SGD with momentum (rates 0.01 and 0.1) and with
        Adam (0.001 and 0.01); the best loss counts. ValueError for a diagnosis without a loss.
        """
        return try_each_remedy(self.setup, self.findings, steps)

    def __str__(self) -> str:
        if self.healthy:
            return f"Healthy: nothing was found in {counted(len(self.frame), 'layer')}. {NOT_SEEN}"
        found, layers = counted(len(self.findings), "finding"), counted(len(self.frame), "layer")
        lines = [f"{found} in {layers}:"]
        for number, finding in enumerate(self.findings, 1):
            lines.append(f"{number}. {title_of(finding)}: {finding.sentence}")
            if finding.remedy:
                lines.append(f"   Try: {finding.remedy}")
        if any("stability.repair" in finding.remedy for finding in self.findings):
            lines.append(REPAIR_NOTE)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if self.healthy:
            return f"<p>{html.escape(str(self))}</p>"
        items = []
        for finding in self.findings:
            remedy = f"<br><code>{html.escape(finding.remedy)}</code>" if finding.remedy else ""
            items.append(f"<li><b>{html.escape(title_of(finding))}</b>: "
                         f"{html.escape(finding.sentence)}{remedy}</li>")  # fmt: skip
        return f"<ol>{''.join(items)}</ol>"


def counted(count: int, noun: str) -> str:
    """Return a number of things: `1 layer`, `2 layers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def title_of(finding: ModuleFinding) -> str:
    """Return the kind of a finding and its place: `vanishing at block1`."""
    place = f" at {finding.where}" if finding.where else ""
    return f"{finding.kind.replace('non_', 'non-').replace('_', ' ')}{place}"


def diagnose(
    module: nn.Module,
    inputs: Any,
    targets: Any = None,
    loss: Callable[[Any, Any], Tensor] | None = None,
) -> Diagnosis:
    """Say in words why a module does not train, from one look at one batch.

    A tensor is passed as `module(x)`, a tuple as `module(*inputs)`, a dict as `module(**inputs)`;
    `loss(outputs, targets)` is a scalar. Without a loss the gradient is that of a random projection
    of the outputs, and what needs a loss is not looked for. Nothing of the module, the inputs or
    the random states is changed, even if the module raises; its exception is passed on. The kinds
    of findings are those of `stability.modules.kinds`.

    Raises ValueError for a module without parameters, with lazy, quantised or meta ones.

    >>> import torch
    >>> from torch import nn
    >>> layers = [part for _ in range(20) for part in (nn.Linear(32, 32), nn.Sigmoid())]
    >>> diagnosis = diagnose(nn.Sequential(*layers), torch.randn(64, 32))
    >>> diagnosis.healthy, diagnosis.findings[0].kind, diagnosis.findings[0].where
    (False, 'vanishing', '0')
    """
    check_module(module)
    with torch.inference_mode(False):
        inputs, targets = trainable(inputs), trainable(targets)
    with untouched(module, inputs, targets) as safe:
        look = Examination(module, inputs, targets, loss, safe)
        setup = TrainingSetup(module, inputs, targets, loss)
        return Diagnosis(tuple(findings_of(look)), layer_table(look), setup)
