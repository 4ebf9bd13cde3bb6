"""The documents say what the program does: commands, options, JSON keys, examples, links."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from helpers.combinations import each_row
from typer.main import get_command

from lstmgru.errors import DataError
from search.api import load_plan, run_study
from search.cli.app import app
from search.config.search_config import SearchConfig
from search.errors import StudyFileError
from search.executors import EXECUTORS
from search.tasks.study_file import read_study_file

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("studies/*.md"), *ROOT.glob("benchmarks/*.md")]
)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
READMES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}
README = READMES["README.md"]
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]  # an app of several commands is a group

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of a language."""
    return [content for name, content in FENCE.findall(text) if name == language]


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READMES)
def test_the_two_first_commands_are_lines_of_their_own(name: str) -> None:
    first = [block.strip() for block in blocks(READMES[name], "sh")][:2]

    assert first == ["pip install -e . && python -m search run", "pip install -e '.[test]' && pytest"]


def test_every_command_has_a_section_that_is_written_from_it_and_no_other_has() -> None:
    sections = re.findall(r"^## (\w+)\n\n<!-- command: (\w+) -->$", COMMANDS_PAGE, re.MULTILINE)

    assert sections == [(command, command) for command in COMMANDS]


def test_the_tables_of_keys_and_options_are_what_their_script_writes() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "reference.py"))

    for page in script["PAGES"]:
        text = page.read_text(encoding="utf-8")
        assert script["filled"](text) == text, "run: python docs/reference.py"


def test_the_reference_shows_what_the_code_has() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    keys, options = script["key_rows"]("forecast"), script["command"]("refit")

    assert keys["search.jobs"][1:3] == ("integer ≥ 1 and ≤ 1024, `auto`", "`auto`")
    assert keys["space.dropout"][1:3] == ("number ≥ 0 and < 1, list, range, `null`", "`null`")
    assert keys["data.gaps"][1:3] == ("`error`, `fill`, `interpolate`", "`error`")
    assert keys["data.time"][1:3] == ("text, list", "required")
    assert any(row.startswith("| `--promote <if-better\\|always\\|never>` | if-better | When ") for row in options)
    assert any("see [json.md](json.md)" in row for row in options)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_executor_is_a_value_of_its_key(executor: str) -> None:
    key = SearchConfig.model_fields["executor"].description

    assert key
    assert f"`{executor}`" in key


