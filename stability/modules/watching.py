"""Watch a module in somebody's own training loop: its layers, step by step, through hooks alone."""

import math
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from stability.i18n import _
from stability.modules.sizes import is_measurable, norm, rms, spread_over
from stability.modules.tensors import batch_axis, batch_size, tensors_in

if TYPE_CHECKING:
    from stability.charts.network_profiles import ProfilesChart

Handle = Any  # torch.utils.hooks.RemovableHandle
LAYER_COLUMNS = (
    "step", "layer", "kind", "signal", "spread", "signal_gradient", "weight_gradient", "weight",
    "update",
)  # fmt: skip
CURVE_COLUMNS = "step", "loss", "gradient_norm"


def watch(module: nn.Module, every: int | Collection[int] = 1) -> "WatchedTraining":
    """Return a context manager that records the layers of a module while it trains.

    A step is a pass in training mode with gradients, and the way back from it; steps count from 0.
    `every` is a number of steps, or a collection of the steps that are recorded. All others cost
    nothing but a few calls of Python. Afterwards no hook is left. A recorded step costs 1.2
    to 1.6 plain ones on a CPU, and holds the weights twice; `tests/watch_overhead.py` measures it.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with watch(model, every=10) as seen:
    ...     for step in range(21):
    ...         loss = model(torch.ones(16, 4)).square().mean()
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    ...         seen.note_loss(loss)
    >>> seen.frame[["step", "layer"]].values.tolist()[:4]
    [[0, '0'], [0, '1'], [0, '2'], [10, '0']]
    >>> seen.curves.step.tolist()
    [0, 10, 20]
    """
    if not isinstance(module, nn.Module):
        raise ValueError(
            _("module must be a torch.nn.Module, not {type}").format(type=type(module).__name__)
        )
    if isinstance(every, int) and every < 1:
        raise ValueError(_("every must be at least 1, not {value}").format(value=every))
    return WatchedTraining(module, every)


