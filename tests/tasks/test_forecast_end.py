"""The end of a study of forecasts on planted outputs: every number is calculated again from the table with numpy."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.comparisons import JobContext
from helpers.drivers import without_onnx
from helpers.final_jobs import exported, final_job
from helpers.studies import write_study

from lstmgru.evaluation.decimals import decimals_of, fixed
from lstmgru.evaluation.significance import Interval, paired_interval
from lstmgru.evaluation.time_limit import UNLIMITED
from search.reports.holdout.forecasts import latest_chart
from search.tasks import make_plan, task_of
from search.tasks.final_job import FinalJob, HoldoutScores, Refitted
from search.tasks.final_steps import finalize
from search.tasks.forecasting import holdout_tables
from search.tasks.forecasting.compare import ForecastSeed
from search.tasks.forecasting.scoring import Forecasts, error_interval
from search.tasks.study_file import read_study_file

Array = np.ndarray

SHOPS = """\
name: tiny
data: {path: shop.csv, id: shop, time: day, target: sales, calendar: none, gaps: fill}
forecast: {horizon: 3, season_length: 7}
splits: {holdout: 40, folds: 2, fold_size: 20}
space: {preset: small, n_layers: 1, cell: gru, normalization: fold, context_length: 21}
training: {accelerator: cpu}
tracking: {enabled: false}
"""
ROWS, HORIZON, SEASON, CONTEXT = 150, 3, 7, 21
FOLDS, HOLDOUT = ((70, 90), (90, 110)), (110, 150)
LEVELS, PROBABILITIES = (0.8, 0.95), (0.025, 0.1, 0.5, 0.9, 0.975)


MISSING = {"a": [80, 131], "b": []}
"""Rows of a fold and of the holdout without a value: they are filled with the one before, and not scored."""


def sales() -> dict[str, Array]:
    """Two shops of very different sizes, without gaps."""
    generator = np.random.default_rng(3)
    season = np.sin(2 * np.pi * np.arange(ROWS) / SEASON)
    return {
        "a": (20 + 5 * season + generator.normal(0, 0.5, ROWS)).round(3),
        "b": (400 + 60 * season + generator.normal(0, 20, ROWS)).round(3),
    }


class Windows:
    """The scored windows of rows ``[start, end)``, shop by shop.

    Attributes:
        values: (windows, H, 1), those that are missing filled.
        truth: Likewise, those that are missing NaN.
        cutoffs: (windows,) row in the shop; the row before it is known.
        history: The filled values of the shop of each window before its cutoff.
        season: (windows, 1, 1) mean absolute seasonal difference of the shop before ``start``.
    """

    def __init__(self, start: int, end: int) -> None:
        cases = []
        for name, rows in sales().items():
            filled, known = rows.copy(), rows.copy()
            for row in MISSING[name]:
                filled[row], known[row] = filled[row - 1], np.nan
            cuts = [cut for cut in range(start, end - HORIZON + 1) if cut - 1 not in MISSING[name]]
            cases += [(filled, known, cut) for cut in cuts]
        self.values = np.array([filled[cut : cut + HORIZON, None] for filled, _, cut in cases])
        self.truth = np.array([known[cut : cut + HORIZON, None] for _, known, cut in cases])
        self.cutoffs = np.array([cut for _, _, cut in cases])
        self.history = [filled[:cut] for filled, _, cut in cases]
        season = [np.nanmean(np.abs(known[SEASON:start] - known[: start - SEASON])) for _, known, _ in cases]
        self.season = np.array(season)[:, None, None]

    def scale(self, context: int) -> Array:
        """(windows, 1, 1) mean absolute change within the context, over a season if it has more than two."""
        lag = SEASON if context > 2 * SEASON else 1  # every shop has more than two weeks before its first window
        found = [np.abs(rows[-context:][lag:] - rows[-context:][:-lag]).mean() for rows in self.history]
        return np.array(found)[:, None, None]

    def planted(self, shift: float, noise: float, seed: int) -> Array:
        """Forecasts that are off by so many units of the shop: its mean seasonal difference."""
        errors = np.random.default_rng(seed).normal(shift, noise, self.values.shape)
        return (self.values + self.season * errors).astype(np.float32)


ERRORS = {"naive": (5.0, 0.2), "seasonal_naive": (0.0, 0.21), "theta": (-1.0, 0.2), "linear": (3.0, 0.2)}
"""Shift and noise of each baseline; those of the last two cancel out in their blend."""
WEIGHTS = {"theta": 0.75, "linear": 0.25}


def quantiles(point: Array, offsets: Array, scale: Array) -> Array:
    """(windows, H, 1, 5) both ends of two intervals around a point."""
    reach = [offset * scale for offset in offsets]
    return np.stack([point - reach[1], point - reach[0], point, point + reach[0], point + reach[1]], axis=-1)


def offsets_of(errors: Array) -> Array:
    """(2, H, 1) ranks ⌈(n + 1) level⌉ of the n known absolute errors of each step, of (windows, H, 1)."""
    found = np.empty((2, HORIZON, 1))
    for step in range(HORIZON):
        known = np.sort(np.abs(errors[:, step, 0][~np.isnan(errors[:, step, 0])]))
        found[:, step, 0] = [known[int(np.ceil((len(known) + 1) * level)) - 1] for level in LEVELS]
    return found


def mae(truth: Array, point: Array) -> Array:
    """(windows,) errors whose mean is that of all known steps."""
    return np.nansum(np.abs(point - truth), axis=(1, 2)) * len(truth) / (~np.isnan(truth)).sum()


def wql(truth: Array, found: Array) -> Array:
    """(windows,) likewise."""
    above = [truth - found[..., number] for number in range(5)]
    losses = [np.where(each > 0, p * each, (p - 1) * each) for p, each in zip(PROBABILITIES, above, strict=True)]
    return 2 * np.nansum(losses, axis=(0, 2, 3)) * len(truth) / np.nansum(np.abs(truth)) / 5


def shops(folder: Path, metric: str, *overrides: str) -> Any:
    rows = sales()
    days = pd.date_range("2022-01-03", periods=ROWS, freq="D").strftime("%Y-%m-%d")
    for name, missing in MISSING.items():
        rows[name][missing] = np.nan
    table = pd.concat([pd.DataFrame({"shop": name, "day": days, "sales": values}) for name, values in rows.items()])
    path = write_study(folder, SHOPS, table)
    return make_plan(read_study_file(path, overrides=(f"forecast.metric={metric}", *overrides)).config, study_file=path)


def forecast_job(plan: Any, folder: Path, **more: Any) -> FinalJob[Any, Any, Any]:
    holdout, folds = Windows(*HOLDOUT), [Windows(*fold) for fold in FOLDS]

    def kept(name: str) -> tuple[Array, ...]:
        return tuple(
            part.planted(*ERRORS[name], seed=list(ERRORS).index(name) + 10 * number)
            for number, part in enumerate(folds)
        )

    def outputs(name: str) -> Array:
        return holdout.planted(*ERRORS[name], seed=100 + list(ERRORS).index(name))

    return final_job(plan, folder, outputs, kept, tuple(ERRORS), WEIGHTS, **more)


def blended(parts: list[Array]) -> Array:
    return sum(weight * part.astype(np.float64) for weight, part in zip(WEIGHTS.values(), parts, strict=True))


@pytest.mark.parametrize("metric", ["mae", "wql"])
def test_the_holdout_of_forecasts_is_scored_as_by_hand(tmp_path: Path, metric: str) -> None:
    plan = shops(tmp_path, metric)
    reach = {"naive": (4.0, 5.0), "seasonal_naive": (0.5, 0.8), "theta": (1.5, 2.0), "linear": (2.0, 3.0)}
    own = {name: np.array([[[size]] * HORIZON for size in sizes]) for name, sizes in reach.items()}
    calibrations = {
        name: {"levels": list(LEVELS), "shape": [2, HORIZON, 1], "offsets": values.ravel().tolist(), "scaled": True,
               "season_length": SEASON, "n_windows": 36}
        for name, values in own.items()
    }  # fmt: skip
    job = forecast_job(plan, tmp_path, baseline_calibrations=calibrations)

    found: HoldoutScores = task_of(plan).score_holdout(job)

    holdout, folds = Windows(*HOLDOUT), [Windows(*fold) for fold in FOLDS]
    point = blended([member.scored.outputs for member in job.members])  # type: ignore[union-attr]
    kept = [blended([member.outputs[fold] for member in job.members]) for fold in range(2)]  # type: ignore[index]
    of_folds = zip(kept, folds, strict=True)
    reads = job.members[0].scored.unpack().context_length  # type: ignore[union-attr]  # theta reads most
    errors = np.concatenate([(values - fold.truth) / fold.scale(reads) for values, fold in of_folds])
    offsets = offsets_of(errors)
    assert found.calibration is not None
    assert (found.calibration["n_windows"], found.calibration["scaled"]) == (len(errors), True)
    np.testing.assert_allclose(np.reshape(found.calibration["offsets"], (2, HORIZON, 1)), offsets, rtol=1e-4)

    intervals = quantiles(point, offsets, holdout.scale(reads))
    distance = np.abs(point - holdout.truth)
    ours = {"mae": mae(holdout.truth, point), "wql": wql(holdout.truth, intervals)}
    assert found.metrics["mae"] == pytest.approx(np.nanmean(distance), rel=1e-5)
    assert found.metrics["rmse"] == pytest.approx(np.sqrt(np.nanmean(distance**2)), rel=1e-5)
    assert found.metrics["mase"] == pytest.approx(np.nanmean(distance / holdout.season), rel=1e-4)
    assert found.metrics["wql"] == pytest.approx(ours["wql"].mean(), rel=1e-4)
    ends = [(intervals[..., 2 - level], intervals[..., 2 + level]) for level in (1, 2)]
    for interval, level, (low, high) in zip(found.intervals, LEVELS, ends, strict=True):
        inside = ((low <= holdout.truth) & (holdout.truth <= high))[~np.isnan(holdout.truth)]
        assert (interval.level, interval.coverage) == (level, pytest.approx(inside.mean()))
        assert interval.width == pytest.approx((high - low).mean(), rel=1e-4)

    for name, fitted in job.baselines.items():
        outputs: Any = fitted.outputs
        theirs = mae(holdout.truth, outputs)
        if metric == "wql":
            theirs = wql(holdout.truth, quantiles(outputs, own[name], holdout.scale(CONTEXT)))
        assert found.baselines[name] == pytest.approx(theirs.mean(), rel=1e-4)
        times = np.unique(holdout.cutoffs)
        by_time = np.array([(ours[metric] - theirs)[holdout.cutoffs == cut].mean() for cut in times])
        expected, difference = paired_interval(by_time, times, overlap=HORIZON), found.difference(name)
        assert (difference.mean, difference.low) == pytest.approx((by_time.mean(), expected.low), rel=1e-3)
        assert difference.p_value == pytest.approx(expected.p_value, rel=1e-2)


def test_cutoffs_whose_forecasts_share_a_step_are_averaged(tmp_path: Path) -> None:
    """Of three steps and a stride of two, those of two neighboring cutoffs share one."""
    plan = shops(tmp_path, "mae", "splits.stride=2")
    evaluation = plan.whole_data().evaluation(plan.holdout)
    point = evaluation.target + np.random.default_rng(0).normal(0, 1, evaluation.target.shape).astype(np.float32)
    times, group = np.unique(plan.panel.times[evaluation.cutoffs], return_inverse=True)
    errors = mae(evaluation.target, point)
    by_time = np.array([errors[group == place].mean() for place in range(len(times))])
    expected = paired_interval(by_time, np.arange(len(times)), overlap=2)
    assert np.isfinite(expected.low)

    none = np.empty((0, *point.shape), np.float32)
    found = [error_interval(plan.whole_data(), evaluation, Forecasts(point, None, none, none), np.zeros(1))]
    seeds = [
        ForecastSeed(1, (1.0,), (1,), 1.0, 1.0, holdout=float(values.mean()), steps=(), by_time=tuple(values))
        for values in (by_time, np.zeros(len(times)))
    ]
    found.append(task_of(plan).compare(plan).interval(seeds[:1], seeds[1:]))
    for each in found:
        assert (each.mean, each.low, each.high) == pytest.approx((expected.mean, expected.low, expected.high), rel=1e-4)


def test_a_compared_baseline_is_scored_with_its_own_calibration(tmp_path: Path) -> None:
    plan, holdout = shops(tmp_path, "wql"), Windows(*HOLDOUT)
    calibration = {
        "levels": list(LEVELS), "shape": [2, HORIZON, 1], "offsets": [2.0] * HORIZON + [3.0] * HORIZON, "scaled": True,
        "season_length": SEASON, "n_windows": 36,
    }  # fmt: skip

    found = task_of(plan).score_compared_baseline(plan.whole_data(), plan.holdout, "naive", calibration, UNLIMITED)

    last = np.array([[[history[-1]]] * HORIZON for history in holdout.history])
    offsets = np.array([[[2.0]] * HORIZON, [[3.0]] * HORIZON])
    expected = wql(holdout.truth, quantiles(last, offsets, holdout.scale(CONTEXT)))
    assert found.scores["holdout"] == pytest.approx(expected.mean(), rel=1e-4)


def test_the_verdict_is_about_the_best_baseline_and_the_model_is_what_was_scored(tmp_path: Path) -> None:
    """The blend is far better than ``naive``, the first one, and not significantly better than ``seasonal_naive``."""
    plan = shops(tmp_path, "mae")
    job = forecast_job(plan, tmp_path)
    folds = [Windows(*fold) for fold in FOLDS]
    kept = [blended([member.outputs[fold] for member in job.members]) for fold in range(2)]  # type: ignore[index]
    score = np.mean([np.nanmean(np.abs(values - fold.truth)) for values, fold in zip(kept, folds, strict=True)])

    kept_model = finalize(task_of(plan), replace(job, least=float(score) * 0.99), JobContext())
    assert kept_model is None
    assert not job.bundle.exists()
    found = finalize(task_of(plan), replace(job, least=float(score) * 1.01), JobContext())

    assert found is not None
    assert found.folds == pytest.approx(score, rel=1e-5)
    blend, best = found.metrics["mae"], found.baselines["seasonal_naive"]
    assert min(found.baselines.values()) == best
    shown = partial(fixed, decimals=decimals_of([blend]))
    assert found.verdict == (
        f"No network completed, so a blend of the baselines theta and linear is exported (MAE of sales {shown(blend)} "
        f"on the holdout). The blend does not clearly beat the best baseline (seasonal naive) on the holdout: MAE of "
        f"sales {shown(blend)} against {shown(best)}, {1 - blend / best:.1%} lower, with too few cutoffs for a "
        "significance test."
    )
    assert not found.beats_baselines
    lacking = finalize(task_of(plan), replace(job, better_unscored=("trees",)), JobContext())
    assert lacking is not None
    assert lacking.verdict == (
        "The comparison lacks trees, the best baseline on the folds, which could not be scored on the holdout. "
        f"{found.verdict}"
    )
    bundle = exported(job)
    assert {member.kind: member.weight for member in bundle.members} == WEIGHTS
    pairs = zip(kept, folds, strict=True)
    errors = np.concatenate([(values - fold.truth) / fold.scale(bundle.context_length) for values, fold in pairs])
    np.testing.assert_allclose(bundle.calibration.offsets, offsets_of(errors), rtol=1e-4)


def test_the_interval_of_an_rmse_is_that_of_squared_errors(tmp_path: Path) -> None:
    """The forecasts of ``theta`` alone are too small by nearly the same everywhere."""
    plan, holdout = shops(tmp_path, "rmse"), Windows(*HOLDOUT)
    job = forecast_job(plan, tmp_path)
    alone = replace(job.members[0], weight=1.0)

    found = finalize(task_of(plan), replace(job, members=(alone,)), JobContext())

    assert found is not None
    squares = (alone.scored.outputs - holdout.truth) ** 2  # type: ignore[union-attr]
    errors = np.nansum(squares, axis=(1, 2)) * len(squares) / (~np.isnan(squares)).sum()
    times = np.unique(holdout.cutoffs)
    by_time = np.array([errors[holdout.cutoffs == cut].mean() for cut in times])
    half = by_time.mean() - paired_interval(by_time, times, overlap=HORIZON).low
    assert found.metrics["rmse"] == pytest.approx(np.sqrt(errors.mean()), rel=1e-4)
    assert found.score_interval == pytest.approx(np.sqrt([errors.mean() - half, errors.mean() + half]), rel=1e-2)


def test_an_earlier_model_is_scored_on_the_same_windows(tmp_path: Path) -> None:
    """It is the baseline ``naive``."""
    plan = shops(tmp_path, "mae")
    job = forecast_job(plan, tmp_path)
    whole, before = task_of(plan).everything(plan.whole_data(), plan.holdout), plan.holdout
    fits = (plan.whole_data().fit_baseline(split, "naive", UNLIMITED) for split in (before, whole))
    scored, everything = (Refitted.of_baseline(fitted, job.baselines["naive"].outputs, 0.1) for fitted in fits)
    naive = replace(job.members[0], candidate="naive", weight=1.0, scored=scored, exported=everything)
    rival = replace(job, members=(naive,), bundle=tmp_path / "rival", report=tmp_path / "other")
    with without_onnx():
        assert finalize(task_of(plan), rival, JobContext()) is not None
        found = finalize(task_of(plan), replace(job, rival=rival.bundle), JobContext())

    assert found is not None
    assert found.rival is not None
    holdout = Windows(*HOLDOUT)
    last = np.array([[[history[-1]]] * HORIZON for history in holdout.history])
    ours, theirs = found.metrics["mae"], mae(holdout.truth, last).mean()
    assert found.rival.score == pytest.approx(theirs, rel=1e-4)
    times = np.unique(holdout.cutoffs)
    point = blended([member.scored.outputs for member in job.members])  # type: ignore[union-attr]
    difference = mae(holdout.truth, point) - mae(holdout.truth, last)
    by_time = np.array([difference[holdout.cutoffs == cut].mean() for cut in times])
    expected = paired_interval(by_time, times, overlap=HORIZON)
    assert ours < theirs
    assert (found.rival.difference.mean, found.rival.difference.low) == pytest.approx(
        (expected.mean, expected.low), rel=1e-3
    )


def test_the_report_gets_the_next_forecast_the_best_baseline_and_the_scores_of_each_series(tmp_path: Path) -> None:
    plan = shops(tmp_path, "mae")
    job = forecast_job(plan, tmp_path)
    found = finalize(task_of(plan), job, JobContext())
    assert found is not None

    forecasts, following, scores = (pd.read_csv(job.report / f"{name}.csv") for name in ("forecasts", "next", "series"))

    assert "baseline_seasonal_naive" in forecasts
    assert forecasts["baseline_seasonal_naive"].notna().sum() == forecasts["forecast"].notna().sum()
    ahead = following.dropna(subset="forecast")
    assert len(ahead) == HORIZON
    assert ahead["time"].min() > following["cutoff"].max() == following.dropna(subset="actual")["time"].max()
    assert list(scores["series"]) == sorted(MISSING)
    assert scores["score"].mean() == pytest.approx(found.metrics["mae"], rel=0.1)
    _, latest = latest_chart(job.report)
    assert {mark.name for mark in latest.marks} >= {"actual", "forecast", "seasonal naive"}
    assert latest.rules[0].text == "next"
    assert set(found.baseline_intervals) <= set(found.baselines)
    for low, high in found.baseline_intervals.values():
        assert low < high


@pytest.mark.parametrize("begins", ["2022-01-03 00:00", "2022-01-03 06:00"])
def test_the_tables_of_the_holdout_are_the_same_in_blocks_of_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: str
) -> None:
    """All cutoffs of one shop may be at midnight, so that a block of it alone would have dates without a time."""
    plan = shops(tmp_path, "mae")
    late = np.arange(len(plan.panel.times)) >= plan.panel.offsets[1]
    shift = np.datetime64(begins) - np.datetime64("2022-01-03")
    panel = replace(plan.panel, times=plan.panel.times + np.where(late, shift, np.timedelta64(0, "ns")))
    job = forecast_job(replace(plan, panel=panel), tmp_path)
    scores = task_of(plan).score_holdout(job)
    bundle = task_of(plan).bundle(job, scores, {"holdout": scores.metrics})
    files: list[dict[str, str]] = []
    for steps, name in ((10**6, "whole"), (1, "blocks")):
        monkeypatch.setattr(holdout_tables, "_BLOCK_STEPS", steps)
        report = tmp_path / name
        task_of(plan).write_holdout(replace(job, report=report), scores, bundle)
        files.append({path.name: path.read_text(encoding="utf-8") for path in report.iterdir()})

    assert set(files[0]) == {"forecasts.csv", "forecasts.html", "series.csv", "next.csv"}
    assert files[0] == files[1]
    assert len(files[0]["forecasts.csv"].splitlines()) == 1 + 2 * (3 * HORIZON + 39)


@pytest.mark.parametrize(
    ("most", "blocks"),
    [
        (1, [[0, 2], [1], [3, 4, 5]]),
        (2, [[0, 2], [1, 3, 4, 5]]),
        (3, [[0, 2, 1], [3, 4, 5]]),
        (9, [[0, 2, 1, 3, 4, 5]]),
    ],
)
def test_a_block_has_all_windows_of_its_series(most: int, blocks: list[list[int]]) -> None:
    found = holdout_tables.blocks_of_series(np.array([0, 4, 0, 7, 7, 7]), most)
    assert [each.tolist() for each in found] == blocks


class _Told(Exception):
    """What a bundle would be told of the holdout."""


class _Planted:
    """A task with planted scores of a blend and three baselines, of which the second is the best one."""

    def __init__(self, p_value: float) -> None:
        worse, better = Interval(0.5, 0.1, 0.9, p_value), Interval(-0.5, -0.9, -0.1, 0.001)
        self._differences = {"naive": better, "linear": worse, "theta": better}

    def score_holdout(self, job: Any) -> HoldoutScores:
        """Planted."""
        baselines = {"naive": 3.5, "linear": 2.5, "theta": 3.5}
        own = Interval(3.0, 2.0, 4.0)
        return HoldoutScores({"mae": 3.0}, None, baselines, self._differences.__getitem__, lambda: own, None, None)

    def bundle(self, job: Any, scores: HoldoutScores, metrics: dict[str, Any]) -> None:
        """The end of the test."""
        raise _Told(metrics["verdict"])


@pytest.mark.parametrize(("p_value", "claimed"), [(0.01, True), (0.02, False)])
def test_a_better_baseline_is_corrected_for_the_choice_from_all(tmp_path: Path, p_value: float, claimed: bool) -> None:
    job = forecast_job(shops(tmp_path, "mae"), tmp_path)
    with pytest.raises(_Told) as told:
        finalize(_Planted(p_value), job, JobContext())  # type: ignore[arg-type]
    assert ("A simple baseline is better: linear beats the blend" in str(told.value)) is claimed
    assert ("The blend does not beat the best baseline (linear)" in str(told.value)) is not claimed
