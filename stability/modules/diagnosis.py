"""The diagnosis of a module: findings, a table by layer, and a chart of it."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor, nn

from stability.i18n import _, ngettext
from stability.modules.examination import Examination
from stability.modules.finding import NOT_SEEN, REPAIR_NOTE, ModuleFinding
from stability.modules.kinds import findings_of
from stability.modules.refusals_of_modules import check_module
from stability.modules.safekeeping import untouched
from stability.modules.table_by_layer import layer_table
from stability.modules.tensors import trainable
from stability.modules.tried_remedies import TrainingSetup, TriedRemedies, try_each_remedy
from stability.text import join_sentences

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

    @property
    def _layers(self) -> str:
        count = len(self.frame)
        return ngettext("{count} layer", "{count} layers", count).format(count=count)

    def chart(self) -> "ProfilesChart":
        """Return signal, signal gradient and weight gradient by layer, the findings marked."""
        from stability.charts.network_profiles import module_profiles  # Altair loads slowly

        return module_profiles(self.frame, marks_of(self.findings))

    def try_remedies(self, steps: int = 50) -> TriedRemedies:
        """Train with each remedy and without, from the same batch; nothing is changed by it.

        Each is applied as printed, and trains with SGD with momentum (rates 0.01 and 0.1) and with
        Adam (0.001 and 0.01); the best loss counts. ValueError for a diagnosis without a loss.
        """
        return try_each_remedy(self.setup, self.findings, steps)

    def __str__(self) -> str:
        if self.healthy:
            healthy = _("Healthy: nothing was found in {layers}.").format(layers=self._layers)
            return join_sentences(healthy, _(NOT_SEEN))
        count = len(self.findings)
        head = ngettext("{count} finding in {layers}:", "{count} findings in {layers}:", count)
        lines = [head.format(count=count, layers=self._layers)]
        for number, finding in enumerate(self.findings, 1):
            line = _("{title}: {sentence}").format(
                title=title_of(finding), sentence=finding.sentence
            )
            lines.append(f"{number}. {line}")
            if finding.remedy:
                lines.append("   " + _("Try: {remedy}").format(remedy=finding.remedy))
        if any("stability.repair" in finding.remedy for finding in self.findings):
            lines.append("   " + _(REPAIR_NOTE))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if self.healthy:
            return f"<p>{html.escape(str(self))}</p>"
        items = []
        for finding in self.findings:
            remedy = f"<br><code>{html.escape(finding.remedy)}</code>" if finding.remedy else ""
            line = _("{title}: {sentence}").format(
                title=f"<b>{html.escape(title_of(finding))}</b>",
                sentence=html.escape(finding.sentence),
            )
            items.append(f"<li>{line}{remedy}</li>")
        return f"<ol>{''.join(items)}</ol>"


def marks_of(findings: Sequence[ModuleFinding]) -> dict[str, str]:
    """Return the kind of the most important finding at each place, for a chart."""
    return {finding.where: finding.kind for finding in reversed(findings)}


def title_of(finding: ModuleFinding) -> str:
    """Return the kind of a finding and its place: `vanishing at block1`."""
    kind = _(finding.kind).replace("non_", "non-").replace("_", " ")
    if not finding.where:
        return kind
    return _("{kind} at {where}").format(kind=kind, where=finding.where)


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