@pytest.mark.parametrize("name", READMES)
def test_the_tour_in_the_readme_has_every_command_with_an_example(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| `python -m search (\w+)\b.*` \|$", READMES[name], re.MULTILINE)

    assert rows == [(command, command) for command in COMMANDS]


@pytest.mark.parametrize("pattern", ["`[^`]+`", r"\]\([^)]+\)", r"\d(?:[\d.,]*\d)?"], ids=["code", "links", "numbers"])
def test_the_chinese_readme_says_the_same(pattern: str) -> None:
    english, chinese = (FENCE.sub("", text) for text in READMES.values())

    def found(text: str) -> list[str]:
        return sorted({" ".join(each.split()) for each in re.findall(pattern, text)})

    assert found(chinese) == found(english)


def test_the_chinese_readme_shows_the_same_commands_and_output() -> None:
    english, chinese = (FENCE.findall(text) for text in READMES.values())

    assert chinese == english


def written_commands() -> list[tuple[str, str]]:
    """Every ``python -m search …`` in a document that is meant to be typed: page and arguments."""
    found = []
    for page, name in zip(PAGES, NAMES, strict=True):
        text = page.read_text(encoding="utf-8")
        spans = re.findall(r"`(python -m search [^`]+)`", text)
        lines = [line for language in ("sh", "") for block in blocks(text, language) for line in block.splitlines()]
        for line in [*spans, *lines]:
            for command in re.findall(r"python -m search ([^&|>]+)", line):
                quoted = command.count("'") % 2  # the end of a command within quotes: bash -c 'cd sales && …'
                found.append((name, command.strip().removesuffix("'" * quoted)))
    return found


def test_a_command_that_is_written_somewhere_is_one_that_the_program_takes() -> None:
    wrong = []
    for page, command in sorted(set(written_commands())):
        name, *arguments = shlex.split(command, comments=True)
        try:
            COMMANDS[name].make_context(name, arguments)
        except Exception as error:  # an unknown command or option, or a value of the wrong type
            wrong.append(f"{page}: {command}: {error}")

    assert not wrong, "\n".join(wrong)


# --- examples ---------------------------------------------------------------------------------------------------------


def three_lines() -> str:
    """The smallest study, as the README has it."""
    block, *_ = blocks(README, "yaml")
    return block


def write_sales(folder: Path, rows: int) -> Path:
    """That study with a daily table; returns the study file."""
    days = pd.date_range("2022-01-01", periods=rows, freq="D").strftime("%Y-%m-%d")
    pd.DataFrame({"date": days, "units": [step % 11 for step in range(rows)]}).to_csv(folder / "sales.csv", index=False)
    file = folder / "studies" / "sales.yaml"
    file.parent.mkdir()
    file.write_text(three_lines(), encoding="utf-8")
    return file


@pytest.mark.parametrize("number", [1, 2])
def test_a_study_of_labels_is_as_short(number: int, tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text(blocks(README, "yaml")[number], encoding="utf-8")

    assert read_study_file(file).config.task == "classification"


def test_three_lines_of_yaml_are_a_study(tmp_path: Path) -> None:
    config = read_study_file(write_sales(tmp_path, 1)).config

    assert len(three_lines().splitlines()) == 3
    assert (config.name, config.data.path, config.data.time, config.data.targets) == (
        "sales",
        "sales.csv",
        ("date",),
        ("units",),
    )
    assert (config.forecast.horizon, config.splits.holdout) == (14, 90)


@pytest.mark.parametrize("key", ["data.path", "data.time", "data.target", "forecast.horizon", "splits.holdout"])
def test_none_of_its_five_keys_can_be_left_out(tmp_path: Path, key: str) -> None:
    name = key.rpartition(".")[2]
    shorter = re.sub(rf"\b{name}: [\w.]+(, )?", "", three_lines())
    assert shorter != three_lines()
    file = tmp_path / "sales.yaml"
    file.write_text(shorter, encoding="utf-8")

    with pytest.raises(StudyFileError, match=rf"{key} is missing|is missing, and so is {key}"):
        read_study_file(file)


def test_the_readme_says_how_many_rows_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(README.split())
    stated = re.search(
        r"needs at least (\d+) rows. With fewer than (\d+) rows .* folds, and .* (\d+) rows contexts", text
    )
    assert stated
    least, all_folds, long_contexts = map(int, stated.groups())
    monkeypatch.chdir(tmp_path)
    write_sales(tmp_path, long_contexts)
    table = pd.read_csv("sales.csv")

    def shortened(rows: int) -> list[str]:
        """The keys that give way."""
        table[:rows].to_csv("sales.csv", index=False)
        return re.findall(r"^([a-z_.]+) is \d+ instead of", "\n".join(load_plan("sales").notes), re.MULTILINE)

    with pytest.raises(DataError, match="too few"):
        shortened(least - 1)
    assert {rows: shortened(rows) for rows in (least, all_folds - 1, all_folds, long_contexts - 1, long_contexts)} == {
        least: ["splits.folds", "space.context_length"],
        all_folds - 1: ["splits.folds"],
        all_folds: ["space.context_length"],
        long_contexts - 1: ["space.context_length"],
        long_contexts: [],
    }


def test_the_output_of_a_run_follows_its_marker() -> None:
    after = README.partition("<!-- output: python -m search run -->\n")[2]
    shown = FENCE.match(after)

    assert shown
    assert shown[2].startswith("weather: forecast temp_max 7 steps ahead, minimize MAE\n")
    assert all(f"baseline: {name}" in shown[2] for name in ("naive", "seasonal naive", "linear"))


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_python_in_the_readme_uses_names_and_arguments_that_exist(code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == [], node.module
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "run_study":
            inspect.signature(run_study).bind(*node.args, **{str(word.arg): None for word in node.keywords})


PRODUCTION = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")


def test_the_workflow_of_a_scheduled_refit_is_one_that_github_would_run() -> None:
    (block,) = blocks(PRODUCTION, "yaml")
    workflow = yaml.safe_load(block)
    (schedule,) = workflow[True]["schedule"]  # YAML 1.1 reads the key ``on`` as true
    assert len(schedule["cron"].split()) == 5
    (job,) = workflow["jobs"].values()
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])


def test_the_programs_of_the_page_on_production_are_python_and_import_what_exists() -> None:
    for code in blocks(PRODUCTION, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in (
                "mlflow",
                "search",
                "lstmgru",
            ):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, name.name) for name in node.names)


