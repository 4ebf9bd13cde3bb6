"""The command line as a whole: help with examples, the way of every command into the README, and small commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import typer.main
from helpers.combinations import each_row
from helpers.studies import program_environment, search, search_here, write_study
from helpers.synthetic_study import finished_study
from rich.console import Console

from search.api import export_bundle
from search.cli.app import app, main
from search.cli.tables import print_study
from search.errors import SearchError
from search.study.journal import open_storage
from search.study.paths import StudyPaths
from search.study.records import TrackingLinks
from search.study.store import StudyStore

README = Path(__file__).parents[2] / "README.md"
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
NAMES = ["run", "check", "show", "report", "compare", "export", "predict", "backtest", "refit", "ui", "sync", "schema"]


def output_of(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, code: int = 0
) -> str:
    """What a command prints in this process; boxes and line breaks of a narrow terminal are taken out."""
    monkeypatch.setattr(sys, "argv", ["search", *arguments])
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    assert caught.value.code == code, out + err
    assert "Traceback" not in err
    return out + err


def flat(text: str) -> str:
    """Text without boxes and line breaks."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", text)


def test_the_commands_are_those_that_the_other_tests_know() -> None:
    assert list(COMMANDS) == NAMES


@each_row("name", NAMES)
def test_every_command_has_help_that_ends_with_an_example(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = flat(output_of((name, "--help"), monkeypatch, capsys))
    example = re.search(rf"Example: python -m search {name}\b", text)
    assert example
    assert re.search(r"[A-Z][^.]+[.:;]", text[: example.start()])


@each_row("arguments", [("-h",), *((name, "-h") for name in NAMES)])
def test_the_short_option_shows_the_same_help(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = output_of(arguments, monkeypatch, capsys)
    assert short == output_of((*arguments[:-1], "--help"), monkeypatch, capsys)


def test_the_version_is_that_of_the_package_with_python_and_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['search', '--version']; from search.cli.app import app; app(standalone_mode=False); "
    )
    result = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(int('torch' in sys.modules or 'mlflow' in sys.modules))"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=program_environment(),
    )
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"lstmgru-search \S+.* \(Python 3\.\d+\.\d+\S*, torch \d+\.\d+\S*\)\n", result.stdout)


def test_the_console_script_is_the_program() -> None:
    project = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"lstmgru-search": "search.cli.app:main"}


@each_row("name", NAMES)
def test_every_option_has_help(name: str) -> None:
    parameters = COMMANDS[name].params
    assert [parameter.name for parameter in parameters if not getattr(parameter, "help", None)] == []


@each_row("name", NAMES)
def test_the_example_of_every_command_can_be_parsed(name: str) -> None:
    example = re.search(r"Example: python -m search (.*)", COMMANDS[name].help or "")
    assert example
    command, *arguments = example[1].partition(" >")[0].split()
    assert command == name
    COMMANDS[name].make_context(name, arguments)


@each_row("name", NAMES)
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert re.search(rf"python -m search {name}\b", README.read_text(encoding="utf-8"))


