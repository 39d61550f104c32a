"""The lines of a program that draw its first weights, from the source of the scheme."""

import inspect
import math
from dataclasses import replace

from stability.catalogues.draws import Draws, Layer
from stability.catalogues.metainit import MOMENTUM, RATE, SMALLEST_GRADIENT
from stability.engine.forward_stack import ADJUST_ROUNDS
from stability.records.experiment import Experiment
from stability.script.parts import Parts, expression, variable
from stability.script.sources import NotPlain
from stability.text import exact_number

LSUV = """step = 0
with torch.no_grad():
    h = x[next(batch_indices())]
    for block in model:
        {parts}:
            for _ in range({rounds} if isinstance(layer, nn.Linear) else 0):
                factor = {adjust}({part}(h){over_gain})
                if factor == 1:
                    break
                layer.weight *= factor
        h = block(h)"""
META = """step = None  # no dropout
model.double()
velocities = [0.0] * len(layers)
for meta_step in range({steps}):
    random = generator(SEED, "metainit", step=meta_step)
    inputs = torch.randn({shape}, generator=random, dtype=torch.float64)
    targets = {targets}
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(
        F.{loss}(model(inputs), targets), parameters, create_graph=True
    )
    half = sum(g.square().sum() for g in gradients) / 2
    products = torch.autograd.grad(half, parameters, create_graph=True)
    quotient = 0
    for g, hg in zip(gradients, products):
        epsilon = torch.where(g >= 0, {epsilon}, -{epsilon})
        quotient = quotient + ((g - hg) / (g + epsilon) - 1).abs().sum()
    quotient = quotient / sum(p.numel() for p in parameters)
    slopes = torch.autograd.grad(quotient, [layer.weight for layer in layers])
    for n, (layer, slope) in enumerate(zip(layers, slopes)):
        weight = layer.weight.data
        velocities[n] = {momentum} * velocities[n] - {rate} * (weight * slope).sum().sign()
        if norm := weight.norm():
            weight *= (1 + velocities[n] / norm).clamp(min=0.5){back}"""
WHOLE_BLOCKS = {"parts": "for layer in block.modules()", "part": "block"}
# A layer within a branch is adjusted before its sum with the residual connection.
PARTS_OF_BLOCKS = {
    "parts": """parts = [*block] if isinstance(block, Residual) else [block]
        for count, layer in enumerate(parts, start=1)""",
    "part": "(block if count == len(parts) else nn.Sequential(*parts[:count]))",
}


def weight_lines(parts: Parts) -> str:
    """Return the loop that draws the first weights and biases."""
    row, definitions = parts.row, parts.definitions
    layer, draws = unknown_layer(parts)
    if row.weights:
        weights = definitions.expression(row.weights, layer, draws, *row.arguments)
        lines = weight_copy_lines(parts, weights, shifts=True)
    else:
        noise, mean = definitions.attribute(draws, row.distribution), parts.experiment.weight_mean
        comment, variance = variance_of(parts, layer)
        weights = f"noise * {root(variance)}"
        shift = [f"noise = noise + {exact_number(mean)}"] if mean else []
        lines = [f"noise = {noise}", *shift, *comment, *weight_copy_lines(parts, weights)]
    lines += bias_lines(definitions.expression(row.bias, layer, draws))
    text = "\n".join(lines)
    if "fan_" in text:
        lines.insert(0, "fan_out, fan_in = layer.weight.shape")
    loop = "index, layer in enumerate(layers, start=1)" if "index" in text else "layer in layers"
    return "\n".join([weight_comment(parts), f"for {loop}:", *(f"    {line}" for line in lines)])


def weight_copy_lines(parts: Parts, weights: str, shifts: bool = False) -> list[str]:
    """Return the lines that copy weights into the layer, with the gains of the first and the last.

    With `shifts` they are shifted by the mean of the weights, too.
    """
    e, lines = parts.experiment, [f"weight = {weights}"]
    if shifts and e.weight_mean:
        size = "weight.square().mean().sqrt()"
        lines.append(f"weight = weight + {exact_number(e.weight_mean)} * {size}")
    for end, gain in end_gains(e).items():
        lines += [f"if layer is {end}:", f"    weight = {exact_number(gain)} * weight"]
    if len(lines) == 1:
        return copy_lines("weight", weights)
    return [*lines, "layer.weight.data.copy_(weight)"]


def end_gains(e: Experiment) -> dict[str, float]:
    """Return the factors on the weights of the first and the last layer, by how these are named."""
    gains = {"layers[0]": e.first_gain, "layers[-1]": e.readout_gain}
    return {end: gain for end, gain in gains.items() if gain != 1}


