"""The weights of each type of layer: their matrices, and how these are read and written.

A convolution has a matrix for each group, a recurrent layer one for each gate, attention one each
for query, key and value. To add a type of layer, add its row to `LAYER_TYPES`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize

NORMALIZATIONS = _NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm


@dataclass(frozen=True)
class WeightMatrix:
    """A weight of a layer, made of `blocks` matrices of `rows` units and `columns` inputs each.

    `arrange` turns the blocks `(blocks, rows, columns)` into the shape of the weight. `role` is
    "" for what a scheme draws, "recurrent" for what leads from step to step, "table" for rows that
    are looked up.
    """

    owner: nn.Module
    name: str
    blocks: int
    rows: int
    columns: int
    fan_in: int
    fan_out: int
    arrange: Callable[[Tensor], Tensor]
    role: str = ""

    @property
    def parameters(self) -> tuple[nn.Parameter, ...]:
        """The parameters that make up the weight: several where it is parametrized."""
        return parameters_of(self.owner, self.name)

    @property
    def is_trainable(self) -> bool:
        """True if the weight is dense and all of it may change."""
        return bool(self.parameters) and all(
            p.requires_grad and p.layout is torch.strided for p in self.parameters
        )

    @property
    def bias_name(self) -> str:
        return self.name.replace("weight", "bias")

    def read(self) -> Tensor:
        value: Tensor = getattr(self.owner, self.name)
        return value.detach()

    def write(self, value: Tensor) -> None:
        write_weight(self.owner, self.name, value)


@dataclass(frozen=True)
class WeightLayer:
    """A layer: its matrices, those that set the size of its output, and the biases of its units.

    `input_matrices` are those that set the size of what its inputs contribute. `unit_axis` is the
    axis of its units in its output.
    """

    matrices: tuple[WeightMatrix, ...]
    output_matrices: tuple[WeightMatrix, ...] = ()
    input_matrices: tuple[WeightMatrix, ...] = ()
    biases: tuple[tuple[nn.Module, str], ...] = ()
    unit_axis: int = -1

    @property
    def is_table(self) -> bool:
        return any(matrix.role == "table" for matrix in self.matrices)

    @property
    def output_bias(self) -> Tensor | None:
        """The bias that is added to the output, None where there is none to be changed."""
        if not self.output_matrices or not self.biases:
            return None
        owner, name = self.biases[-1]
        bias = owner._parameters.get(name)
        return bias if bias is not None and bias.requires_grad else None


def parameters_of(owner: nn.Module, name: str) -> tuple[nn.Parameter, ...]:
    """Return the parameters behind a weight, plain or parametrized, old style or new."""
    if parametrize.is_parametrized(owner, name):
        return tuple(owner.parametrizations[name].parameters())  # type: ignore[index, union-attr]
    names = [name] if name in owner._parameters else [f"{name}{end}" for end in OLD_STYLES]
    return tuple(p for n in names if (p := owner._parameters.get(n)) is not None)


OLD_STYLES = "_orig", "_g", "_v"  # of spectral norm and pruning; of weight norm


def write_weight(owner: nn.Module, name: str, value: Tensor) -> None:
    """Give a weight this value, through its parametrization; one that refuses it stays."""
    own = owner._parameters
    with torch.no_grad():
        if parametrize.is_parametrized(owner, name):
            try:
                setattr(owner, name, value.to(read_dtype(owner, name)))
            except (NotImplementedError, RuntimeError, ValueError):
                return
        elif (direction := own.get(f"{name}_v")) is not None:
            length = own[f"{name}_g"]
            assert length is not None
            axes = [axis for axis, size in enumerate(length.shape) if size != value.shape[axis]]
            length.copy_(value.norm(dim=axes, keepdim=True) if axes else value.abs())
            direction.copy_(value)
        else:
            parameters_of(owner, name)[0].copy_(value)


def read_dtype(owner: nn.Module, name: str) -> torch.dtype:
    dtype: torch.dtype = getattr(owner, name).dtype
    return dtype


def reshaped(weight: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda blocks: blocks.reshape(weight.shape)


def linear_layer(m: Any) -> WeightLayer:
    rows, columns = m.weight.shape[0], m.weight[0].numel()  # of nn.Bilinear, products of two inputs
    weight = WeightMatrix(m, "weight", 1, rows, columns, columns, rows, reshaped(m.weight))
    return WeightLayer((weight,), (weight,), biases=((m, "bias"),))


def channel_axis(m: Any) -> int:
    return -1 - len(m.kernel_size)


def convolution(m: Any) -> WeightLayer:
    field = math.prod(m.kernel_size)
    rows, columns = m.out_channels // m.groups, m.in_channels // m.groups * field
    weight = WeightMatrix(
        m, "weight", m.groups, rows, columns, columns, rows * field, reshaped(m.weight)
    )
    return WeightLayer(
        (weight,), (weight,), biases=((m, "bias"),), unit_axis=-1 - len(m.kernel_size)
    )


def transposed_convolution(m: Any) -> WeightLayer:
    """Return the layer; a stride leaves only some of the kernel's inputs to each output."""
    field, shape = math.prod(m.kernel_size), m.weight.shape
    inputs, units = m.in_channels // m.groups, m.out_channels // m.groups
    fan_in = max(1, round(inputs * field / math.prod(m.stride)))

    def arrange(blocks: Tensor) -> Tensor:
        split = blocks.reshape(m.groups, units, inputs, field)
        return split.transpose(1, 2).reshape(shape)

    columns = inputs * field
    weight = WeightMatrix(m, "weight", m.groups, units, columns, fan_in, units * field, arrange)
    return WeightLayer((weight,), (weight,), biases=((m, "bias"),), unit_axis=channel_axis(m))


