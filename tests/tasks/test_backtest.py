"""Backtests: scores that numpy finds too, baselines that do not look ahead, and what is scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import sequence_bundles
from helpers.combinations import each_row
from helpers.forecast_bundles import CONTEXT, HORIZON, bundle_of, calibration_of, model_of, panel_of, table
from helpers.json_output import valid_json
from helpers.running_comparisons import label_plan_of
from helpers.sequence_bundles import label_bundle_of, long_table, sequences_of, text_table

from lstmgru.bundle import Bundle, ForecastBaselineMember, ForecastBundle
from lstmgru.data.forecasting.splits import Split
from lstmgru.errors import DataError
from lstmgru.evaluation.decimals import decimals_of, fixed
from lstmgru.evaluation.forecast_baselines import fit_baseline, forecaster
from lstmgru.evaluation.time_limit import UNLIMITED
from lstmgru.specs import ForecastSpec
from lstmgru.specs.calibration import Calibration
from search.cli.documents import BacktestOutput
from search.study.backtest_records import BacktestRecord
from search.tasks import find_task
from search.tasks.backtest import backtest
from search.tasks.forecasting.backtest import last_part

ROWS, KNOWN = 40, 28
"""Days of each shop, and those that the model has learned from."""
SHOPS = ("north", "south", "west")
FIRST_DAY = pd.Timestamp("2020-03-20")
LAST_KNOWN = f"{FIRST_DAY + pd.Timedelta(days=KNOWN - 1):%Y-%m-%d}"
FORECAST = ForecastSpec(HORIZON, 2, "mae")


def shops(rows: int = ROWS) -> pd.DataFrame:
    """Three shops that differ in size."""
    frame = table(rows, shops=SHOPS).sort_values(["shop", "day"], ignore_index=True)
    size = frame["shop"].map({"north": 1.0, "south": 3.0, "west": 9.0})
    return frame.assign(**{"sales 0": (frame["sales 0"] * size).round(3)})


def shop_bundle(**settings: Any) -> ForecastBundle:
    origin = {"trained_on": "everything", "learned_until": LAST_KNOWN}
    known: dict[str, Any] = {"baselines": {"naive": 5.0, "seasonal_naive": 4.0, "linear": 4.5}}
    values = {
        "forecast": FORECAST,
        "calibration": calibration_of(),
        "provenance": origin,
        "metrics": {**known, "holdout": {"mae": 3.0}},
    }
    return bundle_of(panel_of(shops(KNOWN)), model_of(normalization="window"), **(values | settings))


def scored(bundle: Bundle, frame: pd.DataFrame, start: str | None = None) -> BacktestRecord:
    task = find_task(bundle.task_name).backtest
    part = task.read(bundle, frame, source="shops.csv", start=start)
    record = backtest(task, bundle, part, model="shops", source="shops.csv").record
    valid_json("backtest", json.dumps(BacktestOutput(**vars(record)).to_json()))
    return record


@pytest.fixture(scope="module")
def record() -> BacktestRecord:
    return scored(shop_bundle(), shops())


def by_hand() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(shops, cutoffs, H) true values, and what the model (with its intervals) and two baselines forecast."""
    bundle, frame = shop_bundle(), shops()
    truth, found = [], []
    for shop in SHOPS:
        own = frame[frame["shop"] == shop].reset_index(drop=True)
        sales = own["sales 0"].to_numpy()
        for cutoff in range(KNOWN, ROWS - HORIZON + 1):
            forecast = bundle.predict(own[:cutoff])
            naive = np.full(HORIZON, sales[cutoff - 1])
            seasonal = sales[cutoff - 2 + np.arange(HORIZON) % 2]
            truth.append(sales[cutoff : cutoff + HORIZON])
            found.append([*(forecast[each] for each in ("forecast", "lower_80", "upper_80")), naive, seasonal])
    shape = (len(SHOPS), -1, HORIZON)
    values = np.moveaxis(np.array(found), 1, 0)
    names = ("model", "low", "high", "naive", "seasonal_naive")
    return np.array(truth).reshape(shape), {n: v.reshape(shape) for n, v in zip(names, values, strict=True)}


def covered(part: Any) -> float:
    """Coverage of the interval of 80%."""
    return {each.level: each.coverage for each in part.intervals}[0.8]


