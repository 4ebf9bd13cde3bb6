"""What an epoch walks through: chunks of indices, each worth several mini-batches."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from lstmgru.data.forecasting.splits import Rows

# Batches in one training_step: enough to make Lightning's cost of a step vanish, few enough to stop within a second.
CHUNK_BATCHES = 32


class Chunks:
    """The same batches in each pass.

    Args:
        cutoffs: (windows,) rows.
        chunk_size: Windows in a chunk.
    """

    def __init__(self, cutoffs: Rows, chunk_size: int) -> None:
        self._cutoffs = torch.from_numpy(np.asarray(cutoffs, np.int64))
        self._chunk_size = chunk_size

    def __len__(self) -> int:
        return math.ceil(self.size / self._chunk_size)

    @property
    def size(self) -> int:
        """Windows of a pass."""
        return len(self._cutoffs)

    def _epoch(self) -> Tensor:
        return self._cutoffs

    def __iter__(self) -> Iterator[Tensor]:
        yield from torch.split(self._epoch(), self._chunk_size)


class ChunksDataModule(LightningDataModule):
    """Chunks for training and for evaluation.

    Args:
        training: Walked in each epoch; a training step takes a chunk batch by batch.
        evaluation: Scored after each epoch; ``None``: there is no validation.
        batch_size: Examples in an optimizer step.
    """

    def __init__(self, training: Chunks, evaluation: Chunks | None, *, batch_size: int) -> None:
        super().__init__()
        self._training, self._evaluation = training, evaluation
        self.n_steps = math.ceil(training.size / batch_size)
        """Optimizer steps of an epoch."""

    def train_dataloader(self) -> Chunks:
        """The chunks of the next epoch."""
        return self._training

    def val_dataloader(self) -> Chunks | list[Tensor]:
        """Large batches; an empty list where there is no validation."""
        return self._evaluation if self._evaluation is not None else []
