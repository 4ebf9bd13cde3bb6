"""Local times are read across changes of clocks, and forecasts come back in them."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.context import ForecastContext, build_context
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.table import read_table_of_series
from lstmgru.errors import DataError

_SPRING, _AUTUMN = "2023-03-25", "2023-10-28"
ZONE = "Europe/Berlin"


def zoned(start: str, freq: str = "h", periods: int = 72) -> pd.DataFrame:
    times = pd.date_range(start, periods=periods, freq=freq, tz=ZONE)
    return pd.DataFrame({"t": times, "y": np.arange(periods) % 24 + 0.5})


def local(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(t=frame["t"].dt.tz_localize(None).astype(str))


def panel_of(frame: pd.DataFrame, timezone: str | None = None, id: str | None = None) -> SeriesPanel:
    return build_panel(frame, time="t", targets=["y"], id=id, timezone=timezone, source="t.csv")


@pytest.mark.parametrize("freq", ["h", "30min", "15min"])
@pytest.mark.parametrize("start", [_SPRING, _AUTUMN])
def test_local_times_are_those_of_the_zone(start: str, freq: str) -> None:
    frame = zoned(start, freq, 300)
    expected = panel_of(frame)

    for order in (frame, frame[::-1]):
        panel = panel_of(local(order), ZONE)
        assert (panel.digest(), panel.local_times) == (expected.digest(), True)
        assert (panel.frequency, panel.timezone) == (freq, ZONE)


def test_each_series_repeats_the_hour_for_itself() -> None:
    frames = [zoned(_AUTUMN).assign(shop=shop) for shop in "ab"]
    by_series, by_time = pd.concat(frames), pd.concat(frames).sort_values("t", kind="stable")

    expected = panel_of(by_series, id="shop").digest()
    assert panel_of(local(by_series), ZONE, "shop").digest() == expected
    assert panel_of(local(by_time), ZONE, "shop").digest() == expected


def test_offsets_across_a_change_of_clocks_are_utc_unless_the_study_names_the_zone() -> None:
    frame = zoned(_SPRING)
    text = pd.read_csv(io.StringIO(frame.assign(t=frame["t"].map(pd.Timestamp.isoformat)).to_csv(index=False)))

    panel = panel_of(text)
    assert (panel.timezone, panel.frequency) == ("UTC", "h")
    assert panel.times.tolist() == panel_of(frame).times.tolist()
    assert panel_of(text, ZONE).digest() == panel_of(frame).digest()


def test_calendar_features_are_local() -> None:
    frame = zoned(_AUTUMN)
    panel = build_panel(local(frame), time="t", targets=["y"], timezone=ZONE, calendar=["hour_of_day"], source="t.csv")

    hour = frame["t"].dt.hour.to_numpy()
    np.testing.assert_allclose(panel.values[:, 1], np.sin(2 * np.pi * hour / 24), atol=1e-6)


def context_of(frame: pd.DataFrame, panel: SeriesPanel) -> ForecastContext:
    return build_context(
        frame,
        schema=panel.schema,
        frequency=panel.frequency,
        timezone=panel.timezone,
        local_times=panel.local_times,
        step=panel.step,
        context_length=24,
        horizon=3,
        source="new.csv",
    )


def test_a_model_of_local_times_predicts_from_local_times_and_from_offsets() -> None:
    panel = panel_of(local(zoned(_SPRING)), ZONE)
    frame = zoned("2023-10-27")

    expected = context_of(frame, panel)
    assert expected.times[0].tolist() == [(frame["t"].iloc[-1] + pd.Timedelta(hours=step)).value for step in (1, 2, 3)]
    for given in (local(frame), frame.assign(t=frame["t"].map(pd.Timestamp.isoformat))):
        context = context_of(given, panel)
        assert context.times.tolist() == expected.times.tolist()
        np.testing.assert_array_equal(context.past, expected.past)


def test_a_time_that_does_not_exist_is_refused() -> None:
    frame = pd.DataFrame({"t": pd.date_range(_SPRING, periods=72, freq="h").astype(str), "y": np.arange(72)})

    with pytest.raises(
        DataError, match="row 27 is 2023-03-26 02:00:00, which the change of clocks in Europe/Berlin leav"
    ):
        panel_of(frame, ZONE)
    assert panel_of(frame).timezone is None


def test_days_that_begin_later_are_days() -> None:
    days = pd.DataFrame({"t": pd.date_range("2022-08-20", periods=60).astype(str), "y": np.arange(60)})

    panel = panel_of(days, "America/Santiago")  # the 11th of September began at 1:00

    assert (panel.frequency, len(panel.times)) == ("D", 60)


def test_a_repeated_hour_names_the_change_of_clocks_and_other_repeats_do_not() -> None:
    with pytest.raises(DataError, match=r"set data\.timezone, such as Europe/Berlin; otherwise aggregate them"):
        panel_of(local(zoned(_AUTUMN)))
    frame = local(zoned("2023-06-01"))
    with pytest.raises(DataError, match="first 2023-06-01 05:00:00; aggregate them"):
        panel_of(pd.concat([frame, frame.iloc[[5]]]))


def test_a_day_that_daily_data_have_twice_is_no_change_of_clocks() -> None:
    days = pd.date_range("2020-10-01", periods=30).append(pd.DatetimeIndex(["2020-10-25"]))  # a Sunday
    for time_of_day in ("0h", "2h"):
        frame = pd.DataFrame({"t": days + pd.Timedelta(time_of_day), "y": 1.0})
        with pytest.raises(DataError, match=r"first 2020-10-25[ :0-9]*; aggregate them, or name the column"):
            build_panel(frame, time="t", targets=["y"], source="t.csv")


def test_a_model_whose_times_are_local_does_not_advise_to_set_keys_of_a_study() -> None:
    schema = panel_of(
        pd.DataFrame({"t": pd.date_range("2023-03-01", periods=60, freq="h"), "y": range(60)}), ZONE
    ).schema
    left_out = pd.DataFrame({"t": pd.date_range("2023-03-25", periods=40, freq="h"), "y": 1.0})
    with pytest.raises(DataError, match=r"the change of clocks in Europe/Berlin leaves out; correct it$"):
        read_table_of_series(left_out, schema, "new.csv", timezone=ZONE)
    with pytest.raises(DataError, match="integers, but the model has the time zone 'Europe/Berlin'; write dates"):
        read_table_of_series(left_out.assign(t=range(40)), schema, "new.csv", timezone=ZONE)
