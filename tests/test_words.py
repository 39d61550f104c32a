"""The words of the code: one name for one thing, and docstrings that a colleague would say."""

import ast
from collections import defaultdict
from itertools import chain

from source_trees import nodes_of, tree
from test_layers import FILES, MODULES, module_of, nodes, package_of, relative

# Names that mean the same in two packages, or so much to a reader that both deserve them.
# The public Run adds verdicts to the engine's; an Outcome is that of a cell, or of a tried remedy.
SHARED_NAMES = {"Run", "Outcome"}
# Words of no field, or of so many that nobody knows which is meant: none of them names a thing
# here.
UNKNOWN_WORDS = {
    "house", "deed", "deeds", "told", "held", "standing", "hand", "unnoticed", "begun", "applied",
    "closed_up", "late", "reckon", "somebody",
}  # fmt: skip
DEFINITIONS = ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef


def names_of(path) -> set[str]:
    """The functions and classes that a file defines at its top level."""
    return {node.name for node in tree(path).body if isinstance(node, DEFINITIONS)}


def homes() -> dict[str, list[str]]:
    """The modules that define each top-level name."""
    found = defaultdict(list)
    for path in MODULES:
        for name in names_of(path):
            found[name].append(module_of(path))
    return found


def test_no_name_is_defined_in_two_modules_of_one_package():
    for name, modules in homes().items():
        packages = [module.rpartition(".")[0] for module in modules]
        assert len(packages) == len(set(packages)), (name, modules)


def test_few_names_are_defined_in_two_packages():
    assert len(SHARED_NAMES) <= 10
    found = {name: modules for name, modules in homes().items() if len(modules) > 1}
    assert found.keys() == SHARED_NAMES, found


def test_a_module_is_not_named_like_what_it_defines():
    assert not [relative(path) for path in MODULES if path.stem in names_of(path)]


def test_a_docstring_says_what_is_returned_or_done():
    for path, node in nodes():
        if isinstance(node, (ast.Module, *DEFINITIONS)) and (words := ast.get_docstring(node)):
            first = words.split()[0].rstrip(",.:;")
            name = getattr(node, "name", path.stem)
            assert first not in {"What", "Of", "Where", "Whether"}, f"{name}: {words}"


def test_names_are_words_that_the_field_knows():
    found = {(relative(path), name) for path in FILES for name in names_in(path)}
    assert not [(path, name) for path, name in found if name in UNKNOWN_WORDS]


def names_in(path) -> set[str]:
    """All names that a file defines or uses."""
    nodes = nodes_of(path)
    return set(
        chain(
            (node.name for node in nodes if isinstance(node, DEFINITIONS)),
            (node.id for node in nodes if isinstance(node, ast.Name)),
            (node.arg for node in nodes if isinstance(node, ast.arg)),
            (node.attr for node in nodes if isinstance(node, ast.Attribute)),
        )
    )


def test_every_public_function_has_its_docstring():
    """Check the packages callers import from; a row's lambda and a nested function need none."""
    silent = [
        f"{module_of(path)}.{node.name}"
        for path in MODULES
        for node in tree(path).body
        if isinstance(node, DEFINITIONS)
        and not node.name.startswith("_")
        and node.end_lineno - node.lineno > 5
        and not ast.get_docstring(node)
        and package_of(path) in {"engine", "theory", "diagnosis", "probes", "frames", "records"}
    ]
    assert not silent
