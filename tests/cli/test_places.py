"""Commands find a study under the name that it was run with, and its model where its folder is now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.drivers import finish
from helpers.studies import search_here


@pytest.fixture(scope="module")
def run_as_other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``run tiny.yaml --set name=other``."""
    folder = tmp_path_factory.mktemp("first")
    finish(folder, "name=other", "search.trials=1", "search.pruner=none")
    return folder


@pytest.fixture
def moved(run_as_other: Path, tmp_path: Path) -> Path:
    """The same folder elsewhere; the first one is gone for the program."""
    return shutil.copytree(run_as_other, tmp_path / "second")


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "other"),
        ("report", "other"),
        ("export", "other"),
        ("check", "other"),
        ("check", "other", "--set", "search.trials=2"),
        ("run", "other"),
    ],
    ids=" ".join,
)
def test_a_study_that_was_run_under_a_name_is_found_by_it(arguments: tuple[str, ...], moved: Path) -> None:
    result = search_here(moved, *arguments)

    assert result.returncode == 0, result.stderr
    assert (moved / "studies" / "other.journal").exists()
    assert not (moved / "studies" / "tiny.journal").exists()


def test_a_study_without_a_file_is_named_in_its_problems_by_its_journal(moved: Path) -> None:
    result = search_here(moved, "run", "other", "--trials", "0")

    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        "error: studies/other.journal: 1 problem",
        "  --trials 0: search.trials must be a whole number from 1, or auto, but got 0",
    ]


def test_the_way_out_names_what_was_typed(moved: Path) -> None:
    result = search_here(moved, "show", "tiny.yaml")

    assert result.returncode == 2
    assert result.stderr.endswith("run it with: python -m search run tiny.yaml\n")


def test_a_study_that_was_moved_or_copied_shows_paths_that_are_there(moved: Path, run_as_other: Path) -> None:
    shown = search_here(moved, "show", "other")
    document = json.loads(search_here(moved, "show", "other", "--json").stdout)

    assert str(run_as_other) not in shown.stdout
    assert "model     studies/other.bundle\n" in shown.stdout
    assert "plot      studies/other.report/forecasts.html\n" in shown.stdout
    assert document["bundle"] == str(moved / "studies" / "other.bundle")


def test_a_model_that_was_deleted_is_not_shown_as_if_it_were_there(run_as_other: Path, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    shutil.copytree(run_as_other, folder)
    hidden = run_as_other / "studies" / "other.bundle"
    hidden.rename(hidden.with_name("hidden"))
    try:
        shutil.rmtree(folder / "studies" / "other.bundle")
        shown = search_here(folder, "show", "other")
        assert "is no longer there; export it again with: python -m search run other" in shown.stdout
        assert search_here(folder, "run", "other").returncode == 0
        assert (folder / "studies" / "other.bundle" / "bundle.json").exists()
    finally:
        hidden.with_name("hidden").rename(hidden)
