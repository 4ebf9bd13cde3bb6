"""The chunks of batches that an epoch consists of, for every task."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

# Batches per training_step: enough to amortize Lightning's overhead, few enough to stop within a second.
CHUNK_BATCHES = 32


class Chunks:
    """The same batches in each pass.

    Args:
        examples: (n,) positions of windows or sequences.
        chunk_size: Examples in a chunk.
    """

    generator: torch.Generator | None = None
    """Draws the batches of a pass; ``None``: they are always the same."""

    def __init__(self, examples: npt.NDArray[np.int64], chunk_size: int) -> None:
        self._examples = torch.from_numpy(np.asarray(examples, np.int64))
        self._chunk_size = chunk_size

    def __len__(self) -> int:
        return math.ceil(self.size / self._chunk_size)

    @property
    def size(self) -> int:
        """Examples per pass."""
        return len(self._examples)

    def _epoch(self) -> Tensor:
        return self._examples

    def __iter__(self) -> Iterator[Tensor]:
        yield from torch.split(self._epoch(), self._chunk_size)


class ChunksDataModule(LightningDataModule):
    """Chunks for training and for evaluation.

    Args:
        training: Chunks of an epoch; a training step iterates over the batches of a chunk.
        evaluation: Scored after each epoch; ``None`` for no validation.
        batch_size: Examples per optimizer step.
    """

    def __init__(self, training: Chunks, evaluation: Chunks | None, *, batch_size: int) -> None:
        super().__init__()
        self._training, self._evaluation = training, evaluation
        self.n_steps = math.ceil(training.size / batch_size)
        """Optimizer steps per epoch."""

    def train_dataloader(self) -> Chunks:
        """The chunks of the next epoch."""
        return self._training

    def val_dataloader(self) -> Chunks | list[Tensor]:
        """Large batches; an empty list without validation."""
        return self._evaluation if self._evaluation is not None else []

    # Lightning would ask the chunks themselves, but restores their state only in the middle of an epoch.

    def state_dict(self) -> dict[str, Tensor]:
        """The state of the generator, for checkpoints."""
        generator = self._training.generator
        return {} if generator is None else {"generator": generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Restore it."""
        assert self._training.generator is not None  # see state_dict
        self._training.generator.set_state(state_dict["generator"])
