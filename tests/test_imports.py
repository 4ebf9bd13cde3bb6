"""Dependencies point one way, heavy packages are loaded only where they are used, everything public has a docstring."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from helpers.studies import TINY, program_environment, write_study

from search.tasks import TASKS

ROOT = Path(__file__).parent.parent
# A folder imports only from those to its right, inside functions and for types too.
ROWS = {
    "search": (
        "cli", "api", "compare", "run", "tracking", "tasks",
        "reports", "study", "space", "config", "executors", "errors",
    ),
    "lstmgru": ("bundle", "training", "evaluation", "nn", "runtime", "data", "specs", "errors"),
}  # fmt: skip
# The only places that import a package.
PLACES = {
    "babel": ("lstmgru.data.sequences.datasets",),
    "lightning": ("lstmgru.training",),
    "mlflow": ("search.tracking", "search.compare.tracking"),
    "numba": ("lstmgru.nn.kernels",),
    "onnx": ("lstmgru.bundle",),
    "onnxruntime": ("lstmgru.runtime",),
    "psycopg": ("search.study.database",),
    "rich": ("search.cli",),
    "safetensors": ("lstmgru.bundle",),
    "sklearn": ("lstmgru.evaluation",),
    "torch": (
        "lstmgru.nn", "lstmgru.training", "lstmgru.bundle", "lstmgru.evaluation.forecast_baselines",
        "search.run.workers", "search.executors",
    ),
    "typer": ("search.cli",),
}  # fmt: skip
NOT_IN_LIBRARY = {"search", "optuna", "mlflow", "typer", "rich", "pydantic", "yaml"}
# Their classes belong to one task.
TASK_MODULES = tuple(
    f"{place}.{package.rpartition('.')[2]}."
    for package in sorted(set(TASKS.values()))
    for place in ("search.tasks", "lstmgru.data", "lstmgru.bundle")
)
# They import the packages whose data they read, which only a study needs.
DATASETS = ("lstmgru.data.tables.datasets", "lstmgru.data.sequences.datasets")
MOST_IMPORTS_IN_A_ROW = {"when a module is imported": 14, "inside functions too": 18}


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of every module of both packages, by dotted name."""
    found = {}
    for package in ROWS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Everything that a module imports, inside functions and for types too: modules, and names in modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"a relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def packages_imported(name: str) -> set[str]:
    """The top-level packages that a module imports."""
    return {other.partition(".")[0] for other in imported(trees()[name])}


@cache
def modules_imported(name: str) -> set[str]:
    """The modules of both packages that a module imports; for a name in a module, the module."""
    own = {found if found in trees() else found.rpartition(".")[0] for found in imported(trees()[name])}
    return own & trees().keys() - {name}


def folder(name: str) -> str:
    """``tasks`` of ``search.tasks.plan``, ``errors`` of ``search.errors``, nothing of ``search``."""
    return f"{name}.".split(".")[1]


def test_imports_inside_functions_and_for_types_count() -> None:
    text = "if TYPE_CHECKING:\n import a\nelse:\n import b\ndef f():\n from c.d import e\nclass G:\n import h.i"

    assert set(imported(ast.parse(text))) == {"a", "b", "c.d.e", "h.i"}


@pytest.mark.parametrize("package", ROWS)
def test_every_folder_stands_in_the_row(package: str) -> None:
    found = {folder(name) for name in trees() if name.startswith(f"{package}.")} - {"__main__"}

    assert found == set(ROWS[package])


