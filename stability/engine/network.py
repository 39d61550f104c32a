"""The stack: many networks in one set of tensors, their way forward and their way back.

The way back is written by hand, so that nothing but the layers' own tensors is kept on the way
forward, and what is measured of a layer is taken while it lies in the cache. Autograd gives the
same gradients through `forward`, more slowly: the tests hold one against the other.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stability.catalogues.activations import Activation
from stability.engine.forward_stack import ForwardStack
from stability.engine.losses import Losses, losses_with_gradients
from stability.engine.parameters import per_network
from stability.engine.passes import NOBODY, BackwardPass, ForwardPass, Watch
from stability.engine.scaled_norms import Norms, norms_of_any_size


class Stack(ForwardStack):
    """Networks that learn: all those of an experiment, or a selection of them."""

    def losses(self, output: Tensor, y: Tensor) -> Losses:
        """Return the losses of outputs `(N, batch, outputs)`.

        With loss scaling in float32, as in torch.autocast: 2.3 times 65536 is beyond float16.
        """
        if self.experiment.number_format.scales_loss:
            return losses_with_gradients(output.float(), y)
        return losses_with_gradients(output, y, self.round_to_format)

    @torch.no_grad()
    def backward(
        self,
        passed: ForwardPass,
        losses: Losses,
        scale: Tensor,
        watch: Watch = NOBODY,
        keep: bool = True,
        stored: "Stack | None" = None,
        quick: bool = False,
    ) -> BackwardPass:
        """Return the gradients of the losses, each multiplied by its `scale` `(N,)` on the way.

        With delta = dL/dz of a layer, dL/dW = delta^T input and dL/db = the sum of delta over the
        batch. The layer below receives delta W, and its activation multiplies that by phi'(u).
        `stored_z` of the result is empty unless `keep`. The gradients are written into `stored`.
        A `quick` pass may lose h of `passed`, and makes NaN of infinity times a slope of 0.
        """
        e, stored = self.experiment, stored or self.mapped(torch.empty_like).keep_views()
        deltas, norms = [], stored.norms()
        around: dict[int, Tensor] = {}  # gradients that pass around a branch, by where it starts
        # Slopes of 0 and 1 leave numbers of the format.
        exact = e.phi.slope_is_0_or_1 and not e.residual and not self.gains
        phi = e.phi.quick if quick else e.phi
        delta = self.round_to_format(losses.by_output(scale))  # (N, batch, outputs)
        delta = self.round_to_format(e.output_row.backward(delta, passed.output))
        for index in range(e.depth, 0, -1):
            watch.backward(delta)
            if keep:
                deltas.append(delta)
            if index in e.shortcuts:
                around[e.shortcuts[index]] = delta
                delta = self._backward_through_scale(index, delta, passed, stored)
            self._store_layer(index, delta, passed, stored, norms)
            if index > 1:
                by_h = self.tiny.bmm("delta", index - 1)(delta, passed.weights[index - 1])
                by_z = self._backward_through_hidden(
                    index - 1, by_h, around.pop(index - 1, None), passed, stored, watch, phi
                )
                delta = by_z if exact else self.round_to_format(by_z)
        return self._unscale(stored, norms, deltas[::-1], scale)

    def _store_layer(
        self, index: int, delta: Tensor, passed: ForwardPass, stored: "Stack", norms: Norms
    ) -> None:
        """Store the gradients by weights and biases; take norms when a stack of layers is whole."""
        multiply, stacks = self.tiny.bmm("weights", index), stored.stacked_weights()
        of_weights, of_biases = stored.layers()[index - 1]
        self._store(multiply, delta.mT, passed.inputs[index - 1], out=of_weights)
        self._store(torch.sum, delta, 1, out=of_biases)
        if index in stacks:
            norms.add_stack(index - 1, stacks[index])

    def _unscale(
        self, stored: "Stack", norms: Norms, deltas: list[Tensor], scale: Tensor
    ) -> BackwardPass:
        """Return the pass of these stored gradients, with their norms."""
        depth = row = self.experiment.depth
        for vectors in stored.parameters[len(self.weights) :]:
            norms.add_stack(row, vectors, (2,))
            row += vectors.shape[0]
        of_all = norms.values(scale)  # (layers, N)
        of_weights = of_all[:depth]
        norm = norms_of_any_size(of_all.T.contiguous())  # summed alike for any N
        parameters = stored.parameters
        if self.experiment.number_format.scales_loss:
            parameters = [g / per_network(scale.to(g), g) for g in parameters]
        return BackwardPass(
            parameters, of_weights, norm, stored.weights, deltas, scale, norms.any_doubtful
        )

    def _backward_through_scale(
        self, index: int, delta: Tensor, passed: ForwardPass, gradients: "Stack"
    ) -> Tensor:
        """Return the gradient by the end of a branch from that by z; stores that by its scale."""
        for scales in gradients.scales:
            by_scale = self._of_branch(index, scales)[:, 0]
            self._store(torch.sum, delta * passed.branches[index], (1, 2), out=by_scale)
        return self._scaled(index, delta)

    def _backward_through_hidden(
        self,
        index: int,
        by_h: Tensor,
        by_stream: Tensor | None,
        passed: ForwardPass,
        gradients: "Stack",
        watch: Watch,
        phi: Activation,
    ) -> Tensor:
        """Return the gradient by z of hidden layer `index`, `(N, batch, width)` as all of these.

        From those by what the next layer multiplies, after dropout, and by what a shortcut takes
        along, if one starts here. Stores those by gain and shift.
        """
        place, by_h = index - 1, self.round_to_format(by_h)
        position = self.experiment.norm_position_row
        if passed.masks:
            by_h = self.round_to_format(by_h * passed.masks[place])
        z, u, h = passed.z[place], passed.u[place], passed.h[place]
        if position.follows_activation:
            by_h = self._backward_through_norm(place, by_h, h, passed, gradients)
            by_h = self.round_to_format(by_h)
        slope = phi.dphi(u, h)
        gradient = phi.backward(by_h, u, h, slope)
        watch.slopes(slope, None if u is z else u)
        if by_stream is not None and position.on_stream and u is not z:
            gradient, by_stream = self.round_to_format(gradient) + by_stream, None
        if not position.follows_activation:
            gradient = self._backward_through_norm(place, gradient, z, passed, gradients)
        return gradient if by_stream is None else gradient + by_stream

    def _backward_through_norm(
        self, place: int, gradient: Tensor, start: Tensor, passed: ForwardPass, gradients: "Stack"
    ) -> Tensor:
        """Return the gradient by what a normalization starts from, that by its result being given.

        Stores those by gain and shift.
        """
        normalized, row = passed.normalized[place], self.experiment.normalization_row
        if normalized is start:
            return gradient
        gradient = self.round_to_format(gradient)
        if gradients.shifts:
            self._store(torch.sum, gradient, 1, out=gradients.shift(place))
        if self.gains:
            self._store(torch.sum, gradient * normalized, 1, out=gradients.gain(place))
            by_gain = self.to_compute_dtype(self.gain(place)).unsqueeze(1)
            gradient = self.round_to_format(gradient * by_gain)
        if row.backward:
            return row.backward(gradient, normalized, passed.saved[place])
        return self._backward_by_autograd(gradient, start)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _backward_by_autograd(self, gradient: Tensor, z: Tensor) -> Tensor:
        """Return the gradient by z of a normalization that brings no `backward`."""
        start = z.clone().requires_grad_()  # autograd keeps no tensor of inference mode
        u = self.experiment.normalization_row.apply(start)
        return torch.autograd.grad(u, start, gradient.clone())[0]

    def _store(self, operation: Callable[..., Tensor], *operands: Any, out: Tensor) -> None:
        """Write the result of an operation, rounded, into a tensor of stored gradients."""
        if not self.rounds:
            operation(*operands, out=out)
        elif out.dtype == self.experiment.number_format.compute_dtype:
            self.round_to_format(operation(*operands, out=out))
        else:
            out.copy_(operation(*operands))
