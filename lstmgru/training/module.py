"""The Lightning shell of a network: chunked optimisation steps, one score an epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from lstmgru.errors import TrainingDiverged
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import Optimizer, TrainSpec
from lstmgru.training.averaging import average_of, averaged
from lstmgru.training.batches import WindowTensor

Array = npt.NDArray[np.float32]
SCORE = "score"
"""Name under which the validation score is logged: what early stopping monitors."""

_OPTIMIZERS: dict[Optimizer, type[torch.optim.Adam]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


class ForecastModule(LightningModule):
    """Trains a network on windows that are gathered by index.

    Optimisation is manual: one ``training_step`` walks a chunk of mini-batches, so that Lightning's cost per step is
    paid once a chunk.

    Args:
        network: What is trained.
        spec: How.
        windows: The data, moved to the device on start.
        n_steps: Optimiser steps of the whole training, over which the learning rate follows its schedule.
        unscale: (windows, H, Y, Q) scaled forecasts → original units.
        score: Those in original units → the metric; ``None``: no validation.
    """

    def __init__(
        self,
        network: ForecastNetwork,
        spec: TrainSpec,
        windows: WindowTensor,
        *,
        n_steps: int,
        unscale: Callable[[Array], Array],
        score: Callable[[Array], float] | None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self._average = averaged(network, spec.ema_decay) if spec.ema_decay is not None else None
        self.score = float("nan")
        self.forecast: Array | None = None
        """(windows, H, Y, Q) of the last validation, in original units."""
        self._spec, self._windows, self._n_steps = spec, windows, n_steps
        self._unscale, self._score = unscale, score
        self._schedule: LRScheduler | None = None
        self._losses: list[Tensor] = []
        self._windows_seen = 0
        self._forecasts: list[Tensor] = []

    @property
    def train_loss(self) -> float:
        """Mean loss over the windows of this epoch so far; NaN before the first of them."""
        return float(torch.stack(self._losses).sum()) / self._windows_seen if self._losses else float("nan")

    @property
    def scored_network(self) -> ForecastNetwork:
        """The network that is validated and kept: the moving average, or the trained network itself."""
        return self.network if self._average is None else average_of(self._average)

    def on_fit_start(self) -> None:
        """Put the rows where the network is."""
        self._windows.to(self.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser, and the schedule of its learning rate."""
        spec = self._spec
        optimizer = _OPTIMIZERS[spec.optimizer](
            self.network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay
        )
        self._schedule = _schedule(spec, optimizer, self._n_steps)
        return optimizer

    def training_step(self, chunk: Tensor, batch_idx: int) -> None:
        """Optimise over the batches of a chunk of (windows,) cutoffs."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)  # one optimiser, see configure_optimizers
        for cutoffs in torch.split(chunk, self._spec.batch_size):
            inputs, target = self._windows.gather(cutoffs)
            loss = self.network.loss(inputs, target, self._spec.loss)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if self._spec.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._spec.gradient_clip)
            optimizer.step()
            if self._schedule is not None:
                self._schedule.step()
            if self._average is not None:
                self._average.update_parameters(self.network)
            self._losses.append(loss.detach() * len(cutoffs))
        self._windows_seen += len(chunk)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's losses."""
        self._losses.clear()
        self._windows_seen = 0

    def validation_step(self, cutoffs: Tensor, batch_idx: int) -> None:
        """Forecast a batch of (windows,) cutoffs."""
        self._forecasts.append(self.scored_network(*self._windows.gather(cutoffs).inputs))

    def on_validation_epoch_end(self) -> None:
        """Score the epoch in original units.

        Raises:
            TrainingDiverged: The loss or the score is not finite.
        """
        self._check_loss()
        assert self._score is not None  # validation only runs where there is a score
        self.forecast = self._unscale(torch.cat(self._forecasts).float().cpu().numpy())
        self._forecasts.clear()
        self.score = self._score(self.forecast)
        if not np.isfinite(self.score):
            raise TrainingDiverged(f"the validation score became {self.score} in epoch {self.current_epoch + 1}")
        self.log(SCORE, self.score)

    def on_train_epoch_end(self) -> None:
        """Without validation, the epoch ends here.

        Raises:
            TrainingDiverged: The loss is not finite.
        """
        if self._score is None:
            self._check_loss()

    def _check_loss(self) -> None:
        loss = self.train_loss
        if not np.isfinite(loss):
            raise TrainingDiverged(f"the training loss became {loss} in epoch {self.current_epoch + 1}")


def _schedule(spec: TrainSpec, optimizer: torch.optim.Optimizer, n_steps: int) -> LRScheduler | None:
    """The schedule of a training of so many steps; ``None`` where the learning rate stays."""
    match spec.schedule:
        case "constant":
            return None
        case "cosine":
            return CosineAnnealingLR(optimizer, n_steps)
        case "one_cycle":
            return OneCycleLR(optimizer, spec.learning_rate, total_steps=n_steps)
