"""Fit one network on one split."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from lstmgru.data.inputs import input_spec
from lstmgru.data.scaling import Scaler
from lstmgru.data.series import SeriesPanel, ShortSeries
from lstmgru.data.splits import Rows, Split
from lstmgru.data.windows import training_cutoffs
from lstmgru.metrics import Array, Evaluation
from lstmgru.nn.network import MEDIAN, ForecastNetwork
from lstmgru.specs import ForecastSpec, InputSpec, ModelSpec, TrainSpec
from lstmgru.training.batches import WindowsDataModule, WindowTensor, evaluation_batch_size
from lstmgru.training.callbacks import BestWeights, EpochResult, Observer, SilentObserver, Watch
from lstmgru.training.module import SCORE, ForecastModule


@dataclass(frozen=True)
class FitResult:
    """A trained network and how it got there.

    Attributes:
        network: With its best weights, on the CPU, in evaluation mode.
        scaler: Fitted on the training part.
        score: Best validation score in original units; ``inf`` without validation.
        best_epoch: The epoch of the weights, from 1.
        forecast: (windows, H, Y, Q) of that epoch, on the windows that were scored, in original units; ``None``
            without validation.
        epochs: All epochs.
        seconds: Wall time.
        stopped: Whether the observer stopped it.
    """

    network: ForecastNetwork
    scaler: Scaler
    score: float
    best_epoch: int
    forecast: Array | None
    epochs: tuple[EpochResult, ...]
    seconds: float
    stopped: bool


def fit(
    panel: SeriesPanel,
    split: Split,
    model: ModelSpec,
    train: TrainSpec,
    forecast: ForecastSpec,
    *,
    evaluation: Evaluation | None = None,
    observer: Observer | None = None,
    short_series: ShortSeries = "error",
) -> FitResult:
    """Train a network on the training part of a split.

    Args:
        panel: The data; only the training part of ``split`` is learnt from.
        split: Where to learn.
        model: The architecture.
        train: The training settings.
        forecast: Horizon and metric.
        evaluation: Windows that are scored after each epoch, for early stopping and the best weights;
            ``None``: train ``train.max_epochs`` epochs and keep the last weights.
        observer: Follows the training and may stop it.
        short_series: Whether a series with less history than the network reads is refused or padded.

    Raises:
        DataError: No training window fits.
        TrainingDiverged: The loss or the score is not finite.
    """
    start = time.perf_counter()
    scaler = Scaler.fit(panel, split.train, model)
    cutoffs = training_cutoffs(
        panel, split, context_length=model.context_length, horizon=forecast.horizon, short_series=short_series
    )
    inputs = input_spec(panel.schema, n_series=len(panel), short_series=short_series)
    windows = _windows(panel, scaler, inputs, model, forecast)
    best, watch = BestWeights(), Watch(observer or SilentObserver())
    data = WindowsDataModule(
        cutoffs,
        None if evaluation is None else evaluation.cutoffs,
        panel.offsets,
        batch_size=train.batch_size,
        evaluation_batch_size=evaluation_batch_size(model.context_length, inputs.n_inputs),
        epoch_windows=train.epoch_windows,
        seed=train.seed,
    )
    with _seeded(train.seed), _quiet():
        quantiles = forecast.quantiles if train.loss == "quantile" else MEDIAN
        module = ForecastModule(
            ForecastNetwork(model, inputs, horizon=forecast.horizon, quantiles=quantiles),
            train,
            windows,
            n_steps=train.max_epochs * data.n_steps,
            unscale=lambda values: scaler.inverse_targets(values, None if evaluation is None else evaluation.series),
            score=None if evaluation is None else lambda values: _score(evaluation, forecast, values),
        )
        trainer = _trainer(train, best, watch, validate=evaluation is not None)
        trainer.fit(module, datamodule=data)
    best.restore(module)
    return FitResult(
        network=module.network.cpu().eval(),
        scaler=scaler,
        score=best.score,
        best_epoch=best.epoch or len(watch.epochs),
        forecast=best.forecast,
        epochs=tuple(watch.epochs),
        seconds=time.perf_counter() - start,
        stopped=watch.stopped,
    )


def predict(
    network: ForecastNetwork, scaler: Scaler, panel: SeriesPanel, cutoffs: Rows, forecast: ForecastSpec
) -> Array:
    """(windows, H, Y, Q) forecasts in original units at (windows,) cutoffs of a panel."""
    windows = _windows(panel, scaler, network.inputs, network.spec, forecast)
    size = evaluation_batch_size(network.spec.context_length, network.inputs.n_inputs)
    with torch.no_grad():
        parts = torch.split(torch.from_numpy(cutoffs), size)
        forecasts = torch.cat([network(*windows.gather(part).inputs) for part in parts])
    series = np.searchsorted(panel.offsets, cutoffs - 1, side="right") - 1
    return scaler.inverse_targets(forecasts.numpy(), series)


def point_forecast(forecast: Array) -> Array:
    """(…, Y) the median of (…, Y, Q) quantiles."""
    return forecast[..., forecast.shape[-1] // 2]


def quantile_forecast(forecast: Array) -> Array | None:
    """(…, Y, Q) as they are, or ``None`` where there is a point forecast only."""
    return forecast if forecast.shape[-1] > 1 else None


def _windows(
    panel: SeriesPanel, scaler: Scaler, inputs: InputSpec, model: ModelSpec, forecast: ForecastSpec
) -> WindowTensor:
    return WindowTensor(
        panel,
        scaler,
        inputs,
        context_length=model.context_length,
        horizon=forecast.horizon,
        tell_series=model.series_embedding > 0,
    )


def _score(evaluation: Evaluation, forecast: ForecastSpec, values: Array) -> float:
    return evaluation.score(forecast.metric, point_forecast(values), quantile_forecast(values))


def _trainer(train: TrainSpec, best: BestWeights, watch: Watch, *, validate: bool) -> Trainer:
    callbacks: list[Callback] = [best]
    if validate and train.patience is not None:
        callbacks.append(EarlyStopping(SCORE, patience=train.patience, check_finite=False))
    return Trainer(
        accelerator=train.accelerator,
        devices=1,
        max_epochs=train.max_epochs,
        callbacks=[*callbacks, watch],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if validate else 0,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch inside, leave the caller's random state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says once per ``Trainer``: a search makes hundreds of them."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        try:
            yield
        finally:
            logger.setLevel(level)
