"""The pages of studies whose trials were never trained: what a user sees of a study, for a look in a browser."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.comparisons import make_comparison, make_label_comparison
from helpers.report_study import TEXTS, Made, make_label_store, make_store
from lstmgru.data.tables.writers import write_text
from search.compare.page import comparison_html
from search.config.objectives import SCORE
from search.reports.backtest import backtest_html
from search.reports.holdout.forecast_table import read_forecasts
from search.reports.holdout.forecasts import forecast_charts, forecasts_html, ranked
from search.reports.report import report_html
from search.study.backtest_records import BacktestBaseline, BacktestRecord, Parts, SeriesPart, StepPart
from search.study.paths import (
    CLASSES_TABLE,
    CONFUSION_TABLE,
    FORECASTS_TABLE,
    NEXT_TABLE,
    PREDICTIONS_TABLE,
    SERIES_TABLE,
    report_path,
)
from search.study.records import BaselineRecord, HoldoutRecord, IntervalRecord
from search.study.store import StudyStore
from search.tasks import find_task

WRITTEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORDS = ("the", "film", "was", "not", "as", "good", "they", "said", "but", "I", "liked", "end", "music", "most", "all")


def write_pages(folder: Path, *, trials: int = 30) -> list[Path]:
    """Write every page of five studies: one series, a panel, a Pareto study, texts, comparisons.

    Args:
        folder: Of the pages; every study gets a folder in it.
        trials: Of each study.
    """
    makers: dict[str, Callable[[Path, int], dict[str, str]]] = {
        "series": series_pages, "panel": panel_pages, "pareto": pareto_pages, "texts": text_pages,
        "comparison": lambda *_: comparison_pages(),
    }  # fmt: skip
    return _write(folder, makers, trials)


def write_long_pages(folder: Path, *, trials: int = 300, series: int = 320) -> list[Path]:
    """Write the reports of a long study and of a panel of many series.

    Args:
        folder: Of the pages; every study gets a folder in it.
        trials: Of the long study.
        series: Of the panel.
    """
    makers: dict[str, Callable[[Path, int], dict[str, str]]] = {
        "long": lambda place, count: {"report": series_pages(place, count)["report"]},
        "wide": lambda place, _: panel_pages(place, 30, series=series, hours=24 * 4),
    }
    return _write(folder, makers, trials)


def _write(folder: Path, makers: dict[str, Callable[[Path, int], dict[str, str]]], trials: int) -> list[Path]:
    paths = []
    for study, make in makers.items():
        (folder / study).mkdir(parents=True)
        for name, page in make(folder / study, trials).items():
            paths.append(folder / study / f"{study}-{name}.html")
            write_text(paths[-1], page)
    return paths


def made_trials(count: int, *, values: Callable[[int], tuple[float, ...]], states: bool = True) -> list[Made]:
    """Trials of which every fourth was pruned and every ninth failed, if not all are complete."""

    def state(number: int) -> str:
        return "FAIL" if states and number % 9 == 8 else "PRUNED" if states and number % 4 == 3 else "COMPLETE"

    return [Made(state(number), values(number), reason="worse than the median") for number in range(count)]


def forecasts(series: int = 1, *, hours: int = 24 * 7 * 3, horizon: int = 24, seed: int = 0) -> pd.DataFrame:
    """A table of hourly forecasts of three weeks; the errors are largest in the evening."""
    generator = np.random.default_rng(seed)
    times = pd.date_range("2026-01-05", periods=hours, freq="h")
    parts = []
    for number in range(series):
        day = 2 * np.pi * times.hour.to_numpy() / 24
        actual = 20 + 5 * number + 6 * np.sin(day) + generator.normal(0, 0.6, hours)
        wrong = generator.normal(0, 0.5, hours) * (1 + 2.5 * (times.hour.to_numpy() >= 17))
        known = np.arange(hours) < horizon
        forecast = np.where(known, np.nan, actual + wrong)
        first = np.maximum(np.arange(hours) // horizon * horizon - 1, horizon - 1)
        part = pd.DataFrame({"series": f"shop {number + 1}", "target": "sales", "cutoff": times[first], "time": times})
        bounds = {"lower_80": forecast - 1.5, "upper_80": forecast + 1.5}
        other = np.where(known, np.nan, actual + 1.6 * wrong[::-1])
        parts.append(part.assign(actual=actual, forecast=forecast, **bounds, baseline_linear=other))
    return pd.concat(parts, ignore_index=True)


def write_bundle(folder: Path, tables: dict[str, pd.DataFrame], **settings: Any) -> str:
    """The description of a model, and the tables of its holdout beside it."""
    bundle = folder / "tiny.bundle"
    bundle.mkdir()
    (bundle / "bundle.json").write_text(json.dumps({"provenance": {}}))
    report_path(bundle).mkdir()
    for name, table in tables.items():
        table.to_csv(report_path(bundle) / name, **{"index": False, **settings})
    return str(bundle)


def rendered(store: StudyStore, **changes: Any) -> str:
    """The report of a study with other records."""
    record = dataclasses.replace(store.record(), **changes)
    return report_html(record, store.study, find_task(record.task).pages)


def scored(trial: int, score: float, metrics: dict[str, float], **changes: Any) -> HoldoutRecord:
    """A holdout on which the model is better than the baselines."""
    record = HoldoutRecord(trial, score, metrics, "The model beats linear by 9%.", True)
    return dataclasses.replace(record, score_interval=(0.94 * score, 1.05 * score), **changes)


BASELINES = {
    "naive": BaselineRecord(3.4, 3.33), "seasonal_naive": BaselineRecord(3.1, 3.0), "linear": BaselineRecord(2.9, 2.84),
}  # fmt: skip
INTERVALS = (IntervalRecord(0.8, 0.826, 8.84), IntervalRecord(0.95, 0.97, 14.2))


def series_pages(folder: Path, trials: int) -> dict[str, str]:
    """Report, forecasts of the holdout and backtest of a single series, and the report of a running study."""
    generator = np.random.default_rng(1)
    store = make_store(folder, made_trials(trials, values=lambda _: (float(generator.gamma(4, 0.1) + 2.6),)))
    table = forecasts()
    following = table.tail(24).assign(actual=np.nan, cutoff=table["time"].max())
    following["time"] += pd.Timedelta(hours=24)
    bundle = write_bundle(folder, {FORECASTS_TABLE: table, NEXT_TABLE: following})
    differences = {"naive": (3.1, 3.6), "seasonal_naive": (2.8, 3.2), "linear": (2.7, 3.0)}
    holdout = scored(0, 2.6, {"mae": 2.6, "rmse": 3.3}, intervals=INTERVALS, baseline_intervals=differences)
    read = read_forecasts(report_path(Path(bundle)) / FORECASTS_TABLE)
    return {
        "report": rendered(store, holdout=holdout, bundle=bundle, baselines=BASELINES),
        "running": rendered(make_store(folder, [Made(), Made("PRUNED"), Made("RUNNING")])),
        "forecasts": forecasts_html(
            ranked([read]), lambda each: each.rows(read), title="tiny: forecasts of the holdout"
        ),
        "backtest": backtest_html(backtest(), forecast_charts(read)),
    }


def panel_pages(folder: Path, trials: int, *, series: int = 14, hours: int = 24 * 6) -> dict[str, str]:
    """The report of a panel."""
    store = make_store(folder, made_trials(trials, values=lambda number: (3.0 - 0.01 * (number * 7 % 13),)))
    table = forecasts(series, hours=hours, seed=2)
    scores = [(f"shop {number + 1}", 2.0 + 0.1 * number, 2.3 + 0.08 * number) for number in range(series)]
    tables = {FORECASTS_TABLE: table, SERIES_TABLE: pd.DataFrame(scores, columns=["series", "score", "baseline"])}
    holdout = scored(0, 2.6, {"mae": 2.6, "rmse": 3.3}, intervals=INTERVALS)
    return {"report": rendered(store, holdout=holdout, bundle=write_bundle(folder, tables), baselines=BASELINES)}


def pareto_pages(folder: Path, trials: int) -> dict[str, str]:
    """The report of a study with two objectives."""
    generator = np.random.default_rng(3)

    def values(_: int) -> tuple[float, ...]:
        latency = float(10 ** generator.uniform(-3.5, -2))
        return 2.5 + 0.1 / (1000 * latency) ** 0.5 + float(generator.gamma(2, 0.05)), latency

    store = make_store(folder, made_trials(trials, values=values, states=False), objectives=(SCORE, "latency"))
    tables = {FORECASTS_TABLE: forecasts(seed=4)}
    best = store.record().best
    assert best is not None
    holdout = scored(best.number, 2.6, {"mae": 2.6, "rmse": 3.3})
    return {"report": rendered(store, holdout=holdout, bundle=write_bundle(folder, tables), baselines=BASELINES)}


def text_pages(folder: Path, trials: int) -> dict[str, str]:
    """The report of a study that classifies texts."""
    store = make_label_store(folder, made_trials(trials, values=lambda n: (0.8 + 0.01 * (n % 7),)), overrides=TEXTS)
    changes: dict[str, Any] = {
        "holdout": scored(0, 0.86, {"accuracy": 0.86, "log_loss": 0.31}),
        "bundle": write_text_tables(folder),
        "baselines": {"majority": BaselineRecord(0.5, 0.52), "tfidf_logistic": BaselineRecord(0.78, 0.8)},
    }
    return {"report": rendered(store, **changes)}


def write_text_tables(folder: Path, count: int = 160) -> str:
    """A bundle with the predictions of texts of two classes, each with its text."""
    from lstmgru.evaluation.sequences import SequenceEvaluation
    from lstmgru.specs import LabelSpec
    from search.tasks.sequences.final_steps import confusion_table

    generator = np.random.default_rng(5)
    classes, actual = ("bad", "good"), generator.integers(0, 2, count)
    good = 1 / (1 + np.exp(-(3 * actual - 1.5 + generator.normal(0, 1.4, count))))
    outputs = np.stack([1 - good, good], axis=1).astype(np.float32)
    evaluation = SequenceEvaluation(actual, LabelSpec("classification", "accuracy", classes))
    names = np.array(classes)
    texts = [" ".join(generator.choice(WORDS, 12)) for _ in range(count)]
    predictions = pd.DataFrame(
        {
            "sequence": [str(number + 1) for number in range(count)],
            "actual": names[actual], "predicted": names[outputs.argmax(axis=1)],
            "p_bad": outputs[:, 0], "p_good": outputs[:, 1], "text": texts,
        }
    )  # fmt: skip
    bundle = write_bundle(folder, {PREDICTIONS_TABLE: predictions, CLASSES_TABLE: evaluation.per_class(outputs)})
    confusion_table(classes, evaluation.confusion(outputs)).to_csv(report_path(Path(bundle)) / CONFUSION_TABLE)
    return bundle


def comparison_pages() -> dict[str, str]:
    """The pages of two comparisons."""
    return {
        "forecasts": comparison_html(make_comparison(), WRITTEN),
        "labels": comparison_html(make_label_comparison(), WRITTEN),
    }


def backtest() -> BacktestRecord:
    """A backtest of everything that there is."""
    rows = tuple(SeriesPart(f"shop {number}", 14, 2.0 + number / 10, 2.9, ()) for number in range(4))
    steps = tuple(StepPart(number + 1, 2.0 + number / 10, 2.9, ()) for number in range(4))
    return BacktestRecord(
        model="tiny", task="forecast", metric="mae", direction="minimize", source="new.csv",
        scored="14 forecasts of 24 rows, from 2026-02-01 to 2026-02-14", score=2.7, metrics={"mae": 2.7, "rmse": 3.4},
        holdout={"mae": 2.6, "rmse": 3.3}, intervals=INTERVALS, holdout_intervals=INTERVALS,
        baselines={"linear": BacktestBaseline(2.9, 2.84)}, verdict="The model beats linear.", beats_baselines=True,
        drift="The error has grown by 4% since the holdout.", parts=Parts(rows, steps),
    )  # fmt: skip
