"""Fit one forecasting network on one split."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries, input_spec
from lstmgru.data.forecasting.splits import Rows, Split
from lstmgru.data.forecasting.targets import unfit_target
from lstmgru.data.forecasting.windows import training_runs
from lstmgru.errors import DataError
from lstmgru.evaluation.forecasts import Array, ForecastEvaluation
from lstmgru.nn.distributions import NegativeBinomial
from lstmgru.nn.forecast_network import ForecastNetwork
from lstmgru.specs import ForecastSpec, InputSpec, ModelSpec, TrainSpec
from lstmgru.training.checkpoints import Checkpoints
from lstmgru.training.epoch_outputs import EpochOutputs
from lstmgru.training.module import Validation
from lstmgru.training.training import Observer, Trained, train_network
from lstmgru.training.window_batches import WindowsDataModule, WindowTensor, evaluation_batch_size


@dataclass(frozen=True)
class FitResult(Trained[ForecastNetwork]):
    """A trained forecasting network; its outputs are (windows, H, Y, Q) forecasts of the scored windows.

    Attributes:
        scaler: Fitted on the training part.
    """

    scaler: Scaler


def fit(
    panel: SeriesPanel,
    split: Split,
    model: ModelSpec,
    train: TrainSpec,
    forecast: ForecastSpec,
    *,
    evaluation: ForecastEvaluation | None = None,
    observer: Observer | None = None,
    short_series: ShortSeries = "error",
    checkpoints: Checkpoints | None = None,
    epoch_outputs: EpochOutputs | None = None,
) -> FitResult:
    """Train a network on the training part of a split.

    Args:
        panel: The data; only the training part of ``split`` is used for training.
        split: The split.
        model: The architecture.
        train: The training settings.
        forecast: Horizon and metric.
        evaluation: Windows that are scored after each epoch, for early stopping and the best weights;
            ``None``: train ``train.max_epochs`` epochs and keep the last weights.
        observer: Follows the training and may stop it.
        short_series: Whether a series with less history than the network reads is refused or padded.
        checkpoints: Where the checkpoints of the training go, and the one from which it resumes; ``None`` for none.
        epoch_outputs: Receives the validation outputs of every epoch.

    Raises:
        DataError: No training window fits, or a target has values that the loss is not for.
        TrainingDiverged: The loss or the score is not finite.
    """
    if (problem := unfit_target(train.loss, panel.schema.targets, panel.values[:, : panel.n_targets])) is not None:
        raise DataError(f"{problem}, but the loss is {train.loss}")
    scaler = Scaler.fit(panel, split.train, model)
    runs = training_runs(
        panel, split, context_length=model.context_length, horizon=forecast.horizon, short_series=short_series
    )
    inputs = input_spec(panel.schema, n_series=len(panel), short_series=short_series)
    trained = train_network(
        lambda: _network(model, inputs, forecast, train, scaler),
        lambda network, inputs, target: network.loss(inputs, target, train.loss, partial=panel.known is not None),
        _windows(panel, scaler, inputs, model, forecast),
        WindowsDataModule(
            runs,
            None if evaluation is None else evaluation.cutoffs,
            panel.offsets,
            batch_size=train.batch_size,
            evaluation_batch_size=evaluation_batch_size(model.context_length, inputs.n_inputs),
            epoch_windows=train.epoch_windows,
            min_epoch_windows=train.min_epoch_windows,
            seed=train.seed,
        ),
        train,
        validation=None if evaluation is None else _validation(evaluation, scaler, forecast),
        observer=observer,
        checkpoints=checkpoints,
        epoch_outputs=epoch_outputs,
    )
    return FitResult(**vars(trained), scaler=scaler)


def _network(
    model: ModelSpec, inputs: InputSpec, forecast: ForecastSpec, train: TrainSpec, scaler: Scaler
) -> ForecastNetwork:
    """A new network; one that forecasts counts knows what they are divided by."""
    network = ForecastNetwork.of(model, inputs, forecast, train)
    if isinstance(network.distribution, NegativeBinomial):
        network.distribution.unit.copy_(torch.from_numpy(scaler.scale[0, : inputs.n_targets]))
    return network


def _validation(evaluation: ForecastEvaluation, scaler: Scaler, forecast: ForecastSpec) -> Validation:
    return Validation(
        restore=lambda values: forecast.clip(scaler.inverse_targets(values, evaluation.series), axis=-2),
        score=lambda values: evaluation.score(forecast.metric, point_forecast(values), quantile_forecast(values)),
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
    series = panel.series_of(cutoffs - 1)
    return forecast.clip(scaler.inverse_targets(forecasts.numpy(), series), axis=-2)


def point_forecast(forecast: Array) -> Array:
    """(…, Y) the median of (…, Y, Q) quantiles."""
    return forecast[..., forecast.shape[-1] // 2]


def quantile_forecast(forecast: Array) -> Array | None:
    """(…, Y, Q) unchanged; ``None`` for a point forecast."""
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