def test_a_scheduled_command_is_one_that_the_program_takes() -> None:
    found = re.findall(r"lstmgru-search ([\w-]+) ([^>\n\"&]+)", PRODUCTION)
    assert len(found) >= 3
    for name, arguments in found:
        COMMANDS[name].make_context(name, shlex.split(arguments))


def test_everything_in_the_tree_exists() -> None:
    tree = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Repository layout")[2]
    paths = re.findall(r"^(\S+)  ", blocks(tree, "")[0], re.MULTILINE)

    assert len(paths) == 8
    assert [path for path in paths if not (ROOT / path).exists()] == []


# --- architecture -----------------------------------------------------------------------------------------------------

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_architecture_fits_on_two_screens() -> None:
    assert len(ARCHITECTURE.splitlines()) <= 110


def test_every_file_and_folder_that_a_page_names_exists() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/concepts/*.md"), ROOT / "studies/README.md"]
    named = {
        path
        for page in pages
        for path in re.findall(r"`((?:search|lstmgru|tests|benchmarks)/[\w/.]+)`", page.read_text(encoding="utf-8"))
    }

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


UNWRAPPED = ("docs/decisions", "benchmarks", "studies/LOG", "README.zh")
"""Pages whose lines may be long; a line break between Chinese characters would be shown as a blank."""


@each_row("name", [name for name in NAMES if not name.startswith(UNWRAPPED)])
def test_lines_of_prose_have_at_most_120_characters(name: str) -> None:
    lines = FENCE.sub("", (ROOT / name).read_text(encoding="utf-8")).splitlines()

    assert [line for line in lines if len(line) > 120 and not line.startswith(("|", "#"))] == []


# --- links ------------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_relative_links_lead_somewhere() -> None:
    dead = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf-8"))):
            if re.match(r"https?://", target):
                continue
            path, _, anchor = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            if not linked.exists() or (anchor and anchor not in anchors(linked)):
                dead.append(f"{page.relative_to(ROOT)}: {target}")

    assert not dead, "\n".join(dead)


def test_every_page_of_docs_stands_in_its_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.removeprefix("docs/") for page in NAMES if page.startswith("docs/")} - {"README.md"}

    listed = {page for page in pages if f"]({page})" in index}
    assert sorted(pages - listed) == sorted(page for page in pages if re.match(r"decisions/\d", page))


def test_every_decision_stands_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))

    assert listed == sorted(page.name for page in folder.glob("[0-9]*.md"))


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_the_pictures_of_the_concepts_are_what_their_script_draws() -> None:
    folder = ROOT / "docs" / "images"
    script = runpy.run_path(str(folder / "draw.py"))
    drawn = {f"{name}.svg": script["drawing"](picture()) for name, picture in script["PICTURES"].items()}

    assert {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.svg")} == drawn


def test_every_picture_has_an_alternative_text() -> None:
    shown = {name: re.findall(r"!\[([^]]*)\]", (ROOT / name).read_text(encoding="utf-8")) for name in NAMES}

    assert [name for name, texts in shown.items() if any(len(text) < 20 for text in texts)] == []


# --- outputs ----------------------------------------------------------------------------------------------------------

SCORE_COLUMNS = {"folds", "holdout", "min", "max"}


def printed_tables(name: str) -> list[list[list[str]]]:
    """The rows of cells of every table of a terminal on a page, its head first."""
    tables: list[list[list[str]]] = []
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("┃"):
            tables.append([])
        if line.startswith(("┃", "│")) and tables:
            tables[-1].append([cell.strip() for cell in line[1:-1].split(line[0])])
    return tables


@each_row("name", [name for name in NAMES if "┃" in (ROOT / name).read_text(encoding="utf-8")])
def test_scores_of_a_printed_column_have_the_same_decimals_and_no_cell_is_cut(name: str) -> None:
    tables = printed_tables(name)

    assert tables
    for head, *rows in tables:
        assert not any(cell.endswith("…") for row in rows for cell in row)
        for place in [place for place, title in enumerate(head) if title in SCORE_COLUMNS]:
            column = [row[place] for row in rows if place < len(row) and row[place]]
            assert len({len(cell.partition(".")[2]) for cell in column}) <= 1, column
