"""Dependencies point one way, heavy packages are loaded by what needs them only, and everything public is described."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from helpers.studies import program_environment, write_study

import lstmgru
import search
from search.config.study_file import load_study
from search.study.journal import open_storage
from search.study.store import StudyStore
from search.tasks import make_plan
from search.tasks.plan import identity

# From top to bottom: a module imports from its own layer and from those below it, inside functions too.
SEARCH_LAYERS = (
    ("cli",),
    ("api",),
    ("comparing",),
    ("runner",),
    ("driver", "ending", "opening"),
    ("tracking",),
    ("study", "journal", "executors", "reports", "finalize", "finishing", "progress", "budget", "warmstart"),
    ("planning", "objective"),
    ("plan", "forecast_plan", "sequence_plan", "tasks"),
    ("space", "presets", "label_presets", "samplers", "pruning", "devices", "studyfile", "problems", "configurations"),
    (
        "config",
        "sections",
        "label_sections",
        "settings",
        "spaces",
        "values",
        "shapes",
        "durations",
        "yamlfile",
        "methods",
        "searchable",
    ),
    ("errors", "records", "objectives", "reportfiles"),
)
# What each part of the library may import from the others.
LIBRARY_PARTS = {
    "errors": set(),
    "registry": {"errors"},
    "specs": {"registry", "errors"},
    "data": {"specs", "errors"},
    "nn": {"specs", "registry", "errors"},
    "metrics": {"data", "specs", "errors"},
    "comparison": {"errors"},
    "label_metrics": {"data", "comparison", "specs", "errors"},
    "sequence_baselines": {"data", "specs", "errors"},
    "intervals": {"errors"},
    "ridge": {"errors"},
    "baselines": {"ridge", "data", "specs", "errors"},
    "training": {"data", "nn", "metrics", "label_metrics", "specs", "errors"},
    "bundle": {"data", "nn", "intervals", "specs", "registry", "errors"},
}
# The only places that import a package.
PLACES = {
    "babel": ("lstmgru.data.sequences.datasets",),
    "typer": ("search.cli",),
    "rich": ("search.cli",),
    "mlflow": ("search.tracking",),
    "plotly": ("search.tracking", "search.reports", "search.comparing"),
    "lightning": ("lstmgru.training",),
    "numba": ("lstmgru.nn.kernels",),
    "sklearn": ("lstmgru.evaluation.baselines", "lstmgru.evaluation.sequence_baselines"),
    "onnx": ("lstmgru.bundle",),
    "onnxruntime": ("lstmgru.bundle",),
    "safetensors": ("lstmgru.bundle",),
    "torch": ("lstmgru.nn", "lstmgru.training", "lstmgru.bundle", "search.run.trial", "search.executors"),
}
FORBIDDEN_IN_LIBRARY = {"search", "optuna", "mlflow", "typer", "rich", "pydantic", "yaml"}


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of every module of both packages, by dotted name."""
    found = {}
    for package in (lstmgru, search):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Everything that a module imports at run time, inside functions too: modules, and modules' names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from imported(ast.Module(body=node.orelse, type_ignores=[]))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported(node)


def modules_imported(name: str) -> set[str]:
    """The modules of ours that a module imports; of a name of a module, the module."""
    own = {found if found in trees() else found.rpartition(".")[0] for found in imported(trees()[name])}
    return own & trees().keys() - {name}


def part(name: str) -> str:
    """``plan`` of ``search.tasks.plan``, ``cli`` of ``search.cli.run``."""
    return name.split(".")[1]


def inner(package: str) -> list[str]:
    """The modules below a package, without the package itself."""
    return [name for name in trees() if name.startswith(f"{package}.")]


def test_the_tables_name_every_part_once() -> None:
    named = [name for layer in SEARCH_LAYERS for name in layer]
    assert sorted(named) == sorted({part(name) for name in inner("search")} - {"__main__"})
    assert set(LIBRARY_PARTS) == {part(name) for name in inner("lstmgru")}


@pytest.mark.parametrize("name", [name for name in trees() if name.startswith("search.") and part(name) != "__main__"])
def test_the_search_imports_downwards_only(name: str) -> None:
    layer = {part: depth for depth, parts in enumerate(SEARCH_LAYERS) for part in parts}
    own = [other for other in modules_imported(name) if other.startswith("search")]
    assert "search" not in own, "the package itself is for users: name the module"
    assert [other for other in own if layer[part(other)] < layer[part(name)]] == []


@pytest.mark.parametrize("name", [name for name in trees() if name.startswith("lstmgru.")])
def test_the_parts_of_the_library_import_what_the_table_allows(name: str) -> None:
    parts = {part(other) for other in modules_imported(name) if other != "lstmgru"}
    assert parts - {part(name)} <= LIBRARY_PARTS[part(name)]