def test_scores_are_those_that_forecasts_of_growing_tables_have(record: BacktestRecord) -> None:
    truth, found = by_hand()
    errors = {name: np.abs(truth - values) for name, values in found.items()}
    inside = (found["low"] <= truth) & (truth <= found["high"])

    assert record.score == record.metrics["mae"] == pytest.approx(errors["model"].mean(), rel=1e-5)
    assert record.metrics["rmse"] == pytest.approx(np.sqrt((errors["model"] ** 2).mean()), rel=1e-5)
    for name in ("naive", "seasonal_naive"):
        assert record.baselines[name].score == pytest.approx(errors[name].mean(), rel=1e-5)
    assert covered(record) == pytest.approx(inside.mean())
    series = {part.series: part for part in record.parts.series}
    best = record.best_baseline
    assert best is not None
    for number, shop in enumerate(SHOPS):
        assert series[shop].score == pytest.approx(errors["model"][number].mean(), rel=1e-5)
        assert covered(series[shop]) == pytest.approx(inside[number].mean())
        assert series[shop].forecasts == ROWS - KNOWN - HORIZON + 1
    for step, part in enumerate(record.parts.steps):
        assert part.score == pytest.approx(errors["model"][:, :, step].mean(), rel=1e-5)
        assert covered(part) == pytest.approx(inside[:, :, step].mean())
        if best in errors:
            assert part.best_baseline == pytest.approx(errors[best][:, :, step].mean(), rel=1e-5)


def test_mase_divides_by_the_changes_before_the_scored_rows(record: BacktestRecord) -> None:
    truth, found = by_hand()
    frame = shops()
    known = [frame.loc[frame["shop"] == shop, "sales 0"].to_numpy()[:KNOWN] for shop in SHOPS]
    scales = [np.abs(sales[2:] - sales[:-2]).mean() for sales in known]

    expected = np.mean([np.abs(truth - found["model"])[n].mean() / scale for n, scale in enumerate(scales)])
    assert record.metrics["mase"] == pytest.approx(expected, rel=1e-5)


def test_it_says_what_is_scored_and_what_has_changed(record: BacktestRecord) -> None:
    first, last = (f"{FIRST_DAY + pd.Timedelta(days=days):%Y-%m-%d}" for days in (KNOWN, ROWS - 1))
    assert (
        record.scored
        == f"{3 * (ROWS - KNOWN - HORIZON + 1)} forecasts of {3 * (ROWS - KNOWN)} rows from {first} to {last}"
    )
    assert record.notes == ()
    assert f"MAE is {fixed(record.score, decimals_of([record.score]))}" in record.drift
    assert "than on the holdout of the study (3.00)" in record.drift
    assert "model" in record.verdict
    assert "on these rows" in record.verdict
    assert record.baselines["naive"].holdout == 5.0


def test_scores_that_have_not_changed_are_said_to_be_the_same(record: BacktestRecord) -> None:
    baselines = {name: each.score for name, each in record.baselines.items() if each.score is not None}
    shown = fixed(record.score, decimals_of([record.score]))
    again = scored(shop_bundle(metrics={"holdout": record.metrics, "baselines": baselines}), shops())

    assert again.drift.startswith(f"MAE is {shown}, as on the holdout of the study; that of ")
    assert " is the same. Relative to " in again.drift


def test_a_baseline_is_fitted_to_the_rows_before_the_scored_ones(record: BacktestRecord) -> None:
    """As one is that has never seen the others."""
    bundle = shop_bundle()
    known, panel = bundle.panel(shops()[lambda frame: frame["day"] <= LAST_KNOWN]), bundle.panel(shops())
    rows = np.stack([known.offsets[:-1], known.offsets[1:]], axis=1)
    fitted = fit_baseline("linear", known, Split("known", rows, rows), FORECAST, CONTEXT)
    firsts = panel.offsets[:-1]
    cutoffs = np.concatenate([np.arange(first + KNOWN, first + ROWS - HORIZON + 1) for first in firsts])
    forecasts = forecaster(panel, fitted, forecast=FORECAST)(cutoffs)[..., 0]
    truth = panel.values[cutoffs[:, None] + np.arange(HORIZON), 0]
    assert record.baselines["linear"].score == pytest.approx(np.abs(forecasts - truth).mean(), rel=1e-5)


