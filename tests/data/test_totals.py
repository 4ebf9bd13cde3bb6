"""Means over training rows, block by block, against NumPy on all rows at once."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.panels import make_panel

from lstmgru.data.forecasting import scaling
from lstmgru.data.forecasting.scaling import TrainingRows

PANEL = make_panel((70, 1, 300, 40), targets=2, past=1)
TRAIN = np.array([[0, 60], [70, 71], [80, 371], [371, 371]])
"""Of one series a single row, of another none."""


@pytest.fixture(params=[7, 64, 16_384])
def rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> TrainingRows:
    """With blocks that cut series, with some that hold several, and with one for all."""
    monkeypatch.setattr(scaling, "_BLOCK_ROWS", request.param)
    return TrainingRows(PANEL, TRAIN, lambda numbers: numbers)


def parts() -> list[np.ndarray]:
    return [PANEL.values[start:end].astype(float) for start, end in TRAIN]


def test_means_and_deviations_of_all_rows(rows: TrainingRows) -> None:
    every = np.concatenate(parts())
    np.testing.assert_allclose(rows.mean(), every.mean(axis=0)[None], rtol=1e-13)
    np.testing.assert_allclose(rows.deviation(rows.mean()), every.std(axis=0)[None], rtol=1e-12)
    np.testing.assert_allclose(rows.mean_size(), np.abs(every).mean(axis=0)[None], rtol=1e-13)


def test_means_and_deviations_of_each_series(rows: TrainingRows) -> None:
    mean = rows.mean(by_series=True)
    deviation = rows.deviation(mean)
    for number, part in enumerate(parts()[:3]):
        np.testing.assert_allclose(mean[number], part.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(deviation[number], part.std(axis=0), rtol=1e-12, atol=1e-12)
    assert (mean[3] == 0).all()
    assert (deviation[3] == 0).all()


def test_changes_are_those_within_a_series(rows: TrainingRows) -> None:
    changes = [np.diff(part, axis=0) ** 2 for part in parts()]
    np.testing.assert_allclose(rows.mean_square_change(), np.concatenate(changes).mean(axis=0)[None], rtol=1e-12)
    own = rows.mean_square_change(by_series=True)
    for number in (0, 2):
        np.testing.assert_allclose(own[number], changes[number].mean(axis=0), rtol=1e-12)
    assert (own[[1, 3]] == 0).all()


def test_a_deviation_far_from_zero_keeps_its_digits(rows: TrainingRows) -> None:
    """The mean is taken off before squares are: 1e9 ± 1 would have none left otherwise."""
    far = TrainingRows(PANEL, TRAIN, lambda numbers: numbers + 1e9)
    np.testing.assert_allclose(far.deviation(far.mean()), rows.deviation(rows.mean()), rtol=1e-6)
