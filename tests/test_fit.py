"""Training: exact determinism, best weights, stops, and no look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import make_panel

from lstmgru.data.scaling import StandardScaler
from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Splits, SplitSpec, make_splits
from lstmgru.data.windows import training_cutoffs
from lstmgru.errors import TrainingDiverged
from lstmgru.metrics import Evaluation, make_evaluation
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec, parse_layers
from lstmgru.training.batches import WindowTensor
from lstmgru.training.callbacks import EpochResult
from lstmgru.training.fit import FitResult, fit, predict

FORECAST = ForecastSpec(horizon=3, season_length=7)
MODEL = ModelSpec(parse_layers("gru(6)"), context_length=8, dropout=0.1)
TRAIN = TrainSpec(
    learning_rate=1e-2, batch_size=16, max_epochs=4, patience=None, ema_decay=None, accelerator="cpu", seed=3
)


def setting(panel: SeriesPanel | None = None) -> tuple[SeriesPanel, Splits, Evaluation]:
    panel = panel or make_panel((160,), past=1, future=1)
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=3, context_length=8)
    return panel, splits, make_evaluation(panel, splits.folds[0], FORECAST, context_length=8, stride=1)


def fit_fold(panel: SeriesPanel | None = None, train: TrainSpec = TRAIN, **options: object) -> FitResult:
    panel, splits, evaluation = setting(panel)
    return fit(panel, splits.folds[0], MODEL, train, FORECAST, **{"evaluation": evaluation, **options})  # type: ignore[arg-type]


def weights(result: FitResult) -> list[np.ndarray]:
    return [value.numpy() for value in result.network.state_dict().values()]


def test_the_same_seed_gives_exactly_the_same_weights_and_curve() -> None:
    first, second = fit_fold(), fit_fold()
    assert [(e.train_loss, e.score) for e in first.epochs] == [(e.train_loss, e.score) for e in second.epochs]
    assert all(np.array_equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_another_seed_gives_another_curve() -> None:
    assert fit_fold().score != fit_fold(train=replace(TRAIN, seed=4)).score


def test_the_callers_random_state_is_left_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    fit_fold()
    assert torch.equal(torch.rand(1), expected)


def test_training_brings_the_score_below_naive() -> None:
    panel, splits, evaluation = setting()
    naive = np.repeat(panel.values[evaluation.cutoffs - 1, None, :1], 3, axis=1)
    result = fit_fold(train=replace(TRAIN, max_epochs=15))
    assert result.score < 0.5 * evaluation.score("mae", naive)
    assert splits.folds[0].name == "fold 1"


def test_the_weights_are_those_of_the_best_epoch() -> None:
    result = fit_fold(train=replace(TRAIN, learning_rate=0.3, max_epochs=12))
    scores = [epoch.score for epoch in result.epochs]
    assert result.score == min(scores)
    assert result.best_epoch == scores.index(min(scores)) + 1 < 12
    panel, _, evaluation = setting()
    forecast = predict(result.network, result.scaler, panel, evaluation.cutoffs, FORECAST)
    assert evaluation.score("mae", forecast) == pytest.approx(result.score, rel=1e-6)


def test_early_stopping_waits_for_patience_epochs_and_no_longer() -> None:
    result = fit_fold(train=replace(TRAIN, learning_rate=0.05, max_epochs=100, patience=3))
    assert len(result.epochs) == result.best_epoch + 3


def test_without_evaluation_it_trains_all_epochs_and_keeps_the_last_weights() -> None:
    result = fit_fold(evaluation=None)
    assert (len(result.epochs), result.best_epoch, result.score) == (4, 4, float("inf"))


class Recorder:
    """Notes the epochs; asks to stop from a given epoch on."""

    def __init__(self, stop_after: int) -> None:
        self.epochs: list[EpochResult] = []
        self.stop_after = stop_after

    def on_epoch(self, result: EpochResult) -> None:
        self.epochs.append(result)

    def should_stop(self) -> bool:
        return len(self.epochs) >= self.stop_after


def test_the_observer_hears_every_epoch_and_can_stop_the_training() -> None:
    recorder = Recorder(stop_after=2)
    result = fit_fold(observer=recorder)
    assert [epoch.epoch for epoch in recorder.epochs] == [1, 2]
    assert result.stopped
    assert tuple(recorder.epochs) == result.epochs


def test_a_stop_before_the_first_epoch_ends_still_gives_a_scored_network() -> None:
    result = fit_fold(observer=Recorder(stop_after=0))
    assert len(result.epochs) == 1
    assert np.isfinite(result.score)


def test_divergence_is_an_error_of_its_own() -> None:
    with pytest.raises(TrainingDiverged, match=r"became (nan|inf) in epoch"):
        fit_fold(train=replace(TRAIN, learning_rate=1e30, gradient_clip=None, loss="mse"))


def test_nothing_after_the_training_part_reaches_the_weights() -> None:
    panel, splits, _ = setting()
    end = splits.folds[0].train[0, 1]
    changed = panel.values.copy()
    changed[end:] = 1e6
    before = fit(panel, splits.folds[0], MODEL, TRAIN, FORECAST)
    after = fit(replace(panel, values=changed), splits.folds[0], MODEL, TRAIN, FORECAST)
    assert all(np.array_equal(a, b) for a, b in zip(weights(before), weights(after), strict=True))
    assert np.array_equal(before.scaler.mean, after.scaler.mean)


def test_nothing_after_a_cutoff_reaches_its_forecast_but_what_is_known_ahead() -> None:
    panel, _, evaluation = setting()
    result = fit_fold()
    cutoff = evaluation.cutoffs[:1]
    before = predict(result.network, result.scaler, panel, cutoff, FORECAST)
    changed = panel.values.copy()
    changed[cutoff[0] :, :-1] = 1e6  # the last channel is known over the horizon
    after = predict(result.network, result.scaler, replace(panel, values=changed), cutoff, FORECAST)
    assert np.array_equal(before, after)


def test_hidden_rows_never_reach_a_search() -> None:
    panel, splits, _ = setting()
    hidden = panel.hiding(splits.holdout.evaluation[:, 0])
    assert np.isnan(hidden.values[splits.holdout.evaluation[0, 0] :]).all()
    assert fit_fold(hidden).score == fit_fold(panel).score


def test_a_batch_is_gathered_as_the_window_convention_says() -> None:
    panel = make_panel((60,), targets=2, past=1, future=2)
    scaler = StandardScaler.fit(panel.values, np.array([[0, 60]]))
    window = WindowTensor(panel, scaler, context_length=4, horizon=3).gather(torch.tensor([10, 20]))
    scaled = scaler.transform(panel.values)
    np.testing.assert_array_equal(window.past[1], scaled[16:20])
    np.testing.assert_array_equal(window.target[1], scaled[20:23, :2])
    np.testing.assert_array_equal(window.future[1], scaled[20:23, 3:])


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_chunked_lightning_training_is_a_plain_loop(ema_decay: float | None) -> None:
    """The same batches in the same order through a loop of a few lines give the same weights."""
    panel, splits, _ = setting()
    train = replace(TRAIN, max_epochs=2, weight_decay=0.01, ema_decay=ema_decay)
    model = replace(MODEL, dropout=0.0)
    result = fit(panel, splits.folds[0], model, train, FORECAST)
    torch.manual_seed(train.seed)
    network = ForecastNetwork(model, n_inputs=3, n_future=1, n_targets=1, horizon=3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay)
    windows = WindowTensor(panel, result.scaler, context_length=8, horizon=3)
    cutoffs = torch.from_numpy(training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3))
    generator = torch.Generator().manual_seed(train.seed)
    average, updates = {name: value.clone() for name, value in network.state_dict().items()}, 0
    for _ in range(2):
        for batch in cutoffs[torch.randperm(len(cutoffs), generator=generator)].split(train.batch_size):
            optimizer.zero_grad()
            network.loss(*windows.gather(batch), "mae").backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            decay = 0.0 if ema_decay is None or updates == 0 else min(ema_decay, (1 + updates) / (10 + updates))
            for name, value in network.state_dict().items():
                average[name] = decay * average[name] + (1 - decay) * value
            updates += 1
    for name, value in result.network.state_dict().items():
        torch.testing.assert_close(value, average[name], rtol=0 if ema_decay is None else 1e-5, atol=1e-8)
