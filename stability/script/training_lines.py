"""The lines of a program that make its data and its optimizer, and the loop that trains."""

import ast
from types import SimpleNamespace

from stability.catalogues.datasets import HELD_OUT_EXAMPLES, mislabel, standardize
from stability.catalogues.schedules import SCHEDULES
from stability.engine.loss_scaling import GOOD_STEPS_TO_GROW, INITIAL_SCALE
from stability.engine.training import batch_indices
from stability.randomness import generator
from stability.script.initial_weights import unknown_layer
from stability.script.parts import Parts, variable
from stability.text import exact_number

OPTIMIZER = '''class Optimizer(torch.optim.Optimizer):
    """Adds the step that the rule of its group makes of each gradient."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                rule, state = group["rule"], self.state[p]
                p += rule(p, p.grad, state, group["lr"], group["decay"])'''


def data_lines(parts: Parts) -> str:
    """Return the lines that draw the examples, from the source of the data set."""
    e, row, define = parts.experiment, parts.experiment.dataset_row, parts.definitions.function
    define(generator)
    draw, scale = define(row.draw, **dict(row.more)), define(standardize)
    experiment = SimpleNamespace(seed=variable("SEED"), samples=e.samples, batch=e.batch)
    define(batch_indices, e=experiment)
    features, noise = row.input_dimension(e.features), exact_number(e.noise)
    count = e.samples + HELD_OUT_EXAMPLES
    lines = [
        f'x, y = {draw}({count}, {features}, {noise}, generator(SEED, "data"))'
        f"  # the last {HELD_OUT_EXAMPLES} are held out",
        scaled_line("x", f"{scale}(x, {e.samples})", e.input_scale, e.input_offset, parts.cast),
    ]
    if not row.classes:
        columns = f"{scale}(y, {e.samples})"
        lines.append(scaled_line("y", columns, e.target_scale, e.target_offset, parts.cast))
    elif e.label_noise:
        wrong = define(mislabel, classes=row.classes, share=e.label_noise)
        labels = f'{wrong}(y[:{e.samples}], generator(SEED, "labels"))'
        lines.append(f"y[:{e.samples}] = {labels}")
    return "\n".join(lines)


def scaled_line(name: str, columns: str, scale: float, offset: float, cast: str) -> str:
    """Return the line that brings standardised columns to their scale and to the format."""
    if offset:
        columns = f"({columns} + {exact_number(offset)})"
    if scale != 1 or offset:
        columns = f"({exact_number(scale)} * {columns})"
    return f"{name} = {columns}{cast}"


def has_own_rules(parts: Parts) -> bool:
    """Return True if torch.optim lacks such an optimizer, or if each rounding of a step counts.

    The optimizers of torch.optim round in another order, which shows where weights have 16 bits.
    """
    return not parts.experiment.optimizer_row.is_in_torch or parts.stores_rounded


def optimizer_section(parts: Parts) -> str:
    """Return the lines that make the optimizer; only weight matrices decay."""
    e = parts.experiment
    if parts.row.matrix_rate:
        return layered_optimizer_lines(parts)
    if has_own_rules(parts):
        return own_optimizer_lines(parts)
    row, decay = e.optimizer_row, exact_number(e.weight_decay)
    lines = row.pytorch_lines(e.learning_rate, e.weight_decay, e.momentum, e.epsilon)
    if not e.weight_decay:
        return lines
    return (
        "matrices = [p for p in model.parameters() if p.dim() == 2]\n"
        "vectors = [p for p in model.parameters() if p.dim() == 1]\n"
        f'groups = [{{"params": matrices, "weight_decay": {decay}}}, '
        '{"params": vectors, "weight_decay": 0}]\n'
        + lines.replace("model.parameters()", "groups").replace(f", weight_decay={decay}", "")
    )


