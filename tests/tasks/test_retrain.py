"""Retraining a candidate: the same training as a trial's, scores that fit each other, and a clean stop."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.comparisons import JobContext
from helpers.drivers import plan_of
from helpers.lazy import LazyModule
from helpers.running_comparisons import LABEL_STUDIES, forecast_candidate_of, label_candidate_of, label_plan_of

from lstmgru.errors import DataError
from lstmgru.evaluation.forecasts import ForecastEvaluation
from lstmgru.evaluation.metrics import metric_names
from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.specs import LabelSpec
from search.run.trial import Resumption, run_trial
from search.tasks import task_of
from search.tasks.final_steps import RefitCandidate, retrain
from search.tasks.forecasting.compare import step_scores
from search.tasks.forecasting.plan import ForecastPlan
from search.tasks.sequences.compare import drawn_scores
from search.tasks.sequences.data import SequenceData

reference = LazyModule("sklearn.metrics")

STUDIES = ("forecast", *LABEL_STUDIES)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    labels = {name: label_plan_of(tmp_path_factory.mktemp(name), text) for name, text in LABEL_STUDIES.items()}
    return {"forecast": plan_of(tmp_path_factory.mktemp("again")), **labels}


def candidate_of(plan: Any, refit: str = "all") -> RefitCandidate:
    return forecast_candidate_of(plan, refit) if isinstance(plan, ForecastPlan) else label_candidate_of(plan, refit)


def result_of(candidate: RefitCandidate, seed: int = 5) -> Any:
    result = retrain(candidate, seed, JobContext())
    assert isinstance(result, candidate.task.seed_result)
    return result


@pytest.mark.parametrize("study", STUDIES)
def test_a_seed_scores_on_the_folds_what_a_trial_with_it_scores(study: str, plans: dict[str, Any]) -> None:
    candidate = candidate_of(plans[study])

    result = result_of(candidate)

    trial = run_trial(
        task_of(plans[study]),
        plans[study].search_data(),
        candidate.model,
        replace(candidate.train, seed=5),
        Resumption(),
        JobContext(),
    )
    assert (result.fold_scores, result.best_epochs) == (trial.fold_scores, trial.best_epochs)


def test_the_scores_on_the_holdout_fit_each_other(plans: dict[str, Any]) -> None:
    result = result_of(candidate_of(plans["forecast"]))

    assert len(result.steps) == plans["forecast"].forecast.horizon
    assert np.mean(result.steps) == pytest.approx(result.holdout)
    assert np.mean(result.by_time) == pytest.approx(result.holdout)  # one series: a window for each cutoff
    assert 0 < result.epoch_seconds <= result.best_seconds
    assert result.fold_scores != result_of(candidate_of(plans["forecast"]), seed=6).fold_scores


@pytest.mark.parametrize("study", LABEL_STUDIES)
def test_the_holdout_is_scored_as_the_end_of_a_study_scores_it(study: str, plans: dict[str, Any]) -> None:
    from lstmgru.training.fit_sequences import predict_sequences

    plan = plans[study]
    candidate = label_candidate_of(plan, refit="last_fold")

    result = result_of(candidate)

    fitted = task_of(plan).fit(
        candidate.data, candidate.data.folds[-1], candidate.model, replace(candidate.train, seed=5)
    )
    outputs = predict_sequences(fitted.network, fitted.encoding, plan.sequences, plan.holdout.evaluation, plan.labels)
    evaluation = SequenceEvaluation.of(plan.sequences, plan.holdout.evaluation, plan.labels)
    assert result.holdout == evaluation.score(plan.labels.metric, outputs)
    assert result.drawn == drawn_scores(evaluation, outputs)
    assert len(result.drawn) == (0 if study == "notes" else 1000)  # three groups of authors are too few
    if plan.labels.classes:
        predicted = outputs.argmax(axis=1)
        codes = range(len(plan.labels.classes))
        for found, score in ((result.recall, reference.recall_score), (result.f1, reference.f1_score)):
            assert found == pytest.approx(score(evaluation.labels, predicted, labels=codes, average=None))
    else:
        assert (result.recall, result.f1) == ((), ())


@pytest.mark.parametrize("study", ["forecast", "waves"])
def test_a_result_is_kept_as_json(study: str, plans: dict[str, Any]) -> None:
    plan = plans[study]
    result = result_of(candidate_of(plan))

    assert task_of(plan).seed_result.from_dict(json.loads(json.dumps(result.to_dict()))) == result


@pytest.mark.parametrize(
    ("study", "questions"), [("forecast", 0), ("forecast", 2), ("forecast", 5), ("waves", 2), ("waves", 6)]
)
def test_a_stop_gives_no_result(
    study: str, questions: int, plans: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmgru.training.module._ASK_SECONDS", math.inf)  # only the ends of epochs ask
    assert retrain(candidate_of(plans[study]), 5, JobContext(questions)) is None


def changed_holdout(candidate: Any) -> RefitCandidate:
    """The candidate with other targets in its holdout."""
    data, holdout = candidate.data, candidate.holdout.evaluation
    if isinstance(data, SequenceData):
        labels = data.sequences.labels.copy()
        labels[holdout] += 100
        return replace(candidate, data=replace(data, sequences=replace(data.sequences, labels=labels)))
    values = data.panel.values.copy()
    values[int(holdout[0, 0]) :, 0] += 100
    return replace(candidate, data=replace(data, panel=replace(data.panel, values=values)))


@pytest.mark.parametrize("study", ["forecast", "sums"])
def test_what_happens_in_the_holdout_changes_no_score_of_a_fold(study: str, plans: dict[str, Any]) -> None:
    candidate = candidate_of(plans[study])

    before, after = result_of(candidate), result_of(changed_holdout(candidate))

    assert before.fold_scores == after.fold_scores
    assert before.holdout != after.holdout


def test_a_metric_without_a_value_on_the_holdout_is_an_error(plans: dict[str, Any]) -> None:
    candidate = label_candidate_of(plans["waves"], epochs=1)
    data = replace(candidate.data, labels=LabelSpec("classification", "auroc", ("fast", "flat", "slow")))
    same = candidate.holdout.evaluation[data.sequences.labels[candidate.holdout.evaluation] == 0]
    alone = replace(candidate, data=data, holdout=replace(candidate.holdout, evaluation=same))

    with pytest.raises(DataError, match=r"auroc is undefined, because all \d+ scored labels are the same"):
        retrain(alone, 5, JobContext())


def test_a_step_is_scored_as_a_forecast_of_one_step() -> None:
    generator = np.random.default_rng(0)
    target = generator.normal(5, 1, (30, 4, 2)).astype(np.float32)
    point = (target + generator.normal(0, 1, target.shape)).astype(np.float32)
    quantiles = np.stack([point - 1, point, point + 1], axis=-1)
    windows = ForecastEvaluation(
        cutoffs=np.arange(30),
        target=target,
        season_scale=np.full((30, 2), 2.0, np.float32),
        season_deviation=np.full((30, 2), 2.5, np.float32),
        deviation=np.full(2, 3.0, np.float32),
        series=np.zeros(30, np.int64),
        probabilities=(0.1, 0.5, 0.9),
    )
    for metric in metric_names("forecast"):
        scores = step_scores(windows, metric, point, quantiles)

        for step, found in enumerate(scores):
            alone = replace(windows, target=target[:, [step]])
            assert found == pytest.approx(alone.score(metric, point[:, [step]], quantiles[:, [step]])), metric
        assert len(set(scores)) == 4
    target[:, 2] = np.nan
    assert step_scores(replace(windows, target=target), "mae", point, quantiles) == (), "a step is never known"