def test_only_the_baselines_of_the_study_are_scored() -> None:
    record = scored(shop_bundle(metrics={"baselines": {"naive": 5.0, "theta": 4.0}}), shops())
    assert set(record.baselines) == {"naive"}  # Theta is slow


def test_scores_of_rows_that_the_model_has_learned_from_are_said_to_be_too_good() -> None:
    record = scored(shop_bundle(), shops(), start=LAST_KNOWN)
    assert f"{3 * (ROWS - KNOWN + 1)} rows from {LAST_KNOWN}" in record.scored
    assert record.notes == (
        f"the model has learned from 3 of the {3 * (ROWS - KNOWN + 1)} scored rows, those up to {LAST_KNOWN}: its "
        "scores there are too good",
    )


def test_a_model_that_does_not_say_what_it_has_learned_from_is_scored_on_the_whole_table() -> None:
    record = scored(shop_bundle(provenance={}), shops())
    assert f"{3 * (ROWS - CONTEXT)} rows" in record.scored
    assert record.notes[0].startswith("the model does not say up to where it has learned")
    assert record.baselines["naive"].score is not None
    assert "no training window fits" in record.baselines["linear"].reason


def test_a_bundle_without_scores_has_no_drift_and_all_quick_baselines() -> None:
    record = scored(shop_bundle(metrics={}), shops())
    assert record.drift == ""
    assert set(record.baselines) == {"naive", "seasonal_naive", "linear"}


def test_baselines_have_intervals_where_the_metric_needs_them() -> None:
    record = scored(shop_bundle(forecast=ForecastSpec(HORIZON, 2, "wql"), metrics={}), shops())
    assert record.metric == "wql"
    assert all(each.score is not None for each in record.baselines.values())


@pytest.mark.parametrize("name", ["naive", "linear"])
def test_the_intervals_of_a_baseline_are_calibrated_on_the_last_rows_before_the_scored_ones(name: str) -> None:
    """As many as are scored, with a baseline that is fitted to those before them."""
    task, frame = find_task("forecast").backtest, shops()
    part = task.read(shop_bundle(forecast=ForecastSpec(HORIZON, 2, "wql")), frame, source="shops.csv", start=None)
    found = task.calibration(part, name, UNLIMITED)

    panel, begin = part.data.panel, KNOWN - (ROWS - KNOWN)
    rows = np.stack([panel.offsets[:-1], panel.offsets[:-1] + begin], axis=1)
    fitted = fit_baseline(name, panel, Split("known", rows, rows), FORECAST, CONTEXT)
    cutoffs = np.concatenate([np.arange(first + begin, first + KNOWN - HORIZON + 1) for first in panel.offsets[:-1]])
    sales = panel.values[:, 0].astype(np.float64)
    contexts = sales[cutoffs[:, None] + np.arange(-CONTEXT, 0)]
    scale = np.abs(contexts[:, 2:] - contexts[:, :-2]).mean(axis=1)[:, None]
    forecasts = forecaster(panel, fitted, forecast=FORECAST)(cutoffs)[..., 0]
    scores = np.sort(np.abs(forecasts - sales[cutoffs[:, None] + np.arange(HORIZON)]) / scale, axis=0)
    assert found["n_windows"] == len(scores) == 3 * (ROWS - KNOWN - HORIZON + 1)
    offsets = [scores[int(np.ceil((len(scores) + 1) * level)) - 1] for level in found["levels"]]
    assert found["offsets"] == pytest.approx(np.ravel(offsets), rel=1e-4)


def test_the_intervals_of_a_baseline_are_those_of_the_study_where_they_are_known() -> None:
    task, bundle = find_task("forecast").backtest, shop_bundle(forecast=ForecastSpec(HORIZON, 2, "wql"))
    part = task.read(bundle, shops(), source="shops.csv", start=None)
    known = {"naive": Calibration((0.8, 0.95), np.full((2, HORIZON, 1), 1e4), False, 2, 12).to_dict()}

    record = backtest(task, bundle, part, model="shops", source="shops.csv", calibrations=known).record

    truth, found = by_hand()
    errors, loss = truth - found["naive"], 0.0
    for probability, offset in ((0.025, -1e4), (0.1, -1e4), (0.5, 0.0), (0.9, 1e4), (0.975, 1e4)):
        above = errors - offset
        loss += 2 / 5 * np.where(above > 0, probability * above, (probability - 1) * above).sum() / truth.sum()
    assert record.baselines["naive"].score == pytest.approx(loss, rel=1e-4)