def layered_optimizer_lines(parts: Parts) -> str:
    """Return the optimizer of a scheme that has a learning rate for each layer."""
    e, optimizer = parts.experiment, parts.experiment.optimizer_row
    name = "decay" if has_own_rules(parts) else "weight_decay"
    decay, rule = exact_number(e.weight_decay), ""
    made = optimizer.pytorch_lines(e.learning_rate, 0.0, e.momentum, e.epsilon)
    made = made.replace("model.parameters()", "groups").replace(", weight_decay=0", "")
    if has_own_rules(parts):
        known = {"beta": e.momentum, "eps": e.epsilon}
        rule = f'"rule": {parts.definitions.function(optimizer.step, **known)}, '
        made = f'optimizer = Optimizer(groups, {{"lr": {exact_number(e.learning_rate)}}})'
    matrix, vector = layer_rates(parts)
    lines = [
        'norms = [module for module in model.modules() if "Norm" in type(module).__name__]',
        "groups = []",
        "for index, layer in enumerate(layers, start=1):",
        "    fan_out, fan_in = layer.weight.shape",
        f"    vectors = {layer_vectors(parts)}",
        f"    rates = {matrix}, {vector}",
        f"    for params, rate, decay in zip(([layer.weight], vectors), rates, ({decay}, 0)):",
        f'        group = {{"params": params, {rule}"{name}": decay, "rate": rate}}',
        f'        groups.append(group | {{"lr": {exact_number(e.learning_rate)} * rate}})',
    ]
    if e.branch_scale_row.is_learned and e.shortcuts:
        lines += [
            'scales = [p for name, p in model.named_parameters() if name.endswith("scale")]',
            f'groups.append({{"params": scales, {rule}"{name}": 0, "rate": 1}})',
        ]
    return "\n".join([*lines["norms" not in layer_vectors(parts) :], made])


def layer_rates(parts: Parts) -> tuple[str, str]:
    """Return the factors on the learning rates of a layer's matrix and of its vectors, as text."""
    row, (layer, _) = parts.row, unknown_layer(parts)
    matrix, vector = (
        parts.definitions.expression(
            rate, layer, parts.experiment.optimizer_row.scaling, *row.arguments
        )
        for rate in (row.matrix_rate, row.vector_rate)
        if rate
    )
    return matrix, vector


def layer_vectors(parts: Parts) -> str:
    """Return the list of a layer's bias and of what the normalization behind it trains."""
    row = parts.experiment.normalization_row
    if not row.has_gain or parts.experiment.depth == 1:
        return "[layer.bias]"
    return "[layer.bias, *(p for norm in norms[index - 1 : index] for p in norm.parameters())]"


def scaler_lines(parts: Parts) -> list[str]:
    """Return the line that makes the scaler of the loss, where the format has one."""
    if not parts.experiment.number_format.scales_loss:
        return []
    arguments = f"init_scale={INITIAL_SCALE:g}, growth_interval={GOOD_STEPS_TO_GROW}"
    return [f'scaler = torch.amp.GradScaler("cpu", {arguments})']


def own_optimizer_lines(parts: Parts) -> str:
    """Return the optimizer whose rules are those of its row, by group of parameters."""
    e, row = parts.experiment, parts.experiment.optimizer_row
    vectors = "[p for p in model.parameters() if p.dim() == 1]"
    matrices = "[layer.weight for layer in layers]"
    groups = [(matrices, row.step_for(True, False), e.weight_decay)]
    if row.hidden_step and e.depth > 1:
        groups = [
            ("[layers[0].weight, layers[-1].weight]", row.step_for(True, False), e.weight_decay),
            ("[layer.weight for layer in layers[1:-1]]", row.hidden_step, e.weight_decay),
        ]
    groups.append((vectors, row.step, 0.0))
    known = {"beta": e.momentum, "eps": e.epsilon}
    lines = [
        f'    {{"params": {params}, "rule": {parts.definitions.function(rule, **known)}, '
        f'"decay": {exact_number(decay)}}},'
        for params, rule, decay in groups
    ]
    rate = exact_number(e.learning_rate)
    made = f'optimizer = Optimizer(groups, {{"lr": {rate}}})'
    return "\n".join(["groups = [", *lines, "]", made])


