"""The tensors of a pass forward and of a pass back, and an observer of both."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(eq=False)
class ForwardPass:
    """The tensors of one forward pass by layer, `(N, batch, units)`; u and h of hidden layers."""

    z: list[Tensor] = field(default_factory=list)
    u: list[Tensor] = field(default_factory=list)
    h: list[Tensor] = field(default_factory=list)  # phi(u), before dropout
    inputs: list[Tensor] = field(default_factory=list)  # of each layer: x, then h after dropout
    weights: list[Tensor] = field(default_factory=list)  # (N, fan_out, fan_in), as multiplied
    normalized: list[Tensor] = field(default_factory=list)  # z after it, before gain and shift
    saved: list[Tensor] = field(default_factory=list)  # by the normalization
    stream: Tensor = field(init=False)  # what the next shortcut carries, (N, batch, width)
    # What a branch ends with, before its scale where that is learned, by the number of its layer.
    branches: dict[int, Tensor] = field(default_factory=dict)
    masks: Sequence[Tensor] = ()  # of dropout, (N or 1, batch, width)
    output: Tensor = field(init=False)  # of the network: what the loss takes

    def keep_layer(self, inputs: Tensor, weights: Tensor, z: Tensor) -> None:
        self.inputs.append(inputs)
        self.weights.append(weights)
        self.z.append(z)

    def keep_hidden(self, normalized: Tensor, saved: Tensor, u: Tensor, h: Tensor) -> None:
        self.normalized.append(normalized)
        self.saved.append(saved)
        self.u.append(u)
        self.h.append(h)


@dataclass(eq=False)
class BackwardPass:
    """The gradients of the mean losses; stored ones are multiplied by the `scale` `(N,)`."""

    parameters: list[Tensor]  # (layers, N, ...), in the order of Stack.parameters
    weight_norms: Tensor  # (L, N) of the weights'
    norm: Tensor  # (N,) over all parameters
    stored_weights: list[Tensor]  # (layers, N, fan_out, fan_in)
    stored_z: list[Tensor]  # (N, batch, units) by layer
    scale: Tensor
    any_doubtful: bool = False  # of the stored norms: near the ends of the range


class Watch:
    """An observer that is shown each layer of a pass, `(N, batch, units)`, and ignores it."""

    def forward(self, z: Tensor) -> None:
        """See z of the next layer on the way forward."""

    def backward(self, delta: Tensor) -> None:
        """See the gradient by z of the next layer on the way back."""

    def slopes(self, slope: Tensor, u: Tensor | None) -> None:
        """See phi'(u) of the next hidden layer on the way back, and u where it is not z.

        Nobody needs the slopes any more: their memory may be used.
        """


NOBODY = Watch()
