"""The whole program of an experiment: its sections in their order, and what they import."""

import ast
import re
import textwrap
from collections import defaultdict
from dataclasses import replace

from stability.records.experiment import Experiment
from stability.script.definitions import Definitions, Fixed
from stability.script.initial_weights import adjust_lines, weight_lines
from stability.script.network_lines import class_lines, layer_lines, model_lines
from stability.script.parts import Parts
from stability.script.sources import NotPlain, default_values, parameters
from stability.script.training_lines import (
    data_lines,
    loop_lines,
    optimizer_class,
    optimizer_section,
    scaler_lines,
)

IMPORTS = {  # by the pattern of their use
    r"\bmath\.": "import math",
    r"\btorch\.": "import torch",
    r"\bF\.": "import torch.nn.functional as F",
    r"\bnn\.": "from torch import nn",
}


def pytorch(experiment: Experiment, scheme: str) -> str:
    """Return the experiment of one scheme, its replicate 0, as a program that needs only torch.

    It prints `step loss` a line, steps 0 to `steps`, the loss before the update, to 8 digits.
    ValueError where the scheme cannot be used with the other settings, or a row of the experiment
    needs more than torch.
    """
    single = replace(experiment, schemes=(scheme,), replicates=1)
    try:
        return program_text(single, never_passed(program_text(single, {})))
    except NotPlain as error:
        row = single.scheme_rows[0]
        raise ValueError(f"{row.label} cannot be written as a plain program: {error}.") from None


def program_text(e: Experiment, fixed: Fixed) -> str:
    """Return the program in which parameters that are `fixed` have their defaults."""
    parts = Parts(e, Definitions(fixed))
    data = data_lines(parts)
    classes = [*class_lines(parts), *optimizer_class(parts)]
    network = f"{layer_lines(parts)}\n{weight_lines(parts)}\n{model_lines(parts)}"
    optimizer = "\n".join([optimizer_section(parts), *scaler_lines(parts)])
    sections = [data, network, *adjust_lines(parts), optimizer, loop_lines(parts)]
    if parts.is_double:
        sections.insert(0, "torch.set_default_dtype(torch.float64)")
    definitions = parts.definitions
    constants = "\n".join([f"SEED = {e.seed}", *definitions.constants.values()])
    main = "\n\n".join(sections) + "\n"
    functions = functions_used(definitions.functions, "\n".join([*classes, main]))
    body = "\n\n\n".join([constants, *functions, *classes, main])
    return f"{header(e)}\n{imports(body)}\n\n{body}"


def functions_used(functions: dict[str, str], text: str) -> list[str]:
    """Return the functions that the text uses; what only a branch that is gone needed is not."""
    found: list[str] = []
    for name, function in reversed(functions.items()):  # each stands after those that it needs
        if re.search(rf"\b{name}\b", text):
            found.insert(0, function)
            text += function
    return found


def header(e: Experiment) -> str:
    """Return the docstring of a program: what is trained, and the link of the same settings."""
    width = f"{e.width} to {e.hidden_widths[-1]}" if e.is_tapered else f"{e.width}"
    layers = f"{e.depth} layers of {width} units, {e.phi.label}" if e.depth > 1 else "one layer"
    words = (
        f"{e.scheme_rows[0].title}: {layers}, on {e.dataset_row.label}, {e.optimizer_row.label}."
    )
    link = "&".join(f"{key}={text}" for key, text in e.to_query().items())
    return (
        f'"""{textwrap.fill(words, 97)}\n\n'
        "Prints each step and the loss before its update. The same settings on the page:\n"
        f'?{link}\n"""\n'
    )


def imports(body: str) -> str:
    """Return the imports that a program uses; those of the standard library stand apart."""
    used = [line for pattern, line in IMPORTS.items() if re.search(pattern, body)]
    return "\n".join(used).replace("import math\n", "import math\n\n")


def never_passed(text: str) -> dict[str, set[str]]:
    """Return by function the parameters with a default that no call in a program passes."""
    tree = ast.parse(text)
    passed: dict[str, set[str]] = defaultdict(set)
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and (node := defined.get(call.func.id)):
            passed[node.name] |= {*parameters(node)[: len(call.args)]}
            passed[node.name] |= {str(each.arg) for each in call.keywords}
    return {
        name: set(default_values(node)) - passed[name]
        for name, node in defined.items()
        if name in passed
    }
