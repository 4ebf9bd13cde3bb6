"""Tables in which a series or sequence breaks a rule, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd

from helpers import forecast_bundles as forecasts
from lstmgru.bundle import ForecastBundle


@cache
def model() -> ForecastBundle:
    """A model of shops a, b and c that takes logarithms, knows each series and fills gaps."""
    panel = forecasts.rich_panel(shops())
    return forecasts.bundle_of(panel, forecasts.model_of(transform="log", series_embedding=2), gaps="fill")


def shops() -> pd.DataFrame:
    """Its table."""
    return forecasts.rich_table()


def in_row(frame: pd.DataFrame, shop: str, row: int, /, **cells: Any) -> pd.DataFrame:
    """The table with other cells in a row of a shop, counted from its end if negative."""
    index = frame.index[frame["shop"] == shop][row]
    for column, value in cells.items():
        frame[column] = frame[column].astype(object)
        frame.loc[index, column] = value
    return frame.infer_objects()


def without(frame: pd.DataFrame, shop: str, rows: slice) -> pd.DataFrame:
    """The table without some rows of a shop."""
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
    "sparse": (lambda f: without(f, "b", slice(19, 23)), "'b' lacks 4 of the 6 rows that the model "
               "reads, first 2020-04-08: more than half, too many to fill in"),
}  # fmt: skip


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
