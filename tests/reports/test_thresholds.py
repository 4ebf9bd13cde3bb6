"""Thresholds of two classes against scikit-learn, and the preferences of a Pareto study against its own choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.report_study import Made, make_store
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from search.config.objectives import SCORE
from search.reports.holdout.prediction_tables import PredictedClasses
from search.reports.holdout.thresholds import Threshold, thresholds, thresholds_html
from search.reports.trials.preference import preference_html, weights_of


def predictions(count: int = 200) -> PredictedClasses:
    generator = np.random.default_rng(0)
    actual = generator.integers(0, 2, count)
    good = generator.beta(2 + actual, 3 - actual)
    names = np.array([f"s{number}" for number in range(count)], object)
    return PredictedClasses(names, actual, (good > 0.5).astype(np.int64), np.stack([1 - good, good], axis=1))


def test_scores_at_a_threshold_are_those_of_scikit_learn() -> None:
    made = predictions()

    for each in thresholds(made):
        given = made.probabilities[:, 1] >= each.at
        _, extra, missed, right = confusion_matrix(made.actual, given).ravel()
        assert (each.extra, each.missed, each.right) == (extra, missed, right)
        if given.any():
            expected = precision_recall_fscore_support(made.actual, given, average="binary")[:3]
            assert (each.precision, each.recall, each.f1) == pytest.approx(expected)
        assert each.accuracy == pytest.approx((given == made.actual).mean())


def test_a_threshold_that_nothing_reaches_has_no_precision() -> None:
    found = Threshold(0.95, right=0, extra=0, missed=3, total=10)

    assert np.isnan(found.precision)
    assert (found.recall, found.f1, found.accuracy) == (0, 0, 0.7)


def test_the_threshold_of_the_model_is_marked() -> None:
    made = thresholds_html(predictions(), "good", "text")

    assert made.count('<tr class="winner"><td class="number">0.50</td>') == made.count('class="winner"') == 1
    assert "A text is predicted as good if the probability of good is at least the threshold" in made


def test_every_weight_names_the_trial_that_the_study_would_export(tmp_path: Path) -> None:
    points = [(3.0, 0.001), (2.6, 0.004), (2.5, 0.02), (3.5, 0.03)]
    record = make_store(tmp_path, [Made(values=point) for point in points], objectives=(SCORE, "latency")).record()

    chosen = [record.preferred(weights_of(step / 10, ["latency"])) for step in range(11)]

    assert chosen[0] == 0
    assert chosen[5] == 1
    assert chosen[10] == 2
    assert record.best is not None
    assert record.best.number == chosen[10]
    made = preference_html(record)
    assert [made.count(f'data-trial="{number}"') for number in range(4)] == [chosen.count(n) for n in range(4)]
    assert made.count('class="winner"') == 1
