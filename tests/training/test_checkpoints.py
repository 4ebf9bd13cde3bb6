"""A training that resumes from any of its checkpoints ends bit for bit like one that was not interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from helpers.panels import make_panel
from helpers.sequences import CLASSES, make_sequences, make_texts, split_of

from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.evaluation.forecasts import make_evaluation
from lstmgru.specs import ForecastSpec, ModelSpec, SequenceModelSpec, TrainSpec, parse_branches

if TYPE_CHECKING:
    from lstmgru.training.training import EpochResult

TRAIN = TrainSpec(
    learning_rate=1e-2, batch_size=8, max_epochs=5, patience=None, ema_decay=0.9, accelerator="cpu", seed=3
)
MODEL = ModelSpec(parse_branches("gru(4)"), context_length=8, dropout=0.1)
LABELS = SequenceModelSpec(parse_branches("bi-gru(4)"), max_length=8, pooling="mean", dropout=0.2)


class Watching:
    """Keeps the epochs that it is told about."""

    def __init__(self) -> None:
        self.epochs: list[EpochResult] = []

    def on_epoch(self, result: EpochResult) -> None:
        """Kept."""
        self.epochs.append(result)

    def should_stop(self) -> bool:
        """Never."""
        return False


def forecasts(model: dict[str, Any], train: TrainSpec, *, scored: bool = True, **options: Any) -> Any:
    from lstmgru.training.fit_forecasts import fit

    panel, spec = make_panel((160,), past=1, future=1), ForecastSpec(horizon=3, season_length=7)
    fold = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=3, context_length=8).folds[0]
    evaluation = make_evaluation(panel, fold, spec, context_length=8, stride=1) if scored else None
    return fit(panel, fold, replace(MODEL, **model), train, spec, evaluation=evaluation, **options)


def labels(model: dict[str, Any], train: TrainSpec, **options: Any) -> Any:
    from lstmgru.training.fit_sequences import fit_sequences

    data = make_texts() if "tokens" in model else make_sequences()
    train = replace(train, loss="cross_entropy")
    return fit_sequences(data, split_of(data), replace(LABELS, **model), train, CLASSES, **options)


def unscored(model: dict[str, Any], train: TrainSpec, **options: Any) -> Any:
    return forecasts(model, train, scored=False, **options)


@pytest.mark.parametrize(
    ("fit", "model", "train"),
    [
        (forecasts, {}, {"schedule": "one_cycle"}),
        (forecasts, {"recurrent_dropout": 0.2, "input_noise": 0.1}, {"schedule": "cosine", "epoch_windows": 40}),
        (forecasts, {"branches": parse_branches("lstm(4)")}, {"max_epochs": 20, "patience": 1, "learning_rate": 0.3}),
        (forecasts, {"branches": parse_branches("fused(3)")}, {"ema_decay": None, "optimizer": "adam"}),
        (unscored, {}, {"min_epoch_windows": 200}),
        (labels, {}, {"schedule": "one_cycle", "class_weights": "balanced"}),
        (labels, {"fcn_filters": 4}, {"max_epochs": 20, "patience": 2, "learning_rate": 0.1, "epoch_windows": 50}),
        (
            labels,
            {"tokens": "word", "embedding_size": 4, "normalization": "none", "token_dropout": 0.2},
            {"schedule": "cosine", "label_smoothing": 0.1},
        ),
    ],
)
def test_a_training_that_resumes_ends_like_one_that_was_not_interrupted(
    fit: Callable[..., Any], model: dict[str, Any], train: dict[str, Any]
) -> None:
    from lstmgru.training.checkpoints import Checkpoints

    spec = replace(TRAIN, **train)
    plain = fit(model, spec)
    kept: list[bytes] = []
    whole = fit(model, spec, checkpoints=Checkpoints(kept.append, seconds=0.0))
    assert_same(whole, plain)  # taking them changes nothing
    assert len(kept) == len(whole.epochs) - 1  # with the last epoch, the training ends
    if spec.patience is not None:
        assert len(whole.epochs) < spec.max_epochs
    for number, checkpoint in [*enumerate(kept, start=1)][::3]:
        watching, later = Watching(), list[bytes]()
        checkpoints = Checkpoints(later.append, seconds=0.0, resume_from=checkpoint)
        resumed = fit(model, spec, observer=watching, checkpoints=checkpoints)
        assert_same(resumed, whole)
        assert [each.epoch for each in watching.epochs] == [each.epoch for each in whole.epochs[number:]]
        assert len(later) == len(kept) - number
        seconds = [each.seconds for each in resumed.epochs]
        assert seconds[:number] == [each.seconds for each in whole.epochs[:number]]
        assert [*seconds, resumed.seconds] == sorted([*seconds, resumed.seconds])


def assert_same(one: Any, other: Any) -> None:
    """Two trainings had the same epochs, and led to the same network."""
    curves = [[(each.epoch, each.train_loss, each.score) for each in fitted.epochs] for fitted in (one, other)]
    np.testing.assert_array_equal(*curves)
    assert one.best_epoch == other.best_epoch
    np.testing.assert_array_equal(one.score, other.score)
    assert (one.outputs is None) == (other.outputs is None)
    if one.outputs is not None:
        assert one.outputs.tobytes() == other.outputs.tobytes()
        assert one.outputs.dtype == other.outputs.dtype
    state = other.network.state_dict()
    for name, value in one.network.state_dict().items():
        assert value.numpy().tobytes() == state[name].numpy().tobytes(), name


def test_a_short_training_takes_no_checkpoint() -> None:
    from lstmgru.training.checkpoints import Checkpoints

    kept: list[bytes] = []
    forecasts({}, TRAIN, checkpoints=Checkpoints(kept.append, seconds=60.0))
    assert kept == []