def optimizer_class(parts: Parts) -> list[str]:
    return [OPTIMIZER] if has_own_rules(parts) else []


def rate_lines(parts: Parts) -> list[str]:
    """Return the lines that set the learning rate of a step, where it changes."""
    e = parts.experiment
    if not e.is_scheduled:
        return []
    lines, factors = [], [exact_number(e.learning_rate)]
    if e.warmup > 1:
        lines.append(f"rise = min(1, (step + 1) / {e.warmup})")
        factors.append("rise")
    if e.schedule != "constant" and e.steps > e.warmup:
        done = ast.parse(f"max(0, step - {e.warmup})" if e.warmup else "step", mode="eval").body
        row = SCHEDULES[e.schedule]
        fall = parts.definitions.expression(row.factor, done, e.steps - e.warmup)
        lines.append(f"fall = {fall}")
        factors.append("fall")
    if parts.row.matrix_rate:
        factors.append('group["rate"]')
    set_rate = ["for group in optimizer.param_groups:", f'    group["lr"] = {" * ".join(factors)}']
    return lines + set_rate


def loss_lines(parts: Parts) -> list[str]:
    """Return the lines of the loss; of 16 bits without loss scaling each result is rounded."""
    is_classified = bool(parts.experiment.dataset_row.classes)
    if not parts.is_rounded or parts.experiment.number_format.scales_loss:
        loss = "cross_entropy" if is_classified else "mse_loss"
        return [f"loss = F.{loss}(model(x[batch]), y[batch])"]
    if is_classified:
        losses = 'F.cross_entropy(model(x[batch]), y[batch], reduction="none")'
        return [f"losses = {parts.rounded(losses)}", f"loss = {parts.rounded('losses.mean()')}"]
    return [
        f"errors = {parts.rounded('model(x[batch]) - y[batch]')}",
        f"loss = {parts.rounded(parts.rounded('errors.square()') + '.mean()')}",
    ]


def clip_lines(parts: Parts) -> list[str]:
    """Return the lines that clip gradients; torch's own would round the norm to 16 bits."""
    clip = exact_number(parts.experiment.clip)
    if not parts.experiment.clip:
        return []
    if not parts.stores_rounded:
        return [f"nn.utils.clip_grad_norm_(model.parameters(), {clip})"]
    return [
        "gradients = [p.grad for p in model.parameters()]",
        "norm = torch.cat([g.double().flatten() for g in gradients]).norm()",
        "for g in gradients:",
        f"    g *= ({clip} / (norm + 1e-6)).clamp(max=1).to(g.dtype)",
    ]


def update_lines(parts: Parts) -> list[str]:
    """Return the lines of one update, with loss scaling and clipping where there are."""
    e, clipping, rate = parts.experiment, clip_lines(parts), rate_lines(parts)
    if not e.number_format.scales_loss:
        return [*rate, "optimizer.zero_grad()", "loss.backward()", *clipping, "optimizer.step()"]
    return [
        *rate,
        "optimizer.zero_grad()",
        "scaler.scale(loss).backward()",
        *(["scaler.unscale_(optimizer)", *clipping] if e.clip else []),
        "scaler.step(optimizer)  # unless a gradient overflowed",
        "scaler.update()",
    ]


def loop_lines(parts: Parts) -> str:
    """Return the loop: loss and step are printed before each update."""
    e = parts.experiment
    lines = [f"for step, batch in zip(range({e.steps + 1}), batch_indices()):"]
    lines += [f"    {line}" for line in loss_lines(parts)]
    lines += ['    print(step, f"{loss.item():.8g}")', f"    if step < {e.steps}:"]
    lines += [f"        {line}" for line in update_lines(parts)]
    return "\n".join(lines)
