"""What a model is given to forecast from a new table is what it would have been given in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.context import ForecastContext, build_context
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.errors import DataError

Change = Callable[[pd.DataFrame], pd.DataFrame]

CONTEXT, HORIZON = 6, 3


def shops(frequency: str = "D", timezone: str | None = None) -> pd.DataFrame:
    """Shops a and b with 20 and 24 rows; Paris changes to summer time within them."""
    generator = np.random.default_rng(0)
    frames = []
    for name, rows in (("a", 20), ("b", 24)):
        times = pd.date_range("2020-03-20", periods=rows, freq=frequency, tz=timezone)
        columns = {column: generator.random(rows) for column in ("sales", "visits", "price")}
        frames.append(pd.DataFrame({"date": times, "shop": name, **columns}))
    return pd.concat(frames, ignore_index=True)


def panel_of(frame: pd.DataFrame, **settings: Any) -> SeriesPanel:
    return build_panel(
        frame,
        time="date",
        id="shop",
        targets=["sales"],
        past_covariates=["visits"],
        future_covariates=["price"],
        source="shops.csv",
        **settings,
    )


def without_future(frame: pd.DataFrame, horizon: int = HORIZON) -> pd.DataFrame:
    """The last ``horizon`` rows of each shop with nothing but what is known ahead."""
    future = frame.groupby("shop").cumcount(ascending=False) < horizon
    return frame.assign(sales=frame["sales"].mask(future), visits=frame["visits"].mask(future))


def context_of(frame: pd.DataFrame, panel: SeriesPanel, **settings: Any) -> ForecastContext:
    plan = {
        "schema": panel.schema,
        "frequency": panel.frequency,
        "timezone": panel.timezone,
        "step": panel.step,
        "context_length": CONTEXT,
        "horizon": HORIZON,
        "source": "new.csv",
    }
    return build_context(frame, **{**plan, **settings})


def assert_equals_the_panel(context: ForecastContext, panel: SeriesPanel) -> None:
    for series, end in enumerate(panel.offsets[1:]):
        cutoff = end - HORIZON
        np.testing.assert_array_equal(context.past[series], panel.values[cutoff - CONTEXT : cutoff])
        np.testing.assert_array_equal(context.future[series], panel.values[cutoff:end, -panel.n_future :])
        np.testing.assert_array_equal(context.times[series], panel.times[cutoff:end])
        assert context.last_times[series] == panel.times[cutoff - 1]


@each_row("frequency", ["15min", "h", "D", "B", "W-SUN", "MS", "QE-DEC"])
@each_row("timezone", [None, "Europe/Paris"])
def test_a_context_holds_exactly_the_values_of_the_panel(frequency: str, timezone: str | None) -> None:
    frame = shops(frequency, timezone)
    panel = panel_of(frame)

    context = context_of(without_future(frame).sample(frac=1, random_state=0), panel)

    assert context.ids.tolist() == ["a", "b"]
    assert context.past.dtype == context.future.dtype == np.float32
    assert context.past.shape == (2, CONTEXT, len(panel.channels))
    assert context.future.shape == (2, HORIZON, panel.n_future)
    assert context.timezone == timezone
    assert_equals_the_panel(context, panel)


def test_integer_steps_go_on_counting() -> None:
    frame = shops()
    frame["date"] = 5 * frame.groupby("shop").cumcount() + 1000
    panel = panel_of(frame)

    context = context_of(without_future(frame), panel)

    assert_equals_the_panel(context, panel)
    assert context.times[0].tolist() == [1085, 1090, 1095]


@pytest.mark.parametrize("gaps", ["fill", "interpolate"])
def test_gaps_are_filled_as_in_the_panel(gaps: str) -> None:
    frame = shops()
    frame.loc[15, "visits"] = np.nan
    frame = frame.drop(index=[14, 38])
    panel = panel_of(frame, gaps=gaps)

    assert_equals_the_panel(context_of(without_future(frame), panel, gaps=gaps), panel)


def test_gaps_before_the_context_do_not_matter() -> None:
    frame = shops()
    panel = panel_of(frame)
    holed = without_future(frame).drop(index=[3, 4])
    holed.loc[1, "sales"] = np.nan

    assert_equals_the_panel(context_of(holed, panel), panel)


def test_a_table_in_another_time_zone_is_read_in_that_of_the_model() -> None:
    frame = shops("h", "Europe/Paris")
    panel = panel_of(frame)
    tokyo = without_future(frame).assign(date=frame["date"].dt.tz_convert("Asia/Tokyo"))

    assert_equals_the_panel(context_of(tokyo, panel), panel)


def test_covariates_of_later_steps_that_need_not_be_known_keep_their_last_value() -> None:
    frame = shops()
    panel = panel_of(frame)
    first = without_future(frame).groupby("shop").head(18)  # one more row than the history of the first shop

    context = context_of(first, panel, ids=["a"], known_steps=1)

    np.testing.assert_array_equal(context.future[0, :, 0], np.float32(frame.loc[17, "price"]).repeat(HORIZON))


def test_chosen_series_alone_are_forecast() -> None:
    frame = shops()
    panel = panel_of(frame)

    context = context_of(without_future(frame), panel, ids=["b"])

    assert context.ids.tolist() == ["b"]
    assert len(context) == len(context.past) == len(context.times) == 1


def test_a_model_without_future_covariates_needs_no_future_rows() -> None:
    frame = shops().iloc[:20]
    panel = build_panel(frame, time="date", targets=["sales"], source="shops.csv")

    context = context_of(frame.iloc[-CONTEXT:], panel)

    assert context.times[0, 0] == np.datetime64("2020-04-09")
    assert context.future.shape == (1, HORIZON, 4)


def test_what_stands_in_the_future_rows_does_not_change_the_past() -> None:
    frame = shops()
    panel = panel_of(frame)
    cut = without_future(frame)
    changed = cut.assign(visits=cut["visits"].fillna(99), price=cut["price"].mask(cut["sales"].isna(), -1))

    np.testing.assert_array_equal(context_of(changed, panel).past, context_of(cut, panel).past)


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """With a sky, a holiday and a region of each shop."""
    generator = np.random.default_rng(1)
    return frame.assign(
        sky=generator.choice(["clear", "cloudy", "fog"], len(frame)),
        holiday=generator.random(len(frame)) < 0.5,
        region=frame["shop"].map({"a": "south", "b": "north"}),
        size=frame["shop"].map({"a": 1.5, "b": 2.5}),
    )


def named_panel(frame: pd.DataFrame, **settings: Any) -> SeriesPanel:
    return build_panel(
        frame,
        time="date",
        id="shop",
        targets=["sales"],
        past_covariates=["sky", "visits"],
        future_covariates=["holiday", "price"],
        static_covariates=["region", "size"],
        categorical=["sky", "holiday", "region"],
        source="shops.csv",
        **settings,
    )


def test_names_have_the_codes_that_they_had_in_training() -> None:
    frame = named(shops())
    panel = named_panel(frame)

    context = context_of(without_future(frame).sample(frac=1, random_state=0), panel)

    assert_equals_the_panel(context, panel)
    assert context.static.dtype == np.float32
    np.testing.assert_array_equal(context.static, panel.static)
    assert context.lengths.tolist() == [CONTEXT, CONTEXT]


def test_static_covariates_are_those_of_the_chosen_series() -> None:
    frame = named(shops())

    assert context_of(without_future(frame), named_panel(frame), ids=["b"]).static.tolist() == [[2, 2.5]]


def test_a_name_that_training_did_not_see_is_unknown() -> None:
    frame = named(shops())
    panel = named_panel(frame)
    new = without_future(frame)
    new["holiday"] = new["holiday"].astype(str).mask(new.index == 19, "half a day")
    new["sky"] = new["sky"].mask(new.index == 16, "hail")
    new["region"] = new["region"].replace("north", "east")

    context = context_of(new, panel)

    known = context_of(without_future(frame), panel)
    assert context.past[0, -1, 1] == context.future[0, -1, 0] == context.static[1, 0] == 0
    assert (context.past != known.past).sum() == (context.future != known.future).sum() == 1
    assert (context.static != known.static).sum() == 1


def test_two_unknown_names_still_are_a_change_within_a_series() -> None:
    frame = named(shops())
    new = without_future(frame).assign(region=np.where(np.arange(len(frame)) < 30, "east", "west"))

    with pytest.raises(DataError, match="'region' changes within series 'b', from 'east' to 'west' at 2020-03-30"):
        context_of(new, named_panel(frame))


def test_a_short_context_is_padded_with_zeros_at_its_start() -> None:
    frame = named(shops())
    panel = named_panel(frame)
    short = without_future(frame).drop(index=range(13))

    context = context_of(short, panel, required_rows=1)

    whole = context_of(without_future(frame), panel)
    assert context.lengths.tolist() == [4, CONTEXT]
    assert context.past.shape == whole.past.shape
    assert (context.past[0, :-4] == 0).all()
    np.testing.assert_array_equal(context.past[0, -4:], whole.past[0, -4:])
    np.testing.assert_array_equal(context.past[1], whole.past[1])
    np.testing.assert_array_equal(context.future, whole.future)
    np.testing.assert_array_equal(context.times, whole.times)
    np.testing.assert_array_equal(context.static, whole.static)


def test_one_row_is_enough_for_a_padded_context() -> None:
    frame = shops()
    short = without_future(frame).drop(index=[*range(16), *range(20, 40)])

    context = context_of(short, panel_of(frame), required_rows=1)

    assert context.lengths.tolist() == [1, 1]
    assert np.isfinite(context.past).all()


@pytest.mark.parametrize("gaps", ["fill", "interpolate"])
def test_gaps_in_a_padded_context_are_filled_as_in_the_panel(gaps: str) -> None:
    frame = named(shops()).drop(index=range(13))
    frame.loc[[14, 15, 38], ["visits", "sky"]] = None
    panel = named_panel(frame, gaps=gaps)

    context = context_of(without_future(frame), panel, gaps=gaps, required_rows=1)

    assert context.lengths.tolist() == [4, CONTEXT]
    np.testing.assert_array_equal(context.past[0, 2:], panel.values[:4])
    np.testing.assert_array_equal(context.past[1], panel.values[-HORIZON - CONTEXT : -HORIZON])


def shop_a(frame: pd.DataFrame) -> pd.Series:
    return frame["shop"] == "a"


BAD_TABLES: list[tuple[str, Change, dict[str, Any], str]] = [
    ("missing column", lambda f: f.drop(columns="visits"), {}, "'visits' but there is no such column"),
    ("missing id", lambda f: f.drop(columns="shop"), {}, "data.id is 'shop' but there is no such column"),
    ("missing target", lambda f: f.drop(columns="sales"), {}, "'sales' but there is no such column"),
    ("empty", lambda f: f.iloc[:0], {}, "no rows"),
    ("no values", lambda f: f.assign(sales=f["sales"].mask(shop_a(f))), {}, "series 'a' has no value in sales"),
    ("short", lambda f: f.drop(index=range(12)), {},
     r"series 'a' has 5 rows up to its last value \(2020-04-05\) but the model reads 6; add earlier rows"),
    ("missing row", lambda f: f.drop(index=[13, 15]), {},
     "series 'a' lacks 2 of the 6 rows that the model reads, first 2020-04-02; complete"),
    ("missing cell", lambda f: f.assign(visits=f["visits"].mask(f.index == 38)), {},
     "column 'visits' is empty at 2020-04-07 of series 'b', within the 6 rows"),
    ("text", lambda f: f.assign(price="cheap"), {}, "'price' must hold numbers but row 1 is 'cheap'.* leave it empty$"),
    ("no future rows", lambda f: f.dropna(), {},
     r"'price' is not known at 2020-04-06 of series 'a'; add 3 rows after its last value \(2020-04-05\) with price"),
    ("too few future rows", lambda f: f.drop(index=19), {}, "'price' is not known at 2020-04-08 of series 'a'; add 3"),
    ("empty future cell", lambda f: f.assign(price=f["price"].mask(f.index == 42)), {},
     "future covariate 'price' is empty at 2020-04-11 of series 'b'; fill it in$"),
    ("empty future cells", lambda f: f.assign(price=f["price"].mask(f.index >= 42)), {},
     r"is empty at 2020-04-11 of series 'b' \(one of 2 empty cells\); fill them in$"),
    ("no time", lambda f: f.assign(date="soon"), {}, "is not a time; write times in ISO 8601, such as"),
    ("dates without dashes", lambda f: f.assign(date=f["date"].dt.strftime("%Y%m%d").astype(int)), {},
     r"looks like dates without dashes \(20200320\), and integers count as steps; write 2020-03-20$"),
    ("day twice", lambda f: pd.concat([f, f[f["date"] == "2020-03-22"]]), {},
     r"repeats a time within a series \(1 row too many\), first 2020-03-22 of series 'a'; remove or aggregate them$"),
    ("names that differ in blanks", lambda f: pd.concat([f, f[shop_a(f)].assign(shop=" a")]), {},
     r"first .* of series 'a' \(' a' and 'a' are the same name: blanks around names do not count\); remove or"),
    ("unknown series", lambda f: f, {"ids": ["c"]}, r"there is no series 'c' \(series: a, b\)"),
    ("finer", lambda f: shops("h"), {}, "frequency of column 'date' is h but the model was trained on D"),
    ("coarser", lambda f: shops("2D"), {}, "is 2D but the model was trained on D"),
    ("monthly", lambda f: shops("MS"), {}, "is MS but the model was trained on D"),
    ("irregular", lambda f: f.assign(date=f["date"] + pd.to_timedelta(f.index**2, "s")), {}, "is irregular but"),
    ("steps", lambda f: f.assign(date=range(len(f))), {}, "is step of 1 but the model was trained on D"),
    ("dates", lambda f: f, {"frequency": "step", "step": 2}, "is D but the model was trained on step of 2"),
    ("zone", lambda f: f.assign(date=f["date"].dt.tz_localize("UTC")), {}, "has the time zone UTC but"),
    ("no zone", lambda f: f, {"timezone": "UTC"}, "has no time zone but the model was trained on times in UTC"),
    ("missing row of a short series", lambda f: f.drop(index=[*range(12), 14]), {"required_rows": 1},
     "series 'a' lacks 1 of the 5 rows that the model reads, first 2020-04-03; complete"),
    ("missing cell of a short series", lambda f: f.drop(index=range(12)).assign(visits=f["visits"].mask(f.index == 13)),
     {"required_rows": 1}, "'visits' is empty at 2020-04-02 of series 'a', within the 5 rows"),
    ("policy", lambda f: f, {"gaps": "drop"}, "data.gaps must be one of"),
]  # fmt: skip


@each_row(("change", "settings", "message"), [case[1:] for case in BAD_TABLES])
def test_a_table_that_does_not_fit_the_model_is_refused(change: Change, settings: dict[str, Any], message: str) -> None:
    frame = shops()
    panel = panel_of(frame)

    with pytest.raises(DataError, match=message) as caught:
        context_of(change(without_future(frame)), panel, **settings)

    assert "\n" not in str(caught.value)


def test_a_table_with_too_many_gaps_is_not_advised_to_have_another_frequency() -> None:
    """A study of a table of three days a week would be."""
    days = pd.date_range("2019-01-07", periods=400, freq="D")
    days = days[days.dayofweek < 3]
    sparse = pd.DataFrame({"shop": "a", "date": days, "sales": 1.0, "visits": 1.0, "price": 1.0})

    with pytest.raises(DataError, match=r"too many to fill in; complete the table, or correct the times$") as caught:
        context_of(sparse, panel_of(shops()), gaps="fill")

    assert "data.frequency" not in str(caught.value)
    with pytest.raises(DataError, match=r"if there never are others, set data\.frequency: MON-WED"):
        build_panel(sparse, time="date", targets=["sales"], frequency="D", source="shops.csv", gaps="fill")


@pytest.mark.parametrize("gaps", ["error", "fill"])
def test_a_context_begins_when_every_column_has_had_a_value(gaps: Any) -> None:
    frame = shops()
    panel = panel_of(frame)
    late = without_future(frame).drop(index=range(12))
    late = late.assign(visits=late["visits"].mask(late.index < 14))

    context = context_of(late, panel, required_rows=1, gaps=gaps)

    assert context.lengths.tolist() == [3, CONTEXT]
    np.testing.assert_array_equal(context.past[0, -3:], panel.values[14:17])
    assert not context.past[0, :-3].any()
