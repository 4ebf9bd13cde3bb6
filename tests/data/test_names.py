"""Names become codes that do not depend on the file, on the order of rows, or on anything later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.panels import training_cutoffs

from lstmgru.data.forecasting.build_panel import build_panel
from lstmgru.data.forecasting.conforming import with_codes_of
from lstmgru.data.forecasting.series import SeriesPanel, SeriesSchema
from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.data.tables.columns import read_names
from lstmgru.errors import DataError

WEATHER = ("sun", "rain", "fog", "snow", "hail", "sleet")


def names_of(column: pd.Series) -> list[str | None]:
    found = read_names(column, "shops.csv")
    return [None if place < 0 else found.distinct[place] for place in found.places]


@each_row(
    ("column", "expected"),
    [
        (pd.Series(["b", "a", None, "b"]), ["b", "a", None, "b"]),
        (pd.Series(["b", " a\t", "", "  "]), ["b", "a", None, None]),
        (pd.Series(["NA", "None", "nan"]), ["NA", "None", "nan"]),
        (pd.Series([3, 1]), ["3", "1"]),
        (pd.Series([3, 1, np.nan]), ["3", "1", None]),
        (pd.Series([3, 1, None], dtype="Int64"), ["3", "1", None]),
        (pd.Series([3, None], dtype="int64[pyarrow]"), ["3", None]),
        (pd.Series([0.5, 1e20, np.inf]), ["0.5", "100000000000000000000", "inf"]),
        (pd.Series([0.1], dtype="float32"), ["0.1"]),
        (pd.Series([True, False]), ["True", "False"]),
        (pd.Series([True, None], dtype="boolean"), ["True", None]),
        (pd.Series([1, True, "1", 1.0, None, " x"], dtype=object), ["1", "True", "1", "1", None, "x"]),
        (pd.Series(["b", None, "a"], dtype="category"), ["b", None, "a"]),
        (pd.Series([2, 1]).astype("category"), ["2", "1"]),
        (pd.Series(["x"], dtype="string"), ["x"]),
    ],
)
def test_a_name_is_its_text_whatever_the_type_of_the_column(column: pd.Series, expected: list[str | None]) -> None:
    assert names_of(column) == expected


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pd.Series(["a", ["b"]], name="kind"), r"row 2 is \['b'\]"),
        (pd.Series(pd.date_range("2020-01-01", periods=2), name="kind"), "row 1 is 2020-01-01 00:00:00"),
        (pd.Series([1j], name="kind"), "row 1 is 1j"),
    ],
)
def test_what_is_no_name_is_refused_with_its_row(column: pd.Series, shown: str) -> None:
    with pytest.raises(DataError, match=f"shops.csv: column 'kind' .* must hold names but {shown}; write text"):
        read_names(column, "shops.csv")


def test_names_are_numbered_as_they_appear_in_time_and_at_one_time_by_series() -> None:
    found = read_names(pd.Series(["late", "b", "a", None, "first", "a"]), "t")
    times, series = np.array([9, 5, 5, 1, 2, 0]), np.array([0, 1, 0, 0, 1, 2])

    assert found.by_first_appearance(times, series) == ("a", "first", "b", "late")
    assert found.by_first_appearance(times[::-1].copy(), np.zeros(6, np.int64)) == ("late", "a", "b", "first")


def test_a_code_counts_from_one_and_an_unknown_name_is_zero() -> None:
    codes = read_names(pd.Series(["b", "new", None, "a"]), "t").codes(("a", "b"))

    np.testing.assert_array_equal(codes, [2, 0, np.nan, 1])


def shops(rows: int = 40) -> pd.DataFrame:
    """Shops a and b, the second of them 10 days later, with names and numbers that change."""
    generator = np.random.default_rng(0)
    frames = []
    for name, region, start in (("a", "south", 0), ("b", "north", 10)):
        days = pd.date_range("2020-01-01", periods=rows, freq="D")[start:]
        frame = pd.DataFrame({"date": days, "shop": name, "region": region, "size": 5.5 + start})
        frame["sales"] = generator.random(len(days))
        frame["weather"] = generator.choice(WEATHER[:4], len(days))
        frame["promo"] = generator.random(len(days)) < 0.5
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def panel_of(frame: pd.DataFrame, **settings: Any) -> SeriesPanel:
    roles: dict[str, Any] = {
        "time": "date",
        "id": "shop",
        "targets": ["sales"],
        "past_covariates": ["weather"],
        "future_covariates": ["promo"],
        "static_covariates": ["size", "region"],
        "categorical": ["region", "promo", "weather"],
        "calendar": "none",
    }
    return build_panel(frame, **{**roles, **settings}, source="shops.csv")


def test_a_panel_holds_codes_and_its_schema_the_names() -> None:
    frame = shops()
    panel = panel_of(frame)
    schema = panel.schema

    assert list(schema.categories) == ["weather", "promo", "region"]
    assert schema.categories["region"] == ("south", "north")
    assert schema.value_columns == ("sales", "weather", "promo")
    assert schema.columns == ("shop", "date", "sales", "weather", "promo", "size", "region")
    assert (schema.channel_categories, schema.static_categories) == (((1, 4), (2, 2)), ((1, 2),))
    weather = [schema.categories["weather"][int(code) - 1] for code in panel.values[:, 1]]
    assert weather == frame["weather"].tolist()
    promo = [schema.categories["promo"][int(code) - 1] == "True" for code in panel.values[:, 2]]
    assert promo == frame["promo"].tolist()
    assert panel.static.dtype == np.float32
    np.testing.assert_array_equal(panel.static, [[5.5, 1], [15.5, 2]])
    np.testing.assert_array_equal(panel.hiding(panel.offsets[:-1]).static, panel.static)


def test_names_stand_in_the_order_of_their_first_appearance() -> None:
    frame = shops()
    by_time = frame.sort_values(["date", "shop"])["weather"].drop_duplicates()

    assert panel_of(frame).schema.categories["weather"] == tuple(by_time)


def test_the_order_of_the_rows_changes_neither_codes_nor_names() -> None:
    frame = shops()

    assert panel_of(frame.sample(frac=1, random_state=1)).digest() == panel_of(frame).digest()


def test_static_covariates_and_names_belong_to_the_digest() -> None:
    frame = shops()
    digests = {
        panel_of(changed).digest()
        for changed in (
            frame,
            frame.assign(size=frame["size"] + 1),
            frame.assign(region=frame["region"].str.upper()),
            frame.assign(weather=frame["weather"].str.upper()),
        )
    }
    assert len(digests) == 4


def test_a_schema_survives_json() -> None:
    import json

    schema = panel_of(shops()).schema

    assert SeriesSchema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema
    without = {key: value for key, value in schema.to_dict().items() if key not in ("static_covariates", "categories")}
    assert SeriesSchema.from_dict(without).categories == {}
    assert hash(schema) == hash(SeriesSchema.from_dict(schema.to_dict()))


def test_nothing_after_a_cutoff_changes_a_code_a_static_value_or_a_training_window_before_it() -> None:
    frame = shops()
    holes = np.random.default_rng(1).random(len(frame)) < 0.2
    edges = frame["date"].isin([frame["date"].min(), frame["date"].max(), pd.Timestamp("2020-01-11")])
    frame["weather"] = frame["weather"].mask(holes & ~edges)
    panel = panel_of(frame, gaps="interpolate")
    fold = make_splits(panel, SplitSpec(10, 1, 5), horizon=2, context_length=4).folds[0]
    first_scored = panel.times[fold.evaluation[0, 0]]
    later = (frame["date"] >= first_scored).to_numpy()
    changed = frame.copy()
    changed.loc[later, "weather"] = np.random.default_rng(2).choice(WEATHER[::-1], int(later.sum()))
    changed.loc[later, "promo"] = ~changed.loc[later, "promo"]
    changed.loc[later, "sales"] *= -100
    new_shop = changed[later & (changed["shop"] == "a")].assign(shop="0", region="east", size=99.0)

    again = panel_of(pd.concat([new_shop, changed]), gaps="interpolate")

    assert again.ids.tolist() == ["0", "a", "b"]
    new_rows = int(again.offsets[1])
    known = panel.times < first_scored
    np.testing.assert_array_equal(again.values[new_rows:][known], panel.values[known])
    np.testing.assert_array_equal(again.static[1:], panel.static)
    for column, names in panel.schema.categories.items():
        seen = [name for name in names if name in frame.loc[~later, column].astype(str).unique()]
        assert again.schema.categories[column][: len(seen)] == tuple(seen)
    again_fold = make_splits(again, SplitSpec(10, 1, 5), horizon=2, context_length=4, short_series="pad").folds[0]
    np.testing.assert_array_equal(again_fold.train[1:] - new_rows, fold.train)
    cutoffs = training_cutoffs(panel, fold, context_length=4, horizon=2)
    padded = training_cutoffs(again, again_fold, context_length=4, horizon=2, short_series="pad")
    np.testing.assert_array_equal(padded - new_rows, cutoffs)


def test_a_table_is_read_with_the_codes_of_another_one_and_0_for_names_that_it_does_not_have() -> None:
    def panel(*weather: str) -> SeriesPanel:
        frame = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=12), "sales": np.arange(12.0) % 5})
        frame["weather"] = np.resize(weather, 12)
        roles: dict[str, Any] = {"past_covariates": ["weather"], "categorical": ["weather"]}
        return build_panel(frame, time="day", targets=["sales"], **roles, calendar="none", source="shops.csv")

    known, later = panel("sun", "rain", "fog"), panel("hail", "sun", "fog", "snow")
    code = {name: number for number, name in enumerate(known.schema.categories["weather"], start=1)}
    found = with_codes_of(later, known.schema).values[:, 1]
    assert found.tolist() == [0, code["sun"], code["fog"], 0] * 3