class WatchedTraining:
    """The record of a training, complete after the `with` block, and readable within it."""

    def __init__(self, module: nn.Module, every: int | Collection[int]):
        self.module, self.every = module, every
        self.step = -1
        self._rows: list[dict[str, Any]] = []
        self._curves: list[dict[str, Any]] = []
        self._entries: list[Handle] = []
        self._recording: StepRecording | None = None
        self._went_back = True

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each recorded step and leaf layer, in the order of their first calls.

        Columns: step, layer, kind; signal and spread of what the layer gives; signal_gradient, RMS
        of batch size x dL/d(output); weight_gradient, weight and update, Frobenius norms over its
        matrices. `update` is the change from this step's pass to the next one.
        """
        return pd.DataFrame(self._rows, columns=list(LAYER_COLUMNS))

    @property
    def curves(self) -> pd.DataFrame:
        """A row for each recorded step: step, loss (NaN if not noted), gradient_norm."""
        return pd.DataFrame(self._curves, columns=list(CURVE_COLUMNS))

    def note_loss(self, loss: Any) -> None:
        """Note the loss of the present step, a number or a scalar tensor, for the curves."""
        if self._curves and self._curves[-1]["step"] == self.step:
            value = loss.detach() if isinstance(loss, Tensor) else loss
            self._curves[-1]["loss"] = float(value)

    def chart(self) -> "ProfilesChart":
        """Return loss and gradient norm by step, and three profiles by layer at several steps."""
        from stability.charts.watched_training import watched_chart  # Altair loads slowly

        return watched_chart(self.frame, self.curves)

    def __enter__(self) -> Self:
        for part in entry_modules(self.module):
            self._entries += [
                part.register_forward_pre_hook(self._begin, prepend=True),
                part.register_forward_hook(self._expect_way_back),
            ]
        return self

    def _forget_parts(self) -> None:
        """Remove the hooks with which a pass through parts alone begins: the whole is called."""
        for handle in self._entries[2:]:
            handle.remove()
        del self._entries[2:]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._finish()
        for handle in self._entries:
            handle.remove()
        self._entries.clear()

    def _begin(self, part: nn.Module, inputs: Any) -> None:
        """Begin a step, if the one before has gone its way back, or its pass once more."""
        if not part.training or not torch.is_grad_enabled() or is_way_back():
            return
        if part is self.module:
            self._forget_parts()
        if not self._went_back:
            if part is self.module and self._recording:
                self._record()
            return
        self._finish()
        self.step, self._went_back = self.step + 1, False
        if self._is_recorded(self.step):
            self._curves.append({"step": self.step, "loss": math.nan, "gradient_norm": math.nan})
            self._record()

    def _record(self) -> None:
        if self._recording:
            self._recording.close()
        self._recording = StepRecording(self.module)

    def _is_recorded(self, step: int) -> bool:
        return step % self.every == 0 if isinstance(self.every, int) else step in self.every

    def _expect_way_back(self, part: nn.Module, inputs: Any, output: Any) -> None:
        """Learn from the first tensor that has a gradient when the way back is gone."""
        if self._went_back:
            return
        for tensor in tensors_in(output):
            if tensor.requires_grad:
                tensor.register_hook(self._go_back)  # type: ignore[no-untyped-call]
                return

    def _go_back(self, gradient: Tensor) -> None:
        self._went_back = True

    def _finish(self) -> None:
        """Take over what a recorded step has measured, and remove its hooks."""
        recording, self._recording = self._recording, None
        if recording is None:
            return
        recording.close()
        if not self._went_back:  # a pass without a way back is no step
            self._curves.pop()
            self.step -= 1
            return
        self._curves[-1]["gradient_norm"] = recording.gradient_norm
        self._rows += [{"step": self.step, **row} for row in recording.rows()]


class StepRecording:
    """The sizes of one step, in hooks on the leaf layers and on their parameters."""

    def __init__(self, module: nn.Module):
        self.names = {part: name for name, part in leaf_layers(module)}
        self.sizes: dict[nn.Module, dict[str, float]] = {}
        self.gradients: dict[nn.Parameter, float] = {}
        self.before: dict[nn.Module, list[Tensor]] = {}
        self.examples: int | None = None
        self.handles: list[Handle] = [
            part.register_forward_hook(self.measure, with_kwargs=True) for part in self.names
        ]
        self.handles += [
            parameter.register_hook(self.gradient_taker(parameter))  # type: ignore[no-untyped-call]
            for parameter in module.parameters()
            if parameter.requires_grad
        ]

    def measure(self, part: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """Measure what a layer gives, at its first call, and the gradient that comes back."""
        self.examples = self.examples or batch_size((args, kwargs), None)
        z = next(tensors_in(output), None)
        if part in self.sizes or z is None or not is_measurable(z):
            return
        axis = batch_axis(tuple(z.shape), self.examples)
        self.sizes[part] = measured = {"signal": rms(z), "spread": spread_over(z, axis)}
        self.before[part] = [weight.detach().clone() for weight in matrices_of(part)]
        if z.requires_grad:
            count = self.examples or 1

            def take(gradient: Tensor) -> None:
                measured["signal_gradient"] = count * rms(gradient)

            z.register_hook(take)  # type: ignore[no-untyped-call]

    def gradient_taker(self, parameter: nn.Parameter) -> Callable[[Tensor], None]:
        def take(gradient: Tensor) -> None:
            dense = gradient.coalesce().values() if gradient.is_sparse else gradient
            self.gradients[parameter] = norm(dense) if dense.numel() else 0.0

        return take

    @property
    def gradient_norm(self) -> float:
        """The 2-norm of the gradient over all parameters."""
        return math.hypot(*self.gradients.values()) if self.gradients else math.nan

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the sizes of each layer, with its update up to now."""
        for part, measured in self.sizes.items():
            weights, before = matrices_of(part), self.before[part]
            row = {"layer": self.names[part], "kind": type(part).__name__, **measured}
            if weights:
                found = [self.gradients[w] for w in weights if w in self.gradients]
                pairs = zip(weights, before, strict=True)
                row |= {
                    "weight_gradient": math.hypot(*found) if found else math.nan,
                    "weight": math.hypot(*map(norm, before)),
                    "update": math.hypot(*(norm(after.detach() - old) for after, old in pairs)),
                }
            yield row


def is_way_back() -> bool:
    """Return True within a backward pass, where checkpoints call layers again."""
    return torch._C._current_graph_task_id() != -1


def matrices_of(part: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in part.parameters() if parameter.dim() > 1]


def leaf_layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules without inner ones, with their names; attention is one layer."""
    inside: set[nn.Module] = set()
    for name, part in module.named_modules():
        inner = [child for child in part.children() if child is not parametrizations_of(part)]
        if part in inside or isinstance(part, parametrize.ParametrizationList):
            continue
        if not inner or isinstance(part, nn.MultiheadAttention):
            inside.update(part.modules())
            yield name, part


def parametrizations_of(part: nn.Module) -> nn.Module | None:
    return part._modules.get("parametrizations")


def entry_modules(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules with whose call a pass may begin: the whole, or a part of a trainer's."""
    yield module
    waiting = [*module.children()]
    while waiting:
        part = waiting.pop()
        if isinstance(part, nn.ModuleList | nn.ModuleDict):
            waiting += part.children()
        else:
            yield part
