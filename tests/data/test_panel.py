"""Tables become panels; whatever cannot is refused in one line with the place and the way out."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.errors import DataError

Change = Callable[[pd.DataFrame], pd.DataFrame]

ROLES: dict[str, Any] = {
    "time": "date",
    "id": "shop",
    "targets": ["sales"],
    "past_covariates": ["visits"],
    "future_covariates": ["price"],
    "source": "shops.csv",
}


def shops() -> pd.DataFrame:
    """Two shops, ten days each."""
    days = pd.date_range("2020-01-01", periods=10, freq="D")
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"date": [*days, *days], "shop": ["a"] * 10 + ["b"] * 10})
    for column in ("sales", "visits", "price"):
        frame[column] = generator.random(20).round(3)
    return frame


def panel_of(frame: pd.DataFrame, **settings: Any) -> SeriesPanel:
    return build_panel(frame, **{**ROLES, **settings})


def test_a_table_becomes_series_end_to_end_with_their_channels_in_order() -> None:
    frame = shops()

    panel = panel_of(frame)

    assert panel.channels == (
        "sales", "visits", "price", "day_of_week_sin", "day_of_week_cos", "day_of_year_sin", "day_of_year_cos",
    )  # fmt: skip
    assert (panel.n_targets, panel.n_future) == (1, 5)
    assert (panel.frequency, panel.step, panel.timezone) == ("D", 1, None)
    assert panel.ids.tolist() == ["a", "b"]
    assert panel.offsets.tolist() == [0, 10, 20]
    assert panel.times.dtype == np.dtype("datetime64[ns]")
    assert panel.values.dtype == np.float32
    np.testing.assert_array_equal(panel.values[:, :3], frame[["sales", "visits", "price"]].to_numpy(np.float32))
    assert panel.observed.all()


def test_the_year_is_one_channel_beside_the_pairs_of_the_others() -> None:
    panel = panel_of(shops(), calendar=["day_of_week", "year", "day_of_month"])

    assert panel.channels[3:] == ("day_of_week_sin", "day_of_week_cos", "year", "day_of_month_sin", "day_of_month_cos")
    assert panel.n_future == 6
    np.testing.assert_allclose(panel.values[:10, 5], 20 + np.arange(10) / 366, rtol=1e-6)


def test_a_panel_shares_no_memory_with_its_table() -> None:
    frame = shops().astype({"date": "datetime64[ns]"})

    panel = panel_of(frame, past_covariates=[], future_covariates=[], calendar="none")

    assert not any(np.shares_memory(panel.times, frame[column].to_numpy()) for column in ("date", "sales"))
    assert not np.shares_memory(panel.values, frame["sales"].to_numpy())


def test_building_a_panel_takes_a_small_multiple_of_its_values() -> None:
    """A timestamp takes twice as much as a value, and so do the codes of the series."""
    series, rows = 1000, 1000
    days = np.datetime64("2021-01-01", "ns") + np.arange(rows).astype("timedelta64[D]")
    sales = np.random.default_rng(0).random(series * rows, np.float32)
    names = pd.Categorical.from_codes(
        np.repeat(np.arange(series), rows), [f"shop {each:04d}" for each in range(series)]
    )
    frame = pd.DataFrame({"date": np.tile(days, series), "shop": names, "sales": sales})
    tracemalloc.start()
    try:
        panel = panel_of(frame, past_covariates=[], future_covariates=[], calendar="none")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 11 * panel.values.nbytes


def test_a_single_series_needs_no_id() -> None:
    panel = panel_of(shops().iloc[:10], id=None)

    assert panel.ids.tolist() == ["series"]
    assert len(panel) == 1


def test_the_order_of_rows_and_columns_does_not_matter_and_the_table_is_not_changed() -> None:
    frame = shops()
    shuffled = frame.sample(frac=1, random_state=0)[frame.columns[::-1]]
    before = shuffled.copy()

    assert panel_of(shuffled).digest() == panel_of(frame).digest()
    pd.testing.assert_frame_equal(shuffled, before)


@each_row(
    ("name", "change"),
    [
        ("text", lambda frame: frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d"))),
        ("text with slashes", lambda frame: frame.assign(date=frame["date"].dt.strftime("%Y/%m/%d"))),
        ("text with blanks", lambda frame: frame.assign(date=frame["date"].dt.strftime(" %Y-%m-%d "))),
        ("dates", lambda frame: frame.assign(date=frame["date"].dt.date)),
        ("periods", lambda frame: frame.assign(date=frame["date"].dt.to_period("D"))),
        ("seconds", lambda frame: frame.assign(date=frame["date"].astype("datetime64[s]"))),
        ("arrow dates", lambda frame: frame.assign(date=frame["date"].astype("date32[pyarrow]"))),
        ("categories", lambda frame: frame.assign(date=frame["date"].astype(str).astype("category"))),
        ("numbers as text", lambda frame: frame.assign(sales=frame["sales"].astype(str))),
        ("numbers as objects", lambda frame: frame.assign(sales=frame["sales"].astype(object))),
        ("nullable numbers", lambda frame: frame.assign(sales=frame["sales"].astype("Float64"))),
        ("category ids", lambda frame: frame.assign(shop=frame["shop"].astype("category"))),
        ("more columns", lambda frame: frame.assign(remark="text")),
        ("another index", lambda frame: frame.set_index(np.arange(20)[::-1] // 2)),
    ],
)
def test_the_same_values_in_other_types_give_the_same_panel(name: str, change: Change) -> None:
    assert panel_of(change(shops())).digest() == panel_of(shops()).digest(), name


def test_booleans_are_zero_and_one() -> None:
    frame = shops()
    frame["price"] = frame["price"] > 0.5

    np.testing.assert_array_equal(panel_of(frame).values[:, 2], frame["price"].astype(float))


def test_names_of_series_are_text_whatever_the_type_of_their_column() -> None:
    integers = shops().assign(shop=[25] * 10 + [7] * 10)
    panel = panel_of(integers)

    assert panel.ids.tolist() == ["7", "25"], "whole numbers are in their order"
    for names in (integers["shop"].astype(str), integers["shop"].astype("category"), integers["shop"].astype(object)):
        assert panel_of(integers.assign(shop=names)).digest() == panel.digest()
    mixed = panel_of(integers.assign(shop=integers["shop"].astype(object).replace(7, "x7")))
    assert mixed.ids.tolist() == ["25", "x7"]


def test_blanks_around_the_name_of_a_series_do_not_count() -> None:
    frame = shops().query("shop == 'a'")

    spaced = panel_of(frame.assign(shop=["a", " a", "a ", "a\t", " a "] * 2))

    assert spaced.ids.tolist() == ["a"]
    assert spaced.digest() == panel_of(frame).digest()


@pytest.mark.parametrize(
    ("names", "digest"),
    [
        ([7] * 10 + [25] * 10, "a0ee4b8dd226ad7e20b955d025e82d9e7c7c71e4116a83b83b04aacfaa8db4d1"),
        (["a"] * 10 + ["b"] * 10, "f59f87606dae325512ed10a43b46b69fa2bed8a920500832535638c294c74398"),
    ],
)
def test_digests_stay_those_of_studies_that_exist(names: list[object], digest: str) -> None:
    assert panel_of(shops().assign(shop=names)).digest() == digest


def test_a_time_zone_is_kept_and_read_off_its_clock() -> None:
    paris = pd.date_range("2020-03-27", periods=5, freq="D", tz="Europe/Paris")  # summer time begins on the 29th
    frame = pd.DataFrame({"date": paris, "y": range(5)})

    panel = build_panel(frame, time="date", targets=["y"], calendar=["day_of_week"], source="y.csv")

    assert (panel.frequency, panel.timezone) == ("D", "Europe/Paris")
    assert panel.times[[0, 4]].tolist() == [paris[0].value, paris[4].value]
    assert panel.values[3, 1:].tolist() == [0, 1]  # Monday the 30th begins at 22:00 UTC on Sunday


def test_text_with_one_offset_becomes_a_time_zone() -> None:
    frame = pd.DataFrame({"date": ["2020-01-01T00:00+01:00", "2020-01-01T01:00+01:00"], "y": [1, 2]})

    panel = build_panel(frame, time="date", targets=["y"], source="y.csv")

    assert (panel.frequency, panel.timezone) == ("h", "UTC+01:00")
    assert panel.times[0] == np.datetime64("2019-12-31T23:00")


def test_integer_times_are_steps_without_a_calendar() -> None:
    panel = build_panel(
        pd.DataFrame({"n": [1577836800, 1577840400, 1577844000], "y": [1, 2, 3]}), time="n", targets=["y"], source="y"
    )

    assert (panel.frequency, panel.step, panel.channels) == ("step", 3600, ("y",))
    assert panel.times.tolist() == [1577836800, 1577840400, 1577844000]


def test_a_constant_series_is_fine_where_another_one_varies() -> None:
    frame = shops()
    frame.loc[frame["shop"] == "a", "sales"] = 3.0

    assert len(panel_of(frame)) == 2


def at(row: int, column: str, value: object) -> Change:
    """Put a value into a cell; rows count from 0."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return change


