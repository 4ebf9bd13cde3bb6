"""The data sets that travel with packages."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from helpers.datasets import EVERY, installed

from lstmgru.data.sequences.datasets import LANGUAGES, load_labeled
from lstmgru.data.tables import datasets
from lstmgru.data.tables.datasets import DATASETS, load_dataset
from lstmgru.errors import DataError


def test_seattle_weather_is_the_observed_1461_days() -> None:
    frame = load_dataset("seattle_weather")

    assert list(frame.columns) == ["date", "precipitation", "temp_max", "temp_min", "wind", "weather"]
    assert len(frame) == 1461
    assert str(frame["date"].min().date()) == "2012-01-01"
    assert str(frame["date"].max().date()) == "2015-12-31"
    assert not frame.isna().any().any()


@pytest.mark.parametrize("name", [installed("traffic_hourly")])
def test_traffic_is_two_years_of_hours_of_which_104_are_empty(name: str) -> None:
    frame = load_dataset(name)

    hours = pd.date_range("2016-10-01 00:00", "2018-09-30 23:00", freq="h")
    assert len(hours) == 17_520
    np.testing.assert_array_equal(frame["datetime"], hours)
    empty = frame.drop(columns="datetime").isna()
    assert (empty.sum() == 104).all()
    assert empty.all(axis=1).sum() == 104
    assert (frame["snow_1h"].dropna() == 0).all()
    assert frame["temp"].between(230, 320).sum() == 17_416
    assert frame["weather_main"].nunique() == 10


def test_employment_is_23_series_of_120_months_that_add_up() -> None:
    frame = load_dataset("us_employment")

    wide = frame.pivot(index="month", columns="series", values="jobs")
    assert wide.shape == (120, 23)
    assert wide.notna().all().all()
    np.testing.assert_array_equal(wide.index, pd.date_range("2006-01-01", periods=120, freq="MS"))
    # A series that had lost its name or its order would not.
    np.testing.assert_allclose(wide["nonfarm"], wide["private"] + wide["government"])
    np.testing.assert_allclose(wide["nonfarm_change"][1:], wide["nonfarm"].diff()[1:])
    assert wide.columns[wide.min() < 0].tolist() == ["nonfarm_change"]


@pytest.mark.parametrize("name", [installed("stocks")])
def test_stocks_are_five_series_of_different_lengths_on_business_days(name: str) -> None:
    frame = load_dataset(name)

    days = frame.groupby("ticker")["date"].agg(["min", "max", "count"])
    assert days["count"].to_dict() == {"AAPL": 3270, "FB": 196, "GOOG": 2148, "IBM": 3270, "MSFT": 3270}
    assert days["min"].dt.strftime("%Y-%m-%d").tolist() == [
        "2000-03-01", "2012-05-18", "2004-08-19", "2000-03-01", "2000-03-01",
    ]  # fmt: skip
    assert (days["max"] == pd.Timestamp("2013-03-01")).all()
    assert (frame["date"].dt.day_of_week < 5).all()
    change = frame.groupby("ticker")[["close", "adj_close"]].pct_change()
    split = (frame["ticker"] == "MSFT") & (frame["date"] == "2003-02-18")
    assert change["close"][split].item() < -0.45
    assert abs(change["adj_close"][split].item()) < 0.05


@pytest.mark.parametrize("name", [installed("vowels")])
def test_vowels_are_640_utterances_of_nine_men_with_a_given_test_part(name: str) -> None:
    table = load_labeled(name)

    assert table.test is not None
    sizes = [
        part.groupby("sequence")["label"].first().value_counts().sort_index() for part in (table.train, table.test)
    ]
    assert sizes[0].to_dict() == dict.fromkeys(range(1, 10), 30)
    assert sizes[1].tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    lengths = pd.concat([table.train, table.test]).groupby("sequence").size()
    assert (len(lengths), lengths.min(), lengths.max()) == (640, 7, 29)
    channels = [f"channel_{number}" for number in range(1, 13)]
    assert list(table.train.columns) == list(table.test.columns) == ["sequence", "step", *channels, "label"]
    assert not table.train.isna().any().any()


@pytest.mark.parametrize("name", [installed("languages")])
def test_languages_are_names_that_one_of_fifteen_languages_alone_has(name: str) -> None:
    table = load_labeled(name)

    frame = table.train
    assert table.test is None
    assert list(frame.columns) == ["text", "language", "code"]
    assert set(frame["language"]) == set(LANGUAGES.values())
    assert len(LANGUAGES) == 15
    assert frame["text"].is_unique
    assert frame["text"].str.len().min() > 0
    assert frame["language"].value_counts().between(250, 1100).all()
    assert 7_000 < len(frame) < 11_000
    german = frame[frame["language"] == "German"].set_index("code")["text"]
    assert german["AT"] == "Österreich"
    assert german["de"].tolist() == ["Deutsch", "Österreichisches Deutsch", "Schweizer Hochdeutsch"]
    assert not frame["code"].str.contains("_").any()


@pytest.mark.parametrize("name", [installed("languages")])
def test_the_names_are_those_that_the_package_gives(name: str) -> None:
    from babel import Locale

    frame = load_labeled(name).train
    code_of = {language: code for code, language in LANGUAGES.items()}
    for language, rows in frame.groupby("language"):
        locale = Locale.parse(code_of[str(language)])
        known = {*locale.territories.values(), *locale.languages.values()}
        assert set(rows["text"]) <= known
        others = {
            text
            for code in LANGUAGES
            if code != code_of[str(language)]
            for part in (Locale.parse(code).territories, Locale.parse(code).languages)
            for text in part.values()
        }
        assert set(rows["text"]) == known - others


@pytest.mark.parametrize("name", [installed(name) for name in EVERY])
def test_every_dataset_says_what_it_is_and_loads(name: str) -> None:
    dataset = EVERY[name]

    assert dataset.name == name
    assert dataset.license
    assert dataset.description
    frame = load_dataset(name) if name in DATASETS else load_labeled(name).train
    assert len(frame) > 0


def packages_own(name: str) -> pd.DataFrame:
    """A data set as the package's own functions give it."""
    if name == "seattle_weather":
        from vega_datasets import local_data

        return local_data.seattle_weather()
    if name == "us_employment":
        from vega_datasets import local_data

        wide = local_data.us_employment()
        months = pd.to_datetime(wide["month"]).to_frame()
        parts = [months.assign(series=column, jobs=wide[column]) for column in wide.columns[1:]]
        return pd.concat(parts, ignore_index=True)[["series", "month", "jobs"]]
    if name == "traffic_hourly":
        from autots import load_hourly

        return load_hourly(long=False).reset_index()
    from bokeh_sampledata import stocks

    return stocks.data


