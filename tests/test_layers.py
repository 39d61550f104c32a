"""The shape of the code: what may import what, and how large files and functions may be."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from source_trees import imported, nodes_of, tree

ROOT = Path(__file__).parents[1]
# A file imports from its own package and from lines above its package's; packages on one line do
# not import each other.
LAYERS = (
    ("i18n",),
    ("text", "glossary", "randomness", "page_layout"),
    ("catalogues",),
    ("records",),
    ("engine",),
    ("theory", "diagnosis", "probes", "script"),
    ("cells",),
    ("frames",),
    ("charts",),
    ("course", "modules"),
    ("page",),
    ("__init__",),
)
# The one import from below, inside a method: `Product(...).log10_norms()` is promised, and the
# engine computes it.
UPWARD = {("stability.records.product", "stability.engine.products")}
LAYER = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}
MODULES = sorted((ROOT / "stability").rglob("*.py"))
PAGE = ROOT / "app.py"
FILES = [*MODULES, PAGE]


def package_of(path: Path) -> str:
    """The package, or the single file, below stability/ that a file belongs to."""
    return path.relative_to(ROOT / "stability").parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    """The dotted name of a file, as an import spells it."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Every node of every file, with the file."""
    return ((path, node) for path in FILES for node in nodes_of(path))


def functions(path: Path) -> dict[str, int]:
    """Lines of each function from `def` to its end, decorators not counted."""
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    return {
        node.name: node.end_lineno - node.lineno + 1
        for node in nodes_of(path)
        if isinstance(node, kinds)
    }


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_a_file_imports_only_from_packages_above_its_own():
    assert {package_of(path) for path in MODULES} <= set(LAYER), "each has its layer"
    for path, name in ((module, name) for module in MODULES for name in imported(module)):
        own = package_of(path)
        root, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        promised = any(module_of(path) == user and name.startswith(used) for user, used in UPWARD)
        if root == "stability" and other and other != own and not promised:
            assert other in LAYER or own == "__init__", (
                f"{name} is imported from the package's public names"
            )
            assert own == "__init__" or LAYER[other] < LAYER[own], f"{relative(path)}: {name}"


@pytest.mark.parametrize(
    "package", [name for name in LAYER if (ROOT / "stability" / name).is_dir()]
)
def test_the_imports_inside_a_package_have_no_cycle(package):
    own = {module_of(path): path for path in MODULES if package_of(path) == package}
    inner = set(own) - {
        f"stability.{package}"
    }  # `from stability.charts import palette` needs the file, not the package
    graph = {name: imported(path) & inner for name, path in own.items() if name in inner}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "package", [name for name in LAYER if (ROOT / "stability" / name).is_dir()]
)
def test_a_package_says_what_lives_there_what_it_may_import_and_where_one_adds_to_it(package):
    words = ast.get_docstring(tree(ROOT / "stability" / package / "__init__.py"))
    assert words.count(". ") + words.count(".\n") >= 2
    assert "may import" in words
    assert "To add" in words


@pytest.mark.parametrize(
    ("module", "home"), [("streamlit", "app.py"), ("altair", "stability/charts/")]
)
def test_only_one_place_knows_the_library_that_shows(module, home):
    users = {
        relative(path)
        for path in FILES
        if any(name.split(".")[0] == module for name in imported(path))
    }
    assert users
    assert not [user for user in users if not user.startswith(home)]


def test_the_library_does_not_import_the_page():
    assert not [
        relative(path)
        for path in MODULES
        if "app" in {name.split(".")[0] for name in imported(path)}
    ]


def test_a_file_can_be_read_in_one_sitting():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    most = {PAGE: 350}
    assert not [relative(path) for path in FILES if lengths[path] > most.get(path, 300)]


def test_no_function_is_longer_than_forty_lines():
    lengths = ((path, *one) for path in FILES for one in functions(path).items())
    assert not [(relative(path), name, length) for path, name, length in lengths if length > 40]


def test_sections_of_the_page_are_thirty_lines_at_most():
    assert not {name: length for name, length in functions(PAGE).items() if length > 30}


def test_every_file_begins_with_a_docstring():
    assert not [relative(path) for path in MODULES if not ast.get_docstring(tree(path))]


def test_no_code_asks_which_row_it_has():
    """A variant is a row of a catalogue: code that compares keys is a row that lacks a field."""
    for path, node in nodes():
        if isinstance(node, ast.Compare):
            sides = [
                side.attr
                for side in (node.left, *node.comparators)
                if isinstance(side, ast.Attribute)
            ]
            texts = [
                side for side in (node.left, *node.comparators) if isinstance(side, ast.Constant)
            ]
            assert not ({"key", "bench"} & set(sides) and texts), f"{path.name}:{node.lineno}"


def test_no_module_is_named_for_what_it_is_not():
    vague = {"utils", "helpers", "manager", "base", "common"}
    assert not {path.stem for path in MODULES} & vague
