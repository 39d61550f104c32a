"""The shape of the code: what may import what, and how large files and functions may be."""

import ast
import statistics
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A file imports only from lines above its own; files on one line do not import each other.
LINES = (
    ("spelling", "randomness", "process", "columns", "tabular", "components"),
    ("knobs", "grammar"),
    ("catalogue",),
    ("activations", "formats"),
    ("normalizations",),
    ("moments",),
    ("theory", "noise"),
    ("datasets", "schemes", "optimizers"),
    ("domain",),
    ("experiment", "product"),
    ("sweep", "view", "palette", "growth", "bounds", "matrices"),
    ("scaling",),
    ("network",),
    ("quantities",),
    ("shares",),
    ("training",),
    ("cost", "prediction", "jacobian", "symmetry", "gains"),
    ("runs", "overflow"),
    ("cells", "readouts"),
    ("signs",),
    ("outlook", "remedies"),
    ("cases",),
    ("verdicts", "remarks"),
    ("flatness",),
    ("ladder",),
    ("learned",),
    ("script",),
    ("vocabulary",),
    ("claims",),
    ("lessons",),
    ("address",),
    ("visit",),
    ("frames", "controls"),
    ("charts",),
    ("markup",),
    ("closer",),
    ("scenes",),
    ("stage",),
    ("inspect",),
    ("__init__",),
)
HEIGHT = {name: height for height, line in enumerate(LINES) for name in line}
MODULES = sorted((ROOT / "stability").rglob("*.py"))
PAGE = ROOT / "app.py"
FILES = [*MODULES, PAGE]


def name_of(path: Path) -> str:
    """The file below stability/, or the folder there that it lies in."""
    return path.relative_to(ROOT / "stability").parts[0].removesuffix(".py")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Full names of everything that a file imports, anywhere in it: `a.b` of `from a import b` too."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are written in full"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def functions(path: Path) -> dict[str, int]:
    """Lines of each function from `def` to its end, decorators not counted."""
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    return {node.name: node.end_lineno - node.lineno + 1 for node in ast.walk(tree(path)) if isinstance(node, kinds)}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_file_imports_only_from_lines_above_its_own(path):
    own = name_of(path)
    assert own in HEIGHT, f"{own} has no line yet"
    parts = [name.split(".") for name in imported(path) if name.startswith("stability.")]
    for _, other, *_ in parts:
        if other in HEIGHT and other != own:
            assert HEIGHT[other] < HEIGHT[own], f"{own} imports {other}"
    bare = {other for _, other, *_ in parts} - set(HEIGHT) - {own}
    assert own == "__init__" or not bare, f"{own} imports {bare} from the package, which imports everything"


@pytest.mark.parametrize(("module", "home"), [("streamlit", "app.py"), ("altair", "stability/charts/")])
def test_only_one_place_knows_the_library_that_shows(module, home):
    users = {relative(path) for path in FILES if any(name.split(".")[0] == module for name in imported(path))}
    assert users
    assert not [user for user in users if not user.startswith(home)]


def test_the_library_does_not_import_the_page():
    assert not [relative(path) for path in MODULES if "app" in {name.split(".")[0] for name in imported(path)}]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= (350 if path == PAGE else 300)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_function_is_longer_than_forty_lines(path):
    assert not {name: length for name, length in functions(path).items() if length > 40}


def test_sections_of_the_page_are_thirty_lines_at_most():
    assert not {name: length for name, length in functions(PAGE).items() if length > 30}


def test_most_functions_have_twelve_lines_at_most():
    assert statistics.median(length for path in FILES for length in functions(path).values()) <= 12


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_every_file_begins_with_a_docstring(path):
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_code_asks_which_row_it_has(path):
    """A variant is a row of a catalogue: code that compares keys is a row that lacks a field."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Compare):
            sides = [side.attr for side in (node.left, *node.comparators) if isinstance(side, ast.Attribute)]
            texts = [side for side in (node.left, *node.comparators) if isinstance(side, ast.Constant)]
            assert not ({"key", "bench"} & set(sides) and texts), f"{path.name}:{node.lineno}"


def test_no_module_is_named_for_what_it_is_not():
    vague = {"utils", "helpers", "manager", "base", "common"}
    assert not {path.stem for path in MODULES} & vague
