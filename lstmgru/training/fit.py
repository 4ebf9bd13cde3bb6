"""Fit one network on one split."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping

from lstmgru.data.scaling import StandardScaler
from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows, Split
from lstmgru.data.windows import training_cutoffs
from lstmgru.metrics import Array, Evaluation
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec
from lstmgru.training.batches import EVALUATION_BATCH_SIZE, WindowsDataModule, WindowTensor
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
        epochs: All epochs.
        seconds: Wall time.
        stopped: Whether the observer stopped it.
    """

    network: ForecastNetwork
    scaler: StandardScaler
    score: float
    best_epoch: int
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

    Raises:
        DataError: No training window fits.
        TrainingDiverged: The loss or the score is not finite.
    """
    start = time.perf_counter()
    scaler = StandardScaler.fit(panel.values, split.train)
    windows = WindowTensor(panel, scaler, context_length=model.context_length, horizon=forecast.horizon)
    cutoffs = training_cutoffs(panel, split, context_length=model.context_length, horizon=forecast.horizon)
    best, watch = BestWeights(), Watch(observer or SilentObserver())
    with _seeded(train.seed), _quiet():
        network = ForecastNetwork(
            model,
            n_inputs=windows.n_inputs,
            n_future=windows.n_future,
            n_targets=windows.n_targets,
            horizon=forecast.horizon,
        )
        score = None if evaluation is None else lambda values: evaluation.score(forecast.metric, values)
        module = ForecastModule(network, train, windows, scaler, score)
        data = WindowsDataModule(
            cutoffs,
            None if evaluation is None else evaluation.cutoffs,
            batch_size=train.batch_size,
            seed=train.seed,
        )
        trainer = _trainer(train, best, watch, validate=evaluation is not None)
        trainer.fit(module, datamodule=data)
    best.restore(module)
    return FitResult(
        network=network.cpu().eval(),
        scaler=scaler,
        score=best.score,
        best_epoch=best.epoch or len(watch.epochs),
        epochs=tuple(watch.epochs),
        seconds=time.perf_counter() - start,
        stopped=watch.stopped,
    )


def predict(
    network: ForecastNetwork,
    scaler: StandardScaler,
    panel: SeriesPanel,
    cutoffs: Rows,
    forecast: ForecastSpec,
) -> Array:
    """(windows, H, Y) forecasts in original units at (windows,) cutoffs of a panel."""
    windows = WindowTensor(panel, scaler, context_length=network.spec.context_length, horizon=forecast.horizon)
    forecasts = []
    with torch.no_grad():
        for part in torch.split(torch.from_numpy(cutoffs), EVALUATION_BATCH_SIZE):
            past, future, _ = windows.gather(part)
            forecasts.append(network(past, future))
    return scaler.inverse_targets(torch.cat(forecasts).numpy())


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
