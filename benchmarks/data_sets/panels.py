"""Panels: the model is trained on the rows before the test part and forecasts the test part.

The holdout of the study is the end of the training part. In ``train`` the test part is cut off first, and the rows
before it are forecast instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from m4_hourly import HORIZON, SEASON, long, read

from data_sets.base import DataSet, Part, Prepared, Scores, write_study, write_table
from data_sets.baselines import panel_forecasts
from data_sets.scores import Columns, owa, panel_errors
from lstmgru.bundle import load_bundle
from lstmgru.data.tables.datasets import load_dataset


@dataclass(frozen=True, kw_only=True)
class Panel(DataSet):
    """A panel, or a single series.

    Attributes:
        read: Reads the table, in any order, from the folder of the data.
        columns: Names of its columns.
        horizon: Steps of a forecast.
        test: Rows of each series that are forecast, one horizon after the other; ``None`` for one horizon.
        season: Steps of a season in MASE.
        data: Further keys of the study's section ``data``.
        forecast: Further keys of ``forecast``.
        splits: Further keys of ``splits``.
        shorter: Keys of ``data`` for the shorter series of the part ``train``.
        shorter_horizon: Steps of a forecast in ``train``; ``None``: as in ``test``.
        least: Series with fewer rows than these before the scored part are left out in ``train``.
    """

    read: Callable[[Path], pd.DataFrame]
    columns: Columns
    horizon: int
    test: int | None = None
    season: int
    data: Mapping[str, Any] = field(default_factory=dict)
    forecast: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, Any] = field(default_factory=dict)
    shorter: Mapping[str, Any] = field(default_factory=dict)
    shorter_horizon: int | None = None
    least: int = 0

    def prepare(self, data: Path, folder: Path, part: Part) -> Prepared:
        """Write the rows before the scored part, see :meth:`DataSet.prepare`."""
        history, _ = self.parts(data, part)
        return Prepared(write_study(folder, self.name, self._study(part)), write_table(folder, history))

    def score(self, data: Path, prepared: Prepared, record: dict[str, Any], part: Part) -> Scores:
        """Forecast and score, see :meth:`DataSet.score`; the baselines learn from all rows before the scored part."""
        history, truth = self.parts(data, part)
        known = pd.concat([history, truth]).sort_values([self.columns.id, self.columns.time])
        exported = self.errors(history, truth, self._forecast(record["bundle"], known, part))
        horizon = self._horizon(part)
        found = panel_forecasts(prepared, known, self.columns, horizon=horizon, test=self.test_rows)
        baselines = {name: self.errors(history, truth, each)[self.metric] for name, each in found.items()}
        return Scores(exported, None, baselines)

    def parts(self, data: Path, part: Part) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows before the scored part, and the scored part."""
        frame = self.read(data).sort_values([self.columns.id, self.columns.time], ignore_index=True)
        if part == "train":
            frame = _without_end(frame, self.columns.id, self.test_rows)
            rows = frame.groupby(self.columns.id)[self.columns.id].transform("size")
            frame = frame[rows >= self.least + self.test_rows]
        history = _without_end(frame, self.columns.id, self.test_rows)
        return history, frame.drop(history.index)

    @property
    def test_rows(self) -> int:
        """Rows of each series in the scored part."""
        return self.test or self.horizon

    def errors(self, history: pd.DataFrame, truth: pd.DataFrame, forecasts: pd.DataFrame) -> dict[str, float]:
        """Errors of forecasts, see :func:`~data_sets.scores.panel_errors`."""
        return panel_errors(history, truth, forecasts, self.columns, self.season)

    def _study(self, part: Part) -> dict[str, Any]:
        columns = {"id": self.columns.id, "time": self.columns.time, "target": self.columns.target}
        shorter = self.shorter if part == "train" else {}
        return {
            "data": {"path": "table.parquet", **columns, **self.data, **shorter},
            "forecast": {"horizon": self._horizon(part), **self.forecast},
            "splits": {"holdout": self._horizon(part), **self.splits},
        }

    def _horizon(self, part: Part) -> int:
        return self.shorter_horizon or self.horizon if part == "train" else self.horizon

    def _forecast(self, bundle: str, known: pd.DataFrame, part: Part) -> pd.DataFrame:
        """Forecasts of the scored part, each from the rows before it."""
        model, left = load_bundle(bundle), range(self.test_rows, 0, -self._horizon(part))
        return pd.concat([model.predict(_without_end(known, self.columns.id, rows)) for rows in left])


@dataclass(frozen=True, kw_only=True)
class M4(Panel):
    """The M4 competition, with its OWA. In ``train`` the values are relative to those of Naive2 on the test part."""

    def errors(self, history: pd.DataFrame, truth: pd.DataFrame, forecasts: pd.DataFrame) -> dict[str, float]:
        """Errors with OWA, see :meth:`Panel.errors`."""
        found = super().errors(history, truth, forecasts)
        return {"owa": owa(found), **found}


def _without_end(frame: pd.DataFrame, id: str, rows: int) -> pd.DataFrame:
    """The rows of each series but the last ones."""
    return frame[frame.groupby(id, sort=False).cumcount(ascending=False) >= rows]


