"""What happens around an epoch: keep the best weights, tell the observer, stop when asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lstmgru.training.module import Array, TrainingModule


@dataclass(frozen=True)
class EpochResult:
    """One epoch: its number from 1, mean training loss (scaled), score (original units), seconds since the start.

    ``score`` is NaN where there is no validation.
    """

    epoch: int
    train_loss: float
    score: float
    seconds: float


class Observer(Protocol):
    """Follows a training as it runs."""

    def on_epoch(self, result: EpochResult) -> None:
        """Called after every epoch."""

    def should_stop(self) -> bool:
        """Whether to stop now; asked between chunks of batches."""


class SilentObserver:
    """Follows nothing and never stops."""

    def on_epoch(self, result: EpochResult) -> None:
        """Nothing to tell."""

    def should_stop(self) -> bool:
        """Never."""
        return False


class BestWeights(Callback):
    """Keeps the weights and outputs of the best epoch in memory, the weights on the device; stops when none is better.

    Args:
        patience: Epochs without a better one after which training stops; ``None``: it goes on.
    """

    def __init__(self, patience: int | None = None) -> None:
        self.score = float("nan")
        self.epoch = 0
        self._patience, self._rank = patience, (float("inf"), float("inf"))
        self.outputs: Array | None = None
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the weights when they are the best so far."""
        assert isinstance(pl_module, TrainingModule)
        epoch = trainer.current_epoch + 1
        if pl_module.rank < self._rank:
            self._rank, self.score, self.epoch = pl_module.rank, pl_module.score, epoch
            self.outputs = pl_module.outputs
            state = pl_module.scored_network.state_dict()
            self._weights = {name: value.detach().clone() for name, value in state.items()}
        elif self._patience is not None and epoch - self.epoch >= self._patience:
            trainer.should_stop = True

    def restore(self, module: TrainingModule) -> None:
        """Load the best weights into the network; without any validation, the last ones that would be scored."""
        module.network.load_state_dict(self._weights or module.scored_network.state_dict())


class Watch(Callback):
    """Tells the observer of every epoch, and stops the training when it asks."""

    def __init__(self, observer: Observer) -> None:
        self.epochs: list[EpochResult] = []
        self.stopped = False
        self._observer = observer
        self._start = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """Between two chunks: stop if asked."""
        if self._observer.should_stop():
            self.stopped = trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """After the validation, if there is any."""
        assert isinstance(pl_module, TrainingModule)
        seconds = time.perf_counter() - self._start
        result = EpochResult(trainer.current_epoch + 1, pl_module.train_loss, pl_module.score, seconds)
        self.epochs.append(result)
        self._observer.on_epoch(result)
        if self._observer.should_stop():
            self.stopped = trainer.should_stop = True
