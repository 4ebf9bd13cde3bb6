"""The table of the suite: goals, losses against baselines, means, failures."""

from __future__ import annotations

from typing import Any

import pytest
from data_sets.table import markdown, reached, summary


def result(data: str, *, advantage: float = 0.1, **changes: Any) -> dict[str, Any]:
    """The result of a run as the suite writes it."""
    holdout = {"metric": "mae", "exported": 0.9, "baselines": {"naive": 2.0, "linear": 1.0}, "advantage": advantage}
    values: dict[str, Any] = {
        "data": data, "seed": 0, "part": "test", "limit": 60.0, "arguments": [], "metric": "accuracy", "error": None,
        "scores": {"accuracy": 0.9}, "single": 0.8, "baselines": {"ridge": 0.7}, "published": {"InceptionTime": 0.95},
        "holdout": holdout, "winner": "gru(8)", "started": 7, "complete": 3, "seconds": 59.0,
    }  # fmt: skip
    return values | changes


def failed(data: str) -> dict[str, Any]:
    """The result of a run that failed."""
    return {"data": data, "seed": 0, "part": "test", "metric": "accuracy", "error": "exit code 1: error: no data"}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"mase": 0.85, "smape": 13.4}, "mase 0.85: reaches 0.86; smape 13.4: reaches 13.5"),
        ({"mase": 0.83, "smape": 14.1}, "mase 0.83: reaches 0.83; smape 14.1: misses 14"),
    ],
)
def test_goals_of_errors_are_upper_bounds(scores: dict[str, float], expected: str) -> None:
    assert reached(result("m3_monthly", scores=scores)) == expected


def test_goals_of_accuracies_are_lower_bounds() -> None:
    assert reached(result("trec", scores={"accuracy": 0.91})) == "accuracy 0.91: reaches 0.9"
    assert reached(result("trec", scores={"accuracy": 0.89})) == "accuracy 0.89: misses 0.9"


def test_goals_do_not_hold_for_the_development_mode() -> None:
    assert reached(result("trec", scores={"accuracy": 0.91}, part="train")) == "–"


def test_the_summary_lists_failures_and_losses_of_more_than_one_percent() -> None:
    results = [
        result("weather", advantage=-0.011, seed=2),
        result("pbs", advantage=-0.009),
        result("GunPoint"),
        failed("CBF"),
    ]
    found = summary(results)
    assert found["failed"] == ["CBF"]
    assert found["worse than the best baseline by more than 1%"] == ["weather, seed 2"]


def test_the_summary_has_means_over_labels_only() -> None:
    results = [
        result("GunPoint", baselines={"ridge": 0.7, "minirocket": 0.9}),
        result("CBF", scores={"accuracy": 0.7}, baselines={"ridge": 0.8}),
        result("trec", scores={"accuracy": 0.1}),
    ]
    expected = {"ours (2)": 0.8, "ridge (2)": 0.75, "minirocket (1)": 0.9}
    assert summary(results)["mean accuracy of labels"] == expected


def test_the_table_has_a_row_for_each_run() -> None:
    lines = markdown([result("GunPoint"), failed("CBF")]).splitlines()
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert lines[2].startswith("| GunPoint | accuracy | 0.9 | – | 0.8 | ridge 0.7 | InceptionTime 0.95 | 0.9 |")
    assert "naive 2 | +10.0% | 7 | 3 | 59 | 60 |" in lines[2]
    assert "failed: exit code 1: error: no data" in lines[3]
