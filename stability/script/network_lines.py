"""The lines of a program that make the network."""

from functools import partial
from types import SimpleNamespace

import torch

from stability.engine.parameters import Parameters
from stability.script.parts import Parts, variable
from stability.text import exact_number

DROPOUT = '''class Dropout(nn.Module):
    """Switches units off by a mask that follows from the seed, the step and the layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, h):{always}
        random = generator(SEED, "dropout", layer=self.layer, step=step)
        kept = torch.rand(h.shape, generator=random, dtype=torch.float32) >= {share}
        mask = kept{cast} / (1 - {share})
        return h * mask{rounded}'''
RESIDUAL = '''class Residual(nn.Sequential):
    """A pre-activation block: what its modules make of z is added to z."""
{learned}
    def forward(self, z):
        return z + {branch}'''
LEARNED_SCALE = """
    def __init__(self, *modules):
        super().__init__(*modules)
        self.scale = nn.Parameter(torch.zeros(1{stored}))
"""
ACTIVATION = """class Activation(nn.Module):
    def forward(self, u):
        return {result}"""
ROUNDED_ACTIVATION = '''class RoundedActivation(torch.autograd.Function):
    """{phi}, whose way back uses the rounded result."""

    @staticmethod
    def forward(ctx, u):
        h = round_to_format({phi}(u))
        ctx.save_for_backward(u, h)
        return h

    @staticmethod
    def backward(ctx, gradient):
        u, h = ctx.saved_tensors
        return gradient * {slope}'''
LINEAR = '''class Linear(nn.Linear):
    """Computes with weights that are rounded to {dtype}, as are their gradients."""

    def forward(self, h):
        weight, bias = (each.to({dtype}).float() for each in (self.weight, self.bias))
        return F.linear(h, weight, bias)'''
STANDARDIZE = '''class Standardize(torch.autograd.Function):
    """{label}, whose way back uses the rounded result."""

    @staticmethod
    def forward(ctx, z):
        u, factor = {forward}(z)
        ctx.save_for_backward(round_to_format(u), factor)
        return u

    @staticmethod
    def backward(ctx, gradient):
        return {backward}(gradient, *ctx.saved_tensors)'''
NORM = '''class Norm(nn.Module):
    """The normalization with its trained numbers, each result rounded to {dtype}."""

    def __init__(self{size}):
        super().__init__()
        self.gain = nn.Parameter(torch.ones({width}{stored}))
        self.shift = nn.Parameter(torch.zeros({width}{stored}))

    def forward(self, z):
        u = round_to_format(Standardize.apply(z))
        u = round_to_format(u * self.gain{cast})
        return u + self.shift{cast}'''


def class_lines(parts: Parts) -> list[str]:
    """Return the classes of modules that torch.nn does not have."""
    e, found = parts.experiment, []
    if parts.is_rounded:
        settings = SimpleNamespace(number_format=e.number_format)
        stack = SimpleNamespace(rounds=True, experiment=settings)
        parts.definitions.function(Parameters.round_to_format, self=stack)
        found.append(LINEAR.format(dtype=parts.dtype))
        found += norm_class(parts)
    found += activation_classes(parts)
    if has_blocks(parts):
        found.append(residual_class(parts))
    if e.dropout and e.depth > 1:
        found.append(dropout_class(parts))
    return found


def residual_class(parts: Parts) -> str:
    """Return the class of a residual block, with the scale of its branch."""
    e, branch, learned = parts.experiment, "super().forward(z)", ""
    if e.branch_scale_row.is_learned:
        branch = parts.rounded(f"self.scale{parts.cast * parts.is_rounded} * {branch}")
        learned = LEARNED_SCALE.format(stored=parts.stored)
    elif e.branch_factor != 1:
        branch = parts.rounded(f"{exact_number(e.branch_factor)} * {branch}")
    return RESIDUAL.format(learned=learned, branch=branch)


def dropout_class(parts: Parts) -> str:
    no_step = "\n        if step is None:\n            return h"
    return DROPOUT.format(
        always=no_step if parts.row.meta_steps else "",
        share=exact_number(parts.experiment.dropout),
        cast=".float()" if parts.is_rounded else ".to(h.dtype)",
        rounded=parts.cast if parts.is_rounded else "",
    )


def activation_classes(parts: Parts) -> list[str]:
    """Return the module of an activation that torch.nn lacks, or whose way back has to be rounded.

    Of several operations, as softsign has, the way back of torch uses what lies between them.
    """
    e, phi = parts.experiment, parts.experiment.phi.pytorch
    if e.depth == 1 or not has_own_activation(parts):
        return []
    if not phi.startswith("nn."):
        return [ACTIVATION.format(result=called(phi))]
    slope = parts.definitions.expression(e.phi.dphi, variable("u"), variable("h"))
    rounded = ROUNDED_ACTIVATION.format(phi=phi, slope=slope)
    return [rounded, ACTIVATION.format(result="RoundedActivation.apply(u)")]


def called(phi: str) -> str:
    """Return the call of a function by u; what a lambda returns stands for itself."""
    return phi.removeprefix("lambda u: ") if phi.startswith("lambda") else f"{phi}(u)"


def has_own_activation(parts: Parts) -> bool:
    """Return True if the activation is no module of torch.nn that can be used as it is."""
    phi = parts.experiment.phi
    with torch.enable_grad():
        last = phi.phi(torch.ones((), requires_grad=True)).grad_fn
    operations = [] if last is None else [step for step, _ in last.next_functions]
    is_single = all(type(step).__name__ == "AccumulateGrad" for step in operations)
    return not phi.pytorch.startswith("nn.") or (parts.is_rounded and not is_single)