def test_without_a_command_the_program_shows_its_help(tmp_path: Path) -> None:
    result = search(tmp_path)
    assert "Usage: python -m search [OPTIONS] COMMAND" in result.stdout
    assert [name for name in NAMES if f" {name} " not in result.stdout] == []
    assert search(tmp_path, "--help").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_the_schema_is_json_that_knows_every_section(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = json.loads(output_of(("schema",), monkeypatch, capsys))
    forecasts, labels = (schema["$defs"][kind["$ref"].rpartition("/")[2]] for kind in schema["anyOf"])
    rest = ["splits", "search", "space", "training", "export", "tracking", "compare"]
    assert list(forecasts["properties"]) == ["name", "task", "data", "forecast", *rest]
    assert list(labels["properties"]) == ["name", "task", "data", "labels", *rest]


def test_check_shows_the_folds_of_the_weather_with_their_dates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = output_of(("check", "weather"), monkeypatch, capsys)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "series 1, 1461 rows each, from 2012-01-01 to 2015-12-31",
        "frequency D, season of 7 steps",
        "gaps none",
        "targets temp_max",
        "fold 1 train 2012-01-01 to 2014-01-10, score 2014-01-11 to 2014-07-09: 174 forecasts",
        "fold 2 train 2012-01-01 to 2014-07-09, score 2014-07-10 to 2015-01-05: 174 forecasts",
        "fold 3 train 2012-01-01 to 2015-01-05, score 2015-01-06 to 2015-07-04: 174 forecasts",
        "holdout train 2012-01-01 to 2015-07-04, score 2015-07-05 to 2015-12-31: 174 forecasts",
        "the study is valid",
    ):
        assert line in lines
    for start in ("space ", "a candidate takes about ", "time 30 trials take about ", "memory about "):
        assert any(line.startswith(start) for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_quiet_check_prints_errors_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    assert output_of(("check", "tiny.yaml", "--quiet"), monkeypatch, capsys) == ""
    assert "space.dropout" in output_of(
        ("check", "tiny.yaml", "-q", "--set", "space.dropout=7"), monkeypatch, capsys, code=2
    )


@each_row("arguments", [("--no-color", "check", "tiny.yaml"), ("check", "tiny.yaml", "--no-color")])
def test_colors_can_be_switched_off(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "")  # and set back after the test
    write_study(tmp_path)
    assert "\x1b[32m" in output_of(("check", "tiny.yaml"), monkeypatch, capsys)
    assert "\x1b[32m" not in output_of(arguments, monkeypatch, capsys)


def test_a_shell_completes_commands_and_names_of_studies(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    write_study(tmp_path / "studies")
    environment = {**program_environment(), "_LSTMGRU_SEARCH_COMPLETE": "complete_bash"}
    code = "from search.cli.app import app; app(prog_name='lstmgru-search')"

    def completed(words: str, at: int) -> list[str]:
        given = {**environment, "COMP_WORDS": words, "COMP_CWORD": str(at)}
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=tmp_path, env=given
        ).stdout.split()

    assert completed("lstmgru-search re", 1) == ["report", "refit"]
    assert completed("lstmgru-search run ti", 2) == ["tiny"]


def test_check_says_how_many_candidates_a_finite_space_has_and_how_many_rows_were_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_study(tmp_path)
    table = (tmp_path / "shop.csv").read_text().splitlines()
    (tmp_path / "shop.csv").write_text("\n".join([*table[:10], *table[12:]]))
    fixed = ("data.gaps=fill", "space.dropout=0", "space.learning_rate=[0.001, 0.01]", "space.normalization=fold")
    options = [argument for value in fixed for argument in ("--set", value)]
    text = " ".join(output_of(("check", str(path), *options), monkeypatch, capsys).split())
    assert f"gaps 2 of {len(table) - 1} rows filled" in text
    # One layer: 2 cells x 2 sizes; two layers: that squared; 2 contexts, 2 learning rates, 2 segments, 2 decoders.
    assert "space 320 candidates, context of at most 14 steps" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ui",), "there is no .*mlflow.db: run a study in this folder first"),
        (("sync", "weather"), "'weather' has not been run"),
    ],
)
def test_before_a_run_there_is_nothing_to_look_at(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = search_here(tmp_path, *arguments)
    assert result.returncode == 2
    assert re.match(f"error: .*{message}", result.stderr)
    assert list(tmp_path.iterdir()) == []


def store_study(folder: Path, *, tracked: str | None = None, bundle: Path | None = None) -> None:
    """A study without trials, as a run leaves it in the folder."""
    (folder / "studies").mkdir(parents=True)
    record = finished_study(1)
    attributes = {"task": record.task, "config": record.config, "identity": {}, "data": record.data}
    storage = open_storage(StudyPaths(folder, "weather").journal)
    store = StudyStore.create(storage, "weather", direction="minimize", attributes=attributes)
    if tracked is not None:
        store.set_links(TrackingLinks(tracked, "1", "parent"))
    if bundle is not None:
        bundle.mkdir(parents=True)
        (bundle / "bundle.json").write_text("{}")
        store.set("bundle", str(bundle))


@pytest.mark.parametrize(
    ("tracked", "code", "message"),
    [
        ("http://me:***@host:5000", 0, r"the runs are on the MLflow server http://me:\*\*\*@host:5000"),
        (
            "sqlite:////moved/mlflow.db",
            2,
            r"there is no {folder}/mlruns/mlflow.db: copy .*: python -m search sync weather",
        ),
        (None, 2, r"there is no {folder}/mlruns/mlflow.db: copy .*: python -m search sync weather"),
    ],
)
def test_the_ui_of_a_study_is_that_of_its_store(
    tracked: str | None,
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store_study(tmp_path, tracked=tracked)
    monkeypatch.chdir(tmp_path)
    text = output_of(("ui", "weather"), monkeypatch, capsys, code=code)
    assert re.search(message.format(folder=re.escape(str(tmp_path))), text)


def test_the_ui_of_a_study_that_was_not_run_is_an_error(tmp_path: Path) -> None:
    result = search_here(tmp_path, "ui", "weather")
    assert (result.returncode, result.stdout) == (2, "")
    assert "study 'weather' has not been run" in result.stderr


@pytest.mark.parametrize(
    ("tracked", "look"),
    [
        ("sqlite:///{folder}/mlruns/mlflow.db", "python -m search ui weather"),
        ("sqlite:///{folder}/other.db", "python -m search ui weather"),
        ("sqlite:////before/it/was/moved/mlruns/mlflow.db", "python -m search ui weather"),
        ("http://me:***@host:5000", "http://me:***@host:5000"),
    ],
)
def test_the_outcome_says_where_to_look(
    tracked: str, look: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.db").touch()
    console = Console(record=True, width=200, quiet=False)
    links = TrackingLinks(tracked.format(folder=tmp_path), "1", "parent")
    print_study(console, replace(finished_study(2), mlflow=links))
    assert re.search(r"^MLflow UI +(.*)$", console.export_text(), re.MULTILINE)[1] == look  # type: ignore[index]


def test_a_useless_store_in_the_environment_does_not_keep_a_study_from_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    monkeypatch.chdir(tmp_path)
    console = Console(record=True, width=200)
    print_study(console, replace(finished_study(2), mlflow=TrackingLinks("sqlite:////a.db", "1", "parent")))
    assert "python -m search ui weather" in console.export_text()


def test_a_model_is_exported_after_its_folder_was_renamed(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    store_study(before, bundle=before / "studies" / "weather.bundle")
    before.rename(after)
    assert (export_bundle("weather", tmp_path / "model", after) / "bundle.json").exists()
    (after / "studies" / "weather.bundle" / "bundle.json").unlink()
    (after / "studies" / "weather.bundle").rmdir()
    with pytest.raises(SearchError, match="study 'weather' has no exported model"):
        export_bundle("weather", tmp_path / "another", after)
