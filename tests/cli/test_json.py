"""The JSON of commands has exactly the keys and types that docs/json.md and ``schema`` describe.

Tests of the commands themselves validate what these print; here are objects with every value that can be unknown.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.comparisons import make_comparison, make_family, make_label_comparison, make_score, unscored
from helpers.json_output import valid_json
from helpers.studies import search_here
from pydantic_core import to_jsonable_python

from search.cli.check import Described
from search.cli.documents import BacktestOutput, LeftOut, RefitOutput, documents
from search.study.backtest_records import BacktestBaseline, BacktestRecord, ClassPart, Parts, SeriesPart, StepPart
from search.study.blend_records import BlendMember, BlendRecord, SingleRecord
from search.study.records import BaselineRecord, HoldoutRecord, IntervalRecord, StudyRecord, TrackingLinks, TrialRecord
from search.study.refit_records import RefitRecord

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")


def fresh_study() -> StudyRecord:
    """A study that has just begun: nothing is known that need not be."""
    return StudyRecord("weather", "0", "forecast", "mae", "minimize", {}, {}, trials=(TrialRecord(0, "RUNNING"),))


def unscored_study() -> StudyRecord:
    """A study whose baselines are scored, before its end."""
    return StudyRecord("weather", "0", "forecast", "mae", "minimize", {}, {}, baselines={"naive": BaselineRecord(2.5)})


def finished_study() -> StudyRecord:
    """A study of which everything is known."""
    trial = TrialRecord(
        0,
        "COMPLETE",
        value=2.5,
        layers="gru(8)",
        params={"cell_1": "gru"},
        n_parameters=300,
        latency=0.001,
        train_seconds=1.25,
        epochs=9,
        seconds=1.5,
        fold_scores=(2.25, 2.75),
        origin="portfolio",
        reason="a reason",
        mlflow_run_id="c0ffee",
    )
    return StudyRecord(
        "weather",
        "0",
        "forecast",
        "mae",
        "minimize",
        {},
        {},
        trials=(trial,),
        baselines={"naive": BaselineRecord(3.5, 3.25)},
        holdout=HoldoutRecord(
            0,
            2.5,
            {"mae": 2.5},
            "It wins.",
            True,
            (IntervalRecord(0.8, 0.78, 1.5),),
            score_interval=(2.25, 2.75),
            baseline_intervals={"naive": (3.0, 3.5)},
        ),
        bundle="/models/weather.bundle",
        mlflow=TrackingLinks("http://127.0.0.1:5000", "1", "c0ffee"),
        blend=BlendRecord(
            (BlendMember(0.75, trial=0), BlendMember(0.25, baseline="naive")), 2.25, 2.5, SingleRecord(0, 2.5, 2.75)
        ),
        refits=(RefitRecord("2026-01-31", "later.csv", "3 rows more", 2.5, "It wins.", False, 2.5, 2.5, True, "Why."),),
    )


def poor_study() -> StudyRecord:
    """A study whose time was too short for most things."""
    stopped = BlendRecord((BlendMember(1.0, trial=0),), None, 2.5)
    unscored = RefitRecord("2026-01-31", "later.csv", "3 rows more", None, "", None, 2.5, None, True, "Why.")
    holdout = HoldoutRecord(0, 2.5, {"mae": 2.5}, "It wins.", True)
    return replace(finished_study(), blend=stopped, refits=(unscored,), holdout=holdout)


def short_study() -> StudyRecord:
    """A study whose best trial could not be trained again."""
    blend = finished_study().blend
    assert blend is not None
    return replace(finished_study(), blend=replace(blend, single=SingleRecord(0, 2.5, None)))


def several_objectives() -> StudyRecord:
    """A study with a Pareto front."""
    return replace(finished_study(), config={"search": {"objectives": ["score", "latency"]}})


SCORED = BacktestRecord("weather", "forecast", "mae", "minimize", "later.csv", "3 rows", 2.5, {"mae": 2.5})
INTERVALS = (IntervalRecord(0.8, 0.78, 1.5),)
REFIT = RefitRecord("2026-01-31", "later.csv", "3 rows more", None, "", None, 2.5, None, True, "Why.")

PRINTED: dict[str, list[Any]] = {
    "show": [fresh_study(), unscored_study(), finished_study(), poor_study(), short_study(), several_objectives()],
    "compare": [
        make_comparison(),
        make_comparison(
            make_family("gru", contexts=(), memory=None, sensitivity=None, folds=make_score(2.0, folds_sd=None)),
            unscored(),
            best=None,
        ),
        make_label_comparison(),
    ],
    "backtest": [
        BacktestOutput(**vars(SCORED)),
        BacktestOutput(
            **vars(
                replace(
                    SCORED,
                    holdout={"mae": 2.0},
                    intervals=INTERVALS,
                    holdout_intervals=INTERVALS,
                    baselines={"naive": BacktestBaseline(3.0, 2.0), "theta": BacktestBaseline(None, None, "too few")},
                    beats_baselines=True,
                    parts=Parts(
                        series=(SeriesPart("north", 2, 2.5, None, ()),),
                        steps=(StepPart(1, None, 3.0, INTERVALS),),
                        classes=(ClassPart("a", 3, 0.5, 0.5, 0.5),),
                    ),
                    notes=("A note.",),
                )
            ),
            mlflow_run_id="c0ffee",
        ),
    ],
    "refit": [RefitOutput(**vars(REFIT), backtest=None), RefitOutput(**vars(REFIT), backtest=SCORED)],
    "predict": [[], [LeftOut("north", "too few rows")]],
}
"""What each command can print."""


def printed(command: str) -> list[str]:
    """The texts of these."""
    return [
        json.dumps(each.to_json() if hasattr(each, "to_json") else to_jsonable_python(each))
        for each in PRINTED[command]
    ]


@pytest.mark.parametrize("command", PRINTED)
def test_all_that_a_command_can_print_is_described(command: str) -> None:
    for text in printed(command):
        assert valid_json(command, text) == json.loads(text)


@pytest.mark.parametrize("command", PRINTED)
def test_the_schema_of_a_command_accepts_what_it_prints_and_no_missing_key_or_other_type(
    command: str, tmp_path: Path
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = jsonschema.Draft202012Validator(json.loads(search_here(tmp_path, "schema", command).stdout))

    for document in map(json.loads, printed(command)):
        assert schema.is_valid(document)
        for each in document if isinstance(document, list) else [document]:
            for name, value in list(each.items()):
                del each[name]
                assert not schema.is_valid(document), name
                each[name] = [1.5]
                assert not schema.is_valid(document), name
                each[name] = value


def test_every_command_that_prints_json_has_a_schema_and_a_section() -> None:
    assert list(Described) == ["study", *documents()]
    assert re.findall(r"^<!-- json: (\w+) -->$", PAGE, re.MULTILINE) == list(documents()) == list(PRINTED)


def test_the_example_on_the_page_has_the_described_keys() -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    assert valid_json("show", example)["best"] == json.loads(example)["trials"][0]


def test_the_best_trial_is_one_of_the_trials() -> None:
    document = finished_study().to_json()

    assert document["best"] == document["trials"][0]
