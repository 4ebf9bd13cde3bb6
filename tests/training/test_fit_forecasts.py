"""Training: exact determinism, best weights, stops, and no look ahead."""

from __future__ import annotations

import math
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from helpers.combinations import each_row
from helpers.lazy import LazyModule
from helpers.panels import make_panel, training_cutoffs
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel, input_spec
from lstmgru.data.forecasting.splits import Splits, SplitSpec, make_splits
from lstmgru.errors import DataError, SpecError, TrainingDiverged
from lstmgru.evaluation.forecasts import ForecastEvaluation, make_evaluation
from lstmgru.nn.forecast_network import ForecastNetwork
from lstmgru.specs import OPTIMIZERS, SCHEDULES, ForecastSpec, ModelSpec, TrainSpec, parse_branches

FORECAST = ForecastSpec(horizon=3, season_length=7)
MODEL = ModelSpec(parse_branches("gru(6)"), context_length=8, dropout=0.1)
TRAIN = TrainSpec(
    learning_rate=1e-2, batch_size=16, max_epochs=4, patience=None, ema_decay=None, accelerator="cpu", seed=3
)

if TYPE_CHECKING:
    from lstmgru.training.fit_forecasts import FitResult
    from lstmgru.training.training import EpochResult

batching = LazyModule("lstmgru.training.window_batches")
training = LazyModule("lstmgru.training.fit_forecasts")


def setting(panel: SeriesPanel | None = None) -> tuple[SeriesPanel, Splits, ForecastEvaluation]:
    panel = panel or make_panel((160,), past=1, future=1)
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=3, context_length=8)
    return panel, splits, make_evaluation(panel, splits.folds[0], FORECAST, context_length=8, stride=1)


def fit_fold(
    panel: SeriesPanel | None = None, train: TrainSpec = TRAIN, model: ModelSpec = MODEL, **options: Any
) -> FitResult:
    panel, splits, evaluation = setting(panel)
    return training.fit(panel, splits.folds[0], model, train, FORECAST, **{"evaluation": evaluation, **options})


