"""The way forward of many networks at once: `bmm` multiplies N of them.

Where a number format is computed in a wider one, every number is rounded to the format after every
operation: on the way forward the result, on the way back its gradient. So the gradients of the
parameters are numbers of the format, and the optimizer works on those that are stored in it.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stability.catalogues.number_formats import at_least_float32
from stability.engine.drawing import dropout_masks
from stability.engine.parameters import Parameters
from stability.engine.passes import NOBODY, ForwardPass, Watch

ADJUST_ROUNDS = 10  # of rescaling one layer


class ForwardStack(Parameters):
    """Networks that compute their outputs, and keep what a way back needs."""

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
                *hidden, h, stream = self._hidden_units(index, z, in_place)
                if every_layer:
                    passed.keep_hidden(*hidden)
                if index == 1 or index in e.shortcuts:
                    passed.stream = stream
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
        multiply, is_last = self.tiny.bmm("z", index), index == self.experiment.depth
        # The losses look at the few outputs of many examples: these lie in memory by output.
        product = multiply(transposed.mT, h.mT).mT if is_last else multiply(h, transposed)
        z = self.round_to_format(product.add_(biases))  # baddbmm would copy the biases first
        if index not in self.experiment.shortcuts:
            return z
        if self.scales:
            passed.branches[index] = z
        return self.round_to_format(self._scaled(index, z) + passed.stream)

    def _hidden_units(
        self, index: int, z: Tensor, in_place: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return what the normalization makes, what its way back needs, u, and h = phi(u).

        And then what the next layer multiplies, and what a shortcut takes along.
        """
        position, phi = self.experiment.norm_position_row, self.experiment.phi.phi
        if position.follows_activation:
            h = self._apply(in_place or phi, z)
            normalized, saved = self._standardize(h)
            return normalized, saved, z, h, self._shift_by_gain(normalized, index), z
        normalized, saved = self._standardize(z)
        u = self._shift_by_gain(normalized, index)
        h = self._apply(in_place if in_place and u is z else phi, u)
        return normalized, saved, u, h, h, u if position.on_stream else z

    def hidden_outputs(self, index: int, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return what hidden layer `index` gives to the next layer and to a shortcut, for this z.

        Without dropout.
        """
        *_, h, stream = self._hidden_units(index, z)
        return h, stream

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

    def _standardize(self, z: Tensor) -> tuple[Tensor, Tensor]:
        u, saved = self.experiment.normalization_row.forward(z)
        return u if u is z else self.round_to_format(u), saved

    def _shift_by_gain(self, u: Tensor, index: int) -> Tensor:
        if self.gains:
            gain = self.to_compute_dtype(self.gain(index - 1))
            u = self.round_to_format(u * gain.unsqueeze(1))
        if self.shifts:
            shift = self.to_compute_dtype(self.shift(index - 1))
            u = self.round_to_format(u + shift.unsqueeze(1))
        return u

    def _apply(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return the function's result, rounded unless it is a number of the format anyway."""
        result = function(x)
        if not self.rounds:
            return result
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