def test_the_verdict_is_about_the_errors_of_the_best_baseline() -> None:
    """Sales alternate, so the last value is a bad forecast, and the last but one is as good as the last but three."""
    frame = shops(76)
    frame["sales 0"] = np.random.default_rng(1).normal(20, 1, len(frame)).round(3) + 10 * (np.arange(len(frame)) % 2)
    panel = panel_of(frame[frame["day"] <= LAST_KNOWN])
    rows = np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1)
    four = fit_baseline("seasonal_naive", panel, Split("known", rows, rows), ForecastSpec(HORIZON, 4), CONTEXT)
    known = {"baselines": {"naive": 5.0, "seasonal_naive": 4.0}}
    members = (ForecastBaselineMember(baseline=four, weight=1.0),)

    record = scored(shop_bundle(members=members, calibration=None, metrics=known), frame)

    two, last = (record.baselines[name].score for name in ("seasonal_naive", "naive"))
    assert two is not None
    assert last is not None
    assert 3 * record.score < 3 * two < last
    assert "The model does not clearly beat the best baseline (seasonal naive) on these rows" in record.verdict
    assert not record.beats_baselines


@pytest.mark.parametrize(
    ("start", "first"), [("2020-04-18 06:00", "2020-04-18 06"), ("2020-04-18 08:00+09:00", "2020-04-18 01")]
)
def test_a_start_is_a_time_of_the_zone_of_the_table_unless_it_says_otherwise(start: str, first: str) -> None:
    times = pd.date_range("2020-04-15", periods=96, freq="h", tz="Europe/Berlin")
    frame = table(96, times=times)
    record = scored(bundle_of(panel_of(frame), calibration=calibration_of()), frame, start)
    assert f"rows from {first}" in record.scored


def test_rows_without_a_target_at_the_end_are_the_future() -> None:
    frame = shops()
    frame.loc[frame["day"] == frame["day"].max(), ["sales 0", "visits"]] = np.nan
    assert scored(shop_bundle(), frame).scored.startswith(f"{3 * (ROWS - KNOWN - HORIZON)} forecasts")