def weights(result: FitResult) -> list[np.ndarray]:
    return [value.numpy() for value in result.network.state_dict().values()]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"branches": parse_branches("lstm(5) > bi-fused(3) | gru(4)"), "merge": "gate", "recurrent_dropout": 0.2},
        {"decoder": "recurrent", "pooling": "multihead", "n_heads": 2, "segment_length": 2},
        {"decoder": "parallel", "channels": "independent", "normalization": "last", "transform": "difference"},
    ],
)
def test_the_same_seed_gives_exactly_the_same_weights_and_curve(changes: dict[str, Any]) -> None:
    train = replace(TRAIN, epoch_windows=40, ema_decay=0.9, max_epochs=2, loss="quantile")
    first, second = (fit_fold(train=train, model=replace(MODEL, **changes)) for _ in range(2))
    assert [(e.train_loss, e.score) for e in first.epochs] == [(e.train_loss, e.score) for e in second.epochs]
    assert all(np.array_equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_the_loss_of_an_epoch_is_that_of_its_own_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each epoch has a batch of 64 windows, one of 39, and planted losses."""
    planted = iter([1.0, 2.0, 5.0, 6.0])

    def loss(network: Any, *ignored: Any, **options: Any) -> Any:
        return 0 * sum(parameter.sum() for parameter in network.parameters()) + next(planted)

    monkeypatch.setattr(ForecastNetwork, "loss", loss)
    result = fit_fold(train=replace(TRAIN, batch_size=64, max_epochs=2, min_epoch_windows=1))
    count = setting()[1].folds[0].n_train - 8 - 3 + 1
    expected = [(64 * first + (count - 64) * second) / count for first, second in ((1, 2), (5, 6))]
    assert [epoch.train_loss for epoch in result.epochs] == pytest.approx(expected)


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
    forecast = training.predict(result.network, result.scaler, panel, evaluation.cutoffs, FORECAST)
    assert forecast.shape == (len(evaluation.cutoffs), 3, 1, 1)
    assert evaluation.score("mae", training.point_forecast(forecast)) == pytest.approx(result.score, rel=1e-6)
    assert result.outputs is not None, "and so are the forecasts that are kept"
    np.testing.assert_allclose(result.outputs, forecast, rtol=1e-5)


def test_early_stopping_waits_for_patience_epochs_and_no_longer() -> None:
    result = fit_fold(train=replace(TRAIN, learning_rate=0.05, max_epochs=100, patience=3))
    assert len(result.epochs) == result.best_epoch + 3


def test_without_evaluation_it_trains_all_epochs_and_keeps_the_last_weights() -> None:
    result = fit_fold(evaluation=None)
    assert (len(result.epochs), result.best_epoch) == (4, 4)
    assert math.isnan(result.score)
    assert result.outputs is None


class Signals:
    """Sends this process a signal after the first epoch."""

    def __init__(self, signum: signal.Signals) -> None:
        self._signum = signum

    def on_epoch(self, result: EpochResult) -> None:
        if result.epoch == 1:
            signal.raise_signal(self._signum)

    def should_stop(self) -> bool:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM handlers")
def test_signals_belong_to_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[int] = []
    monkeypatch.setenv("SLURM_JOB_ID", "1")  # where Lightning has handlers of its own
    monkeypatch.setenv("SLURM_JOB_NAME", "search")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    before = signal.signal(signal.SIGTERM, lambda signum, _: received.append(signum))
    of_ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        assert len(fit_fold(observer=Signals(signal.SIGTERM)).epochs) == 4
        with pytest.raises(KeyboardInterrupt):
            fit_fold(observer=Signals(signal.SIGINT))
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, of_ctrl_c)
    assert received == [signal.SIGTERM]


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


@pytest.mark.parametrize("options", [{}, {"evaluation": None}], ids=["scored", "unscored"])
def test_a_stop_in_the_middle_of_an_epoch_leaves_it_unfinished(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmgru.training.module._ASK_SECONDS", 0.0)
    recorder = Recorder(stop_after=0)
    result = fit_fold(observer=recorder, **options)
    assert result.stopped
    assert (result.epochs, recorder.epochs, result.outputs) == ((), [], None)


def test_a_stop_is_heard_in_the_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmgru.training.module._ASK_SECONDS", 0.0)
    asked: list[str] = []

    class InValidation(Recorder):
        def should_stop(self) -> bool:
            asked.append(sys._getframe(2).f_code.co_name)
            return asked[-1] == "validation_step"

    result = fit_fold(observer=InValidation(stop_after=0))
    assert (result.stopped, result.epochs) == (True, ())
    assert asked.count("validation_step") == 1


def test_divergence_is_an_error_of_its_own() -> None:
    with pytest.raises(TrainingDiverged, match=r"became (nan|inf) in epoch"):
        fit_fold(train=replace(TRAIN, learning_rate=1e30, gradient_clip=None, loss="mse"))


def test_nothing_after_the_training_part_reaches_the_weights() -> None:
    panel, splits, _ = setting()
    end = splits.folds[0].train[0, 1]
    changed = panel.values.copy()
    changed[end:] = 1e6
    before = training.fit(panel, splits.folds[0], MODEL, TRAIN, FORECAST)
    after = training.fit(replace(panel, values=changed), splits.folds[0], MODEL, TRAIN, FORECAST)
    assert all(np.array_equal(a, b) for a, b in zip(weights(before), weights(after), strict=True))
    assert np.array_equal(before.scaler.mean, after.scaler.mean)


def test_nothing_after_a_cutoff_reaches_its_forecast_but_what_is_known_ahead() -> None:
    panel, _, evaluation = setting()
    result = fit_fold()
    cutoff = evaluation.cutoffs[:1]
    before = training.predict(result.network, result.scaler, panel, cutoff, FORECAST)
    changed = panel.values.copy()
    changed[cutoff[0] :, :-1] = 1e6  # the last channel is known over the horizon
    after = training.predict(result.network, result.scaler, replace(panel, values=changed), cutoff, FORECAST)
    assert np.array_equal(before, after)


def test_hidden_rows_never_reach_a_search() -> None:
    panel, splits, _ = setting()
    hidden = panel.hiding(splits.holdout.evaluation[:, 0])
    assert np.isnan(hidden.values[splits.holdout.evaluation[0, 0] :]).all()
    assert fit_fold(hidden).score == fit_fold(panel).score


def plain_loop(
    panel: SeriesPanel, train: TrainSpec, batches: list[torch.Tensor], scaler: Scaler, model: ModelSpec | None = None
) -> dict[str, Any]:
    """Weights after a few lines of training over the batches, and their moving average if asked for."""
    torch.manual_seed(train.seed)
    inputs = input_spec(panel.schema, n_series=1, short_series="error")
    network = ForecastNetwork(model or PLAIN, inputs, horizon=3)
    windows = batching.WindowTensor(panel, scaler, inputs, context_length=8, horizon=3)
    optimizer = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[train.optimizer](
        network.parameters(), lr=train.learning_rate, weight_decay=train.weight_decay, fused=True
    )
    schedules: dict[str, Any] = {
        "cosine": lambda: CosineAnnealingLR(optimizer, len(batches)),
        "one_cycle": lambda: OneCycleLR(optimizer, train.learning_rate, total_steps=len(batches)),
    }
    schedule = schedules[train.schedule]() if train.schedule != "constant" else None
    average = {name: value.clone() for name, value in network.state_dict().items()}
    for updates, batch in enumerate(batches):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=train.precision == "bf16-mixed", cache_enabled=False):
            loss = network.loss(*windows.gather(batch), "mae")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if schedule is not None:
            schedule.step()
        decay = 0.0 if train.ema_decay is None or updates == 0 else min(train.ema_decay, (1 + updates) / (10 + updates))
        for name, value in network.state_dict().items():
            average[name] = decay * average[name] + (1 - decay) * value
    return average


PLAIN = replace(MODEL, dropout=0.0)


@each_row("ema_decay", [None, 0.9])
@each_row("schedule", SCHEDULES)
@each_row("optimizer", OPTIMIZERS)
def test_chunked_lightning_training_is_a_plain_loop(optimizer: str, schedule: str, ema_decay: float | None) -> None:
    """The same batches in the same order through a loop of a few lines give the same weights."""
    panel, splits, _ = setting()
    changes: dict[str, Any] = {"optimizer": optimizer, "schedule": schedule, "ema_decay": ema_decay}
    train = replace(TRAIN, max_epochs=2, weight_decay=0.01, **changes)
    result = training.fit(panel, splits.folds[0], PLAIN, train, FORECAST)
    cutoffs = torch.from_numpy(training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3))
    generator = torch.Generator().manual_seed(train.seed)
    epochs = [cutoffs[torch.randperm(len(cutoffs), generator=generator)] for _ in range(2)]
    batches = [batch for epoch in epochs for batch in epoch.split(train.batch_size)]
    expected = plain_loop(panel, train, batches, result.scaler)
    for name, value in result.network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0 if ema_decay is None else 1e-5, atol=1e-8)


@pytest.mark.parametrize("cell", ["lstm", "gru", "fused"])
def test_mixed_precision_is_a_plain_loop_with_automatic_casts(cell: str) -> None:
    """Each batch reads the weights of its own step, though Lightning casts automatically for a whole chunk."""
    panel, splits, _ = setting()
    model = replace(PLAIN, branches=parse_branches(f"{cell}(6)"))
    train = replace(TRAIN, max_epochs=2, precision="bf16-mixed")
    cutoffs = torch.from_numpy(training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3))
    generator = torch.Generator().manual_seed(train.seed)
    epochs = [cutoffs[torch.randperm(len(cutoffs), generator=generator)] for _ in range(2)]
    batches = [batch for epoch in epochs for batch in epoch.split(train.batch_size)]
    result = training.fit(panel, splits.folds[0], model, train, FORECAST)
    for name, value in plain_loop(panel, train, batches, result.scaler, model).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(result.network.state_dict()[name], value, rtol=0, atol=0)


def test_mixed_precision_is_validated_and_scores_nearly_as_single_does() -> None:
    train = replace(TRAIN, max_epochs=8, ema_decay=0.9)
    mixed, single = fit_fold(train=replace(train, precision="bf16-mixed")), fit_fold(train=train)
    assert mixed.score == pytest.approx(single.score, rel=0.1)
    assert mixed.score != single.score
    assert all(np.isfinite((epoch.train_loss, epoch.score)).all() for epoch in mixed.epochs)
    assert mixed.outputs is not None
    assert mixed.outputs.dtype == np.float32


def test_a_precision_that_the_device_does_not_know_is_an_error_and_not_another_precision() -> None:
    with pytest.raises(SpecError, match="precision '16-mixed' is not supported on cpu; choose 'bf16-mixed'"):
        fit_fold(train=replace(TRAIN, precision="16-mixed"))


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_schedule_spans_the_windows_that_are_drawn_in_all_epochs(schedule: str) -> None:
    panel, splits, _ = setting()
    train = replace(TRAIN, max_epochs=3, schedule=schedule, epoch_windows=40)  # type: ignore[arg-type]
    result = training.fit(panel, splits.folds[0], PLAIN, train, FORECAST)
    cutoffs = training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3)
    data = batching.WindowsDataModule(
        cutoffs, None, panel.offsets, batch_size=16, evaluation_batch_size=1, epoch_windows=40, seed=train.seed
    )
    chunks = [chunk for _ in range(3) for chunk in data.train_dataloader()]
    batches = [batch for chunk in chunks for batch in chunk.split(16)]
    assert len(batches) == 3 * 3
    expected = plain_loop(panel, train, batches, result.scaler)
    for name, value in result.network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-8)


@pytest.mark.parametrize(("loss", "degrees"), [("quantile", 1e9), ("student_t", 4)])
def test_a_loss_of_quantiles_trains_quantiles_that_cover_what_they_say(loss: Any, degrees: float) -> None:
    spec, panel = replace(FORECAST, metric="wql"), make_panel((1000,))
    noise = np.random.default_rng(0).standard_t(degrees, size=(1000, 1))
    panel = replace(panel, values=noise.astype(np.float32))
    _, splits, _ = setting(panel)
    evaluation = make_evaluation(panel, splits.folds[0], spec, context_length=8, stride=1)
    train = replace(TRAIN, loss=loss, max_epochs=12, batch_size=32, ema_decay=0.95)
    result = training.fit(panel, splits.folds[0], MODEL, train, spec, evaluation=evaluation)
    cutoffs = training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3)
    forecast = training.predict(result.network, result.scaler, panel, cutoffs, spec)
    assert result.network.quantiles == spec.quantiles
    assert (np.diff(forecast, axis=-1) >= 0).all()
    truth = panel.values[cutoffs[:, None] + np.arange(3), :1]
    below = (truth[..., None] <= forecast).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(below, spec.quantiles, atol=0.06)
    assert training.quantile_forecast(forecast) is forecast
    assert result.outputs is not None
    score = evaluation.score("wql", training.point_forecast(result.outputs), result.outputs)
    assert result.score == pytest.approx(score)


@pytest.mark.parametrize(
    ("loss", "value", "match"),
    [
        ("negative_binomial", 2.5, "has 2.5, which is not a whole number, but the loss is negative_binomial"),
        ("negative_binomial", -1, "has -1, which is negative"),
        ("tweedie", -0.5, "has -0.5, which is negative, but the loss is tweedie"),
    ],
)
def test_targets_that_a_loss_is_not_for_are_refused(loss: Any, value: float, match: str) -> None:
    panel = counted_panel()
    panel.values[40, 0] = value
    _, splits, _ = setting(panel)
    with pytest.raises(DataError, match=rf"^target '\w+' {match}"):
        training.fit(panel, splits.folds[0], COUNT_MODEL, replace(TRAIN, loss=loss), FORECAST)


COUNT_MODEL = replace(MODEL, normalization="mean")


def counted_panel() -> SeriesPanel:
    """1,000 counts with mean 3 and variance 12, many of them 0."""
    panel = make_panel((1000,))
    counts = np.random.default_rng(0).negative_binomial(1, 0.25, size=(1000, 1))
    return replace(panel, values=counts.astype(np.float32))


def test_a_network_of_counts_learns_their_distribution() -> None:
    spec, panel = replace(FORECAST, metric="wql"), counted_panel()
    _, splits, _ = setting(panel)
    train = replace(TRAIN, loss="negative_binomial", max_epochs=12, batch_size=32, ema_decay=0.95)
    result = training.fit(panel, splits.folds[0], COUNT_MODEL, train, spec)
    cutoffs = training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3)
    forecast = training.predict(result.network, result.scaler, panel, cutoffs, spec)
    np.testing.assert_allclose(forecast, np.rint(forecast), atol=1e-4)
    truth = panel.values[cutoffs[:, None] + np.arange(3), :1]
    at_most = (truth[..., None] <= forecast + 0.5).mean(axis=(0, 1, 2))
    less = (truth[..., None] < forecast - 0.5).mean(axis=(0, 1, 2))
    assert (less - 0.06 <= spec.quantiles).all()
    assert (at_most + 0.06 >= spec.quantiles).all()


def test_a_tweedie_network_forecasts_the_mean() -> None:
    panel = counted_panel()
    _, splits, _ = setting(panel)
    train = replace(TRAIN, loss="tweedie", max_epochs=12, batch_size=32, ema_decay=0.95)
    result = training.fit(panel, splits.folds[0], COUNT_MODEL, train, FORECAST)
    cutoffs = training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3)
    forecast = training.predict(result.network, result.scaler, panel, cutoffs, FORECAST)
    assert forecast.shape[-1] == 1
    assert forecast.min() >= 0
    assert forecast.mean() == pytest.approx(3, abs=0.9), "the median is 2"


def test_other_losses_train_a_point_forecast() -> None:
    result = fit_fold()
    assert result.network.quantiles == (0.5,)
    assert result.outputs is not None
    assert training.quantile_forecast(result.outputs) is None


@pytest.mark.parametrize("normalization", ["series", "last", "window", "mean"])
def test_one_network_learns_series_of_very_different_sizes(normalization: str) -> None:
    """Each is forecast much better than by its own mean, the small one too."""
    panel = make_panel((160, 120), seed=2)
    values = panel.values - 10
    values[160:] *= 1000
    values[:160] += 5
    values[160:] += 5000
    panel = replace(panel, values=values.astype(np.float32))
    splits = make_splits(panel, SplitSpec(holdout=20, folds=1, align="end"), horizon=3, context_length=8)
    evaluation = make_evaluation(panel, splits.folds[0], FORECAST, context_length=8, stride=1)
    model = replace(MODEL, normalization=normalization, dropout=0.0)  # type: ignore[arg-type]
    train = replace(TRAIN, max_epochs=25, learning_rate=0.03)
    result = training.fit(panel, splits.folds[0], model, train, FORECAST, evaluation=evaluation)
    assert result.outputs is not None
    errors = np.abs(evaluation.target - training.point_forecast(result.outputs)).mean(axis=(1, 2))
    size = [np.abs(values[s] - values[s].mean()).mean() for s in (slice(0, 160), slice(160, 280))]
    for series in range(2):
        assert errors[evaluation.series == series].mean() < 0.5 * size[series]


def test_short_series_are_learnt_from_where_they_are_padded() -> None:
    panel = make_panel((200, 45))
    splits = make_splits(
        panel, SplitSpec(holdout=5, folds=1, align="end"), horizon=3, context_length=40, short_series="pad"
    )
    model = replace(MODEL, context_length=40, series_embedding=2)
    result = training.fit(panel, splits.folds[0], model, replace(TRAIN, epoch_windows=50), FORECAST, short_series="pad")
    assert result.network.inputs.padded
    series = result.network.static.series
    assert series is not None
    assert (series.weight[1:] != 0).all(), "both series were met"
    assert (series.weight[0] == 0).all()
    cutoffs = np.array([201, 210, 242])  # one row of context, ten, and 42 of which it reads 40
    assert np.isfinite(training.predict(result.network, result.scaler, panel, cutoffs, FORECAST)).all()


@pytest.mark.parametrize("validated", [False, True])
def test_the_loss_of_an_epoch_is_the_mean_over_its_windows(validated: bool) -> None:
    """The last batch is smaller than the others; a step that goes nowhere leaves the loss as it was."""
    options: dict[str, Any] = {} if validated else {"evaluation": None}
    train = replace(TRAIN, max_epochs=2, learning_rate=1e-12, batch_size=50)
    result = fit_fold(train=train, model=PLAIN, **options)
    panel, splits, _ = setting()
    cutoffs = torch.from_numpy(training_cutoffs(panel, splits.folds[0], context_length=8, horizon=3))
    assert len(cutoffs) % 50
    windows = batching.WindowTensor(panel, result.scaler, result.network.inputs, context_length=8, horizon=3)
    expected = result.network.loss(*windows.gather(cutoffs), "mae").item()
    assert [epoch.train_loss for epoch in result.epochs] == pytest.approx([expected] * 2, rel=1e-5)


def test_targets_that_are_not_known_are_neither_learned_nor_scored() -> None:
    panel = make_panel((160,))
    observed = np.random.default_rng(0).random(160) < 0.8
    gappy = replace(panel, known=observed[:, None], observed=observed)

    result = fit_fold(gappy, train=replace(TRAIN, max_epochs=2, loss="mse"))

    assert all(math.isfinite(epoch.train_loss) and math.isfinite(epoch.score) for epoch in result.epochs)
    # Values that are far away but never known change the contexts of validation alone if they lie behind the training.
    _, splits, evaluation = setting(gappy)
    first = int(evaluation.cutoffs[-1])
    changed = gappy.values.copy()
    changed[first:][~observed[first:]] = 1e6
    again = fit_fold(replace(gappy, values=changed), train=replace(TRAIN, max_epochs=2, loss="mse"))
    assert not observed[first : splits.folds[0].evaluation[0, 1]].all()
    assert [(e.train_loss, e.score) for e in again.epochs] == [(e.train_loss, e.score) for e in result.epochs]
