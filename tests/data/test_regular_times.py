"""A panel goes to other processes without a timestamp for each row, and its times are the same there."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.regular_times import RegularTimes
from lstmgru.data.forecasting.series import SeriesPanel

DAYS = {name: pd.date_range(first, periods=count) for name, first, count in (
    ("a", "2024-01-05", 40), ("b", "2024-02-01", 20), ("c", "2023-12-01 06:00", 30),
)}  # fmt: skip
TIMES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "days": (DAYS, {}, True),
    "a series": ({"a": pd.date_range("2024-01-01", periods=50, freq="15min")}, {}, True),
    "steps": ({"a": np.arange(-4, 40, 2), "b": np.arange(0, 20, 2)}, {}, True),
    "months": ({"a": pd.date_range("2020-01-01", periods=30, freq="MS")}, {}, False),
    "working days": ({"a": pd.date_range("2024-01-01", periods=30, freq="B")}, {}, False),
    "hours of local time": ({"a": pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin")}, {}, True),
    "days of local time": ({"a": pd.date_range("2024-03-20", periods=30, tz="Europe/Berlin")}, {}, False),
}


def panel_of(times: dict[str, Any], **settings: Any) -> SeriesPanel:
    tables = [pd.DataFrame({"shop": name, "time": each, "sales": np.arange(len(each))}) for name, each in times.items()]
    roles = {"time": "time", "targets": ["sales"], "id": "shop", "calendar": "none", "source": "test"}
    return build_panel(pd.concat(tables), **{**roles, **settings})


@pytest.mark.parametrize("name", TIMES)
def test_the_times_of_a_panel_are_the_same_in_another_process(name: str) -> None:
    times, settings, regular = TIMES[name]
    panel = panel_of(times, **settings)

    found = pickle.loads(pickle.dumps(panel))

    assert isinstance(found.times, RegularTimes) is regular
    assert isinstance(panel.times, np.ndarray)
    assert (len(found.times), found.times.dtype) == (len(panel.times), panel.times.dtype)
    np.testing.assert_array_equal(np.asarray(found.times), panel.times)
    rows = np.random.default_rng(0).integers(0, len(panel.times), (5, 3))
    mask = np.arange(len(panel.times)) % 3 == 0
    for selected in (rows, mask, slice(3, 25), slice(None, None, -2), np.array([], np.int64), 0, -1, len(mask) - 1):
        here, there = panel.times[selected], found.times[selected]
        assert here.dtype == there.dtype
        np.testing.assert_array_equal(here, there)
    with pytest.raises(IndexError):
        found.times[len(panel.times)]
    assert found.digest() == panel.digest()
    again = pickle.loads(pickle.dumps(found))
    assert again.digest() == panel.digest()


def test_a_series_with_another_distance_keeps_all_times() -> None:
    panel = panel_of(DAYS)
    shifted = panel.times.copy()
    shifted[-1] += np.timedelta64(1, "ns")

    found = pickle.loads(pickle.dumps(replace(panel, times=shifted)))

    np.testing.assert_array_equal(found.times, shifted)


def test_timestamps_take_no_room_in_what_other_processes_get() -> None:
    panel = panel_of({str(number): pd.date_range("2024-01-01", periods=500) for number in range(20)})

    assert len(pickle.dumps(panel)) < panel.values.nbytes + panel.observed.nbytes + 5_000
