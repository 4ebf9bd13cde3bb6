"""Training the best candidate again: the same training as a trial's, scores that fit each other, and a clean stop."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.comparisons import JobContext
from helpers.drivers import plan_of

from lstmgru.evaluation.forecasts import ForecastEvaluation
from lstmgru.specs import ModelSpec, parse_branches
from search.run.trial import run_trial
from search.space.space import Settings
from search.tasks.forecasting.compare import ForecastSeed, step_scores
from search.tasks.forecasting.plan import ForecastPlan
from search.tasks.retrain import Candidate, retrain

SETTINGS = Settings(0.01, 32, 0.0, "adamw", "constant", "mae")


def candidate_of(plan: ForecastPlan, branches: str = "gru(4)", refit: str = "all") -> Candidate:
    model = ModelSpec(parse_branches(branches), context_length=7)
    train = replace(plan.train_spec(SETTINGS, seed=0), max_epochs=3)
    return replace(Candidate.of_plan(plan, model, train), refit=refit)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> ForecastPlan:
    plan = plan_of(tmp_path_factory.mktemp("again"))
    assert isinstance(plan, ForecastPlan)
    return plan


def result_of(candidate: Candidate, seed: int = 5) -> ForecastSeed:
    result = retrain(candidate, seed, JobContext())
    assert isinstance(result, ForecastSeed)
    return result


def test_a_seed_scores_on_the_folds_what_a_trial_with_it_scores(plan: ForecastPlan) -> None:
    candidate = candidate_of(plan)

    result = result_of(candidate)

    trial = run_trial(plan.task, plan.search_data(), candidate.model, replace(candidate.train, seed=5), JobContext())
    assert (result.fold_scores, result.best_epochs) == (trial.fold_scores, trial.best_epochs)
    assert result.fold_scores != result_of(candidate, seed=6).fold_scores


def test_the_scores_on_the_holdout_fit_each_other(plan: ForecastPlan) -> None:
    result = result_of(candidate_of(plan))

    assert len(result.steps) == plan.forecast.horizon
    assert np.mean(result.steps) == pytest.approx(result.holdout)
    assert np.mean(result.by_time) == pytest.approx(result.holdout)  # one series: a window for each cutoff
    assert result.by_series == pytest.approx((result.holdout,))
    assert 0 < result.epoch_seconds <= result.best_seconds


def test_a_result_is_kept_as_json(plan: ForecastPlan) -> None:
    result = result_of(candidate_of(plan))

    assert ForecastSeed.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_the_last_fold_is_not_trained_twice(plan: ForecastPlan) -> None:
    candidate = candidate_of(plan, refit="last_fold")

    result = result_of(candidate)

    assert result.fold_scores == result_of(replace(candidate, refit="all")).fold_scores
    assert result.holdout != result_of(replace(candidate, refit="all")).holdout


@pytest.mark.parametrize("questions", [0, 4, 7])
def test_a_stop_gives_no_result(plan: ForecastPlan, questions: int) -> None:
    assert retrain(candidate_of(plan), 5, JobContext(questions)) is None


def test_what_happens_in_the_holdout_changes_no_score_of_a_fold(plan: ForecastPlan) -> None:
    candidate = candidate_of(plan)
    values = plan.panel.values.copy()
    values[int(plan.splits.holdout.evaluation[0, 0]) :, 0] += 100
    changed = replace(candidate, data=replace(candidate.data, panel=replace(plan.panel, values=values)))

    before, after = result_of(candidate), result_of(changed)

    assert before.fold_scores == after.fold_scores
    assert before.holdout != after.holdout


def evaluation(target: np.ndarray) -> ForecastEvaluation:
    count = len(target)
    return ForecastEvaluation(
        cutoffs=np.arange(count),
        target=target,
        season_scale=np.full((count, target.shape[2]), 2.0, np.float32),
        deviation=np.full(target.shape[2], 3.0, np.float32),
        series=np.zeros(count, np.int64),
        probabilities=(0.1, 0.5, 0.9),
    )


@pytest.mark.parametrize("metric", ["mae", "mse", "rmse", "smape", "mase", "scaled_mae", "scaled_mse", "wql"])
def test_a_step_is_scored_as_a_forecast_of_one_step(metric: str) -> None:
    generator = np.random.default_rng(0)
    target = generator.normal(5, 1, (30, 4, 2)).astype(np.float32)
    point = (target + generator.normal(0, 1, target.shape)).astype(np.float32)
    quantiles = np.stack([point - 1, point, point + 1], axis=-1)
    windows = evaluation(target)

    scores = step_scores(windows, metric, point, quantiles)

    for step, found in enumerate(scores):
        alone = replace(windows, target=target[:, [step]])
        expected = alone.score(metric, point[:, [step]], quantiles[:, [step]])  # type: ignore[arg-type]
        assert found == pytest.approx(expected)
    assert len(set(scores)) == 4