def _parquet(name: str) -> Callable[[Path], pd.DataFrame]:
    def read(data: Path) -> pd.DataFrame:
        return pd.read_parquet(data / "panels" / f"{name}.parquet").drop(columns="part", errors="ignore")

    def read_carparts(data: Path) -> pd.DataFrame:
        return pd.read_parquet(data / "panels" / f"{name}.parquet")

    return read_carparts if name == "carparts" else read


def _m4_hourly(data: Path) -> pd.DataFrame:
    train, test = (long(read(data / "m4" / f"Hourly-{part}.csv")) for part in ("train", "test"))
    test["step"] += test["series"].map(train.groupby("series").size())
    return pd.concat([train, test])


def _employment(data: Path) -> pd.DataFrame:
    del data
    return load_dataset("us_employment")


def _air_passengers(data: Path) -> pd.DataFrame:
    """Box & Jenkins's airline passengers, which sktime ships."""
    from importlib.util import find_spec

    del data
    spec = find_spec("sktime")  # importing it would take seconds
    if spec is None or spec.origin is None:
        raise SystemExit("air_passengers comes with sktime: pip install 'lstmgru-search[studies]'")
    frame = pd.read_csv(
        Path(spec.origin).parent / "datasets" / "data" / "Airline" / "Airline.csv", parse_dates=["Date"]
    )
    return frame.assign(series="passengers")


_SHORT = {"short_series": "pad"}
PANELS: tuple[Panel, ...] = (
    M4(
        name="m4_hourly",
        seconds=600,
        metric="owa",
        read=_m4_hourly,
        columns=Columns("series", "step", "value"),
        horizon=HORIZON,
        season=SEASON,
        data={"frequency": "step"},
        forecast={"season_length": SEASON, "metric": "mase"},
        splits={"folds": 1, "align": "end"},
        published={"naive2": 1.0, "seasonal naive": 0.627, "RNN benchmark": 1.036, "ES-RNN": 0.440},
        goals={"owa": (0.48, 0.43)},
    ),
    Panel(
        name="m3_monthly",
        seconds=300,
        metric="mase",
        read=_parquet("m3_monthly"),
        columns=Columns("series", "date", "value"),
        horizon=18,
        season=12,
        data=_SHORT,
        forecast={"metric": "mase"},
        splits={"align": "end"},
        published={"naive2": 1.037, "Auto-ANN": 0.928, "AutoETS": 0.863, "Theta": 0.858, "ForecastPro": 0.848},
        goals={"mase": (0.86, 0.83), "smape": (14.0, 13.5)},
    ),
    Panel(
        name="m3_quarterly",
        seconds=300,
        metric="mase",
        read=_parquet("m3_quarterly"),
        columns=Columns("series", "date", "value"),
        horizon=8,
        season=4,
        data=_SHORT,
        forecast={"metric": "mase"},
        splits={"align": "end"},
        least=2 * 8 + 5,  # holdout, fold, and a change over a season for the scale of MASE
        published={"Auto-ANN": 1.241, "AutoETS": 1.144, "COMB": 1.105, "Theta": 1.087},
        goals={"mase": (1.11, 1.07)},
    ),
    Panel(
        name="pbs",
        seconds=300,
        metric="mae",
        read=_parquet("pbs"),
        columns=Columns("series", "month", "scripts"),
        horizon=12,
        season=12,
        data={
            "static_covariates": ["concession", "type", "atc1"],
            "categorical": ["concession", "type", "atc1"],
        },
        published={"seasonal naive": 4810, "AutoETS": 4161},
        goals={"mae": (4000, 3700)},
    ),
    Panel(
        name="ansett",
        seconds=180,
        metric="mase",
        read=_parquet("ansett_weekly"),
        columns=Columns("series", "week", "passengers"),
        horizon=8,
        season=52,
        data={**_SHORT, "gaps": "interpolate"},
        forecast={"metric": "mase", "season_length": 52},
        published={"naive": 0.537, "seasonal naive": 0.798, "Theta": 0.553},
        goals={"mase": (0.53, 0.50)},
    ),
    Panel(
        name="carparts",
        seconds=300,
        metric="mase",
        read=_parquet("carparts"),
        columns=Columns("part", "month", "sold"),
        horizon=12,
        season=1,
        data=_SHORT,
        splits={"folds": 1},  # and MAE, because parts that were never sold yet have no scale for MASE
        shorter_horizon=6,
        published={"naive": 1.307, "Croston SBA": 1.322, "ADIDA": 1.122},
        goals={"mase": (1.10, 1.05)},
    ),
    Panel(
        name="employment",
        seconds=180,
        metric="mase",
        read=_employment,
        columns=Columns("series", "month", "jobs"),
        horizon=12,
        test=24,
        season=1,
        forecast={"metric": "mase"},
        shorter=_SHORT,
        published={"AutoLSTM": 3.00, "AutoGRU": 2.72},
    ),
    Panel(
        name="air_passengers",
        seconds=25,  # a tenth of the time of AutoGRU
        metric="mae",
        read=_air_passengers,
        columns=Columns("series", "Date", "Passengers"),
        horizon=12,
        test=24,
        season=1,
        published={"AutoLSTM": 20.2, "AutoGRU": 14.4},
        goals={"mae": (14.4,)},
    ),
)
