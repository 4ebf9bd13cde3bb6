"""The baselines on the holdout, compared with an independent calculation on planted data."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.comparisons import JobContext
from helpers.drivers import plan_of
from helpers.running_comparisons import TWO, WAVES, label_plan_of

from lstmgru.evaluation.significance import paired_interval
from search.compare.baselines import compared_baselines, score_on_holdout
from search.tasks import task_of
from search.tasks.forecasting.plan import ForecastPlan


def scored(plan: Any, name: str) -> dict[str, Any] | str:
    """The results of a baseline, as the journal keeps them."""
    found = score_on_holdout(task_of(plan), plan.whole_data(), plan.holdout, name, None, 60.0, JobContext())
    stored: dict[str, Any] | str = json.loads(json.dumps(found))
    return stored


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory: pytest.TempPathFactory) -> ForecastPlan:
    plan = plan_of(tmp_path_factory.mktemp("forecasts"), text=TWO)
    assert isinstance(plan, ForecastPlan)
    return plan


def test_a_baseline_of_forecasts_is_scored_on_the_windows_of_the_holdout(forecasts: ForecastPlan) -> None:
    """The naive forecast repeats the value before the window."""
    found = scored(forecasts, "naive")

    assert not isinstance(found, str)
    data, horizon = forecasts.whole_data(), forecasts.forecast.horizon
    values = data.panel.values[:, 0].astype(np.float64)
    cutoffs = data.evaluation(forecasts.holdout).cutoffs
    errors = np.array([np.abs(values[cut : cut + horizon] - values[cut - 1]) for cut in cutoffs])
    assert found["scores"]["holdout"] == pytest.approx(errors.mean(), rel=1e-6)
    assert found["scores"]["steps"] == pytest.approx(errors.mean(axis=0), rel=1e-6)
    assert found["scores"]["by_time"] == pytest.approx(errors.mean(axis=1), rel=1e-6)
    assert found["n_parameters"] == 0
    assert min(found["fit_seconds"], found["latency"], found["batch_latency"]) > 0


def test_a_baseline_of_labels_is_scored_on_the_sequences_of_the_holdout(tmp_path: Path) -> None:
    plan = label_plan_of(tmp_path, WAVES)

    found = scored(plan, "majority")

    assert not isinstance(found, str)
    labels, holdout = plan.sequences.labels, plan.holdout
    most = np.bincount(labels[holdout.train]).argmax()
    assert found["scores"]["holdout"] == pytest.approx(np.mean(labels[holdout.evaluation] == most))
    assert found["scores"]["recall"] == pytest.approx([float(code == most) for code in range(len(plan.labels.classes))])


def test_a_baseline_that_is_too_slow_has_a_reason_in_place_of_a_score(forecasts: ForecastPlan) -> None:
    slow = score_on_holdout(
        _Slow(),
        forecasts.whole_data(),
        forecasts.holdout,
        "theta",
        None,
        0.0,
        JobContext(),  # type: ignore[arg-type]
    )

    assert slow == "it would take 9 s, longer than its limit of 0 s"


class _Slow:
    """A task whose baselines need nine seconds."""

    def score_compared_baseline(self, data: Any, holdout: Any, name: str, calibration: Any, limit: Any) -> None:
        """Notices that the time is up."""
        replace(limit, started=limit.started - 9).check()


def test_baselines_are_ordered_by_their_scores_and_compared_with_the_best_family(forecasts: ForecastPlan) -> None:
    task = task_of(forecasts)
    stored = {name: scored(forecasts, name) for name in ("naive", "linear")} | {"theta": "too slow"}
    naive = stored["naive"]
    assert not isinstance(naive, str)
    family = {"seed": 1, "fold_scores": (), "best_epochs": (), "epoch_seconds": 1.0, "best_seconds": 1.0}
    seeds = [
        task.seed_result.from_dict(
            family | naive["scores"] | {"by_time": [each + shift for each in naive["scores"]["by_time"]]}
        )
        for shift in (9.0, 11.0)
    ]

    found = compared_baselines(stored, seeds, task.compare(forecasts), task.seed_result)

    assert sorted(each.name for each in found) == ["linear", "naive"]
    assert found[0].holdout.mean <= found[1].holdout.mean
    (own,) = [each for each in found if each.name == "naive"]
    assert own.difference is not None
    assert own.difference.mean == pytest.approx(-10)
    expected = paired_interval(
        np.array(naive["scores"]["by_time"]) - np.mean([each.by_time for each in seeds], axis=0),  # type: ignore[attr-defined]
        np.arange(len(naive["scores"]["by_time"])),
        overlap=-(-forecasts.forecast.horizon // forecasts.splits.stride),
    )
    assert own.difference.p_value == pytest.approx(expected.p_value)
    assert own.steps == pytest.approx(naive["scores"]["steps"])
    assert asdict(own)["latency"] == naive["latency"]


def test_without_a_family_baselines_have_no_standing(forecasts: ForecastPlan) -> None:
    task = task_of(forecasts)

    (found,) = compared_baselines({"naive": scored(forecasts, "naive")}, (), task.compare(forecasts), task.seed_result)

    assert (found.standing, found.difference) == (None, None)
