"""The lines of PyTorch that change one's own program as a remedy changes an experiment.

They name what such a program has: `model`, `optimizer`, each `layer`, an nn.Linear, the activation
`act`, and so on. To give a setting a line, add a row to `SETTING_LINES`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from stability.catalogues.schedules import SCHEDULES
from stability.catalogues.scheme_entry import bias_line
from stability.catalogues.schemes import parse_scheme
from stability.records.experiment import Experiment
from stability.text import exact_number

# Of the experiment as it is and as it shall be, the lines for one setting or several.
SettingLine = Callable[[Experiment, Experiment], str]


def scheme_lines(e: Experiment, scheme: str) -> str:
    """Return the lines that draw a layer by this scheme, numbers being those of the middle layer.

    If the scheme is illegal with other settings, the lines that change those follow.
    """
    after = reconciled(e, {"schemes": (scheme,)})
    middle = after.layers[len(after.layers) // 2]
    changes = after.differences(e)
    changes.pop("schemes", None)
    return join_lines(parse_scheme(scheme).pytorch_lines(middle), settings_lines(e, changes))


def settings_lines(e: Experiment, settings: Mapping[str, Any]) -> str:
    """Return the lines that change these settings, empty for settings of the data alone."""
    writers = dict.fromkeys(SETTING_LINES[name] for name in settings if name in SETTING_LINES)
    after = reconciled(e, settings) if writers else e
    return join_lines(*(lines(e, after) for lines in writers))


def remedy_lines(e: Experiment, scheme: str, settings: Mapping[str, Any]) -> str:
    """Return the lines that change the settings, then those of the scheme, empty for none."""
    after = reconciled(e, settings)
    return join_lines(settings_lines(e, settings), scheme and scheme_lines(after, scheme))


def reconciled(e: Experiment, settings: Mapping[str, Any]) -> Experiment:
    return Experiment.reconcile(e.settings() | dict(settings))[0]


def join_lines(*lines: str) -> str:
    return "\n".join(filter(None, lines))


def activation_line(e: Experiment, after: Experiment) -> str:
    return f"act = {after.phi.pytorch}  # in place of {e.phi.pytorch}"


def network_lines(e: Experiment, after: Experiment) -> str:
    """Return the lines that make layers of these widths."""
    first, last = after.layers[0], after.layers[-1]
    hidden, falling = f"{after.depth - 1} * [{after.width}]", ""
    if after.is_tapered:
        ratio = f"{after.taper:g} ** (-i / {after.depth - 2})"
        even = f"max(2, 2 * round({after.width} / 2 * {ratio}))"
        falling = f"falling = [{even} for i in range(1, {after.depth - 1})]\n"
        hidden = f"[{after.width}] + falling"
    return (
        f"{falling}"
        f"sizes = [{first.fan_in}] + {hidden} + [{last.fan_out}]\n"
        "layers = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, sizes[1:]))"
    )


def residual_line(e: Experiment, after: Experiment) -> str:
    """Return the way through a hidden layer; z is the pre-activation of the one before."""
    if not after.residual:
        line = f"z = layer({hidden_units(after)})"
        return f"{line}  # in each hidden layer but the first, without adding z"
    branch, where = f"layer({hidden_units(after)})", "in each hidden layer but the first"
    if after.branch_layers > 1:
        inner = hidden_units(after, f"first({hidden_units(after)})")
        branch, where = f"second({inner})", "for each two hidden layers"
    learned = after.branch_scale_row.is_learned
    scale = "scale * " if learned else f"{after.branch_factor:.4g} * "
    total = f"z + {branch}" if scale == "1 * " else f"z + {scale}{branch}"
    follows_sum = after.norm_position_row.on_stream and after.normalization_row.pytorch
    first = "scale = nn.Parameter(torch.zeros(1))  # one for each branch\n" if learned else ""
    return f"{first}z = {f'norm({total})' if follows_sum else total}  # {where}"


def hidden_units(e: Experiment, z: str = "z") -> str:
    """Return what becomes of a pre-activation before the next layer."""
    position, has_norm = e.norm_position_row, bool(e.normalization_row.pytorch)
    follows_block = position.on_stream and e.residual and z == "z"
    inner = f"norm({z})" if has_norm and not position.follows_activation else z
    u = f"act({z if follows_block else inner})"
    u = f"norm({u})" if has_norm and position.follows_activation else u
    return f"dropout({u})" if e.dropout else u


def normalization_line(e: Experiment, after: Experiment) -> str:
    """Return the module of the normalization, with a comment that says where it stands."""
    before, module = (
        each.normalization_row.pytorch.format(
            width="layer.out_features" if each.is_tapered else each.width
        )
        for each in (e, after)
    )
    position = after.norm_position_row
    where = "behind each activation" if position.follows_activation else "before each activation"
    where = "behind each sum z" if position.on_stream and after.residual else where
    comment = f"in place of each {before}" if before else where
    return f"{module or 'nn.Identity()'}  # {comment}"


def dropout_line(e: Experiment, after: Experiment) -> str:
    comment = f"in place of each nn.Dropout({exact_number(e.dropout)})"
    comment = comment if e.dropout else "after each activation"
    return f"nn.Dropout({exact_number(after.dropout)})  # {comment}"


def output_line(e: Experiment, after: Experiment) -> str:
    """Return the line that takes the function behind the last layer away, or puts one there."""
    if not after.output_row.pytorch:
        before = e.output_row.pytorch or "function"
        return f"model = model[:-1]  # without the {before} at its end: the loss takes raw outputs"
    return f"model.append({after.output_row.pytorch})"


def weight_mean_line(e: Experiment, after: Experiment) -> str:
    """Return the line that moves the mean of a layer's first weights; none are drawn anew."""
    mean = f"{exact_number(after.weight_mean)} * layer.weight.data.std()"
    line = f"layer.weight.data += {mean} - layer.weight.data.mean()"
    if not after.weight_mean:
        line = "layer.weight.data -= layer.weight.data.mean()"
    return f"{line}  # torch.randn is centred, torch.rand is not"