def weight_comment(parts: Parts) -> str:
    """Return whose scheme it is, and the one line of torch.nn.init that does the same, if any."""
    e, row = parts.experiment, parts.row
    first, *others = row.pytorch_lines(e.layers[len(e.layers) // 2]).splitlines()
    is_plain = first.startswith("nn.init") and len(others) == 1
    is_alike = is_plain and row.variance and not end_gains(e) and not e.weight_mean
    return f"# {row.source}" + (f"; the same as\n# {first}" if is_alike else "")


def bias_lines(biases: str) -> list[str]:
    if biases in ("0", "0.0"):
        return ["nn.init.zeros_(layer.bias)"]
    return copy_lines("bias", biases)


def copy_lines(name: str, values: str) -> list[str]:
    """Return the lines that copy values into a parameter of the layer, two if they are long."""
    line = f"layer.{name}.data.copy_({values})"
    if len(line) <= 96:
        return [line]
    return [f"{name} = {values}", f"layer.{name}.data.copy_({name})"]


def variance_of(parts: Parts, layer: Layer) -> tuple[list[str], str]:
    """Return the variance of the scheme as an expression, and a comment on it.

    Where it is found numerically, its value stands in the program, with its formula.
    """
    row = parts.row
    assert row.variance
    try:
        return [], parts.definitions.expression(row.variance, layer, *row.arguments)
    except NotPlain:
        words = inspect.getdoc(row.variance) or f"Return {row.formula}"
        gains = [
            f"{each.fan_in * float(row.variance(each, *row.arguments)):.12g}"
            for each in parts.experiment.layers
        ]
        alike = len(set(gains)) == 1
        gain = gains[0] if alike else f"({gains[0]} if index == 1 else {gains[1]})"
        comment = [f"# {words.partition(chr(10))[0].removeprefix('Return ')}"]
        if len(set(gains[1:])) > 1:
            rest = f"{gains[1]} if index < {len(gains)} else {gains[-1]}"
            return [*comment, f"gain = {gains[0]} if index == 1 else {rest}"], "gain / fan_in"
        return comment, f"{gain} / fan_in"


def root(variance: str) -> str:
    """Return the square root of an expression, computed if that is a number."""
    try:
        return exact_number(math.sqrt(float(variance)))
    except ValueError:
        return f"math.sqrt({variance})"


def unknown_layer(parts: Parts) -> tuple[Layer, Draws]:
    """Return a layer whose number and size are left open, and its draws for replicate 0."""
    e = parts.experiment
    index, fan_in, fan_out = map(variable, ("index", "fan_in", "fan_out"))
    layer = Layer(index, e.depth, fan_in, fan_out, e.phi, e.bias_std, e.residual)
    ends = [layer.index for layer in e.layers if layer.ends_branch]
    if len(ends) < e.depth:
        layer = replace(layer, ends_branch=expression(f"index in {tuple(ends)}"))
    return layer, Draws(variable("SEED"), 0, layer)


def meta_lines(parts: Parts) -> str:
    """Return the loop in which MetaInit learns the norms of the weights, in float64."""
    e, row = parts.experiment, parts.experiment.dataset_row
    if e.normalization_row.has_shift and e.depth > 1:
        raise NotPlain(f"of {e.normalization_row.label}, MetaInit in torch.nn comes to other norms")
    targets = f"torch.randint({row.classes}, ({e.batch},), generator=random)"
    loss = "cross_entropy"
    if not row.classes:
        loss = "mse_loss"
        targets = f"torch.randn({e.batch}, {row.outputs}, generator=random, dtype=torch.float64)"
    return META.format(
        steps=parts.row.meta_steps(*parts.row.arguments) if parts.row.meta_steps else 0,
        shape=f"{e.batch}, {e.layers[0].fan_in}", targets=targets, loss=loss, rate=RATE,
        momentum=MOMENTUM, epsilon=SMALLEST_GRADIENT,
        back="" if parts.is_double else "\nmodel.float()",
    )  # fmt: skip


def adjust_lines(parts: Parts) -> list[str]:
    """Return the lines by which a scheme adjusts its weights to the first batch."""
    e = parts.experiment
    if parts.row.meta_steps:
        return [meta_lines(parts)]
    if not parts.row.adjust:
        return []
    adjust = parts.definitions.function(parts.row.adjust)
    over_gain = "".join(
        f" / ({exact_number(gain)} if layer is {end} else 1)" for end, gain in end_gains(e).items()
    )
    blocks = WHOLE_BLOCKS if all(layer.ends_branch for layer in e.layers) else PARTS_OF_BLOCKS
    return [LSUV.format(rounds=ADJUST_ROUNDS, adjust=adjust, over_gain=over_gain, **blocks)]
