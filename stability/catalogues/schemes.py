"""Initialization schemes: each row says how the weights of one layer are drawn.

A scheme is written `family` or `family:value`: `xavier_normal`, `normal:0.01`; other names that
people use are understood. Those that people look for stand first, as menus list them.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from stability.catalogues import scheme_needs
from stability.catalogues.draws import TRUNCATED_STD
from stability.catalogues.entry import catalogue
from stability.catalogues.scheme_entry import Scheme
from stability.catalogues.scheme_names import (
    names_of_schemes,
    nearest_keys,
    plain_name,
    split_value,
)
from stability.catalogues.scheme_weights import (
    critical_variance,
    he_variance,
    mup_matrix_rate,
    mup_variance,
    mup_vector_rate,
    siren_variance,
    unit_gain_variance,
    unit_variance_factor,
)
from stability.catalogues.structured_schemes import STRUCTURED_SCHEMES
from stability.i18n import N_, _, cache_by_language
from stability.text import exact_number, in_quotes, join_sentences, join_words, parse_number


def normal_and_uniform(
    key: str, labels: tuple[str, str], other_names: tuple[str, ...] = (), **common: Any
) -> tuple[Scheme, Scheme]:
    """Return a normal and a uniform scheme of the same variance.

    A name without its distribution, such as `kaiming` or `he`, means the normal one.
    """
    normal = (key, *other_names, *(f"{name} normal" for name in other_names))
    uniform = tuple(f"{name} uniform" for name in other_names)
    return (
        Scheme(key=f"{key}_normal", label=labels[0], distribution="normal",
               other_names=normal, **common),
        Scheme(key=f"{key}_uniform", label=labels[1], distribution="uniform",
               other_names=uniform, **common),
    )  # fmt: skip


SCHEMES = catalogue(
    *normal_and_uniform(
        "he", (N_("He (normal)"), N_("He (uniform)")), source="He et al. 2015, sec. 2.2",
        other_names=("kaiming", "msra", "恺明"),
        formula=r"\mathrm{Var}\,W = 2 / ((1 + a^2) \, n_{in})",
        summary="Keeps the forward second moment of a rectifier: half of it is cut away, so the "
        "variance is doubled.", variance=he_variance,
        pytorch="nn.init.kaiming_{distribution}_(layer.weight, {nonlinearity})\n{bias}",
    ),
    Scheme(
        key="he_fan_out", label="He (fan out)", source="He et al. 2015, sec. 2.2",
        formula=r"\mathrm{Var}\,W = 2 / ((1 + a^2) \, n_{out})",
        other_names=("kaiming fan out", "fan out"),
        summary="Keeps the backward second moment of a rectifier: the gradient stays level, the "
        "signal pays for it.",
        variance=lambda layer: 2 / ((1 + layer.activation.negative_slope**2) * layer.fan_out),
        pytorch='nn.init.kaiming_normal_(layer.weight, mode="fan_out", {nonlinearity})\n{bias}',
    ),
    *normal_and_uniform(
        "xavier", (N_("Xavier (normal)"), N_("Xavier (uniform)")), source="Glorot & Bengio 2010",
        other_names=("glorot",),
        formula=r"\mathrm{Var}\,W = 2 / (n_{in} + n_{out})",
        summary="A compromise between keeping the signal forward and the gradient backward, for "
        "units that are linear near 0.", variance=lambda layer: 2 / (layer.fan_in + layer.fan_out),
        pytorch="nn.init.xavier_{distribution}_(layer.weight)\n{bias}",
    ),
    Scheme(
        key="geometric", label="Geometric mean", source="Defazio & Bottou 2022",
        formula=r"\mathrm{Var}\,W = 1 / \sqrt{n_{in} n_{out}}",
        summary="The geometric mean of what keeps the signal and what keeps the gradient, where "
        "Xavier takes their harmonic mean.",
        variance=lambda layer: 1 / math.sqrt(layer.fan_in * layer.fan_out),
        pytorch="nn.init.normal_(layer.weight, "
        "std=(layer.in_features * layer.out_features) ** -0.25)\n{bias}",
    ),
    *normal_and_uniform(
        "lecun", (N_("LeCun (normal)"), N_("LeCun (uniform)")),
        source="LeCun et al. 1998, sec. 4.6",
        formula=r"\mathrm{Var}\,W = 1 / n_{in}",
        summary="Keeps the forward variance of a linear layer.",
        variance=lambda layer: 1 / layer.fan_in,
        pytorch='nn.init.kaiming_{distribution}_(layer.weight, nonlinearity="linear")\n{bias}',
    ),
    Scheme(
        key="pytorch", label="PyTorch default", source="torch.nn.Linear, reset_parameters",
        formula=r"W, b \sim U(-1/\sqrt{n_{in}}, 1/\sqrt{n_{in}})",
        other_names=("default", "torch default", "默认"),
        summary="What nn.Linear does when nobody asks: a third of LeCun's variance, and random "
        "biases. bias_std is ignored.",
        distribution="uniform", variance=lambda layer: 1 / (3 * layer.fan_in),
        bias=lambda layer, draws: draws.uniform_bias / math.sqrt(3 * layer.fan_in),
        bias_variance=lambda layer: 1 / (3 * layer.fan_in),
        pytorch="layer.reset_parameters()  # as nn.Linear does by itself",
    ),
    Scheme(
        key="normal", label="Normal", source="Krizhevsky et al. 2012 (0.01)",
        formula=r"W \sim N(0, \sigma^2)",
        other_names=("gaussian", "normal std", "高斯"),
        summary="One standard deviation for all layers, whatever their size: right for one width, "
        "wrong for the rest.",
        value=0.01, value_name="standard deviation", variance=lambda layer, std: std**2,
        pytorch="nn.init.normal_(layer.weight, std={value})\n{bias}",
    ),
    Scheme(
        key="uniform", label="Uniform", source="torch.nn.init.uniform_", formula=r"W \sim U(-a, a)",
        summary="Evenly spread between -a and a for all layers, whatever their size.",
        value=0.05, value_name="half-width", distribution="uniform",
        variance=lambda layer, half_width: half_width**2 / 3,
        pytorch="nn.init.uniform_(layer.weight, -{value}, {value})\n{bias}",
    ),
    Scheme(
        key="truncated_normal", label="Truncated normal",
        source="tf.keras.initializers.TruncatedNormal",
        formula=r"W \sim N(0, s^2) \text{ within } \pm 2 s, \quad \mathrm{Var}\,W = \sigma^2",
        other_names=("trunc normal", "truncated"),
        summary="A bell curve without its tails: what is beyond two standard deviations is drawn "
        "again.",
        value=0.01, value_name="standard deviation after the cut", distribution="truncated_normal",
        variance=lambda layer, std: std**2,
        pytorch=f"s = {{value}} / {TRUNCATED_STD:.4f}  # the cut at two s leaves that std\n"
        "nn.init.trunc_normal_(layer.weight, std=s, a=-2 * s, b=2 * s)\n{bias}",
    ),
    Scheme(
        key="orthogonal", label="Orthogonal", source="Saxe et al. 2014",
        formula=r"W^\top W = g^2 I",
        other_names=("orthogonal gain", "saxe"),
        summary="Turns and mirrors but does not stretch: every direction keeps its length, not "
        "only the average one.",
        value=1.0, value_name="gain", usual_values=(0.5, 2.0),
        variance=lambda layer, gain: gain**2 / max(layer.fan_in, layer.fan_out),
        weights=lambda layer, draws, gain: gain * draws.orthogonal,
        pytorch="nn.init.orthogonal_(layer.weight, gain={value})\n{bias}",
    ),
    Scheme(
        key="lsuv", label="LSUV", source="Mishkin & Matas 2016",
        formula=r"W \leftarrow W / \mathrm{std}(z_l)",
        summary="Orthogonal, then each layer in turn is rescaled until its signal on the first "
        "batch has variance 1.",
        weights=lambda layer, draws: draws.orthogonal, adjust=unit_variance_factor,
        pytorch="nn.init.orthogonal_(layer.weight)\n{bias}\nlayer.weight.data /= z.std()  "
        "# then, layer by layer: z is its output on a batch",
    ),
    Scheme(
        key="metainit", label="MetaInit", source="Dauphin & Schoenholz 2019, algorithm 1",
        formula=r"\min_{\|W_l\|} \frac{1}{n} \Big\| \frac{g - Hg}{g \pm \epsilon} - 1 \Big\|_1",
        other_names=("meta init", "metainit learned"),
        summary="LeCun's weights, whose norms are then learned on random examples, until a step "
        "along the gradient changes it little.",
        value=30.0, value_name="number of steps", low=0.0, integer_value=True,
        usual_values=(10.0, 100.0),
        weights=lambda layer, draws, steps: draws.normal * layer.fan_in**-0.5,
        meta_steps=int, needs=scheme_needs.require_many_digits,
        pytorch='nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")\n{bias}\n'
        "# then {value} steps on the norms of all layers; the paper's appendix has the program",
    ),
    Scheme(
        key="unit_gain", label="Unit gain", source="He et al. 2015, for any activation",
        formula=r"\mathrm{Var}\,W = 1 / (n_{in} \, E \phi(z)^2), \quad z \sim N(0, 1)",
        summary="Keeps the forward second moment at 1, whatever the activation: He for ReLU, and a "
        "number for each other.", variance=unit_gain_variance,
        pytorch="nn.init.normal_(layer.weight, std={sigma_w} / layer.in_features ** 0.5)\n"
        "# but for the first layer: std=1 / layer.in_features ** 0.5\n{bias}",
    ),
    Scheme(
        key="mup", label="muP", source="Yang et al. 2022, table 3",
        formula=r"\mathrm{Var}\,W_l = 1 / (n_{in} \, E \phi(z)^2), \quad "
        r"\mathrm{Var}\,W_L = n_0 / (n_{in}^2 \, E \phi(z)^2)",
        other_names=("mu p", "maximal update", "maximal update parametrization", "μP"),
        summary="Weights and a learning rate for each layer, so that one rate suits networks of "
        "every width: that which is best at the base width.",
        value=64.0, value_name="base width", low=1.0, integer_value=True,
        usual_values=(16.0, 1024.0), variance=mup_variance,
        needs=scheme_needs.require_known_scaling,
        matrix_rate=mup_matrix_rate, vector_rate=mup_vector_rate,
        pytorch="nn.init.normal_(layer.weight, std={sigma_w} / layer.in_features ** 0.5)\n"
        "# but for the first layer: std=1 / layer.in_features ** 0.5; the last: smaller by\n"
        "# (layer.in_features / {value}) ** 0.5. Rates with Adam: times {value} / "
        "layer.in_features\n"
        "# but in the first layer. With SGD: times layer.out_features / {value} in the first, and\n"
        "# of all hidden biases, {value} / layer.in_features in the last\n{bias}",
    ),
    Scheme(
        key="siren", label="SIREN", source="Sitzmann et al. 2020, sec. 3.2",
        formula=r"W \sim U(-\sqrt{6 / n_{in}} / w_0, \sqrt{6 / n_{in}} / w_0), \quad "
        r"W_1 \sim U(-1 / n_{in}, 1 / n_{in})",
        other_names=("sine init",),
        summary="Made for the sine: w0 z keeps about variance 1, and the first layer covers many "
        "periods. Elsewhere w0 counts as 1.",
        distribution="uniform", variance=siren_variance,
        pytorch="bound = {sigma_w} * (3 / layer.in_features) ** 0.5  "
        "# but for the first layer: 1 / layer.in_features\n"
        "nn.init.uniform_(layer.weight, -bound, bound)\n{bias}",
    ),
    Scheme(
        key="critical", label="Critical", source="Schoenholz et al. 2017",
        formula=r"\mathrm{Var}\,W = \sigma_w^2 / n_{in} \text{ where } \chi_1 = \sigma_w^2 \, E \phi'(u)^2 = 1",  # noqa: E501
        other_names=("edge of chaos",),
        summary="Stands on the edge of chaos: two inputs neither merge nor fly apart, and the "
        "gradient keeps its size.",
        variance=critical_variance, needs=scheme_needs.require_edge_of_chaos,
        pytorch="nn.init.normal_(layer.weight, std={sigma_w} / layer.in_features ** 0.5)\n{bias}",
    ),
    Scheme(
        key="scaled_normal", label="Scaled normal", source="Poole et al. 2016",
        formula=r"\mathrm{Var}\,W = \sigma_w^2 / n_{in}",
        other_names=("mean field",),
        summary="The family of mean-field theory: sigma_w turns the knob from order to chaos.",
        value=1.0, value_name="sigma_w", usual_values=(0.5, 3.0),
        variance=lambda layer, sigma_w: sigma_w**2 / layer.fan_in,
        pytorch="nn.init.normal_(layer.weight, std={value} / layer.in_features ** 0.5)\n{bias}",
    ),
    *STRUCTURED_SCHEMES,
)  # fmt: skip


NAMES = names_of_schemes(SCHEMES)


def key_of_name(name: str) -> str | None:
    """Return the key of the scheme of this name, in English or in the reader's language."""
    plain = plain_name(name)
    return NAMES.get(plain) or labels_in_language().get(plain)


