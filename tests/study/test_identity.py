"""When a study on disk is the one that is asked for: stored and current values in, differences out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.combinations import each_row
from helpers.studies import write_study

from search.api import load_plan
from search.study.identity import Identity
from search.tasks.plan import identity

DEFAULTS = {"training.precision": "32-true", "search.bounds": [], "space.residual": False, "space.dropout": 0.0}


@each_row(
    ("stored", "current", "differences"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"a": 3, "b": 1}, ["a was 1, is 3", "b was 2, is 1"]),
        # A key without a default must be there on both sides.
        ({}, {"a": None}, ["a was absent, is None"]),
        ({"a": 1}, {}, ["a was 1, is absent"]),
        # A study begun before a key existed, and one stored by a version that knows a key more.
        ({}, DEFAULTS, []),
        (DEFAULTS, {}, []),
        ({}, {"training.precision": "bf16-mixed"}, ["training.precision was 32-true, is bf16-mixed"]),
        ({"search.bounds": ["latency <= 2ms"]}, {}, ["search.bounds was ['latency <= 2ms'], is []"]),
        # A value that became a default later, or ceased to be one, is still that value.
        (
            {"training.precision": "64-true"},
            {"training.precision": "32-true"},
            ["training.precision was 64-true, is 32-true"],
        ),
        # A fixed value and a range have different keys.
        ({"space.dropout": 0.0}, {"space.dropout.low": 0.0}, ["space.dropout.low was absent, is 0.0"]),
        ({"space.dropout.low": 0.0}, {"space.dropout": 0.0}, ["space.dropout.low was 0.0, is absent"]),
    ],
)
def test_an_absent_key_equals_its_default(
    stored: dict[str, Any], current: dict[str, Any], differences: list[str]
) -> None:
    assert Identity(current, DEFAULTS).differences(stored) == differences


def test_every_key_of_a_study_that_has_a_default_may_be_missing_from_an_earlier_one(tmp_path: Path) -> None:
    plan = load_plan(write_study(tmp_path))
    now = identity(plan)
    optional = [key for key, value in now.values.items() if now.defaults.get(key, ...) == value]
    for key in (
        "training.precision",
        "search.objectives",
        "splits.gap",
        "data.gaps",
        "space.residual",
        "forecast.levels",
    ):
        assert key in optional
    assert now.differences({key: value for key, value in now.values.items() if key not in optional}) == []
    required = {key: value for key, value in now.values.items() if key not in now.defaults}
    assert {"task", "data.digest", "data.target", "forecast.horizon", "space.cell"} <= required.keys()
    for key in required:
        assert now.differences({other: value for other, value in now.values.items() if other != key})


@pytest.mark.parametrize(
    ("study", "digest"),
    [
        (
            "data: {path: t.csv, time: day, target: y}\nforecast: {horizon: 1}\nsplits: {holdout: 5, folds: 1}\n"
            "space: {context_length: 2}\n",
            "929c22b8cdb9d3a7",
        ),
        ("task: regression\ndata: {path: t.csv, id: day, target: y}\n", "0a01725a612bbd2b"),
    ],
)
def test_the_digest_of_data_is_the_one_that_earlier_studies_were_stored_with(
    study: str, digest: str, tmp_path: Path
) -> None:
    rows = [f"2020-01-{day:02},{day % 7},{day % 3}" for day in range(1, 31)]
    (tmp_path / "t.csv").write_text("\n".join(["day,x,y", *rows]) + "\n")
    (tmp_path / "s.yaml").write_text(study)
    assert identity(load_plan(tmp_path / "s.yaml")).values["data.digest"] == digest
