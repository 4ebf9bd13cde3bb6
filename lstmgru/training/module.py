"""The Lightning shell of a network: chunked optimisation steps, one score an epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from lstmgru.data.scaling import StandardScaler
from lstmgru.errors import TrainingDiverged
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import TrainSpec
from lstmgru.training.averaging import average_of, averaged
from lstmgru.training.batches import WindowTensor

Array = npt.NDArray[np.float32]
SCORE = "score"
"""Name under which the validation score is logged: what early stopping monitors."""


class ForecastModule(LightningModule):
    """Trains a network on windows that are gathered by index.

    Optimisation is manual: one ``training_step`` walks a chunk of mini-batches, so that Lightning's cost per step is
    paid once a chunk.

    Args:
        network: What is trained.
        spec: How.
        windows: The data, moved to the device on start.
        scaler: Brings forecasts back to original units.
        score: (windows, H, Y) forecasts in original units → the metric; ``None``: no validation.
    """

    def __init__(
        self,
        network: ForecastNetwork,
        spec: TrainSpec,
        windows: WindowTensor,
        scaler: StandardScaler,
        score: Callable[[Array], float] | None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self._average = averaged(network, spec.ema_decay) if spec.ema_decay is not None else None
        self.train_loss = float("nan")
        self.score = float("nan")
        self._spec, self._windows, self._scaler, self._score = spec, windows, scaler, score
        self._losses: list[Tensor] = []
        self._forecasts: list[Tensor] = []

    @property
    def scored_network(self) -> ForecastNetwork:
        """The network that is validated and kept: the moving average, or the trained network itself."""
        return self.network if self._average is None else average_of(self._average)

    def on_fit_start(self) -> None:
        """Put the rows where the network is."""
        self._windows.to(self.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW (Loshchilov & Hutter 2019)."""
        spec = self._spec
        return torch.optim.AdamW(self.network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay)

    def training_step(self, chunk: Tensor, batch_idx: int) -> None:
        """Optimise over the batches of a chunk of (windows,) cutoffs."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)  # one optimiser, see configure_optimizers
        for cutoffs in torch.split(chunk, self._spec.batch_size):
            loss = self.network.loss(*self._windows.gather(cutoffs), self._spec.loss)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if self._spec.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._spec.gradient_clip)
            optimizer.step()
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
        past, future, _ = self._windows.gather(cutoffs)
        self._forecasts.append(self.scored_network(past, future))

    def on_validation_epoch_end(self) -> None:
        """Score the epoch in original units.

        Raises:
            TrainingDiverged: The loss or the score is not finite.
        """
        self._close_epoch()
        assert self._score is not None  # validation only runs where there is a score
        forecast = self._scaler.inverse_targets(torch.cat(self._forecasts).float().cpu().numpy())
        self._forecasts.clear()
        self.score = self._score(forecast)
        if not np.isfinite(self.score):
            raise TrainingDiverged(f"the validation score became {self.score} in epoch {self.current_epoch + 1}")
        self.log(SCORE, self.score)

    def on_train_epoch_end(self) -> None:
        """Without validation, the epoch ends here.

        Raises:
            TrainingDiverged: The loss is not finite.
        """
        if self._score is None:
            self._close_epoch()

    def _close_epoch(self) -> None:
        self.train_loss = float(torch.stack(self._losses).sum()) / self._windows_seen
        if not np.isfinite(self.train_loss):
            raise TrainingDiverged(f"the training loss became {self.train_loss} in epoch {self.current_epoch + 1}")
