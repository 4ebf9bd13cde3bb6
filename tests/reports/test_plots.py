"""The plots of a study: pictures that need nothing else, chosen by name, and what cannot be drawn is said."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from helpers.combinations import each_row
from helpers.report_study import NUMBERS, Made, make_label_store, make_store

from lstmgru.errors import DataError
from search.errors import SearchError
from search.reports.plots import Plot, plot_names, study_plot
from search.study.records import BaselineRecord, HoldoutRecord
from search.study.store import StudyStore
from search.tasks import find_task

optuna.logging.set_verbosity(optuna.logging.WARNING)

HOLDOUT = HoldoutRecord(
    0, 2.5, {"mae": 2.5}, "It wins.", True, score_interval=(2.3, 2.7), baseline_intervals={"linear": (2.6, 3.0)}
)
FORECASTS = """\
series,target,cutoff,time,actual,forecast,lower_80,upper_80
{0},sales,2022-07-18,2022-07-19,21.5,21.0,20.0,22.0
{0},sales,2022-07-18,2022-07-20,19.5,20.0,19.0,21.0
{1},sales,2022-07-18,2022-07-19,5.5,5.0,4.5,5.5
{1},sales,2022-07-18,2022-07-20,4.5,4.0,3.5,4.5
"""
CLASSES = "class,support,precision,recall,f1\nup,2,1,1,1\ndown,1,1,1,1\n"
OF_CLASSES = "sequence,actual,predicted,p_up,p_down\na,up,up,0.9,0.1\nb,up,up,0.8,0.2\nc,down,down,0.3,0.7\n"
OF_VALUES = "sequence,actual,predicted\na,1.5,1.25\nb,2.5,2.75\n"


def plot(store: StudyStore, name: str, *, series: str | None = None, target: str | None = None, **changes: Any) -> Plot:
    """A plot of a study that was changed so."""
    study = replace(store.record(), **changes)
    return study_plot(name, study, store.study, find_task(study.task).pages, series=series, target=target)


def scored(folder: Path, **tables: str) -> dict[str, Any]:
    """What a study has whose holdout was scored, and these tables of the holdout."""
    (folder / "tiny.report").mkdir()
    for name, content in tables.items():
        (folder / "tiny.report" / f"{name}.csv").write_text(content)
    baselines = {"naive": BaselineRecord(3.4, 3.3), "linear": BaselineRecord(2.9, 2.8)}
    return {"holdout": HOLDOUT, "bundle": str(folder / "tiny.bundle"), "baselines": baselines}


def texts(drawn: Plot) -> str:
    """Everything that a picture says, whose looks are attributes."""
    root = ET.fromstring(drawn.svg)
    assert not {element.tag.rpartition("}")[2] for element in root.iter()} & {"style", "script", "foreignObject"}
    assert not any({"class", "style"} & element.attrib.keys() for element in root.iter())
    return " ".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text"))


def test_every_plot_is_a_picture_of_its_own(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 5)
    known = scored(tmp_path, forecasts=FORECASTS.format("shop", "shop"))
    names = plot_names(store.record(), find_task("forecast").pages)

    said = {name: texts(plot(store, name, **known)) for name in names}

    expected = {
        "holdout": ("Scores on the holdout", "naive", "linear", "MAE of sales, holdout (smaller is better)"),
        "forecasts": ("Latest forecasts of sales", "80% interval", "actual"),
        "history": ("MAE by trial", "best so far", "complete"),
        "curves": ("MAE by epoch, trial by trial", "epoch, fold after fold"),
        "importance": ("Importance of the parameters",),
    }
    assert {name: [text for text in expected[name] if text not in said[name]] for name in names} == {
        name: [] for name in expected
    }


def test_a_notebook_shows_the_picture_and_a_terminal_its_title(tmp_path: Path) -> None:
    drawn = plot(make_store(tmp_path, [Made()] * 5), "history")

    assert drawn._repr_svg_() == drawn.svg
    shown = re.fullmatch(r'<img alt="MAE by trial" src="data:image/svg\+xml;base64,(.+)">', drawn._repr_html_())
    assert shown
    assert base64.b64decode(shown[1]).decode() == drawn.svg
    assert drawn.svg.startswith('<svg xmlns="http://www.w3.org/2000/svg" role="img" width="760"')
    assert repr(drawn) == "Plot('MAE by trial')"


def test_a_picture_is_saved_as_svg_and_as_nothing_else(tmp_path: Path) -> None:
    drawn = plot(make_store(tmp_path, [Made()] * 5), "history")

    drawn.save(tmp_path / "history.svg")

    assert (tmp_path / "history.svg").read_text(encoding="utf-8") == drawn.svg
    with pytest.raises(SearchError, match=r"history\.png must end with \.svg, the format of plots"):
        drawn.save(tmp_path / "history.png")


def test_marks_keep_the_looks_of_the_report(tmp_path: Path) -> None:
    svg = plot(make_store(tmp_path, [Made(), Made("PRUNED", reason="worse")]), "history").svg

    assert 'fill="currentColor" color="#0072b2"' in svg  # a complete trial, blue
    assert 'fill="#ffffff" stroke="currentColor" stroke-width="1.6" color="#80878f"' in svg  # a pruned one, a ring
    assert 'stroke-dasharray="5 4"' in svg  # the best baseline


@each_row(
    ("trials", "name", "message"),
    [
        ([Made()], "histry", "there is no plot 'histry'; did you mean 'history'.*; study 'tiny' has: holdout,"),
        ([Made()], "predictions", "there is no plot 'predictions'"),
        ([Made()], "pareto_latency", "there is no plot 'pareto_latency'"),
        ([Made()], "holdout", "study 'tiny' has no scores on the holdout yet; run it to completion first"),
        ([Made()], "forecasts", "study 'tiny' has no forecasts yet; run it to completion first"),
        ([Made("RUNNING")], "history", "study 'tiny' has no complete trial yet, so there is no plot 'history'"),
        ([], "curves", "study 'tiny' has no complete trial yet, so there is no plot 'curves'"),
        ([Made()], "importance", "importances of study 'tiny' cannot be computed: at least 4 complete trials"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(tmp_path: Path, trials: list[Made], name: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        plot(make_store(tmp_path, trials), name)


def test_forecasts_that_were_removed_are_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"the forecasts are no longer available: .*forecasts\.csv does not exist"):
        plot(make_store(tmp_path, [Made()]), "forecasts", **scored(tmp_path))


def test_the_forecasts_of_a_series_are_chosen_by_its_name(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()])
    known = scored(tmp_path, forecasts=FORECASTS.format("north", "south & <east>"))

    chosen = plot(store, "forecasts", series="south & <east>", **known)

    assert "Latest forecasts of sales of south & <east>" in texts(chosen)
    assert chosen.svg != plot(store, "forecasts", series="north", **known).svg
    for names, message in (
        ({"series": "nort"}, "have no series 'nort'; did you mean 'north'.*; they have: north, south & <east>"),
        ({"target": "sale"}, "have no target 'sale'; did you mean 'sales'.*; they have: sales"),
    ):
        with pytest.raises(DataError, match=message):
            plot(store, "forecasts", **names, **known)
    with pytest.raises(SearchError, match="series and target choose forecasts, but plot 'history' shows none"):
        plot(store, "history", series="north", **known)


def test_each_further_objective_is_drawn_against_the_score(tmp_path: Path) -> None:
    store = make_store(tmp_path, [Made()] * 5, objectives=("score", "latency", "n_parameters"))

    assert "latency (ms)" in texts(plot(store, "pareto_latency"))
    assert "parameters" in texts(plot(store, "pareto_n_parameters"))
    assert "MAE by trial" in texts(plot(store, "history"))
    with pytest.raises(SearchError, match=r"no plot 'curves'.*importance, pareto_latency, pareto_n_parameters"):
        plot(store, "curves")


@pytest.mark.parametrize(
    ("overrides", "tables", "said"),
    [
        ((), {"classes": CLASSES, "predictions": OF_CLASSES}, "Reliability of the probabilities"),
        (NUMBERS, {"predictions": OF_VALUES}, "Predicted and actual values"),
    ],
    ids=["classification", "regression"],
)
def test_predictions_are_drawn_as_their_task_draws_them(
    tmp_path: Path, overrides: tuple[str, ...], tables: dict[str, str], said: str
) -> None:
    store = make_label_store(tmp_path, [Made(), Made()], overrides=overrides)
    known = scored(tmp_path, **tables)

    assert said in texts(plot(store, "predictions", **known))
    with pytest.raises(DataError, match="the predictions have no series"):
        plot(store, "predictions", series="a", **known)