def dated(*dates: object) -> Change:
    """Give the first rows of shop a other dates; nothing else remains."""
    return lambda frame: frame.iloc[: len(dates)].assign(date=list(dates))


BAD_TABLES: list[tuple[str, Change, dict[str, Any], str]] = [
    # columns
    ("missing target", lambda f: f.drop(columns="sales"), {"targets": ["sale"]}, "data.target is 'sale' but"),
    ("missing column", lambda f: f, {"targets": ["Salse"]}, r"did you mean 'sales'\? \(columns: date, shop, sales"),
    ("missing time", lambda f: f, {"time": "day"}, "data.time is 'day' but there is no such column"),
    ("missing id", lambda f: f, {"id": "store"}, "data.id is 'store' but there is no such column"),
    ("missing covariate", lambda f: f, {"future_covariates": ["promo"]}, "data.future_covariates is 'promo'"),
    ("time in the index", lambda f: f.set_index("date"), {}, r"it is the index, call reset_index\(\)"),
    ("column twice", lambda f: f.assign(x=f["sales"]).rename(columns={"x": "sales"}), {}, "'sales' occurs 2"),
    ("two parts", lambda f: f, {"past_covariates": ["sales"]}, "both data.target and data.past_covariates"),
    ("no targets", lambda f: f, {"targets": []}, "data.target must name at least one"),
    ("channel name", lambda f: f.rename(columns={"price": "day_of_week_sin"}),
     {"future_covariates": ["day_of_week_sin"]}, "has the name of a calendar channel"),
    # rows
    ("empty", lambda f: f.iloc[:0], {}, "has a header but no rows"),
    ("single row", lambda f: f.iloc[[0, 10]], {}, "series 'a' and 1 more series has a single row"),
    ("duplicate", lambda f: pd.concat([f, f.iloc[[12, 3]]]), {},
     r"repeats .* \(1 row too many\), first 2020-01-04 of series 'a'"),
    ("id forgotten", lambda f: f, {"id": None}, r"\(10 rows too many\).*name the column of series in data\.id"),
    ("missing row", lambda f: f.drop(index=12), {},
     "'date' lacks 1 row at frequency D, first between 2020-01-02 and 2020-01-04 of series 'b'; set data.gaps"),
    ("mostly missing", dated("2020-01-01", "2020-01-02", "2021-01-01"), {"gaps": "fill"},
     "lacks 364 rows .* more than the 3 rows that are there"),
    ("mostly missing, refused", dated("2020-01-01", "2020-01-02", "2021-01-01"), {}, "more than the 3 rows that are"),
    ("unknown policy", lambda f: f, {"gaps": "fil"}, "data.gaps must be one of .* got 'fil'; did you mean 'fill'"),
    # names of series
    ("no name", at(3, "shop", None), {}, r"column 'shop' \(data.id\) is empty in row 4"),
    ("decimal names", lambda f: f.assign(shop=[1.5] * 10 + [2.5] * 10), {}, "holds decimal numbers such as 1.5"),
    # numbers
    ("text", at(4, "visits", "many"), {}, "'visits' must hold numbers but row 5 is 'many'; .* in data.categorical$"),
    ("text in a target", at(4, "sales", "many"), {}, "'sales' must hold .* correct the cell or leave it empty$"),
    ("texts", lambda f: f.assign(price="?"), {}, r"row 1 is '\?' and 19 more rows"),
    ("thousands", lambda f: f.assign(sales="1,234"), {}, "if the commas separate thousands, write the numbers without"),
    ("decimal comma", lambda f: f.assign(sales="1,5"), {}, "row 1 is '1,5'.*set data.decimal: ','"),
    ("dates as numbers", lambda f: f.assign(sales=f["date"]), {}, "must hold numbers but holds datetime64"),
    ("complex", lambda f: f.assign(sales=1j), {}, "must hold numbers but holds complex128"),
    ("lists", lambda f: f.assign(sales=[[1]] * 20), {}, r"row 1 is '\[1\]'"),
    ("infinite", at(15, "price", np.inf), {}, r"column 'price' is infinite in row 16 \(inf\)"),
    ("minus infinite text", at(2, "sales", "-inf"), {}, r"column 'sales' is infinite in row 3 \(-inf\)"),
    ("too large", at(2, "sales", 1e39), {}, r"too large for single precision in row 3 \(1e\+39\)"),
    ("missing cell", at(13, "visits", np.nan), {},
     "'visits' has 1 missing value, first at 2020-01-04 of series 'b'; set data.gaps to fill or interpolate"),
    ("missing text", at(13, "visits", "NA"), {}, "'visits' has 1 missing value"),
    ("empty in a series", lambda f: f.assign(visits=f["visits"].mask(f["shop"] == "b")), {"gaps": "fill"},
     "first at 2020-01-01 of series 'b': series 'b' has no value of it; remove the series or the column"),
    ("last cell", at(9, "visits", None), {"gaps": "interpolate"}, "2020-01-10 of series 'a': a series cannot end"),
    ("empty column", lambda f: f.assign(visits=np.nan), {}, "column 'visits' has no values"),
    ("future rows", lambda f: f.assign(sales=f["sales"].where(f["date"] < "2020-01-08")), {"gaps": "fill"},
     "the last 3 rows from 2020-01-08 of series 'a' on have no targets.*given to predict"),
    ("constant target", lambda f: f.assign(sales=1.0), {}, r"target 'sales' is constant in every series \(1 in"),
    ("constant in each series", lambda f: f.assign(sales=f["shop"].eq("a")), {}, "target 'sales' is constant"),
    ("constant covariate", lambda f: f.assign(price=2.5), {}, r"covariate 'price' is constant \(2.5 in every row\)"),
    # names
    ("no covariate", lambda f: f, {"categorical": ["prise"]}, "'prise', which is not a covariate; did you mean 'pri"),
    ("names to forecast", lambda f: f, {"categorical": ["sales"]}, "categorical names 'sales', which is not a cov"),
    ("no name", lambda f: f.assign(price=[["a"]] * 20), {"categorical": ["price"]}, "row 1 is .* write text"),
    ("one name", lambda f: f.assign(price="x"), {"categorical": ["price"]}, r"'price' is constant \('x' in every row"),
    ("missing name", lambda f: f.assign(price=f["price"].mask(f.index == 13)), {"categorical": ["price"]},
     "'price' has 1 missing value, first at 2020-01-04 of series 'b'; set data.gaps to fill or interpolate"),
    # static covariates
    ("static column missing", lambda f: f, {"static_covariates": ["size"]}, "data.static_covariates is 'size' but"),
    ("static in two parts", lambda f: f, {"static_covariates": ["price"]}, "both data.future.* and data.static_cov"),
    ("static of one series", lambda f: f.iloc[:10], {"id": None, "static_covariates": ["shop"]},
     "data.static_covariates names 'shop', but .* single series; name the column of series in data.id"),
    ("static text", lambda f: f.assign(region="n"), {"static_covariates": ["region"]},
     "'region' must hold numbers .*, name it in data.categorical$"),
    ("static that changes", lambda f: f.assign(size=f.index < 15), {"static_covariates": ["size"]},
     "'size' changes within series 'b', from 1 to 0 at 2020-01-06; correct it, or make it a past or future cov"),
    ("static name that changes", lambda f: f.assign(region=f["date"].dt.day_name()),
     {"static_covariates": ["region"], "categorical": ["region"]},
     "'region' changes within series 'a', from 'Wednesday' to 'Thursday' at 2020-01-02"),
    ("static cell missing", lambda f: f.assign(size=f["shop"].eq("a").where(f.index != 12)),
     {"static_covariates": ["size"], "gaps": "fill"},
     "'size' is empty at 2020-01-03 of series 'b'; write it in every row of a series"),
    ("static name missing", lambda f: f.assign(region=f["shop"].mask(f.index == 12)),
     {"static_covariates": ["region"], "categorical": ["region"]}, "'region' is empty at 2020-01-03 of series 'b'"),
    ("static that tells nothing apart", lambda f: f.assign(size=2.5), {"static_covariates": ["size"]},
     r"'size' is the same in every series \(2.5\) and says nothing"),
    ("static name that tells nothing apart", lambda f: f.assign(region="x"),
     {"static_covariates": ["region"], "categorical": ["region"]}, r"the same in every series \('x'\)"),
    # times
    ("no time", at(4, "date", None), {}, r"column 'date' \(data.time\) is empty in row 5"),
    ("NaT", at(4, "date", pd.NaT), {}, "is empty in row 5"),
    ("no date", at(4, "date", "soon"), {}, "which is not a time; set data.time_format, .* or write times"),
    ("impossible date", dated("2020-02-29", "2020-02-30"), {}, "row 2 is '2020-02-30', which is not a time"),
    ("day or month first", dated("01/02/2020", "02/02/2020"), {}, "as in '01/02/2020'; set data.time_format"),
    ("dots", dated("1.2.2020", "2.2.2020"), {}, "as in '1.2.2020'; set data.time_format: '%d.%m.%Y' or"),
    ("today", dated("today", "now"), {}, "row 1 is 'today', which is not a time"),
    ("dates as integers", dated(20200101, 20200102), {}, "looks like dates without dashes.*write 2020-01-01"),
    ("decimal times", dated(1.0, 2.0), {}, "must hold dates or whole numbers but holds float64"),
    ("boolean times", dated(False, True), {}, "must hold dates or whole numbers but holds bool"),
    ("mixed types", dated("2020-01-01", 2), {}, "row 2 is '2', which is not a time"),
    ("integers in a zone", dated(1, 2), {"timezone": "Europe/Paris"}, "holds integers, but data.timezone is 'Europe/P"),
    ("some offsets", dated("2020-01-01T00:00Z", "2020-01-02T00:00"), {}, "mixes time zones: .* or all without an"),
    ("year 2500", lambda f: f.assign(date=f["date"].to_numpy("datetime64[s]") + np.timedelta64(500 * 365, "D")), {},
     "row 1 is 2519.*must lie in the years 1678 to 2261"),
    ("nameless zone", lambda f: f.assign(date=f["date"].dt.tz_localize("dateutil/Asia/Tokyo")), {},
     "has no standard name; convert it to UTC"),
    ("far future", dated("2020-01-01", "9999-01-01"), {}, "row 2 is '?9999-01-01"),
    ("far past", dated("0001-01-01", "0001-01-02"), {}, "row 1 is '?0001-01-01"),
    ("huge steps", dated(0, 2**62), {}, "holds a step too far from 0"),
    ("irregular", dated("2020-01-01", "2020-01-02", "2020-01-03T05:00"), {}, "follow no regular grid"),
    ("other frequency", lambda f: f, {"frequency": "W-MON"}, "but 2020-01-01 in series 'a' is not.*'D' would fit"),
    ("finer frequency", lambda f: f, {"frequency": "h"}, "lacks 207 rows at frequency h.*set data.frequency: D;"),
    ("unknown frequency", lambda f: f, {"frequency": "H"}, "data.frequency must be .* got 'H'; did you mean 'h'"),
    ("integers are no days", lambda f: f.assign(date=[*range(10)] * 2), {"frequency": "D"}, "column holds integers"),
    # calendar
    ("unknown feature", lambda f: f, {"calendar": ["day_of_weeks"]}, "did you mean 'day_of_week'"),
    ("neither auto nor none", lambda f: f, {"calendar": "all"}, "data.calendar must be auto, none or names among"),
    ("same in every row", lambda f: f, {"calendar": ["hour_of_day"]}, "'hour_of_day' is the same in every row at.* D"),
    ("channel year", lambda f: f.rename(columns={"price": "year"}),
     {"future_covariates": ["year"], "calendar": ["year"]}, "'year' has the name of a calendar channel"),
    ("integers have no days", lambda f: f.assign(date=[*range(10)] * 2), {"calendar": ["day_of_week"]}, "needs dates"),
]  # fmt: skip


@each_row(("change", "settings", "message"), [case[1:] for case in BAD_TABLES])
def test_a_bad_table_is_refused_in_one_line(change: Change, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        panel_of(change(shops()), **settings)

    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("shops.csv: ", "data."))
