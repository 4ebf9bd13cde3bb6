"""``docs/python.md`` says what the Python interface has: functions, attributes, columns and plots."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
from helpers.synthetic_study import finished_study

import search
from search import StudyResult
from search.api import BacktestResult, RefitResult
from search.reports.frames import TRIAL_COLUMNS
from search.reports.plots import PLOTS

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
STUDY = StudyResult(finished_study(), Path())


def rows(heading: str, place: int = 0) -> list[list[str]]:
    """The cells of a table below a heading.

    Args:
        heading: Its text.
        place: Number of the table below it.
    """
    section = re.split(r"^#+ ", PAGE.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    tables = re.findall(r"^\|[- |]+\|\n((?:\|.*\n)+)", section, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in tables[place].splitlines()]


def names(heading: str, place: int = 0) -> list[str]:
    """The names in the first column of such a table."""
    return [name.strip("` ") for row in rows(heading, place) for name in row[0].split("`, `")]


def public(value: object) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


def called(text: str) -> tuple[str, list[str]]:
    """Name and arguments of ``f(a, b)``."""
    name, _, arguments = text.strip("`)").partition("(")
    return name, arguments.split(", ") if arguments else []


def test_every_function_is_listed_with_its_arguments() -> None:
    listed = dict(called(row[0]) for row in rows("Functions"))

    functions = {name: getattr(search, name) for name in search.__all__ if name[0].islower()}
    assert listed == {name: list(inspect.signature(each).parameters) for name, each in functions.items()}
    returned = {called(row[0])[0]: row[2].strip("` ") for row in rows("Functions")}
    assert returned == {name: inspect.signature(each).return_annotation for name, each in functions.items()}


def test_every_attribute_and_method_of_a_study_is_listed() -> None:
    methods = dict(called(row[0]) for row in rows("StudyResult", 1))

    assert sorted([*names("StudyResult"), *methods]) == sorted(public(STUDY))
    for name, arguments in methods.items():
        assert list(inspect.signature(getattr(STUDY, name)).parameters) == arguments, name


def test_attributes_have_the_names_of_show_json() -> None:
    keys = STUDY.to_json().keys() - {"study", "objectives", "bounds"}

    assert keys <= public(STUDY)


@pytest.mark.parametrize(
    ("heading", "described"), [("Columns of trials", TRIAL_COLUMNS), ("Plots", PLOTS)], ids=["columns", "plots"]
)
def test_columns_and_plots_are_described_as_in_the_code(heading: str, described: dict[str, str]) -> None:
    assert {name.strip("`"): text for name, text in (map(str.strip, row) for row in rows(heading))} == described


def test_the_results_of_refit_and_backtest_have_what_the_page_says() -> None:
    assert set(names("RefitResult")) == {*(each.name for each in fields(RefitResult)), "promoted"}
    assert callable(BacktestResult.to_json)
