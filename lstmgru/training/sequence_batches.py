"""Batches of sequences with similar lengths, gathered by index from one resident tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstmgru.data.sequences.sequences import Indices
from lstmgru.nn.sequence_network import SequenceInputs
from lstmgru.training.chunks import CHUNK_BATCHES, Chunks

# Training sequences are sorted by length within random pools of this many batches: few enough for batches to differ
# between epochs, many enough to avoid most of the padding.
_POOL_BATCHES = 16
# Without gradients a sequence needs little memory, so evaluation uses large batches: at most this many sequences, and
# this many numbers including padding.
_EVALUATION_SEQUENCES = 1024
_EVALUATION_NUMBERS = 600_000


class SequenceBatch(NamedTuple):
    """A batch of sequences: network inputs, and targets (batch,), classes or scaled numbers."""

    inputs: SequenceInputs
    target: Tensor


class SequenceTensor:
    """All encoded sequences, concatenated on one device; batches are gathered by index.

    Args:
        values: (rows, F) scaled numbers, or (rows,) codes of tokens.
        offsets: (n + 1,) rows of sequence ``i`` are ``offsets[i]:offsets[i + 1]``.
        target: (n,) codes of the classes, or scaled numbers; (0,) for prediction.
    """

    def __init__(self, values: npt.NDArray[np.generic], offsets: Indices, target: npt.NDArray[np.generic]) -> None:
        padding = np.zeros((1, *values.shape[1:]), values.dtype)
        self.values = torch.from_numpy(np.concatenate([values, padding]))
        self.starts = torch.from_numpy(offsets[:-1].copy())
        self.lengths = torch.from_numpy(np.diff(offsets))
        self.target = torch.from_numpy(target)
        self._steps = torch.arange(int(self.lengths.max()) if len(self.lengths) else 0)

    def to(self, device: torch.device) -> None:
        """Move everything to the training device."""
        for name in ("values", "starts", "lengths", "target", "_steps"):
            setattr(self, name, getattr(self, name).to(device))

    def gather(self, indices: Tensor) -> SequenceBatch:
        """The sequences with (batch,) indices, and their targets."""
        return SequenceBatch(self.read(indices), self.target[indices])

    def read(self, indices: Tensor) -> SequenceInputs:
        """The sequences with (batch,) indices, padded with zeros to the longest."""
        lengths = self.lengths[indices]
        steps = self._steps[: int(lengths.max())]
        rows = self.starts[indices].unsqueeze(1) + steps
        rows = torch.where(steps < lengths.unsqueeze(1), rows, len(self.values) - 1)
        return SequenceInputs(self.values[rows], lengths)


class Bucketed(Chunks):
    """A new order in each pass, with sequences of similar lengths in each batch.

    The sequences are shuffled and divided into pools of a few batches, each pool is sorted by length, and the batches
    of all pools are visited in random order.

    Args:
        sequences: (sequences,) indices.
        lengths: (n,) steps of every sequence.
        batch_size: Sequences per optimizer step.
        most: Maximum number of sequences per pass, drawn at random for each pass; ``None`` for all.
        seed: Seed of the orders.
    """

    def __init__(self, sequences: Indices, lengths: Indices, *, batch_size: int, most: int | None, seed: int) -> None:
        super().__init__(sequences, batch_size * CHUNK_BATCHES)
        self._lengths = torch.from_numpy(np.asarray(lengths, np.int64))
        self._batch_size = batch_size
        self._most = len(sequences) if most is None else min(most, len(sequences))
        self.generator = torch.Generator().manual_seed(seed)

    @property
    def size(self) -> int:
        """Sequences per pass."""
        return self._most

    def _epoch(self) -> Tensor:
        shuffled = self._examples[self._permutation(len(self._examples))[: self._most]]
        # An incomplete batch must come last, and must not always hold the longest sequences.
        n_full = self._most - self._most % self._batch_size
        full, rest = shuffled[:n_full], shuffled[n_full:]
        pools = torch.split(full, self._batch_size * _POOL_BATCHES)
        batches = [batch for pool in pools for batch in torch.split(self._sorted(pool), self._batch_size)]
        return torch.cat([*(batches[at] for at in self._permutation(len(batches))), rest])

    def _sorted(self, pool: Tensor) -> Tensor:
        return pool[torch.argsort(self._lengths[pool], stable=True)]

    def _permutation(self, count: int) -> Tensor:
        return torch.randperm(count, generator=self.generator)


class ByLength(Chunks):
    """The same batches in each pass, shortest sequences first, none with too many numbers.

    Args:
        sequences: (sequences,) indices.
        lengths: (n,) steps of every sequence.
        n_features: Numbers per encoded step.
    """

    def __init__(self, sequences: Indices, lengths: Indices, n_features: int) -> None:
        by_length = np.argsort(lengths[sequences], kind="stable")
        super().__init__(sequences[by_length], _EVALUATION_SEQUENCES)
        self.restore = np.argsort(by_length)
        """(sequences,) position of each sequence in a pass."""
        self._sizes = _batch_sizes(lengths[sequences][by_length] * n_features)

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[Tensor]:
        yield from torch.split(self._examples, self._sizes)


def _batch_sizes(numbers: Indices) -> list[int]:
    """Largest batch sizes for sequences of ascending sizes, at least 1."""
    sizes, start = [], 0
    for end, largest in enumerate(numbers.tolist()):
        if end - start == _EVALUATION_SEQUENCES or (end > start and largest * (end - start + 1) > _EVALUATION_NUMBERS):
            sizes.append(end - start)
            start = end
    return [*sizes, len(numbers) - start]
