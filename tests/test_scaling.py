"""Scalers: fitted on training rows only, exact round trips."""

from __future__ import annotations

import numpy as np

from lstmgru.data.scaling import StandardScaler


def test_training_rows_have_mean_zero_and_deviation_one() -> None:
    values = np.random.default_rng(0).normal(5, 3, (100, 2)).astype(np.float32)
    scaled = StandardScaler.fit(values, np.array([[0, 60]])).transform(values)[:60]
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-5)


def test_rows_outside_the_training_part_change_nothing() -> None:
    values = np.random.default_rng(0).normal(5, 3, (100, 2)).astype(np.float32)
    train = np.array([[0, 30], [50, 70]])
    before = StandardScaler.fit(values, train)
    values[30:50], values[70:] = 1e9, np.nan
    after = StandardScaler.fit(values, train)
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.scale, after.scale)


def test_a_constant_channel_is_centred_and_not_blown_up() -> None:
    scaler = StandardScaler.fit(np.full((10, 1), 7.1, np.float32), np.array([[0, 10]]))
    assert scaler.scale.tolist() == [1.0]
    np.testing.assert_allclose(scaler.transform(np.full((3, 1), 7.1, np.float32)), 0, atol=1e-6)


def test_targets_come_back_in_original_units() -> None:
    values = np.random.default_rng(0).normal(50, 3, (100, 3)).astype(np.float32)
    scaler = StandardScaler.fit(values, np.array([[0, 100]]))
    np.testing.assert_allclose(scaler.inverse_targets(scaler.transform(values)[:, :2]), values[:, :2], rtol=1e-5)


def test_a_scaler_survives_json() -> None:
    scaler = StandardScaler.fit(np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32), np.array([[0, 9]]))
    again = StandardScaler.from_dict(scaler.to_dict())
    assert np.array_equal(again.mean, scaler.mean)
    assert np.array_equal(again.scale, scaler.scale)