@cache_by_language()
def labels_in_language() -> Mapping[str, str]:
    return {plain_name(row.label): key for key, row in SCHEMES.items()}


@lru_cache(maxsize=1024)  # of texts that anybody may type
def parse_scheme(text: str) -> Scheme:
    """Return the scheme that a text names, with its canonical key, `family` or `family:value`.

    `scheme_names` says what else is understood. ValueError says what is legal.
    """
    name, spelled = split_value(str(text))
    if (key := key_of_name(name)) is None:
        near = "".join(nearest_keys(name, NAMES, most=1))
        hint = _(" (did you mean {near}?)").format(near=near) if near else ""
        raise ValueError(_("one of {rows}").format(rows=_(", ").join(SCHEMES)) + hint)
    row = SCHEMES[key]
    if spelled is None:
        return row
    value, low = parse_number(spelled) + 0.0, max(row.low, -1e6)  # + 0.0 makes -0.0 a 0.0
    if row.value is None:
        raise ValueError(_("{key}, which takes no value").format(key=row.key))
    if not low <= value <= 1e6 or (row.integer_value and not value.is_integer()):
        raise ValueError(_("{key} with {legal}").format(key=row.key, legal=row.legal_values))
    return replace(row, key=f"{row.key}:{exact_number(value)}", value=value)


