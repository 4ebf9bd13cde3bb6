"""A served model undoes what transport did to a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.forecast_bundles import (
    bundle_of,
    calibration_of,
    panel_of,
    table,
)
from helpers.sequence_bundles import (
    label_bundle_of,
    long_table,
    sequences_of,
    text_table,
    wide_table,
)

from lstmgru.bundle import save_bundle
from lstmgru.bundle.pyfunc import _load_pyfunc
from lstmgru.errors import DataError


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(day=[when.isoformat() for when in frame["day"]])


PARIS = pd.date_range("2020-03-17", periods=24, freq="D", tz="Europe/Paris")


@pytest.mark.parametrize(
    ("frame", "change"),
    [
        (table(), as_text),
        (table(), lambda frame: frame.astype({"day": "datetime64[s]"})),
        (table(), lambda frame: frame.astype({"day": object})),
        (table(times=PARIS), as_text),
        (table(times=PARIS), lambda frame: frame.assign(day=frame["day"].dt.tz_convert("UTC"))),
        (table(times=np.arange(24)), lambda frame: frame.astype({"day": float})),
        (table(shops=(1, 2)), lambda frame: frame.astype({"shop": float})),
        (table(shops=("a", "b")), lambda frame: frame.astype({"visits": str})),
        (table().assign(visits=[4, 5] * 12), lambda frame: frame.astype({"visits": float})),
    ],
    ids=["text", "seconds", "objects", "two offsets", "utc", "float steps", "float ids", "numbers as text", "codes"],
)
def test_a_served_model_undoes_what_transport_did(
    frame: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    categorical = ["visits"] if frame["visits"].dtype.kind == "i" else []
    bundle = bundle_of(panel_of(frame, categorical=categorical), calibration=calibration_of())
    served = _load_pyfunc(str(save_bundle(tmp_path / "bundle", bundle, onnx=False).directory))
    pd.testing.assert_frame_equal(served.predict(change(frame.copy()), params=None), bundle.predict(frame))


@pytest.mark.parametrize("times", [None, PARIS], ids=["model without a time zone", "model with one"])
def test_a_served_model_guesses_no_time_zone(times: Any, tmp_path: Path) -> None:
    frame = table(times=times)
    served = _load_pyfunc(str(save_bundle(tmp_path / "bundle", bundle_of(panel_of(frame)), onnx=False).directory))
    other = frame.assign(day=frame["day"].dt.tz_localize(None if times is not None else "UTC"))
    for form in (other, as_text(other)):
        with pytest.raises(Exception, match="time zone"):
            served.predict(form)


def test_a_mistake_is_an_error_of_mlflow_where_mlflow_calls_and_of_the_library_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    bundle = bundle_of(panel_of(table()))
    served = _load_pyfunc(str(save_bundle(tmp_path / "bundle", bundle, onnx=False).directory))
    with pytest.raises(MlflowException, match="no such column") as raised:
        served.predict(table().drop(columns="visits"))
    assert raised.value.get_http_status_code() == 400
    monkeypatch.delitem(sys.modules, "mlflow.exceptions")
    with pytest.raises(DataError, match="no such column"):
        served.predict(table().drop(columns="visits"))


@pytest.mark.parametrize(
    ("frame", "change"),
    [
        (wide_table(), lambda frame: frame.astype({"sample": float})),
        (wide_table(), lambda frame: frame.astype(object).where(frame.notna(), None).astype({"sample": int})),
        (long_table(), lambda frame: frame.astype({"heat": str, "minute": float})),
        (
            long_table().assign(minute=lambda frame: pd.Timestamp("2020-03-28", tz="Europe/Paris")
                                + pd.to_timedelta(frame["minute"], "D")),
            lambda frame: frame.assign(minute=[time.isoformat() for time in frame["minute"]]),
        ),
        (text_table(), lambda frame: frame.astype({"text": "string"})),
    ],
    ids=["float ids", "no numbers", "numbers as text", "times with two offsets", "strings"],
)  # fmt: skip
def test_a_served_sequence_model_undoes_what_transport_did(
    frame: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    bundle = label_bundle_of(sequences_of(frame))
    served = _load_pyfunc(str(save_bundle(tmp_path / "bundle", bundle, onnx=False).directory))
    pd.testing.assert_frame_equal(served.predict(change(frame.copy()), params=None), bundle.predict(frame))
