"""Programs against the engine: the same losses, from torch alone."""

import ast
import sys
from dataclasses import replace

import pytest
from script_cases import (
    CASES,
    PRECISIONS,
    ROWS,
    SCHEMES,
    SIZE,
    distance_from_engine,
    in_float64,
    is_chaotic,
    program,
    run_here,
)
from script_check import run_alone

from stability import Experiment, script
from stability.catalogues.schemes import parse_scheme

DEFAULT = Experiment()
ALONE = (4, 7, 12)  # one of 16 bits with dropout; one of many parts; one that adjusts to its data


@pytest.mark.parametrize("index", range(len(CASES)))
def test_a_program_prints_the_curve_of_the_engine(index, tmp_path):
    """Where a network is chaotic in its own format, it is judged in float64."""
    for e in (CASES[index], in_float64(CASES[index])):
        printed = run_here(program(e), tmp_path)
        if distance_from_engine(e, printed) < 1e-3:
            return
        assert is_chaotic(e, printed, tmp_path)
    pytest.fail("chaotic in float64, too")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize(
    "settings",
    [
        {"normalization": "layer", "taper": 2.0, "warmup": 4, "weight_decay": 0.02},
        {"normalization": "batch", "residual": True, "branch_scale": "learned"},
        {"normalization": "rms", "precision": "bfloat16"},
        {"depth": 1},
    ],
    ids=lambda settings: " ".join(f"{key}={value}" for key, value in settings.items()),
)
def test_a_program_has_the_learning_rate_of_each_layer(settings, optimizer, tmp_path):
    more = {"schemes": ("mup:8",), "optimizer": optimizer, "learning_rate": 0.002}
    e = Experiment(**SIZE | {"depth": 5, "activation": "tanh"} | more | settings)
    assert distance_from_engine(e, run_here(program(e), tmp_path)) < 1e-4


def test_a_program_has_the_rule_of_an_optimizer_that_torch_lacks(tmp_path, monkeypatch):
    e = Experiment(**SIZE | {"optimizer": "nesterov", "learning_rate": 0.01, "weight_decay": 0.02})
    row = replace(e.optimizer_row, pytorch="# torch.optim has no such optimizer.")
    monkeypatch.setattr(Experiment, "optimizer_row", row)
    assert "def nesterov(" in program(e)
    assert distance_from_engine(e, run_here(program(e), tmp_path)) < 1e-4


@pytest.mark.process
@pytest.mark.parametrize("index", ALONE)
def test_a_program_runs_alone_in_an_empty_folder(index, tmp_path):
    e = CASES[index]
    assert distance_from_engine(e, run_alone(program(e), tmp_path)) < 1e-3


def test_the_cases_use_every_row():
    for name, values in ROWS.items():
        assert {getattr(e, name) for e in CASES} >= set(values), name
    assert {parse_scheme(e.schemes[0]).key.partition(":")[0] for e in CASES} == set(SCHEMES)


def test_a_program_imports_nothing_but_torch_and_what_python_brings():
    for e in CASES:
        names = set()
        for node in ast.walk(ast.parse(program(e))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
        assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names == {"torch"}


def test_a_program_holds_only_what_its_experiment_uses():
    """Each definition, constant and import is used; lines are short enough to read."""
    for e in [DEFAULT, *CASES]:
        text = program(e)
        tree = ast.parse(text)
        defined = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        methods = {"__init__", "forward", "backward", "step"}
        assert not defined - used - methods, defined - used
        assert all(len(line) <= 100 or line.startswith("?v=") for line in text.splitlines())


def test_the_default_program_is_short_and_plain():
    lines = [line for line in script.pytorch(DEFAULT, "he_normal").splitlines() if line.strip()]
    assert len(lines) <= 65
    assert not any(line.startswith("class") for line in lines)
    assert "optimizer = torch.optim.SGD(model.parameters(), lr=0.02)" in lines
    assert "    layer.weight.data.copy_(noise * math.sqrt(2 / fan_in))" in lines


def test_a_scheme_need_not_be_one_of_the_experiment_but_legal_with_its_settings():
    text = script.pytorch(Experiment(schemes="zeros", replicates=3, **SIZE), "normal:1e-2")
    assert text == script.pytorch(Experiment(schemes="normal:0.01", **SIZE), "normal:0.01")
    with pytest.raises(ValueError, match="residual must be true for the scheme fixup, not false"):
        script.pytorch(DEFAULT, "fixup")
    with pytest.raises(ValueError, match="schemes"):
        script.pytorch(DEFAULT, "no such scheme")


def test_a_format_of_16_bits_is_rounded_after_every_operation():
    rounded = {key for key, row in PRECISIONS.items() if row.is_rounded}
    for key in PRECISIONS:
        text = script.pytorch(Experiment(precision=key, **SIZE), "he_normal")
        assert ("def round_to_format" in text) == (key in rounded)