def norm_class(parts: Parts) -> list[str]:
    """Return the classes of a normalization whose results are rounded; none without one."""
    e, row = parts.experiment, parts.experiment.normalization_row
    if not (isinstance(row.forward, partial) and isinstance(row.backward, partial)) or e.depth == 1:
        return []
    forward, backward = (
        parts.definitions.function(way.func, **way.keywords) for way in (row.forward, row.backward)
    )
    standardize = STANDARDIZE.format(label=row.label, forward=forward, backward=backward)
    width, size = ("width", ", width") if e.is_tapered else (e.width, "")
    named = {"dtype": parts.dtype, "width": width, "size": size}
    text = NORM.format(**named, stored=parts.stored, cast=parts.cast)
    if not row.has_shift:
        lines = [line for line in text.splitlines() if "self.shift" not in line]
        text = "\n".join([*lines[:-1], f"        return u * self.gain{parts.cast}"])
    return [standardize, text]


def has_blocks(parts: Parts) -> bool:
    """Return True if there are hidden layers around which a residual connection goes."""
    return parts.experiment.residual and parts.experiment.depth > 2


def hidden_modules(parts: Parts, index: str) -> list[str]:
    """Return what stands between two layers, the first of which has this number."""
    e = parts.experiment
    phi = "Activation()" if has_own_activation(parts) else e.phi.pytorch
    dropout = f"Dropout({index})" if e.dropout else ""
    if norm_follows_blocks(parts):
        modules = [phi, dropout]
    elif e.norm_position_row.follows_activation:
        modules = [phi, norm_module(parts), dropout]
    else:
        modules = [norm_module(parts), phi, dropout]
    return [module for module in modules if module]


def norm_module(parts: Parts) -> str:
    """Return the normalization of a layer, empty where there is none."""
    e = parts.experiment
    width = "layer.in_features" if e.is_tapered else e.width
    norm = e.normalization_row.pytorch.format(width=width)
    own = f"Norm({width})" if e.is_tapered else "Norm()"
    return own if norm and parts.is_rounded else norm


def norm_follows_blocks(parts: Parts) -> bool:
    """Return True if sums of branch and shortcut are normalized: each norm is behind its block."""
    position = parts.experiment.norm_position_row
    return position.on_stream and has_blocks(parts) and bool(norm_module(parts))


def layer_lines(parts: Parts) -> str:
    """Return the weight layers, with torch's own first weights."""
    e = parts.experiment
    first, last = e.layers[0], e.layers[-1]
    hidden = f" + {e.depth - 1} * [{e.width}]" if e.depth > 1 else ""
    falling = ""
    if e.is_tapered:
        ratio = f"{exact_number(e.taper)} ** (-index / {e.depth - 2})"
        even = f"max(2, 2 * round({e.width} * {ratio} / 2))"
        falling = f"falling = [{even} for index in range(1, {e.depth - 1})]\n"
        hidden = f" + [{e.width}] + falling"
    linear = "Linear" if parts.is_rounded else "nn.Linear"
    return (
        f"{falling}sizes = [{first.fan_in}]{hidden} + [{last.fan_out}]\n"
        f"layers = [{linear}(*pair{parts.stored}) for pair in zip(sizes, sizes[1:])]"
    )


def model_lines(parts: Parts) -> str:
    """Return the lines that put layers and what stands between them together."""
    e, norm = parts.experiment, norm_module(parts) if norm_follows_blocks(parts) else ""
    lines = [f"model = nn.Sequential({', '.join(filter(None, ['layers[0]', norm]))})"]
    if has_blocks(parts):
        ends = ", ".join([*hidden_modules(parts, str(e.depth - 1)), "layers[-1]"])
        lines += [*block_lines(parts), f"model.extend([{ends}])"]
    elif e.depth > 1:
        inner = ", ".join([*hidden_modules(parts, "index"), "layer"])
        lines += [f"for {loop_header(parts, 'layers[1:]')}:", f"    model.extend([{inner}])"]
    if e.output_row.pytorch:
        lines.append(f"model.append({e.output_row.pytorch})")
    if parts.is_rounded:
        lines += [
            "for module in model.modules():",
            "    module.register_forward_hook(lambda module, h, result: round_to_format(result))",
        ]
    return "\n".join(lines)


def loop_header(parts: Parts, layers: str) -> str:
    """Return the variables and the values of a loop over layers, numbered where dropout is."""
    if parts.experiment.dropout:
        return f"index, layer in enumerate({layers}, start=1)"
    return f"layer in {layers}"


def block_lines(parts: Parts) -> list[str]:
    """Return the loop that appends the residual blocks, of one layer each or of two."""
    size, modules = parts.experiment.branch_layers, hidden_modules(parts, "index")
    norm = norm_module(parts) if norm_follows_blocks(parts) else ""
    if size == 1:
        block = f"Residual({', '.join([*modules, 'layer'])})"
        header = loop_header(parts, "layers[1:-1]")
        return [f"for {header}:", f"    {appended(block, norm)}"]
    inner = ", ".join(filter(None, [*modules, "layers[index]", norm]))
    block, last = ("Residual(*block[:-1])", "block[-1]") if norm else ("Residual(*block)", "")
    return [
        f"for start in range(1, len(layers) - 1, {size}):",
        "    block = []",
        f"    for index in range(start, min(start + {size}, len(layers) - 1)):",
        f"        block += [{inner}]",
        f"    {appended(block, last)}",
    ]


def appended(block: str, norm: str) -> str:
    """Return the statement that appends a block, and the normalization behind it, if any."""
    return f"model.extend([{block}, {norm}])" if norm else f"model.append({block})"
