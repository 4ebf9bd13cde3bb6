"""The benchmark of the choice of epochs, on curves whose differences are worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from epoch_choice import difference


def study_of(direction: str, *folds: list[float]) -> Any:
    """A study with one trial, from the scores of its folds after each epoch."""
    curve = [
        SimpleNamespace(fold=fold, epoch=epoch, value=value)
        for fold, values in enumerate(folds, start=1)
        for epoch, value in enumerate(values, start=1)
    ]
    return SimpleNamespace(direction=direction, complete=(SimpleNamespace(curve=curve),))


def test_the_difference_is_that_of_the_best_epochs_and_those_of_the_other_fold() -> None:
    """The best epochs are 2 and 3, so the folds are scored after 3 (the last of two: 2) and 2."""
    assert difference(study_of("minimize", [3.0, 1.0], [4.0, 3.0, 2.0])) == pytest.approx((1 + 3) / (1 + 2) - 1)
    assert difference(study_of("maximize", [0.3, 0.9], [0.2, 0.5, 0.7])) == pytest.approx((0.7 - 0.5) / 2)
    assert difference(study_of("minimize", [3.0, 1.0])) is None