@pytest.mark.parametrize("name", [installed(name) for name in DATASETS])
def test_the_file_holds_what_the_package_itself_would_give(name: str) -> None:
    pd.testing.assert_frame_equal(load_dataset(name), packages_own(name), check_dtype=False)


def test_reading_datasets_imports_no_heavy_package() -> None:
    names = [name for name, dataset in EVERY.items() if find_spec(dataset.package)]
    heavy = {dataset.package for dataset in EVERY.values()} | {"statsmodels", "sklearn", "shapely", "torch"}
    heavy -= {"babel"}  # it reads its own files
    program = f"""
import sys
from lstmgru.data.sequences.datasets import load_labeled
from lstmgru.data.tables.datasets import DATASETS, load_dataset
for name in sys.argv[1:]:
    (load_dataset if name in DATASETS else load_labeled)(name)
    print(*(f"{{name}}: {{each}}" for each in {heavy!r} if each in sys.modules))
"""

    result = subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, text=True, timeout=60, check=False
    )

    assert "seattle_weather" in names

    assert (result.returncode, result.stdout.split()) == (0, []), result.stderr


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match="got 'seatle-weather'; did you mean 'seattle_weather'"):
        load_dataset("seatle-weather")
    with pytest.raises(DataError, match="must be one of vowels, languages but got 'vowel'; did you mean 'vowels'"):
        load_labeled("vowel")


@pytest.mark.parametrize(
    ("package", "extra", "message"),
    [
        ("no_such_package", None, r"'absent' comes with the package no_such_package.*; pip install no_such_package$"),
        ("no_such_package", "studies", r"which is not installed; pip install 'lstmgru-search\[studies\]'$"),
        ("vega_datasets", None, r"'absent' is the file no/such.csv of the package vega_datasets, which the installed "
                                r"version lacks; pip install --upgrade vega_datasets$"),
        ("vega_datasets", "studies", r"version lacks; pip install --upgrade 'lstmgru-search\[studies\]'$"),
    ],
)  # fmt: skip
def test_a_missing_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str | None, message: str
) -> None:
    absent = replace(DATASETS["seattle_weather"], name="absent", package=package, file="no/such.csv", extra=extra)
    monkeypatch.setitem(datasets.DATASETS, "absent", absent)

    with pytest.raises(DataError, match=message):
        load_dataset("absent")
