"""The Lightning module of a network: optimization in chunks of batches, and one score per epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from lstmgru.errors import TrainingDiverged
from lstmgru.specs import TrainSpec
from lstmgru.training.optimization import MovingAverage, Optimization

Array = npt.NDArray[np.float32]

_ASK_SECONDS = 0.25
"""Time between two questions whether to stop: they are cheap, but not free, and a batch may take a millisecond."""


class Batch(Protocol):
    """A batch of examples: the arguments of a network's ``forward``, and the targets."""

    @property
    def inputs(self) -> tuple[Any, ...]:
        """Arguments of ``forward``."""

    @property
    def target(self) -> Tensor:
        """(batch, …) scaled."""


class ResidentData(Protocol):
    """All examples on one device; batches are gathered by index."""

    def to(self, device: torch.device) -> None:
        """Move the data to the training device."""

    def gather(self, indices: Tensor) -> Batch:
        """The examples with (batch,) indices."""


@dataclass(frozen=True)
class Validation:
    """The validation of a network's outputs after an epoch.

    Attributes:
        restore: Brings (examples, …) outputs of the evaluation chunks into original order and units.
        score: Computes the metric of restored outputs.
        larger_is_better: Whether the metric is maximized.
        tie_break: Computes a score that decides between epochs with the same metric, smaller being better: metrics
            based on counts often tie, and the first such epoch is rarely the best. ``None`` to take the first epoch.
    """

    restore: Callable[[Array], Array]
    score: Callable[[Array], float]
    larger_is_better: bool = False
    tie_break: Callable[[Array], float] | None = None

    def rank(self, score: float, outputs: Array) -> tuple[float, float]:
        """The sort key of an epoch; smaller is better.

        Args:
            score: Its metric.
            outputs: Its outputs in original order and units.
        """
        return -score if self.larger_is_better else score, 0.0 if self.tie_break is None else self.tie_break(outputs)


class TrainingStopped(Exception):
    """The training was asked to stop in the middle of an epoch."""


class TrainingModule(LightningModule):
    """Trains a network on examples that are gathered by index.

    Optimization is manual: one ``training_step`` processes a chunk of mini-batches, so that Lightning's overhead occurs
    once per chunk.

    Args:
        network: The network; its ``forward`` takes the inputs of a batch.
        loss: Mean loss of a batch, from its inputs and targets.
        spec: The training settings.
        data: The examples, moved to the training device at the start.
        n_steps: Total number of optimizer steps, for the learning rate schedule.
        validation: How an epoch is scored; ``None`` for no validation.
        should_stop: Asked several times a second, between batches of training and of validation.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[Any, Tensor], Tensor],
        spec: TrainSpec,
        data: ResidentData,
        *,
        n_steps: int,
        validation: Validation | None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self._average = MovingAverage(network, spec.ema_decay) if spec.ema_decay is not None else None
        self.score = float("nan")
        self.outputs: Array | None = None
        """(examples, …) outputs of the last validation, in original units."""
        self.rank = (float("inf"), float("inf"))
        """Sort key of the last validation, see :meth:`Validation.rank`."""
        self.validation = validation
        self._loss, self._spec, self._data, self._n_steps = loss, spec, data, n_steps
        self._optimization: Optimization | None = None
        self._losses: list[Tensor] = []
        self._seen = 0
        self._should_stop, self._asked = should_stop, time.monotonic()
        self._outputs: list[Tensor] = []

    @property
    def train_loss(self) -> float:
        """Mean loss over the examples of this epoch so far; NaN before the first."""
        return float(torch.stack(self._losses).sum()) / self._seen if self._losses else float("nan")

    @property
    def scored_network(self) -> nn.Module:
        """The network that is validated and kept: the moving average, or the trained network itself."""
        return self.network if self._average is None else self._average.network

    def on_fit_start(self) -> None:
        """Move the examples to the device of the network."""
        self._data.to(self.device)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
        """Optimizer and schedule, which Lightning adds to checkpoints; :class:`Optimization` takes the steps."""
        self._optimization = Optimization(self.network.parameters(), self._spec, self._n_steps)
        self._optimization.scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        schedule = self._optimization.schedule
        return [self._optimization.optimizer], [] if schedule is None else [schedule]

    def training_step(self, chunk: Tensor, batch_idx: int) -> None:
        """Optimize over the batches of a chunk of (examples,) indices.

        Raises:
            TrainingStopped: As requested.
        """
        optimization = self._optimization
        assert optimization is not None  # see configure_optimizers
        for indices in torch.split(chunk, self._spec.batch_size):
            batch = self._data.gather(indices)
            loss = self._loss(batch.inputs, batch.target)
            optimization.step(loss)
            if self._average is not None:
                self._average.update(self.network)
            self._losses.append(loss.detach() * len(indices))
            self._stop_if_asked()
        self._seen += len(chunk)

    def on_train_epoch_start(self) -> None:
        """Reset the losses."""
        self._losses.clear()
        self._seen = 0

    def validation_step(self, indices: Tensor, batch_idx: int) -> None:
        """Run the network on (examples,) indices.

        Raises:
            TrainingStopped: As requested.
        """
        self._outputs.append(self.scored_network(*self._data.gather(indices).inputs))
        self._stop_if_asked()

    def on_validation_epoch_end(self) -> None:
        """Score the epoch in original units.

        Raises:
            TrainingDiverged: The loss or the score is not finite.
        """
        self._check_loss()
        assert self.validation is not None  # Lightning validates only where there is one
        self.outputs = self.validation.restore(torch.cat(self._outputs).float().cpu().numpy())
        self._outputs.clear()
        self.score = self.validation.score(self.outputs)
        if not np.isfinite(self.score):
            raise TrainingDiverged(f"the validation score became {self.score} in epoch {self.current_epoch + 1}")
        self.rank = self.validation.rank(self.score, self.outputs)

    def on_train_epoch_end(self) -> None:
        """Check the loss if there is no validation.

        Raises:
            TrainingDiverged: The loss is not finite.
        """
        if self.validation is None:
            self._check_loss()

    def _stop_if_asked(self) -> None:
        if time.monotonic() - self._asked < _ASK_SECONDS:
            return
        self._asked = time.monotonic()
        if self._should_stop():
            raise TrainingStopped

    def _check_loss(self) -> None:
        loss = self.train_loss
        if not np.isfinite(loss):
            raise TrainingDiverged(f"the training loss became {loss} in epoch {self.current_epoch + 1}")
