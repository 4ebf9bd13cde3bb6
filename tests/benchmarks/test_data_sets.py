"""The data sets of the suite: their parts do not overlap, and their studies are valid with the default space."""

from __future__ import annotations

import os
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from data_sets import DATA_SETS, texts
from data_sets.panels import PANELS, Panel
from data_sets.scores import Columns
from data_sets.sequences import Texts, split_file

from lstmgru.data.tables.archives import read_archive
from search.tasks.study_file import read_study_file

DATA = Path(__file__).parents[3] / "shared" / "data"
without_sktime = pytest.param(
    "air_passengers",
    marks=pytest.mark.skipif(
        find_spec("sktime") is None and not os.environ.get("REQUIRE_STUDIES"),
        reason="sktime is not installed: pip install 'lstmgru-search[studies]'",
    ),
)
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the benchmark data are not at {DATA}")
SERIES = Panel(
    name="panel",
    seconds=1,
    metric="mae",
    read=lambda data: pd.DataFrame(
        {"id": ["b"] * 9 + ["a"] * 12, "time": [*range(9), *range(3, 15)], "y": [*range(9), *range(12)]}
    ),
    columns=Columns("id", "time", "y"),
    horizon=2,
    test=4,
    season=1,
)


def test_parts_of_a_panel_follow_each_other(tmp_path: Path) -> None:
    history, truth = SERIES.parts(tmp_path, "test")
    assert history.groupby("id")["time"].max().to_dict() == {"a": 10, "b": 4}
    assert truth.groupby("id")["time"].unique().map(list).to_dict() == {"a": [11, 12, 13, 14], "b": [5, 6, 7, 8]}


def test_the_development_mode_never_sees_the_test_part(tmp_path: Path) -> None:
    history, truth = SERIES.parts(tmp_path, "train")
    before_test, _ = SERIES.parts(tmp_path, "test")
    pd.testing.assert_frame_equal(pd.concat([history, truth]).sort_values(["id", "time"]), before_test)
    assert (truth.groupby("id").size() == 4).all()


@pytest.mark.parametrize(("ending", "row"), [(".tsv", "{label}\t0.5\t{number}"), (".ts", "0.5,{number}:{label}")])
def test_a_file_is_split_in_proportion_to_its_classes(tmp_path: Path, ending: str, row: str) -> None:
    header = "@problemName toy\n@univariate true\n@classLabel true 1 2\n@data\n" if ending == ".ts" else ""
    rows = [row.format(label=1 + (number % 3 == 0), number=number) for number in range(18)]
    path = tmp_path / f"toy{ending}"
    path.write_text(header + "\n".join(rows) + "\n")
    folder = tmp_path / "parts"
    folder.mkdir()
    train, test = split_file(path, folder, 1 / 3)
    found = [part.read_text().removeprefix(header).split() for part in (train, test)]
    assert sorted(found[0] + found[1]) == sorted(" ".join(rows).split())
    labels = [read_archive(part)[0].groupby("sequence")["label"].first() if header else read_archive(part)[0]["label"]
              for part in (train, test)]  # fmt: skip
    assert [Counter(map(int, part)) for part in labels] == [{1: 8, 2: 4}, {1: 4, 2: 2}]


def test_the_split_of_texts_is_always_the_same() -> None:
    items, labels = list(range(50)), ["a", "b"] * 25
    first, second = texts.stratified(items, labels, 0.2)
    assert (first, second) == texts.stratified(items, labels, 0.2)
    assert sorted(first + second) == items
    assert len(second) == 10


@needs_data
@pytest.mark.parametrize("name", [without_sktime if name == "air_passengers" else name for name in DATA_SETS])
def test_a_study_is_valid_and_leaves_the_space_open(name: str, tmp_path: Path) -> None:
    prepared = DATA_SETS[name].prepare(DATA, tmp_path, "train")
    assert "space" not in yaml.safe_load(prepared.study.read_text())
    read_study_file(prepared.study, data_path=str(prepared.table))


@needs_data
@pytest.mark.parametrize("name", [name for name, each in DATA_SETS.items() if isinstance(each, Texts)])
def test_the_development_mode_of_texts_uses_training_texts(name: str) -> None:
    data_set = DATA_SETS[name]
    assert isinstance(data_set, Texts)
    (train, test), (dev_train, dev_test) = (data_set.read(DATA / "text", part) for part in ("test", "train"))
    assert Counter(dev_train + dev_test) == Counter(train)
    assert test not in (dev_train, dev_test)


@needs_data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("m3_quarterly", {"mase": 1.425, "smape": 11.07}),
        pytest.param("m4_hourly", {"owa": 0.627, "mase": 1.193, "smape": 13.912}, marks=pytest.mark.slow),
        ("ansett", {"mase": 0.798}),
    ],
)
def test_seasonal_naive_has_the_published_errors(name: str, expected: dict[str, float]) -> None:
    panel = next(each for each in PANELS if each.name == name)
    history, truth = panel.parts(DATA, "test")
    series, season = panel.columns.id, panel.season
    last = history.groupby(series).tail(season).groupby(series)[panel.columns.target]
    forecasts = last.apply(lambda values: pd.Series(np.resize(values, panel.horizon))).to_numpy()
    errors = panel.errors(history, truth, truth.assign(forecast=forecasts))
    assert {key: errors[key] for key in expected} == pytest.approx(expected, abs=0.006)
