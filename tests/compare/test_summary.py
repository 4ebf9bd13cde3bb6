"""The results of a comparison: which trials count, which family is best, and what has no score."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from helpers.drivers import drive
from helpers.json_output import valid_json
from helpers.running_comparisons import TWO, TWO_OF_WAVES, opened, retrained, searched
from helpers.sequence_studies import WAVES, write_label_study
from optuna.trial import TrialState, create_trial

from lstmgru.evaluation.significance import paired_interval
from search.compare.summary import best_trials, summarize
from search.executors.base import TIME_IS_UP
from search.tasks.forecasting.compare import ForecastSeed


def test_only_the_trials_that_all_families_have_count(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=6", text=TWO)
    searched(tmp_path, 2)
    plan, store, _ = retrained(tmp_path, 1)

    comparison = summarize(plan, store, seeds=1, seconds=1.0)

    records = store.records()
    assert comparison.trials == min(map(len, records.values())) < max(map(len, records.values()))
    for family in comparison.families:
        counted = records[family.name][: comparison.trials]
        assert family.trials.total == comparison.trials
        best = min(counted, key=lambda trial: trial.value or math.inf)
        assert (family.trial, family.layers) == (best.number, best.layers)
        assert family.trial_scores == tuple(trial.value for trial in counted)


def test_a_family_whose_trials_fail_has_no_score_and_the_others_have(tmp_path: Path) -> None:
    text = TWO.replace("{cell: lstm}", "{cell: lstm, learning_rate: 1.0e+30, normalization: fold}")
    store = searched(tmp_path, 2, "training.ema_decay=null", "training.gradient_clip=null", text=text)
    plan, _ = opened(tmp_path, "training.ema_decay=null", "training.gradient_clip=null", text=text)
    assert {trial.state for trial in store.records()["lstm"]} == {"FAIL"}

    comparison = summarize(plan, store, seeds=1, seconds=1.0)

    lstm = next(family for family in comparison.families if family.name == "lstm")
    assert (lstm.trials.failed, lstm.trials.diverged, lstm.trial, lstm.folds) == (2, 2, None, None)
    assert "Without a score: " in " ".join(comparison.notes)


def test_the_best_of_a_family_and_of_all_is_that_with_the_largest_accuracy(tmp_path: Path) -> None:
    write_label_study(tmp_path, TWO_OF_WAVES)
    searched(tmp_path, 3, text=TWO_OF_WAVES)
    plan, store, _ = retrained(tmp_path, 2, text=TWO_OF_WAVES)

    assert {each.store.direction for each in store.families} == {store.whole.direction} == {"maximize"}
    records = store.records()
    assert {name: len(trials) for name, trials in records.items()} == {"lstm": 3, "gru": 3}
    for each, trial in best_trials(store).items():
        assert trial.value == max(record.value or 0.0 for record in records[each.name])
    comparison = summarize(plan, store, seeds=2, seconds=1.0)
    assert (comparison.task, comparison.metric, comparison.direction) == ("classification", "accuracy", "maximize")
    assert (comparison.cases, comparison.horizon) == ("sequences", None)
    means = [family.folds.mean for family in comparison.families if family.folds]
    assert means == sorted(means, reverse=True)
    assert comparison.best == comparison.families[0].name
    first, second = comparison.families
    assert second.difference is not None
    assert first.holdout is not None
    assert second.holdout is not None
    assert second.difference.mean == pytest.approx(second.holdout.mean - first.holdout.mean)
    assert [each.name for each in second.classes] == ["fast", "flat", "slow"]
    assert len(second.lengths) > 1
    assert (second.steps, second.contexts) == ((), ())
    valid_json("compare", json.dumps(comparison.to_json(), allow_nan=False))


def test_a_family_that_learns_nothing_is_worse(tmp_path: Path) -> None:
    families = "{able: {cell: gru}, stuck: {cell: gru, learning_rate: 1.0e-07}}"
    waves = WAVES.replace("max_epochs: 12", "max_epochs: 6")
    text = waves + f"tracking: {{enabled: false}}\ncompare: {{families: {families}}}\n"

    write_label_study(tmp_path, text)
    searched(tmp_path, 1, text=text)
    plan, store, _ = retrained(tmp_path, 3, text=text)

    comparison = summarize(plan, store, seeds=3, seconds=1.0)
    assert {family.name: family.standing for family in comparison.families} == {"able": "best", "stuck": "worse"}
    stuck = comparison.families[1]
    assert stuck.difference is not None
    assert stuck.difference.high is not None
    assert stuck.difference.high < 0
    assert comparison.verdict.startswith(
        "able is the best family: its accuracy on the holdout is higher than that of stuck."
    )


def test_the_best_family_is_that_of_the_folds_and_differences_are_those_of_the_holdout(tmp_path: Path) -> None:
    """The scores of the seeds are planted: the holdout and the last fold alone would choose the other family."""
    searched(tmp_path, 1)
    plan, store = opened(tmp_path)
    for family in store.families:  # a better second trial of one family, and one of the other that the time stopped
        (first,) = family.ended()
        better = family.name == "lstm"
        more = create_trial(
            state=TrialState.COMPLETE if better else TrialState.PRUNED,
            value=0.0 if better else None,
            params=first.params,
            distributions=first.distributions,
            user_attrs=first.user_attrs if better else {"result": {"reason": TIME_IS_UP}},
        )
        family.store.study.add_trial(more)
    generator = np.random.default_rng(0)
    errors = {name: generator.normal(level, 0.1, (3, 18)) for name, level in {"lstm": 1.0, "gru": 2.0}.items()}
    folds = {"lstm": (2.0, 1.1), "gru": (1.0, 1.9)}
    far = {"fold_scores": (0.0, 0.0), "holdout": 0.0, "steps": (0.0,) * 3, "by_time": (0.0,) * 18}
    for family in store.families:
        for number, by_time in enumerate((*errors[family.name], None)):
            scores = far if by_time is None else {
                "fold_scores": tuple(score + number / 10 for score in folds[family.name]),
                "holdout": by_time.mean(),
                "steps": tuple(by_time[:3]),
                "by_time": tuple(by_time),
            }  # fmt: skip
            found = ForecastSeed(seed=number, best_epochs=(1, 1), epoch_seconds=1.0, best_seconds=1.0, **scores)
            family.set_seed(family.ended()[0].number, number, found)
    baselines = {"naive": generator.normal(5, 0.1, 18), "linear": generator.normal(1, 0.1, 18)}
    costs = {"n_parameters": 1, "fit_seconds": 1.0, "latency": 1.0, "batch_latency": 1.0}
    stored = {
        name: {"scores": {"holdout": each.mean(), "steps": each[:3].tolist(), "by_time": each.tolist()}, **costs}
        for name, each in baselines.items()
    }
    store.whole.set("baseline_holdout", stored)

    comparison = summarize(plan, store, seeds=3, seconds=1.0)

    assert comparison.trials == 1
    means = {name: each.mean(axis=0) for name, each in errors.items()}
    first, second = comparison.families
    assert (comparison.best, first.name, second.name) == ("gru", "gru", "lstm")
    for family in comparison.families:
        assert family.seeds == 3
        assert family.folds is not None
        assert family.holdout is not None
        assert family.folds.mean == pytest.approx(np.mean(folds[family.name]) + 0.1)
        assert family.holdout.mean == pytest.approx(errors[family.name].mean())
        assert family.steps == pytest.approx(means[family.name][:3])
    assert second.difference is not None
    assert second.difference.mean == pytest.approx((means["lstm"] - means["gru"]).mean())
    assert (first.standing, second.standing) == ("best", "better")
    assert comparison.verdict.startswith("Folds and holdout disagree: gru has the best score on the folds")
    assert [each.name for each in comparison.baseline_results] == ["linear", "naive"]
    for each in comparison.baseline_results:
        assert each.difference is not None
        difference = baselines[each.name] - means["gru"]
        expected = paired_interval(difference, np.arange(18), overlap=3)
        assert each.difference.mean == pytest.approx(difference.mean())
        assert (each.difference.low, each.difference.p_value) == pytest.approx((expected.low, expected.p_value))
        assert each.standing == {"linear": "better", "naive": "worse"}[each.name]