@each_row(
    ("change", "start", "message"),
    [
        (lambda frame: frame[frame["day"] <= LAST_KNOWN], None, f"no rows after {LAST_KNOWN}, the last that the model"),
        (lambda frame: frame[frame["day"] < "2020-04-19"], None, "2 rows from 2020-04-17 on, fewer than the"),
        (lambda frame: frame.drop(columns="sales 0"), None, "data.target is 'sales 0' but there is no such column"),
        (lambda frame: frame[frame["day"] > "2020-04-20"], "2020-04-22", "one needs 6 rows before it"),
        (lambda frame: frame, "2030-01-01", "no rows to score: it ends at 2020-04-28"),
        (lambda frame: frame, "next week", "--from must be a date, as in 2024-01-31, but got 'next week'"),
        (lambda frame: frame.iloc[::2], None, "frequency"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_scored_is_refused(change: Any, start: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        scored(shop_bundle(), change(shops()), start)


def test_a_series_that_the_model_has_no_parameters_for_is_not_scored() -> None:
    origin = {"trained_on": "everything", "learned_until": LAST_KNOWN}
    bundle = bundle_of(panel_of(shops(KNOWN)), model_of(normalization="series"), provenance=origin)
    east = shops().query("shop == 'west'").assign(shop="east")

    record, without = scored(bundle, pd.concat([shops(), east])), scored(bundle, shops())

    assert record.notes == ("the model has not learned from 1 of the series, and cannot forecast them: east",)
    assert (record.score, record.scored) == (without.score, without.scored)
    assert [part.series for part in record.parts.series] == list(SHOPS)
    with pytest.raises(DataError, match="'east' is not one of them"):
        scored(bundle, east)


def test_the_last_part_of_a_split_scores_the_series_that_the_split_does() -> None:
    bundle = bundle_of(panel_of(shops(KNOWN).query("shop != 'west'")), model_of(normalization="series"))
    part = find_task("forecast").backtest.read(bundle, shops(60), source="shops.csv", start="2020-03-28")

    last = last_part(part.data, part.split)

    first, ends = last.evaluation.T
    assert (ends - first).tolist() == [26, 26, 0]
    assert (last.train[:, 1] <= first).all()


def test_a_series_that_is_only_new_is_scored_and_named() -> None:
    record = scored(shop_bundle(), shops().replace({"shop": {"west": "east"}}))
    assert record.notes == ("the model has not learned from 1 of the series: east",)


# --- sequences and texts ----------------------------------------------------------------------------------------------


def known_engines(count: int) -> tuple[Bundle, pd.DataFrame]:
    """A model of the first engines of a table, and the whole table."""
    frame = long_table(12)
    sequences = sequences_of(frame[frame["engine"].isin([f"e{n}" for n in range(count)])])
    origin = {"data": {"digest": sequences.digest(), "sequences": count}, "trained_on": "everything"}
    return label_bundle_of(sequences, provenance=origin, metrics={}), frame


def test_sequences_after_those_of_the_study_are_scored_with_baselines() -> None:
    bundle, frame = known_engines(8)
    labels = frame.groupby("engine", sort=False)["state"].first()[8:]
    predicted = bundle.predict(frame)["label"].to_numpy()[8:]

    record = scored(bundle, frame)

    assert record.scored == "4 sequences after the first 8"
    assert record.score == pytest.approx((labels.to_numpy() == predicted).mean())
    counts = frame.groupby("engine", sort=False)["state"].first()[:8].value_counts()
    most = sorted(counts[counts == counts.max()].index)[0]
    assert record.baselines["majority"].score == pytest.approx((labels == most).mean())
    assert [part.name for part in record.parts.classes] == ["a", "b", "c"]


def test_new_sequences_are_scored_and_of_a_refit_the_later_half_of_them(tmp_path: Path) -> None:
    plan: Any = label_plan_of(tmp_path)
    task, count = find_task("classification").backtest, len(plan.sequences)
    bundle = label_bundle_of(plan.sequences, provenance={}, metrics={})
    new = np.random.default_rng(0).random(count) < 0.7

    split = task.unseen(bundle, plan, new)
    last = task.last_part(plan.whole_data(), split)

    assert np.array_equal(split.evaluation, np.flatnonzero(new))
    assert np.array_equal(split.train, np.flatnonzero(~new))
    assert np.array_equal(last.evaluation, split.evaluation[-(new.sum() // 2) :])
    assert np.array_equal(last.train, np.setdiff1d(np.arange(count), last.evaluation))


def test_other_sequences_are_all_scored_without_baselines() -> None:
    bundle, frame = known_engines(8)
    record = scored(bundle, frame[~frame["engine"].isin(["e0"])])
    assert record.scored == "11 sequences"
    assert record.best_baseline is None
    assert record.verdict == ""
    assert "does not begin with the sequences of the study" in record.notes[0]


def test_texts_are_scored_too() -> None:
    frame = text_table()
    record = scored(label_bundle_of(sequences_of(frame), provenance={}, metrics={}), frame)
    assert record.scored == "7 texts"
    assert 0 <= record.metrics["accuracy"] <= 1


def test_numbers_are_scored_too() -> None:
    frame = long_table()
    bundle = sequence_bundles.label_bundle_of(sequences_of(frame, "regression"), provenance={}, metrics={})
    expected = np.abs(bundle.predict(frame)["label"] - frame.groupby("engine", sort=False)["wear"].first().to_numpy())
    assert scored(bundle, frame).score == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "start", "message"),
    [
        (lambda frame: frame[frame["engine"].isin([f"e{n}" for n in range(8)])], None, "and no others"),
        (lambda frame: frame, "2024-01-01", "--from is '2024-01-01', but sequences have no times"),
        (lambda frame: frame.replace({"state": {"c": "d"}}), None, "'d'"),
        (lambda frame: frame.drop(columns="state"), None, "data.target is 'state' but there is no such column"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_scored_are_refused(change: Any, start: str | None, message: str) -> None:
    bundle, frame = known_engines(8)
    with pytest.raises(DataError, match=message):
        scored(bundle, change(frame), start)
