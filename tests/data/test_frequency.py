"""Frequencies are found in spite of gaps, named as pandas names them, and continue as pandas would."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.tables.frequency import default_season_length, infer_frequency, parse_frequency
from lstmgru.data.tables.grid import Times, times_at
from lstmgru.errors import DataError

ALIASES = [
    "ms", "s", "10s", "min", "15min", "17min", "90min", "h", "6h", "D", "3D", "B", "W-SUN", "W-WED", "2W-MON",
    "MS", "ME", "BMS", "BME", "2MS", "QS-JAN", "QS-FEB", "QE-NOV", "QE-DEC", "BQS-MAR", "BQE-OCT",
    "YS-JAN", "YS-APR", "YE-MAR", "YE-DEC", "BYS-APR", "BYE-JUN",
]  # fmt: skip


def times_of(alias: str, periods: int = 40, timezone: str | None = None) -> Times:
    """(periods,) ``datetime64[ns]``, in UTC if there is a time zone; from shortly before summer time begins."""
    index = pd.date_range("2019-03-20", periods=periods, freq=alias, tz=timezone)
    if timezone is not None:
        index = index.tz_convert("UTC").tz_localize(None)
    return index.to_numpy().astype("datetime64[ns]")


def offsets(*lengths: int) -> np.ndarray:
    return np.cumsum([0, *lengths])


def times_after(last: object, alias: str, n: int, *, step: int = 1, timezone: str | None = None) -> Times:
    return times_at(parse_frequency(alias, step=step), np.asarray(last), np.arange(1, n + 1), timezone)


def dates(*texts: str) -> Times:
    return np.array(texts, dtype="datetime64[ns]")


@each_row("alias", ALIASES)
def test_a_frequency_is_found_with_and_without_gaps(alias: str) -> None:
    for timezone in (None, "Europe/Paris"):
        times = times_of(alias, timezone=timezone)
        holes = np.delete(times, [3, 9, 10, 11, 25])

        assert infer_frequency(times, offsets(40), timezone=timezone) == (alias, 1)
        assert infer_frequency(holes, offsets(35), timezone=timezone) == (alias, 1)


@each_row("alias", ALIASES)
def test_the_future_continues_as_pandas_would(alias: str) -> None:
    for timezone in (None, "Europe/Paris"):
        times = times_of(alias, timezone=timezone)

        np.testing.assert_array_equal(times_after(times[4], alias, 35, timezone=timezone), times[5:])


def test_every_series_may_start_at_its_own_hour() -> None:
    morning = dates("2020-01-01T06", "2020-01-02T06", "2020-01-04T06")
    evening = dates("2020-01-01T18", "2020-01-02T18")

    assert infer_frequency(np.concatenate([morning, evening]), offsets(3, 2)) == ("D", 1)


def test_a_single_working_week_is_daily() -> None:
    monday_to_friday = np.arange("2020-01-06", "2020-01-11", dtype="datetime64[D]").astype("datetime64[ns]")

    assert infer_frequency(monday_to_friday, offsets(5)) == ("D", 1)


def test_the_distance_between_two_series_does_not_count() -> None:
    assert infer_frequency(np.array([0, 2, 3, 9]), offsets(2, 2)) == ("step", 2)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("W-SUN", "W-WED", "7D"),
        ("YS-JAN", "YS-APR", "12MS"),
        ("QS-JAN", "QS-FEB", "3MS"),
        ("D", "B", "D"),
    ],
)
def test_series_on_different_grids_share_a_coarser_name(first: str, second: str, expected: str) -> None:
    both = np.concatenate([times_of(first), times_of(second)])

    assert infer_frequency(both, offsets(40, 40))[0] == parse_frequency(expected).alias


@pytest.mark.parametrize(
    ("steps", "expected"),
    [([0, 1, 2], 1), ([10, 20, 40], 10), ([1577836800, 1577840400, 1577844000], 3600), ([1990, 1991, 1993], 1)],
)
def test_integers_count_steps_and_are_never_dates(steps: list[int], expected: int) -> None:
    assert infer_frequency(np.array(steps), offsets(3)) == ("step", expected)
    assert infer_frequency(np.array(steps), offsets(3), "step") == ("step", expected)
    np.testing.assert_array_equal(
        times_after(steps[-1], "step", 2, step=expected), [steps[-1] + expected, steps[-1] + 2 * expected]
    )


@each_row(
    ("times", "given", "message"),
    [
        (dates("2020-01-01", "2020-01-02", "2020-01-03T05"), "auto", "2020-01-02 is followed by 2020-01-03 05:00:00"),
        (dates("2020-01-01T00", "2020-01-01T01", "2020-01-01T02", "2020-01-01T02:30"), "auto", "most rows are h apart"),
        (dates("2020-01-15", "2020-02-15", "2020-03-16"), "auto", "is followed by 2020-0"),
        (np.array([0, 2, 4, 5]), "auto", "most rows are 2 apart, but 4 is followed by 5"),
        (
            dates("2020-01-05", "2020-01-12"),
            "W-MON",
            "'W-MON' but 2020-01-05 is not one of its times; 'W-SUN' would fit",
        ),
        (dates("2020-01-01T00", "2020-01-01T01"), "D", "'D' but 2020-01-01 01:00:00 is not.*'h' would fit"),
        (dates("2020-01-01", "2020-01-02", "2020-01-04"), "2D", "'2D' but 2020-01-02 is not"),
        (dates("2020-01-01", "2020-01-02"), "step", "'step' but the time column holds dates"),
        (np.array([0, 1]), "D", "'D' but the time column holds integers"),
        (dates("2020-01-01", "2020-01-02"), "H", "got 'H'; did you mean 'h'"),
        (dates("2020-01-01", "2020-01-02"), "daily", "must be auto, step or a pandas offset alias"),
        (dates("2020-01-01", "2020-01-02"), "-1D", "positive multiple"),
        (dates("2020-01-01", "2020-01-02"), "0D", "positive multiple"),
        (dates("2020-01-01", "2020-01-02"), "bh", "got 'bh'"),
        (dates("2020-01-01", "2020-01-02"), "MS@31", "got 'MS@31'"),
        (dates("2020-01-01", "2020-02-01"), "MS@", "got 'MS@'"),
        (dates("2020-01-01", "2020-01-02"), "ME@15", "got 'ME@15'"),
        (dates("2020-01-01", "2020-01-02"), "SUN", "got 'SUN'"),
        (dates("2020-01-01", "2020-01-02"), "MON-SAT 08:00-17:30 h", "got 'MON-SAT 08:00-17:30 h'"),
        (dates("2020-01-01", "2020-01-02"), "MON-SAT 17:00-08:00 h", "got 'MON-SAT 17:00-08:00 h'"),
        (
            dates("2020-01-05", "2020-01-06"),
            "MON-SAT",
            "'MON-SAT' but 2020-01-05 is not one of its times; 'D' would fit",
        ),
        (dates("2020-01-01", "2020-01-02"), "99999999999999999999D", "got '99999999999999999999D'"),
        (dates("2020-01-01", "2020-01-02"), "9223372036854775806W", "got '9223372036854775806W'"),
        (dates("2020-01-01", "2020-01-02"), "9223372036854775806h", "got '9223372036854775806h'"),
        (dates("2020-01-01", "2020-01-02"), "9223372036854775806D", "got '9223372036854775806D'"),
        (
            dates("2020-01-01", "2020-01-02"),
            "9223372036854775806MS",
            "is not one of its times|with a positive multiple",
        ),
        (dates("2020-01-01", "2020-01-02"), "", "got ''"),
    ],
)
def test_times_that_no_grid_explains_are_refused(times: Times, given: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer_frequency(times, offsets(len(times)), given, source="x.csv")


def test_the_message_names_the_series() -> None:
    times = np.concatenate([times_of("D"), dates("2020-01-01", "2020-01-02T07")])

    with pytest.raises(DataError, match=r"x\.csv: .*is followed by 2020-01-02 07:00:00 in series 'b'"):
        infer_frequency(times, offsets(40, 2), ids=np.array(["a", "b"], dtype=object), source="x.csv")


@pytest.mark.parametrize(
    ("given", "canonical"),
    [("60min", "h"), ("W", "W-SUN"), ("QS-OCT", "QS-JAN"), ("QE-JAN", "QE-OCT"), ("YS", "YS-JAN"), ("1D", "D")],
)
def test_a_given_frequency_gets_one_name(given: str, canonical: str) -> None:
    assert parse_frequency(given).alias == canonical
    assert parse_frequency(canonical) == parse_frequency(given)


@each_row(
    ("frequency", "expected"),
    [
        ("ms", 1), ("s", 60), ("10s", 6), ("min", 60), ("5min", 288), ("15min", 96), ("h", 24), ("6h", 4), ("7h", 1),
        ("24h", 7), ("D", 7), ("2D", 1), ("7D", 52), ("B", 5), ("W", 52), ("2W", 26), ("MS", 12), ("BME", 12),
        ("QS", 4), ("YS", 1), ("step", 1), ("MON-SAT", 6), ("MON,WED,FRI", 3), ("MON-FRI 08:00-17:00 h", 10),
        ("MON-FRI 08:00-17:00 h; SAT 08:00-12:00 h", 55), ("MS@15", 12), ("QS-FEB@10", 4),
    ],
)  # fmt: skip
def test_a_frequency_has_its_usual_season(frequency: str, expected: int) -> None:
    assert default_season_length(frequency) == expected


def test_a_day_stays_a_day_when_summer_time_begins() -> None:
    evening = dates("2020-03-27T23:00")[0]  # midnight in Paris

    np.testing.assert_array_equal(
        times_after(evening, "D", 2, timezone="Europe/Paris"), dates("2020-03-28T23:00", "2020-03-29T22:00")
    )
    np.testing.assert_array_equal(times_after(evening, "D", 2), dates("2020-03-28T23:00", "2020-03-29T23:00"))


def test_a_midnight_that_the_clocks_skip_is_one_o_clock() -> None:
    saturday = dates("2018-11-03T03:00")[0]  # midnight in São Paulo, where Sunday began at one

    sunday_and_monday = times_after(saturday, "D", 2, timezone="America/Sao_Paulo")

    np.testing.assert_array_equal(sunday_and_monday, dates("2018-11-04T03:00", "2018-11-05T02:00"))


@pytest.mark.parametrize(("frequency", "last"), [("YS", "2261-01-01"), ("D", "2262-04-09"), ("h", "2262-04-11T23")])
def test_a_time_beyond_the_last_representable_one_is_an_error(frequency: str, last: str) -> None:
    with pytest.raises(OverflowError):
        times_after(np.datetime64(last, "ns"), frequency, 5)


def test_an_irregular_grid_advises_the_frequency_that_fits_without_inventing_most_rows() -> None:
    hours = pd.to_datetime([f"2020-01-01 {hour:02}:00" for hour in (0, 2, 4, 5, 7, 9, 10)]).to_numpy("datetime64[ns]")
    offsets = np.array([0, len(hours)])
    with pytest.raises(DataError, match=r"; set data\.frequency: h and data\.gaps, or resample"):
        infer_frequency(hours, offsets)
    assert infer_frequency(hours, offsets, "h") == ("h", 1)

    hours[3] += np.timedelta64(1, "s")
    with pytest.raises(DataError, match=r"is followed by [^;]*; resample the table to a regular frequency$"):
        infer_frequency(hours, offsets)
