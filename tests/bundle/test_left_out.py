"""What cannot be read of a table does not stop the rest; it is left out and named with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import forecast_bundles as forecasts
from helpers import sequence_bundles as sequences
from typer.testing import CliRunner

from lstmgru.bundle import ForecastBundle, SequenceBundle
from lstmgru.bundle.pyfunc import PyfuncModel
from lstmgru.errors import DataError
from search.cli.app import app


@cache
def model() -> ForecastBundle:
    """A model of shops a, b and c that takes logarithms, knows each series and fills gaps."""
    panel = forecasts.rich_panel(shops())
    return forecasts.bundle_of(panel, forecasts.model_of(transform="log", series_embedding=2), gaps="fill")


def shops() -> pd.DataFrame:
    return forecasts.rich_table()


def in_row(frame: pd.DataFrame, shop: str, row: int, /, **cells: Any) -> pd.DataFrame:
    """The table with other cells in a row of a shop, counted from its end if negative."""
    index = frame.index[frame["shop"] == shop][row]
    for column, value in cells.items():
        frame[column] = frame[column].astype(object)
        frame.loc[index, column] = value
    return frame.infer_objects()


def without(frame: pd.DataFrame, shop: str, rows: slice) -> pd.DataFrame:
    return frame.drop(frame.index[frame["shop"] == shop][rows])


Change = Callable[[pd.DataFrame], pd.DataFrame]
FAULTS: dict[str, tuple[Change, str]] = {
    "no target": (lambda f: f.assign(**{"sales 0": f["sales 0"].mask(f["shop"] == "b"),
                                        "sales 1": f["sales 1"].mask(f["shop"] == "b")}), "has no value in sales 0"),
    "too short": (lambda f: without(f, "b", slice(0, 20)), "'b' has 4 rows up to its last value"),
    "future missing": (lambda f: without(f, "b", slice(-1, None)), "'price' is not known at 2020-04-15 of series 'b'"),
    "a cell": (lambda f: in_row(f, "b", 3, visits="many"), "'visits' must hold numbers but row 31 is 'many'"),
    "too large": (lambda f: in_row(f, "b", 3, price=1e99), "'price' is too large for single precision in row 31"),
    "a time": (lambda f: in_row(f.assign(day=f["day"].astype(str)), "b", 0, day="soon"), "row 28 is 'soon', which"),
    "no time": (lambda f: in_row(f, "b", 0, day=None), "is empty in row 28; every row must have a time"),
    "twice": (lambda f: in_row(f, "b", 1, day=f["day"][0]), "repeats a time within a series"),
    "off the grid": (lambda f: in_row(f, "b", 0, day=pd.Timestamp("2020-03-20 07:00")), "frequency of series 'b'"),
    "changing": (lambda f: in_row(f, "b", 1, area=1.0), "static covariate 'area' changes within series 'b'"),
    "static missing": (lambda f: in_row(f, "b", 1, kind=None), "static covariate 'kind' is empty at 2020-03-21"),
    "empty at the end": (lambda f: in_row(f, "b", -4, visits=None), "column 'visits' is empty at 2020-04-12"),
    "not positive": (lambda f: in_row(f, "b", -5, **{"sales 0": 0.0}), "must be positive, as the model takes log"),
    "unknown": (lambda f: f.assign(shop=f["shop"].replace("b", "d")), "'d' is not one of them"),
    "sparse": (lambda f: in_row(f, "b", 0, day=pd.Timestamp("2001-01-01")), "too many to fill in"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_series_that_break_a_rule_are_left_out_and_the_others_are_forecast_as_ever(fault: str) -> None:
    change, reason = FAULTS[fault]
    frame, whole = change(shops()), model().predict(shops())

    table, left_out = model().predict_available(frame, source="new.csv")

    others = whole[whole["shop"] != "b"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, others, check_dtype=False)
    (name,) = left_out
    assert name in ("b", "d")
    assert reason in left_out[name]
    with pytest.raises(DataError, match=r"^new\.csv") as caught:
        model().predict(frame, source="new.csv")
    assert reason in str(caught.value)


def test_series_with_different_faults_are_left_out_each_with_its_row_in_the_table() -> None:
    frame = in_row(without(shops(), "a", slice(0, 20)), "c", 3, visits="many")
    frame = in_row(frame.sample(frac=1, random_state=0), "b", 0, shop=None)

    table, left_out = model().predict_available(frame, source="new.csv")

    place = {str(name): row + 1 for row, name in enumerate(frame["shop"])}
    many = frame["visits"].tolist().index("many") + 1
    assert left_out.keys() == {"a", "c", f"row {place['nan']}"}
    assert f"row {many} is 'many'" in left_out["c"]
    assert "has 4 rows up to its last value" in left_out["a"]
    assert table["shop"].unique().tolist() == ["b"]


def test_a_table_of_which_nothing_can_be_forecast_is_refused() -> None:
    with pytest.raises(DataError, match=r"'price' is empty .* the other 2 cannot be predicted either$"):
        model().predict_available(shops().assign(price=np.nan))
    with pytest.raises(DataError, match="there is no such column"):
        model().predict_available(shops().drop(columns="price"))


def test_a_single_series_is_refused_as_ever() -> None:
    frame = forecasts.table()
    bundle = forecasts.bundle_of(forecasts.panel_of(frame))

    with pytest.raises(DataError, match=r"^table: the series has 5 rows .* add earlier rows$"):
        bundle.predict_available(frame[:5])


def test_static_covariates_need_not_be_repeated_in_rows_without_targets() -> None:
    frame = shops()
    future = frame["sales 0"].isna()
    sparse = frame.assign(kind=frame["kind"].mask(future), area=frame["area"].mask(future))

    pd.testing.assert_frame_equal(model().predict(sparse), model().predict(frame))
    with pytest.raises(DataError, match="static covariate 'kind' is empty at 2020-03-20 of series 'a'"):
        model().predict(frame.assign(kind=None))


SEQUENCES: dict[str, tuple[str, Change, str, str]] = {
    "a cell": ("sequences", lambda f: f.assign(heat=f["heat"].astype(object).mask(f["engine"] == "e2", "hot")),
               "e2", "must hold numbers but row 12 is 'hot'"),
    "a gap": ("sequences", lambda f: f.assign(load=f["load"].mask(f["engine"] == "e2")), "e2", "is empty in row 12"),
    "twice": ("sequences", lambda f: f.assign(minute=f["minute"].mask(f["engine"] == "e2", 0)), "e2", "repeats a time"),
    "no numbers": ("wide", lambda f: f.mask(f["sample"] == 7).assign(sample=f["sample"]), "7", "row 2 has no numbers"),
    "a row": ("wide", lambda f: f.assign(step_1=f["step_1"].mask(f["sample"] == 7)), "7", "is empty in row 2"),
    "no text": ("words", lambda f: f.assign(text=f["text"].where(f.index != 1, None)), "2", "is empty in row 2"),
    "a number": ("words", lambda f: f.assign(text=f["text"].astype(object).where(f.index != 1, 7)), "2",
                 "must hold texts but row 2 is 7"),
    "half": ("characters", lambda f: f.assign(text=f["text"].astype(object).where(f.index != 1, "a\ud800")), "2",
             "lone surrogate"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SEQUENCES)
def test_sequences_and_texts_that_break_a_rule_are_left_out_and_the_others_keep_their_names(fault: str) -> None:
    kind, change, name, reason = SEQUENCES[fault]
    frame, bundle = sequences.made(kind)
    whole = bundle.predict(frame)

    table, left_out = bundle.predict_available(change(frame))

    assert list(left_out) == [name]
    assert reason in left_out[name]
    others = whole[whole.iloc[:, 0].astype(str) != name].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, others, check_dtype=False, rtol=1e-4)


def test_texts_of_a_list_are_left_out_by_their_number() -> None:
    bundle: SequenceBundle = sequences.made("words")[1]

    table, left_out = bundle.predict_available(["fine", None, "late"])

    assert table["row"].tolist() == [1, 3]
    assert left_out == {"2": "table: column 'text' (data.text) is empty in row 2; write a text, or remove the row"}


def test_a_served_model_predicts_all_or_nothing_unless_it_is_asked_for_what_it_can() -> None:
    change, reason = FAULTS["future missing"]
    frame, served = change(shops()), PyfuncModel(model())

    with pytest.raises(DataError, match="is not known"):
        served.predict(frame, params={"strict": True})
    with pytest.warns(UserWarning, match="left out: model input: future covariate") as caught:
        table = served.predict(frame, params={"strict": False})
    assert reason in str(caught[0].message)
    assert table["shop"].unique().tolist() == ["a", "c"]


def test_the_command_predicts_what_it_can_and_says_so_by_its_exit_code(tmp_path: Path) -> None:
    panel = forecasts.panel_of(forecasts.table(shops=tuple("abcdefghijklmnopqrstuvwxyz")))
    folder = forecasts.save(tmp_path / "model", forecasts.bundle_of(panel, forecasts.model_of(normalization="fold")))
    frame = forecasts.table(shops=("a", "b", *(f"new {n}" for n in range(25))))
    frame[~(frame["shop"].str.startswith("new") & (frame["day"] < "2020-04-10"))].to_csv(tmp_path / "new.csv")

    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["predict", str(folder), "--data", str(tmp_path / "new.csv"), *options])
        return result.exit_code, result.stderr

    code, shown = run("--output", str(tmp_path / "f.csv"), "--left-out", str(tmp_path / "left.json"))

    assert code == 3
    assert len(shown.splitlines()) == 21
    assert shown.splitlines()[-1] == f"left out: 5 more; {tmp_path / 'left.json'} lists all"
    entries = json.loads((tmp_path / "left.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in entries] == sorted(f"new {n}" for n in range(25))
    assert "has 3 rows up to its last value" in entries[0]["reason"]
    assert pd.read_csv(tmp_path / "f.csv")["shop"].unique().tolist() == ["a", "b"]
    assert run("--strict")[0] == 1  # an exception, which main() turns into exit code 2
    frame[~frame["shop"].str.startswith("new")].to_csv(tmp_path / "new.csv")
    assert run("--output", str(tmp_path / "f.csv"), "--left-out", str(tmp_path / "left.json"))[0] == 0
    assert json.loads((tmp_path / "left.json").read_text(encoding="utf-8")) == []
