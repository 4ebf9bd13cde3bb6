"""The data sets that travel with packages."""

from __future__ import annotations

import pytest

from lstmgru.data import datasets
from lstmgru.data.datasets import DATASETS, Dataset, load_dataset
from lstmgru.errors import DataError


def test_seattle_weather_is_the_observed_1461_days() -> None:
    frame = load_dataset("seattle_weather")

    assert list(frame.columns) == ["date", "precipitation", "temp_max", "temp_min", "wind", "weather"]
    assert len(frame) == 1461
    assert str(frame["date"].min().date()) == "2012-01-01"
    assert str(frame["date"].max().date()) == "2015-12-31"
    assert not frame.isna().any().any()


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_says_what_it_is_and_loads(name: str) -> None:
    dataset = DATASETS[name]

    assert dataset.name == name
    assert dataset.licence
    assert dataset.description
    assert len(load_dataset(name)) > 0


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match="got 'seatle-weather'; did you mean 'seattle_weather'"):
        load_dataset("seatle-weather")


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Dataset("absent", "no_such_package", "none", "nothing", lambda: load_dataset("seattle_weather"))
    monkeypatch.setitem(datasets.DATASETS, "absent", absent)

    with pytest.raises(
        DataError, match=r"'absent' comes with the package no_such_package.*pip install no_such_package"
    ):
        load_dataset("absent")
