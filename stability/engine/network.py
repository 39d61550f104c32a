"""The stack: many networks in one set of tensors, their way forward and their way back.

`bmm` multiplies N networks at once. The way back is written by hand, so that nothing but the
layers' own tensors is kept on the way forward, and what is measured of a layer is taken while it
lies in the cache. Autograd gives the same gradients through `forward`, more slowly: the tests hold
one against the other.

Where a number format is computed in a wider one, every number is rounded to the format after every
operation: on the way forward the result, on the way back its gradient. So the gradients of the
parameters are numbers of the format, and the optimizer works on those that are stored in it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32
from stability.engine.drawing import dropout_masks
from stability.engine.losses import Losses, losses_with_gradients
from stability.engine.parameters import Parameters, per_network
from stability.engine.passes import NOBODY, BackwardPass, ForwardPass, Watch
from stability.engine.scaled_norms import Norms, norms_of_any_size

ADJUST_ROUNDS = 10  # of rescaling one layer


class Stack(Parameters):
    """Networks that compute: all those of an experiment, or a selection of them."""

    # Forward

    def forward(
        self,
        x: Tensor,
        step: int | None = None,
        every_layer: bool | None = None,
        rescale: Callable[[int, Tensor], Tensor | None] | None = None,
        masks: Sequence[Tensor] | None = None,
        watch: Watch = NOBODY,
        overwrite: bool = False,
    ) -> ForwardPass:
        """Feed one batch `(batch, features)` to all networks.

        `step` names the dropout masks, drawn unless given; without it, as on held-out data, nothing
        is dropped, and only the last layer is kept unless `every_layer` is asked for. `rescale` may
        return other weights for a z. With `overwrite`, h may take the memory of z and u.
        """
        e, passed = self.experiment, ForwardPass(masks=self._masks(len(x), step, masks))
        every_layer = step is not None if every_layer is None else every_layer
        in_place = e.phi.overwrite if overwrite and not e.residual else None
        h = self.to_compute_dtype(x).expand(len(self.networks), *x.shape)  # (N, batch, features)
        for index, (weights, transposed, biases) in enumerate(self.computing_layers(), start=1):
            z, rounds = self._pre_activation(index, h, transposed, biases, passed), ADJUST_ROUNDS
            while rescale and rounds and (rescaled := rescale(index, z)) is not None:
                z = self._pre_activation(index, h, rescaled.mT, biases, passed)
                rounds -= 1
            watch.forward(z)
            if every_layer or index == e.depth:
                passed.keep_layer(h, weights, z)
            if index < e.depth:
                normalized, saved, u, h = self._hidden_units(index, z, in_place)
                if every_layer:
                    passed.keep_hidden(normalized, saved, u, h)
                if index == 1 or index in e.shortcuts:
                    passed.stream = z
                if passed.masks:
                    h = self.round_to_format(h * passed.masks[index - 1])
        passed.output = self.round_to_format(e.output_row.apply(passed.z[-1]))
        return passed

    def _pre_activation(
        self, index: int, h: Tensor, transposed: Tensor, biases: Tensor, passed: ForwardPass
    ) -> Tensor:
        """Return z of a layer from W^T `(N, fan_in, fan_out)` and b `(N, 1, fan_out)`.

        That is W h + b, and at the end of a branch what the shortcut brings plus scale x (W h + b).
        """
        z = self.round_to_format(torch.baddbmm(biases, h, transposed))
        if index not in self.experiment.shortcuts:
            return z
        if self.scales:
            passed.branches[index] = z
        return self.round_to_format(self._scaled(index, z) + passed.stream)

    def _hidden_units(
        self, index: int, z: Tensor, in_place: Callable[[Tensor], Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return z normalized, what its way back needs, u, and h = phi(u)."""
        normalized, saved = self._standardize(z)
        u = self._shift_by_gain(normalized, index)
        phi = in_place if in_place and u is z else self.experiment.phi.phi
        return normalized, saved, u, self._apply(phi, u)

    def _scaled(self, index: int, branch: Tensor) -> Tensor:
        """Return a branch, or the gradient by one, times its scale, `(N, batch, width)`."""
        factor = self.experiment.branch_factor
        if self.scales:
            learned = self.to_compute_dtype(self._of_branch(index, self.scales[0]))
            return self.round_to_format(branch * learned.unsqueeze(1))
        return branch if factor == 1 else self.round_to_format(branch * factor)

    def _of_branch(self, index: int, scales: Tensor) -> Tensor:
        """Return the part `(N, 1)` of scales `(branches, N, 1)` that belongs to this branch."""
        return scales[[*self.experiment.shortcuts].index(index)]

    def normalize(self, z: Tensor, index: int) -> Tensor:
        """Return u of hidden layer `index`: z normalized, times the gain, plus the shift."""
        return self._shift_by_gain(self._standardize(z)[0], index)

    def _standardize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        u, saved = self.experiment.normalization_row.forward(z)
        return u if u is z else self.round_to_format(u), saved

    def _shift_by_gain(self, u: Tensor, index: int) -> Tensor:
        for gain in self.gains:
            u = self.round_to_format(u * self.to_compute_dtype(gain[index - 1]).unsqueeze(1))
        for shift in self.shifts:
            u = self.round_to_format(u + self.to_compute_dtype(shift[index - 1]).unsqueeze(1))
        return u

    def losses(self, output: Tensor, y: Tensor) -> Losses:
        """Return the losses of outputs `(N, batch, outputs)`.

        With loss scaling in float32, as in torch.autocast: 2.3 times 65536 is beyond float16.
        """
        if self.experiment.number_format.scales_loss:
            return losses_with_gradients(output.float(), y)
        return losses_with_gradients(output, y, self.round_to_format)

    # Backward

    @torch.no_grad()
    def backward(
        self,
        passed: ForwardPass,
        losses: Losses,
        scale: Tensor,
        watch: Watch = NOBODY,
        keep: bool = True,
    ) -> BackwardPass:
        """Return the gradients of the losses, each multiplied by its `scale` `(N,)` on the way.

        With delta = dL/dz of a layer, dL/dW = delta^T input and dL/db = the sum of delta over the
        batch. The layer below receives delta W, and its activation multiplies that by phi'(u).
        `stored_z` of the result is empty unless `keep`.
        """
        e, stored = self.experiment, self.mapped(torch.empty_like)
        layers, deltas, norms = stored.layers(), [], Norms()
        around: dict[int, Tensor] = {}  # gradients that pass around a branch, by where it starts
        # Slopes of 0 and 1 leave numbers of the format.
        exact = e.phi.slope_is_0_or_1 and not e.residual and not self.gains
        delta = self.round_to_format(losses.by_output(scale))  # (N, batch, outputs)
        delta = self.round_to_format(e.output_row.backward(delta, passed.output))
        for index in range(e.depth, 0, -1):
            watch.backward(delta)
            if keep:
                deltas.append(delta)
            if index in e.shortcuts:
                around[e.shortcuts[index]] = delta
                delta = self._backward_through_scale(index, delta, passed, stored)
            of_weights, of_biases = layers[index - 1]  # (N, fan_out, fan_in), (N, fan_out)
            self._store(torch.bmm, delta.mT, passed.inputs[index - 1], out=of_weights)
            self._store(torch.sum, delta, 1, out=of_biases)
            norms.add(of_weights)
            if index > 1:
                by_h = torch.bmm(delta, passed.weights[index - 1])  # (N, batch, fan_in)
                by_z = self._backward_through_hidden(index - 1, by_h, passed, stored, watch)
                by_z = by_z + around.pop(index - 1) if index - 1 in around else by_z
                delta = by_z if exact else self.round_to_format(by_z)
        return self._unscale(stored, norms, deltas[::-1], scale)

    def _unscale(
        self, stored: "Stack", norms: Norms, deltas: list[Tensor], scale: Tensor
    ) -> BackwardPass:
        """Return the pass of these stored gradients, with norms of weights from the last layer."""
        for vectors in stored.parameters[len(self.weights) :]:
            norms.add_stack(vectors, (-1,))
        of_all = norms.values() / scale  # (layers, N)
        of_weights = of_all[: self.experiment.depth].flip(0)
        norm = norms_of_any_size(of_all.T.contiguous().unsqueeze(0))[0]  # summed alike for any N
        parameters = stored.parameters
        if self.experiment.number_format.scales_loss:
            parameters = [g / per_network(scale.to(g), g) for g in parameters]
        return BackwardPass(parameters, of_weights, norm, stored.weights, deltas, scale)

    def _backward_through_scale(
        self, index: int, delta: Tensor, passed: ForwardPass, gradients: "Stack"
    ) -> Tensor:
        """Return the gradient by the end of a branch from that by z; stores that by its scale."""
        for scales in gradients.scales:
            by_scale = self._of_branch(index, scales)[:, 0]
            self._store(torch.sum, delta * passed.branches[index], (1, 2), out=by_scale)
        return self._scaled(index, delta)

    def _backward_through_hidden(
        self, index: int, by_h: Tensor, passed: ForwardPass, gradients: "Stack", watch: Watch
    ) -> Tensor:
        """Return the gradient by z of hidden layer `index` from that by its h, after dropout.

        Stores those by gain and shift. `(N, batch, width)` all.
        """
        place, by_h = index - 1, self.round_to_format(by_h)
        if passed.masks:
            by_h = self.round_to_format(by_h * passed.masks[place])
        u, h, phi = passed.u[place], passed.h[place], self.experiment.phi
        slope, is_z = phi.dphi(u, h), passed.normalized[place] is passed.z[place]
        watch.slopes(slope, None if is_z else u)
        by_u = phi.backward(by_h, u, h, slope)
        if is_z:
            return by_u
        by_u = self.round_to_format(by_u)
        for shift in gradients.shifts:
            self._store(torch.sum, by_u, 1, out=shift[place])
        for gain, of_gain in zip(self.gains, gradients.gains, strict=True):
            self._store(torch.sum, by_u * passed.normalized[place], 1, out=of_gain[place])
            by_u = self.round_to_format(by_u * self.to_compute_dtype(gain[place]).unsqueeze(1))
        row = self.experiment.normalization_row
        if row.backward:
            return row.backward(by_u, passed.normalized[place], passed.saved[place])
        return self._backward_by_autograd(by_u, passed.z[place])

    @torch.enable_grad()
    def _backward_by_autograd(self, gradient: Tensor, z: Tensor) -> Tensor:
        """Return the gradient by z of a normalization that brings no `backward`."""
        start = z.detach().requires_grad_()
        u = self.experiment.normalization_row.apply(start)
        return torch.autograd.grad(u, start, gradient)[0]

    def _store(self, operation: Callable[..., Tensor], *operands: Any, out: Tensor) -> None:
        """Write the result of an operation, rounded, into a tensor of stored gradients."""
        if out.dtype == self.experiment.number_format.compute_dtype:
            self.round_to_format(operation(*operands, out=out))
        else:
            out.copy_(operation(*operands))

    # Schemes that adjust to data

    @torch.no_grad()
    def adjust(self, x: Tensor) -> None:
        """Let the schemes that adjust to a batch x, such as LSUV, rescale their weights by it."""
        members = [member for member in self.family.members for _ in range(member[0].replicates)]
        adjusts = {n: (row.adjust, e.layers) for n, (e, row) in enumerate(members) if row.adjust}
        if not adjusts:
            return
        stored = [matrix for group in self.weights for matrix in group.unbind()]  # views

        def rescale(index: int, z: Tensor) -> Tensor | None:
            factors = {
                n: adjust(at_least_float32(z[n]) / layers[index - 1].gain)
                for n, (adjust, layers) in adjusts.items()
            }
            if all(factor == 1 for factor in factors.values()):
                return None
            for n, factor in factors.items():
                stored[index - 1][n] *= factor
            return self.to_compute_dtype(stored[index - 1])

        self.forward(x, step=0, every_layer=False, rescale=rescale)

    def _apply(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return the function's result, rounded unless it is a number of the format anyway."""
        result = function(x)
        exact = self.experiment.phi.slope_is_0_or_1 and not result.requires_grad
        return result if exact else self.round_to_format(result)

    def _masks(
        self, batch: int, step: int | None, drawn: Sequence[Tensor] | None
    ) -> Sequence[Tensor]:
        """Return the dropout masks of each network by hidden layer; none without a step."""
        e = self.experiment
        if step is None or not e.dropout:
            return ()
        masks = dropout_masks(e, step, batch) if drawn is None else drawn  # (R, batch, width)
        replicates = self.networks % e.replicates
        chosen = masks if e.replicates == 1 else [m.index_select(0, replicates) for m in masks]
        return [mask.to(self.device) for mask in chosen]
