"""Windows as index batches over one resident tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from lstmgru.data.scaling import StandardScaler
from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows

# Batches in one training_step: enough to make Lightning's cost of a step vanish, few enough to stop within a second.
CHUNK_BATCHES = 32
# Without gradients a window costs little memory, so evaluation takes many at once.
EVALUATION_BATCH_SIZE = 1024


class Window(NamedTuple):
    """A batch of windows, scaled: past (batch, T, F), future (batch, H, K), target (batch, H, Y)."""

    past: Tensor
    future: Tensor
    target: Tensor


class WindowTensor:
    """All rows of a panel, scaled, on one device; windows are gathered from it by cutoff.

    Args:
        panel: The data.
        scaler: Fitted on the training part.
        context_length: T.
        horizon: H.
    """

    def __init__(self, panel: SeriesPanel, scaler: StandardScaler, *, context_length: int, horizon: int) -> None:
        self.values = torch.from_numpy(scaler.transform(panel.values))
        self.n_targets, self.n_future = panel.n_targets, panel.n_future
        self.n_inputs = self.values.shape[1]
        self._past = torch.arange(-context_length, 0)
        self._ahead = torch.arange(horizon)

    def to(self, device: torch.device) -> None:
        """Move the rows to the device that trains."""
        self.values = self.values.to(device)
        self._past, self._ahead = self._past.to(device), self._ahead.to(device)

    def gather(self, cutoffs: Tensor) -> Window:
        """The windows at (batch,) cutoffs."""
        ahead = self.values[cutoffs[:, None] + self._ahead]
        past = self.values[cutoffs[:, None] + self._past]
        return Window(past, ahead[..., self.n_inputs - self.n_future :], ahead[..., : self.n_targets])


class _Chunks:
    """Re-iterable: each pass yields the cutoffs in a new order, chunk by chunk.

    Args:
        cutoffs: (windows,) rows.
        chunk_size: Windows in a chunk.
        generator: Shuffles; ``None`` keeps the order.
    """

    def __init__(self, cutoffs: Rows, chunk_size: int, generator: torch.Generator | None) -> None:
        self._cutoffs = torch.from_numpy(np.asarray(cutoffs, np.int64))
        self._chunk_size = chunk_size
        self._generator = generator

    def __len__(self) -> int:
        return math.ceil(len(self._cutoffs) / self._chunk_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = self._cutoffs
        if self._generator is not None:
            order = order[torch.randperm(len(order), generator=self._generator)]
        yield from torch.split(order, self._chunk_size)


class WindowsDataModule(LightningDataModule):
    """Cutoffs for training, shuffled anew each epoch, and for evaluation.

    Args:
        training: (windows,) cutoffs to learn from.
        evaluation: (windows,) cutoffs to score; ``None``: there is no validation.
        batch_size: Windows in an optimiser step.
        seed: Of the order.
    """

    def __init__(self, training: Rows, evaluation: Rows | None, *, batch_size: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self._training = _Chunks(training, batch_size * CHUNK_BATCHES, generator)
        self._evaluation = None if evaluation is None else _Chunks(evaluation, EVALUATION_BATCH_SIZE, None)

    def train_dataloader(self) -> _Chunks:
        """Chunks of cutoffs; a training step walks a chunk batch by batch."""
        return self._training

    def val_dataloader(self) -> _Chunks | list[Tensor]:
        """Large batches of cutoffs; an empty list where there is no validation."""
        return self._evaluation if self._evaluation is not None else []