def first_gain_line(e: Experiment, after: Experiment) -> str:
    """Return the line that scales the first layer, drawn as the other layers are."""
    return f"layers[0].weight.data *= {exact_number(after.first_gain)}  # the first layer"


def readout_line(e: Experiment, after: Experiment) -> str:
    """Return the line that scales the readout, drawn as the other layers are."""
    return f"layers[-1].weight.data *= {exact_number(after.readout_gain)}  # the readout"


def optimizer_lines(e: Experiment, after: Experiment) -> str:
    """Return the lines that make the optimizer, with its rate and its weight decay."""
    lines = after.optimizer_row.pytorch_lines(
        after.learning_rate, after.weight_decay, after.momentum, after.epsilon
    )
    remark = "# only weight matrices decay here: give biases and gains a group without it"
    return join_lines(lines, remark if after.weight_decay else "")


def schedule_lines(e: Experiment, after: Experiment) -> str:
    """Return the lines that make the scheduler of the learning rate, in torch's own."""
    warmup, left = after.warmup, after.steps - after.warmup
    rise = f"LinearLR(optimizer, 1 / {warmup}, total_iters={warmup - 1})" if warmup > 1 else ""
    fall = SCHEDULES[after.schedule].pytorch.format(steps=left) if left > 0 else ""
    made, both = rise or fall, ""
    if not made:
        return "# no scheduler: the learning rate stays the same"
    if rise and fall:
        both = f"rise, fall = {rise}, {fall}"
        made = f"SequentialLR(optimizer, [rise, fall], [{warmup}])"
    names = ", ".join(re.findall(r"\w+LR", f"{made}, {both}"))
    return join_lines(
        f"from torch.optim.lr_scheduler import {names}",
        both,
        f"scheduler = {made}  # its step() after each optimizer.step()",
    )


def clipping_lines(e: Experiment, after: Experiment) -> str:
    if not after.clip:
        return "# no nn.utils.clip_grad_norm_ before optimizer.step()"
    limit = exact_number(after.clip)
    line = f"nn.utils.clip_grad_norm_(model.parameters(), {limit})  # before optimizer.step()"
    return f"scaler.unscale_(optimizer)\n{line}" if after.number_format.scales_loss else line


def batch_line(e: Experiment, after: Experiment) -> str:
    loader = f"dataset, batch_size={after.batch}, shuffle=True, drop_last=True"
    return f"loader = torch.utils.data.DataLoader({loader})"


def input_lines(e: Experiment, after: Experiment) -> str:
    """Return the line that standardises inputs, by the training examples, or scales them."""
    if (after.input_scale, after.input_offset) == (1, 0):
        return "x = (x - x.mean(0)) / x.std(0)  # held-out inputs by the same mean and std"
    return scaled_columns("x", after.input_scale, after.input_offset)


def target_lines(e: Experiment, after: Experiment) -> str:
    """Return the line that standardises targets, by the training examples, or scales them."""
    if (after.target_scale, after.target_offset) == (1, 0):
        return "y = (y - y.mean()) / y.std()  # undo it on what the model predicts"
    return scaled_columns("y", after.target_scale, after.target_offset)


def label_lines(e: Experiment, after: Experiment) -> str:
    """Return the line that finds the labels to look at first, or those that make some wrong."""
    if not after.label_noise:
        losses = 'losses = nn.functional.cross_entropy(model(x), y, reduction="none")'
        return f"{losses}\nsuspects = losses.argsort(descending=True)  # look at these first"
    classes = after.dataset_row.classes
    return (
        f"wrong = torch.rand(len(y)) < {exact_number(after.label_noise)}\n"
        f"y[wrong] = (y[wrong] + torch.randint(1, {classes}, (int(wrong.sum()),))) % {classes}"
    )


def scaled_columns(name: str, scale: float, offset: float) -> str:
    """Return the line that gives standardised columns a scale and an offset."""
    return f"{name} = {exact_number(scale)} * ({name} + {exact_number(offset)})"


SETTING_LINES: Mapping[str, SettingLine] = {
    "activation": activation_line,
    "slope": activation_line,
    "w0": activation_line,
    "depth": network_lines,
    "width": network_lines,
    "taper": network_lines,
    "residual": residual_line,
    "branch_layers": residual_line,
    "branch_scale": residual_line,
    "norm_position": residual_line,
    "normalization": normalization_line,
    "dropout": dropout_line,
    "bias_std": lambda e, after: bias_line(after.bias_std),
    "output_activation": output_line,
    "weight_mean": weight_mean_line,
    "first_gain": first_gain_line,
    "readout_gain": readout_line,
    "optimizer": optimizer_lines,
    "learning_rate": optimizer_lines,
    "weight_decay": optimizer_lines,
    "momentum": optimizer_lines,
    "epsilon": optimizer_lines,
    "warmup": schedule_lines,
    "schedule": schedule_lines,
    "input_scale": input_lines,
    "input_offset": input_lines,
    "target_scale": target_lines,
    "target_offset": target_lines,
    "label_noise": label_lines,
    "batch": batch_line,
    "steps": lambda e, after: f"steps = {after.steps}  # calls of optimizer.step(), not {e.steps}",
    "clip": clipping_lines,
    "precision": lambda e, after: after.number_format.pytorch,
}
