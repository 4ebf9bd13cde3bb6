"""The end of a study: how long the refit trains, and what is said of the winner."""

from __future__ import annotations

import numpy as np
import pytest

from lstmgru.evaluation.significance import Interval
from search.tasks.refit import judge, refit_epochs


@pytest.mark.parametrize(
    ("best_epochs", "expected"), [([5], 5), ([4, 9, 30], 9), ([4, 9], 6), ([1, 2], 2), ([1, 1, 1, 9], 1)]
)
def test_the_refit_trains_for_the_median_of_the_best_epochs(best_epochs: list[int], expected: int) -> None:
    assert refit_epochs(best_epochs) == expected


@pytest.mark.parametrize(
    ("winner", "interval", "beats", "sentence"),
    [
        (2.0, Interval(-0.5, -0.7, -0.3), True, "The winner beats the best baseline (seasonal naive) on the holdout: "
         "MAE 2 against 2.5, 20.0% lower."),
        (2.4, Interval(-0.1, -0.3, 0.1), False, "The winner does not clearly beat the best baseline (seasonal naive) "
         "on the holdout: MAE 2.4 against 2.5, 4.0% lower, a difference that is not significant."),
        (2.6, Interval(0.1, -0.1, 0.3), False, "The winner does not beat the best baseline (seasonal naive) on the "
         "holdout: MAE 2.6 against 2.5, 4.0% higher, a difference that is not significant. Prefer "
         "seasonal naive."),
        (25.0, Interval(22.5, -np.inf, np.inf), False, "The winner does not beat the best baseline (seasonal naive) on "
         "the holdout: MAE 25 against 2.5, 900.0% higher, with too few cases for a significance test. Prefer seasonal "
         "naive."),
        (3.0, Interval(0.5, 0.3, 0.7), False, "A simple baseline is better: seasonal naive beats the winner on the "
         "holdout (MAE 3 against 2.5, 20.0% higher). Use seasonal naive."),
        (2.0, Interval(-0.5, -np.inf, np.inf), False, "The winner does not clearly beat the best baseline (seasonal "
         "naive) on the holdout: MAE 2 against 2.5, 20.0% lower, with too few cases for a significance test."),
    ],
)  # fmt: skip
def test_the_verdict_claims_what_the_interval_allows(
    winner: float, interval: Interval, beats: bool, sentence: str
) -> None:
    assert judge("mae", winner, "seasonal_naive", 2.5, interval) == (sentence, beats)