def test_the_library_knows_nothing_of_the_search() -> None:
    found = {
        (name, other)
        for name in ("lstmgru", *inner("lstmgru"))
        for other in imported(trees()[name])
        if other.partition(".")[0] in FORBIDDEN_IN_LIBRARY
    }
    assert found == set()


@pytest.mark.parametrize("package", PLACES)
def test_a_package_is_imported_in_its_place_only(package: str) -> None:
    users = {name for name in trees() if package in {other.partition(".")[0] for other in imported(trees()[name])}}
    assert users, f"nothing imports {package} any more"
    places = tuple(f"{place}." for place in PLACES[package])
    assert {name for name in users if not f"{name}.".startswith(places)} == set()


def test_there_are_no_import_cycles() -> None:
    left = {name: modules_imported(name) for name in trees()}
    while free := {name for name, needed in left.items() if not needed & left.keys()}:
        left = {name: needed for name, needed in left.items() if name not in free}
    assert left == {}


def test_imports_in_functions_count_and_those_for_types_do_not() -> None:
    text = "if TYPE_CHECKING:\n import a\nelse:\n import b\ndef f():\n from c.d import e\nclass G:\n import h.i"
    assert list(imported(ast.parse(text))) == ["b", "c.d.e", "h.i"]


@pytest.mark.parametrize("name", [name for name in trees() if not name.startswith("search.cli")])
def test_only_the_command_line_prints(name: str) -> None:
    calls = [node for node in ast.walk(trees()[name]) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if ast.unparse(call.func) in ("print", "sys.stdout.write")] == []


def undescribed(node: ast.AST, path: str) -> Iterator[str]:
    """The public classes, functions and methods below a node that have no docstring."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
            if ast.get_docstring(child) is None:
                yield f"{path}.{child.name}"
            if isinstance(child, ast.ClassDef):
                yield from undescribed(child, f"{path}.{child.name}")


@pytest.mark.parametrize("name", trees())
def test_every_module_and_everything_public_in_it_is_described(name: str) -> None:
    assert ast.get_docstring(trees()[name])
    assert list(undescribed(trees()[name], name)) == []


PROBE = """
import runpy, sys
try:
    runpy.run_module("search", run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code
heavy = {"torch", "lightning", "mlflow", "optuna", "pandas", "sklearn", "onnx", "plotly", "numba"}
print(code, *sorted(heavy & {name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def loaded_by(folder: Path, *arguments: str) -> tuple[str, set[str]]:
    """The exit code of a command in a process of its own, and the heavy packages that it loaded."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=program_environment(),
    )
    code, *heavy = result.stderr.splitlines()[-1].split()
    return code, set(heavy)


@pytest.mark.parametrize(
    ("arguments", "code", "allowed"),
    [
        (("--help",), "0", set()),
        (("run", "--help"), "0", set()),
        (("schema",), "0", set()),
        (("run", "wrong.yaml"), "2", set()),
        (("check", "wrong.yaml"), "2", set()),
        (("run", "tiny.yaml", "--set", "splits.holdout=190"), "2", {"pandas"}),
        (("run", "unknown"), "2", set()),
        (("show", "weather"), "2", set()),
        (("compare", "--help"), "0", set()),
        (("compare", "wrong.yaml"), "2", set()),
        (("compare", "tiny.yaml", "--seeds", "0"), "2", set()),
        (("ui",), "2", set()),
        (("check", "weather"), "0", {"pandas"}),
        (("show", "tiny"), "0", {"optuna"}),
        (("show", "tiny", "--json"), "0", {"optuna"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_trains_nothing_loads_nothing_to_train_with(
    arguments: tuple[str, ...], code: str, allowed: set[str], tmp_path: Path
) -> None:
    path = write_study(tmp_path)
    (tmp_path / "wrong.yaml").write_text(path.read_text().replace("horizon: 3", "horizon: three"))
    if "show" in arguments:
        create_study(tmp_path, path)
    ended, heavy = loaded_by(tmp_path, *arguments)
    assert ended == code
    assert heavy <= allowed


def create_study(folder: Path, path: Path) -> None:
    """The journal of a study without trials."""
    (folder / "studies").mkdir()
    plan = make_plan(load_study(path).config, study_file=path)
    attributes = {
        "task": plan.config.task,
        "config": plan.config.to_dict(),
        "identity": identity(plan),
        "data": plan.describe_data(),
    }
    storage = open_storage(folder / "studies" / "tiny.journal")
    StudyStore.create(storage, "tiny", direction="minimize", attributes=attributes)


def test_every_package_is_installed() -> None:
    """An installation for development finds them anyway."""
    root = Path(str(search.__file__)).parent.parent
    listed = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(root) for name in ("lstmgru", "search") for path in (root / name).rglob("*.py")}
    assert sorted(listed) == sorted({*(".".join(folder.parts) for folder in folders), "search.builtin_studies"})
