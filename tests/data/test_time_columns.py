"""How times are written: formats, local dates that the column settles, and times in several columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.context import build_context
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.errors import DataError

HOURS = pd.date_range("2023-01-30", periods=72, freq="h").to_series(index=range(72))
DAYS = pd.date_range("2023-01-01", periods=40, freq="D").to_series(index=range(40))


def panel_of(times: Any, **settings: Any) -> SeriesPanel:
    frame = times if isinstance(times, pd.DataFrame) else pd.DataFrame({"t": times})
    names = [name for name in frame.columns if name != "y"]
    frame = frame.assign(y=np.arange(len(frame)) % 7 + 0.5)
    return build_panel(frame, time=names, targets=["y"], source="t.csv", **settings)


@each_row(
    ("moments", "written", "given", "settled"),
    [
        (HOURS, "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M", None),
        (HOURS, "%Y%m%d%H", "%Y%m%d%H", None),
        (HOURS, "%I %p, %d %b %y", "%I %p, %d %b %y", None),
        (HOURS, "%d.%m.%Y %H:%M", None, "%d.%m.%Y %H:%M"),
        (HOURS, "%m/%d/%Y %H:%M:%S", None, "%m/%d/%Y %H:%M:%S"),
        (HOURS, "%d-%m-%YT%H:%M", None, "%d-%m-%YT%H:%M"),
        (DAYS, "%d/%m/%Y", None, "%d/%m/%Y"),
        (DAYS, "%m/%d/%Y", None, "%m/%d/%Y"),
    ],
)
def test_a_format_reads_text_and_is_kept_for_forecasts(
    moments: pd.Series, written: str, given: str | None, settled: str | None
) -> None:
    text = moments.dt.strftime(written)

    panel = panel_of(text, time_format=given)

    np.testing.assert_array_equal(panel.times, moments.to_numpy("datetime64[ns]"))
    assert panel.schema.time_format == (given or settled)
    assert panel.digest() == panel_of(moments).digest()
    assert type(panel.schema).from_dict(panel.schema.to_dict()) == panel.schema
    for form in (text, moments, moments.astype(str)):  # few rows, which settle nothing themselves
        assert context_of(panel, pd.DataFrame({"t": form[2:10]})) == moments[9]


def context_of(panel: SeriesPanel, times: pd.DataFrame) -> pd.Timestamp:
    """The last time of a context."""
    kept = {"schema": panel.schema, "frequency": panel.frequency, "timezone": None, "step": 1}
    frame = times.assign(y=1.0)
    context = build_context(frame, **kept, context_length=4, horizon=2, source="new.csv")
    return pd.Timestamp(context.last_times[0])


def test_integers_have_a_format_too() -> None:
    panel = panel_of([202011, 202012, 202101, 202102], time_format="%Y%m")
    assert (panel.frequency, str(panel.times[-1])[:10]) == ("MS", "2021-02-01")
    with pytest.raises(DataError, match=r"write 2020-11-01 for 202011, or set data\.time_format: '%Y%m'$"):
        panel_of([202011, 202012, 202101, 202102])


@each_row(
    ("times", "settings", "message"),
    [
        (
            ["01/02/2020", "02/02/2020"],
            {},
            r"comes first, as in '01/02/2020'; set data\.time_format: '%d/%m/%Y' or '%m/%d",
        ),
        (["13/02/2020", "02/14/2020"], {}, r"day first \(13/02/2020\) and dates with the month first \(02/14/2020\)"),
        (["13/02/20", "14/02/20"], {}, r"row 1 is '13/02/20', which is ambiguous.*set data\.time_format"),
        (["13/02/2020", "14.2."], {}, r"row 1 is '13/02/2020', which is ambiguous"),
        (["13/02/2020", "14.02.2020"], {}, r"row 2 is '14.02.2020', which is not of the format '%d/%m/%Y'"),
        (["13/02/2020", "30/02/2020"], {}, r"row 2 is '30/02/2020', which is not of the format '%d/%m/%Y'"),
        (["2020-01", "soon"], {"time_format": "%Y-%m"}, r"row 2 is 'soon', which is not of the format '%Y-%m'"),
        (["2020", "2021"], {"time_format": "%Q"}, r"data\.time_format '%Q' is not a valid time format"),
    ],
)
def test_text_that_no_format_reads_is_refused(times: list[str], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        panel_of(times, **settings)


@pytest.mark.parametrize(("fmt", "frequency"), [("%d/%m/%Y", "D"), ("%m/%d/%Y", "MS@2")])
def test_the_formats_that_a_message_names_read_the_column(fmt: str, frequency: str) -> None:
    times = ["01/02/2020", "02/02/2020", "03/02/2020"]
    with pytest.raises(DataError, match=fmt):
        panel_of(times)
    assert panel_of(times, time_format=fmt).frequency == frequency


def parts(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


@each_row(
    ("table", "settings", "kept"),
    [
        (parts(date=HOURS.dt.strftime("%Y-%m-%d"), hour=HOURS.dt.hour), {}, None),
        (parts(date=HOURS.dt.normalize(), hour=HOURS.dt.hour, minute=HOURS.dt.minute), {}, None),
        (parts(date=HOURS.dt.strftime("%Y-%m-%d"), clock=HOURS.dt.strftime("%H:%M")), {}, None),
        (parts(y_=HOURS.dt.year, m=HOURS.dt.month, d=HOURS.dt.day, h=HOURS.dt.hour), {}, None),
        (parts(date=HOURS.dt.strftime("%d.%m.%Y"), hour=HOURS.dt.hour), {}, "%d.%m.%Y %H"),
        (parts(date=HOURS.dt.strftime("%d.%m.%Y"), at=HOURS.dt.strftime("%H:%M:%S")), {}, "%d.%m.%Y %H:%M:%S"),
        (parts(date=HOURS.dt.strftime("%d %b %Y"), hour=HOURS.dt.hour), {"time_format": "%d %b %Y %H"}, "%d %b %Y %H"),
    ],
)
def test_times_may_be_in_several_columns(table: pd.DataFrame, settings: dict[str, Any], kept: str | None) -> None:
    panel = panel_of(table, **settings)

    np.testing.assert_array_equal(panel.times, HOURS.to_numpy("datetime64[ns]"))
    name = " ".join(table.columns)
    assert (panel.schema.time, panel.schema.time_columns, panel.schema.time_format) == (
        name,
        tuple(table.columns),
        kept,
    )
    assert context_of(panel, table[2:10]) == HOURS[9]
    assert context_of(panel, pd.DataFrame({name: HOURS[2:10]})) == HOURS[9], "forecasts can be read back"


def test_years_and_months_are_months() -> None:
    months = pd.date_range("2019-11-01", periods=20, freq="MS")
    assert panel_of(parts(year=months.year, month=months.month)).frequency == "MS"
    assert panel_of(parts(year=range(1990, 2010), month=[7] * 20)).frequency == "YS-JUL"


def test_local_times_in_several_columns_cross_a_change_of_clocks() -> None:
    times = pd.date_range("2023-10-28", periods=72, freq="h", tz="Europe/Berlin")
    table = parts(date=times.strftime("%Y-%m-%d"), hour=times.hour)
    panel = panel_of(table, timezone="Europe/Berlin")
    np.testing.assert_array_equal(panel.times, times.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]"))


@each_row(
    ("table", "message"),
    [
        (parts(date=["2020-01-01"] * 2, hour=[23, 24]),
         r"'hour' \(data.time\) must hold whole numbers from 0 to 23 \(hours\) but row 2 is 24; correct it"),
        (parts(date=["2020-01-01", None], hour=[1, 2]), r"'date' \(data.time\) is empty in row 2; every row must"),
        (parts(year=[2020, 2020], month=[1, 13]), r"from 1 to 12 \(months\) but row 2 is 13"),
        (parts(year=[2020] * 2, month=[2] * 2, day=[29, 30]), r"'year' .* and 'month', 'day' are not a date in row 2"),
        (parts(date=["2020-01-01"] * 2, at=["10:00", "11:00"], minute=[0, 0]), r"'minute' .* is one too many after"),
        (parts(date=["2020-01-01"] * 2, at=["10:00", "25:99"]), r"'at' .* must hold times of day such as 13:45, as in"),
        (parts(date=["2020-01-01T00:00Z"] * 2, hour=[1, 2]), r"'date' .* must hold dates without a time zone"),
    ],
)  # fmt: skip
def test_columns_that_are_no_parts_of_a_time_are_refused(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        panel_of(table)