def scheme_refusal(text: str) -> str:
    """Return the sentences that tell a visitor why a text that names no scheme was left out."""
    name = split_value(text)[0]
    if key := key_of_name(name):
        row = SCHEMES[key]
        names = {"label": row.label, "written": in_quotes(text.strip())}
        if row.value is None:
            return _("{label} is written without a value, so {written} was left out.").format(
                **names
            )
        return _("{label} is written with {legal}, so {written} was left out.").format(
            legal=row.legal_values, **names
        )
    near = nearest_keys(name, NAMES)
    if math.isfinite(parse_number(name)):  # a value without a name
        near = [f"normal:{name}", f"orthogonal:{name}"]
    titles = join_words([scheme_title(key) for key in near], "or")
    hint = _("Did you mean {titles}?").format(titles=titles)
    hint = hint if near else _("The list has all of them.")
    unknown = _("No initialization is called {name}; it was left out.")
    return join_sentences(unknown.format(name=in_quotes(text.strip())), hint)


def family_and_value(text: str) -> tuple[str, float | None]:
    """Return the family and value of a scheme: the same for `normal` and `normal:0.01`."""
    scheme = parse_scheme(text)
    return scheme.key.partition(":")[0], scheme.value


def scheme_title(text: str) -> str:
    """Return the title of a scheme, for chips, cards and menus; an unknown text unchanged."""
    try:
        return parse_scheme(text).title
    except ValueError:
        return text