def recurrent(m: Any) -> WeightLayer:
    """Return a recurrent layer or cell: its matrices have a block for each gate."""
    weights = []
    for name in [n for n in dir_of_weights(m) if n.startswith("weight")]:
        value = getattr(m, name)
        rows, role = m.hidden_size, "recurrent" if name.startswith("weight_hh") else ""
        if name.startswith("weight_hr"):  # the projection of an LSTM's output
            rows = value.shape[0]
        blocks, columns = value.shape[0] // rows, value.shape[1]
        weights.append(WeightMatrix(m, name, blocks, rows, columns, columns, rows,
                                    reshaped(value), role))  # fmt: skip
    first = tuple(
        w for w in weights if w.name.removesuffix("_reverse") in ("weight_ih", "weight_ih_l0")
    )
    biases = tuple((m, n) for n in dir_of_weights(m) if n.startswith("bias"))
    return WeightLayer(tuple(weights), input_matrices=first, biases=biases)


def dir_of_weights(m: nn.Module) -> list[str]:
    names = [name.removesuffix("_g").removesuffix("_orig") for name in m._parameters]
    names += [*getattr(m, "parametrizations", ())]
    return [name for name in dict.fromkeys(names) if not name.endswith("_v") and hasattr(m, name)]


def attention(m: Any) -> WeightLayer:
    """Return the layer of query, key and value; the output's matrix is a layer of its own, too."""
    names = ("in_proj_weight",) if m._qkv_same_embed_dim else ("q_proj_weight", "k_proj_weight",
                                                               "v_proj_weight")  # fmt: skip
    blocks, weights = 3 // len(names), []
    for name in names:
        value = getattr(m, name)
        rows, columns = value.shape[0] // blocks, value.shape[1]
        weights.append(WeightMatrix(m, name, blocks, rows, columns, columns, rows, reshaped(value)))
    output = linear_layer(m.out_proj)
    biases = (m, "in_proj_bias"), (m.out_proj, "bias")
    return WeightLayer(tuple(weights), output.output_matrices, tuple(weights[:1]), biases)


def table(m: Any) -> WeightLayer:
    rows, columns = m.weight.shape
    weight = WeightMatrix(m, "weight", 1, rows, columns, 1, columns, reshaped(m.weight), "table")
    return WeightLayer((weight,))


LAYER_TYPES: tuple[tuple[Any, Callable[[Any], WeightLayer]], ...] = (
    (nn.MultiheadAttention, attention),
    ((nn.RNNBase, nn.RNNCellBase), recurrent),
    (_ConvTransposeNd, transposed_convolution),
    (_ConvNd, convolution),
    ((nn.Linear, nn.Bilinear), linear_layer),
    ((nn.Embedding, nn.EmbeddingBag), table),
)


def weight_layer(module: nn.Module) -> WeightLayer | None:
    """Return the weights of a layer of a known type, None for any other module."""
    for types, row in LAYER_TYPES:
        if isinstance(module, types):
            return row(module)
    return None


def known_layers(module: nn.Module) -> Iterator[tuple[nn.Module, WeightLayer]]:
    """Yield the layers of a known type, in the order in which they are registered."""
    for part in module.modules():
        if layer := weight_layer(part):
            yield part, layer