@pytest.mark.parametrize("package", ROWS)
def test_the_architecture_page_shows_the_row(package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

    assert f"- `{' › '.join(ROWS[package])}`\n" in page


@pytest.mark.parametrize("package", ROWS)
def test_a_folder_imports_only_from_those_to_its_right(package: str) -> None:
    place = {name: number for number, name in enumerate(ROWS[package])}
    offenders = [
        f"{name} -> {other}"
        for name in trees()
        if name.startswith(f"{package}.") and folder(name) != "__main__"
        for other in sorted(modules_imported(name))
        if other.partition(".")[0] == package and folder(other) != folder(name)
        if place.get(folder(other), -1) <= place.get(folder(name), len(place))
    ]

    assert not offenders, "\n".join(offenders)


def test_there_are_no_import_cycles() -> None:
    left = {name: modules_imported(name) for name in trees()}
    size = 0
    while len(left) != size:
        size, needed = len(left), set().union(*left.values())
        left = {name: other & left.keys() for name, other in left.items() if other & left.keys() and name in needed}

    assert not left, "\n".join(f"{name} -> {', '.join(sorted(other))}" for name, other in left.items())


def executed(node: ast.AST, *, functions: bool) -> Iterator[ast.AST]:
    """The imports that run: not those for types, and those inside functions only if asked."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from executed(ast.Module(child.orelse, []), functions=functions)
        elif isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.stmt | ast.excepthandler) and (functions or not isinstance(child, ast.FunctionDef)):
            yield from executed(child, functions=functions)


def test_imports_for_types_never_run() -> None:
    text = "import a\nif TYPE_CHECKING:\n import b\nelse:\n import c\ndef f():\n if x:\n  import d\nclass G:\n import e"
    text += "\ntry:\n import f\nexcept ImportError:\n import g"

    for functions, names in ((False, "acefg"), (True, "acdefg")):
        found = [name for node in executed(ast.parse(text), functions=functions) for name in imported(node)]
        assert sorted(found) == [*names]


@pytest.mark.parametrize("which", MOST_IMPORTS_IN_A_ROW)
def test_chains_of_imports_are_short(which: str) -> None:
    @cache
    def chain(name: str) -> tuple[str, ...]:
        nodes = executed(trees()[name], functions=which == "inside functions too")
        names = {found for node in nodes for found in imported(node)}
        modules = {found if found in trees() else found.rpartition(".")[0] for found in names}
        return name, *max((chain(other) for other in sorted(modules & trees().keys() - {name})), key=len, default=())

    longest = max(map(chain, trees()), key=len)

    assert len(longest) <= MOST_IMPORTS_IN_A_ROW[which], " > ".join(longest)


def test_the_library_imports_nothing_of_the_search() -> None:
    offenders = {
        name: sorted(packages_imported(name) & NOT_IN_LIBRARY)
        for name in trees()
        if name.partition(".")[0] == "lstmgru"
    }

    assert {name: found for name, found in offenders.items() if found} == {}


def test_a_package_is_imported_in_its_place_only() -> None:
    users = {package: [name for name in trees() if package in packages_imported(name)] for package in PLACES}

    assert [package for package, names in users.items() if not names] == [], "nothing imports these any longer"
    offenders = [
        f"{name} -> {package}"
        for package, names in users.items()
        for name in names
        if not f"{name}.".startswith(tuple(f"{place}." for place in PLACES[package]))
    ]
    assert not offenders, "\n".join(offenders)


def test_the_runtime_imports_only_what_its_distribution_declares() -> None:
    declared = tomllib.loads((ROOT / "libs" / "runtime" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*declared["dependencies"], *declared["optional-dependencies"]["parquet"]]
    known = {re.split(r"[^\w-]", requirement)[0] for requirement in requirements} | sys.stdlib_module_names
    parts = tuple(f"lstmgru.{part}." for part in ("runtime", "data", "specs", "errors"))
    names = [name for name in trees() if f"{name}.".startswith(parts) and name not in DATASETS]

    offenders = {name: sorted(packages_imported(name) - known - {"lstmgru"}) for name in names}

    assert {name: found for name, found in offenders.items() if found} == {}
    assert set(ROWS["lstmgru"][ROWS["lstmgru"].index("runtime") :]) == {part.split(".")[1] for part in parts}


def branches_on_tasks(tree: ast.Module, classes: set[str]) -> Iterator[int]:
    """The lines that compare with the name of a task or ask for a class that belongs to one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            if any(isinstance(inner, ast.Constant) and inner.value in TASKS for inner in ast.walk(node)):
                yield node.lineno
        elif isinstance(node, ast.MatchClass):
            if ast.unparse(node.cls) in classes:
                yield node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            kinds = {inner.id for inner in ast.walk(node.args[1]) if isinstance(inner, ast.Name)}
            if kinds & classes:
                yield node.lineno


def test_branches_on_tasks_are_found() -> None:
    text = (
        "a.task == 'forecast'\n"
        "b in ('classification', 'regression')\n"
        "isinstance(c, Plan | ForecastPlan)\n"
        "isinstance(d, str)\n"
        "e = 'forecast'"
    )

    assert list(branches_on_tasks(ast.parse(text), {"ForecastPlan"})) == [1, 2, 3]


def test_only_the_tasks_know_which_task_it_is() -> None:
    classes = {
        node.name
        for name, tree in trees().items()
        if name.startswith(TASK_MODULES)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    offenders = [
        f"{name}:{line}"
        for name, tree in trees().items()
        if name.startswith("search.") and folder(name) != "tasks"
        for line in branches_on_tasks(tree, classes)
    ]

    assert not offenders, "\n".join(offenders)


def test_only_the_command_line_prints() -> None:
    offenders = [
        f"{name}:{node.lineno}"
        for name, tree in trees().items()
        if not name.startswith("search.cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write")
    ]

    assert not offenders, "\n".join(offenders)


def undocumented(node: ast.AST, path: str) -> Iterator[str]:
    """The public classes, functions and methods below a node that have no docstring."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
            if ast.get_docstring(child) is None:
                yield f"{path}.{child.name}"
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, f"{path}.{child.name}")


def test_every_module_and_everything_public_in_it_has_a_docstring() -> None:
    assert [name for name, tree in trees().items() if not ast.get_docstring(tree)] == []
    assert [path for name, tree in trees().items() for path in undocumented(tree, name)] == []


@pytest.mark.slow
def test_a_wheel_holds_every_module_the_portfolio_and_the_studies(tmp_path: Path) -> None:
    """An editable installation finds them anyway."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=200)
    [wheel] = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    suffixes = (".py", ".json", ".css", ".js")
    modules = {
        str(path.relative_to(ROOT)) for name in ROWS for path in (ROOT / name).rglob("*") if path.suffix in suffixes
    }
    studies = {f"search/builtin_studies/{path.name}" for path in (ROOT / "studies").glob("*.yaml")}
    typed = {f"{name}/py.typed" for name in ROWS}
    assert held == modules | studies | typed | {"search/builtin_studies/README.md"}


# --- what a command loads ---------------------------------------------------------------------------------------------

PROBE = """
import json, runpy, sys
heavy = {"torch", "lightning", "mlflow", "optuna", "pandas", "sklearn", "onnx", "plotly", "numba"}
for arguments in json.loads(sys.argv.pop()):
    sys.argv[1:] = arguments
    try:
        runpy.run_module("search", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    loaded = sorted(heavy & {name.partition(".")[0] for name in sys.modules})
    print(*arguments, "->", code, *loaded, file=sys.stderr)
"""


def loaded_by(folder: Path, commands: list[str]) -> list[str]:
    """Each command with its exit code and the heavy packages loaded after it, all of them in one process."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps([command.split() for command in commands])],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=program_environment(),
    )
    return [line for line in result.stderr.splitlines() if " -> " in line]


def test_what_trains_nothing_loads_nothing_to_train_with(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    (tmp_path / "wrong.yaml").write_text(path.read_text().replace("horizon: 3", "horizon: three"))
    nothing = {
        "--help": 0,
        "run --help": 0,
        "compare --help": 0,
        "schema": 0,
        "run wrong.yaml": 2,
        "check wrong.yaml": 2,
        "compare wrong.yaml": 2,
        "compare tiny.yaml --seeds 0": 2,
        "run unknown": 2,
        "show weather": 2,
        "ui": 2,
    }
    table = {"run tiny.yaml --set splits.holdout=190": 2, "check weather": 0}

    assert loaded_by(tmp_path, [*nothing, *table]) == [
        *(f"{command} -> {code}" for command, code in nothing.items()),
        *(f"{command} -> {code} pandas" for command, code in table.items()),
    ]


def test_showing_a_study_loads_optuna_alone(tmp_path: Path) -> None:
    write_study(tmp_path)
    create_study(tmp_path)

    assert loaded_by(tmp_path, ["show tiny", "show tiny --json"]) == [
        "show tiny -> 0 optuna",
        "show tiny --json -> 0 optuna",
    ]


def test_predicting_with_onnx_loads_no_torch(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "specimens" / "stores", tmp_path / "stores")
    command = "predict stores/linear.bundle --data stores/new.csv --output found.csv"

    assert loaded_by(tmp_path, [command]) == [f"{command} -> 0 pandas"]


def create_study(folder: Path) -> None:
    """The journal of a study without trials."""
    from helpers.drivers import plan_of

    from search.study.journal import open_storage
    from search.study.store import StudyStore
    from search.tasks.plan import identity

    plan = plan_of(folder, text=TINY)
    attributes = {
        "task": plan.config.task,
        "config": plan.config.to_dict(),
        "identity": identity(plan).values,
        "data": plan.describe_data(),
    }
    (folder / "studies").mkdir()
    storage = open_storage(folder / "studies" / "tiny.journal")
    StudyStore.create(storage, "tiny", direction="minimize", attributes=attributes)
