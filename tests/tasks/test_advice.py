"""Advice in messages about data is followed to where it leads: to a study that is valid."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row

from lstmgru.errors import LstmGruError
from search.api import load_plan
from search.errors import StudyFileError

Table = pd.DataFrame | Callable[[Path], None]
DAYS = pd.date_range("2022-01-03", periods=120, freq="D")
HOURS = pd.date_range("2022-01-03", periods=240, freq="h")


def table(times: Any, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"t": times, "y": np.arange(len(times)) * 7 % 13 + 0.5, **columns})


def keeping(times: pd.DatetimeIndex, *kept: Any) -> pd.DataFrame:
    """A table of the times for which one of some conditions holds."""
    return table(times[np.any(kept, axis=0)])


def written(text: str, encoding: str = "utf-8") -> Callable[[Path], None]:
    return lambda path: path.write_bytes(text.encode(encoding))


def lines(separator: str, number: Callable[[float], str]) -> str:
    """A file of days with some delimiter and form of numbers."""
    values = zip(DAYS, table(DAYS)["y"], strict=True)
    rows = [separator.join((f"{day:%Y-%m-%d}", number(value))) for day, value in values]
    return "\n".join([f"t{separator}y", *rows, ""])


def without_hour(day: str) -> pd.DataFrame:
    """Local times of Berlin around a change of clocks."""
    times = pd.date_range(day, periods=240, freq="h", tz="Europe/Berlin").tz_localize(None)
    return table(times.astype(str))


def two_shops(*lengths: int, start: str = "2022-01-03") -> pd.DataFrame:
    frames = [table(pd.date_range(start, periods=length), shop=f"s{n}") for n, length in enumerate(lengths)]
    return pd.concat(frames)


NAMED = r"'([^']+)'"
ADVICE: list[tuple[str, Table, list[str], str, list[str]]] = [
    # name, table, settings; the message, whose groups are what is advised; settings that follow it
    ("frequency that fits", table(HOURS), ["data.frequency=D"], rf"; {NAMED} would fit$", ["data.frequency={0}"]),
    ("finer frequency", keeping(HOURS, HOURS.hour % 2 == 0, HOURS.hour == 5), [],
     r"; set data\.frequency: (\w+) and data\.gaps, or", ["data.frequency={0}", "data.gaps=fill"]),
    ("wrong frequency, finer fits", keeping(HOURS, HOURS.hour % 2 == 0, HOURS.hour == 5), ["data.frequency=3h"],
     rf"; {NAMED} would fit with data\.gaps", ["data.frequency={0}", "data.gaps=interpolate"]),
    ("step of dates", table(DAYS), ["data.frequency=step"], r"; use (auto)$", ["data.frequency={0}"]),
    ("frequency of steps", table(range(120)), ["data.frequency=D"], r"; use (auto), or write", ["data.frequency={0}"]),
    ("missing rows, filled", table(DAYS.delete([50, 71])), [], r"; set data\.gaps to (fill) or", ["data.gaps={0}"]),
    ("missing rows", table(DAYS.delete([50, 71])), [], r"; set data\.gaps to fill or (\w+),", ["data.gaps={0}"]),
    ("missing values", table(DAYS).assign(y=lambda f: f["y"].where(f.index != 40)), [],
     r"; set data\.gaps to (fill) or", ["data.gaps={0}"]),
    ("closed on some days", keeping(DAYS[:25], DAYS[:25].weekday < 6), ["splits.holdout=3", "splits.fold_size=3"],
     r"set data\.frequency: ([^;]+);", ["data.frequency={0}"]),
    ("closed at night", keeping(HOURS, (HOURS.hour > 7) & (HOURS.hour < 18)), ["data.gaps=fill"],
     r"set data\.frequency: ([^;]+);", ["data.frequency={0}"]),
    ("repeated hour", without_hour("2022-10-28"), [], r"set data\.timezone, such as ([\w/]+);", ["data.timezone={0}"]),
    ("left-out hour", table(pd.date_range("2022-03-25", periods=240, freq="h").astype(str)),
     ["data.timezone=Europe/Berlin"], r"or remove data\.timezone if()", ["data.timezone=null"]),
    ("zone of steps", table(range(120)), ["data.timezone=UTC"], r"write dates, or remove it()", ["data.timezone=null"]),
    ("day first", table(DAYS[:10].strftime("%d/%m/%Y")), ["splits.holdout=2", "splits.fold_size=2"],
     rf"set data\.time_format: {NAMED} or", ["data.time_format={0}"]),
    ("dates as integers", table([int(f"{day:%Y%m%d}") for day in DAYS]), [],
     rf"or set data\.time_format: {NAMED}$", ["data.time_format={0}"]),
    ("several series", two_shops(120, 120), [], r"or name the column of series in (data\.id)$", ["{0}=shop"]),
    ("short series", two_shops(120, 6), ["data.id=shop"], r"or (data\.short_series: \w+) \(1", ["{0}"]),
    ("decimal comma", written(lines(";", lambda x: f"{x:g}".replace(".", ","))), ["data.delimiter=;"],
     rf"set data\.decimal: {NAMED} \(predict", ["data.decimal={0}"]),
    ("decimal comma as delimiter", written(lines(";", lambda x: f"{x:g}".replace(".", ","))), ["data.decimal=,"],
     r"set data\.delimiter to '(;)' if", ["data.delimiter={0}"]),
    ("delimiter", written(lines(";", str)), [], r"set data\.delimiter: '?([^ ']+)'? \(predict", ["data.delimiter={0}"]),
    ("tab", written(lines("\t", str)), [], r"set data\.delimiter: (\S+) \(predict", ["data.delimiter={0}"]),
    ("encoding", written(lines(",", str).replace("y\n", "größe\n", 1), "cp1252"), ["data.target=größe"],
     r"or (cp1252) \(Western", ["data.encoding={0}"]),
    ("no header", written(lines(",", str).partition("\n")[2]), [],
     r"name the columns in (data\.columns) \(predict", ["{0}=[t, y]"]),
    ("calendar of steps", table(range(120)), ["data.calendar=[day_of_week]"],
     r"set data\.calendar to (none), or", ["data.calendar={0}"]),
    ("names among covariates", table(DAYS, mood=["good", "bad"] * 60), ["data.past_covariates=mood"],
     r"name it in (data\.categorical)$", ["{0}=mood"]),
    ("mase of a long season", table(DAYS), ["forecast.metric=mase", "forecast.season_length=130"],
     r"set (forecast\.season_length) or another metric", ["{0}=7"]),
    ("own scales", pd.concat([two_shops(120, 120), table(DAYS[-12:], shop="late")]),
     ["data.id=shop", "data.short_series=pad", "space.normalization=[last]", "splits.align=time"],
     r"; use (\w+), mean or fold", ["space.normalization={0}"]),
    ("too short for the folds", table(DAYS[:40]), ["splits.folds=5"],
     r"; use fewer or smaller folds()", ["splits.folds=2"]),
    ("too short for the context", table(DAYS[:60]), ["space.context_length=70"],
     r", a shorter context()", ["space.context_length=7"]),
    ("logarithm of 0", table(DAYS).assign(y=np.arange(120.0)), ["space.transform=[none, log]"],
     r"leave log and log_difference out()", ["space.transform=none"]),
    ("wql of few windows", table(DAYS), ["forecast.metric=wql", "splits.fold_size=5", "splits.folds=1"],
     r"too few to calibrate that of level ([\d.]+);", ["forecast.levels=0.5"]),
    ("bound that is exceeded", table(DAYS), ["forecast.minimum=3"],
     r"change it, or set it to (null)", ["forecast.minimum={0}"]),
]  # fmt: skip


@each_row(("content", "settings", "message", "way_out"), [each[1:] for each in ADVICE])
def test_advice_leads_to_a_valid_study(
    tmp_path: Path, content: Table, settings: list[str], message: str, way_out: list[str]
) -> None:
    path = tmp_path / "table.csv"
    content.to_csv(path, index=False) if isinstance(content, pd.DataFrame) else content(path)
    study = tmp_path / "study.yaml"
    study.write_text(
        "data: {path: table.csv, time: t, target: y}\nforecast: {horizon: 2}\nsplits: {holdout: 8}\n", encoding="utf-8"
    )

    with pytest.raises((LstmGruError, StudyFileError), match=message) as refused:
        load_plan(study, overrides=settings)

    advised = re.search(message, str(refused.value)).groups()
    follow = [setting.format(*advised).replace(": ", "=") for setting in way_out]
    chosen = {setting.partition("=")[0]: setting for setting in [*settings, *follow]}
    assert load_plan(study, overrides=list(chosen.values())).n_folds >= 1
