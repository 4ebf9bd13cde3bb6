"""Windows as index batches over one resident tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from lstmgru.data.scaling import Scaler
from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows
from lstmgru.nn.network import Inputs
from lstmgru.specs import InputSpec

# Batches in one training_step: enough to make Lightning's cost of a step vanish, few enough to stop within a second.
CHUNK_BATCHES = 32
# Without gradients a window costs little memory, so evaluation takes many at once: so many windows, or fewer where
# their contexts hold more than so many numbers.
_EVALUATION_WINDOWS = 1024
_EVALUATION_NUMBERS = 600_000


class Window(NamedTuple):
    """A batch of windows, scaled: what the network reads, and target (batch, H, Y)."""

    inputs: Inputs
    target: Tensor


class WindowTensor:
    """All rows of a panel, scaled, on one device; windows are gathered from it by cutoff.

    Args:
        panel: The data.
        scaler: Fitted on the training part.
        inputs: What the network reads.
        context_length: T.
        horizon: H.
        tell_series: Whether the network tells the series apart.
    """

    def __init__(
        self,
        panel: SeriesPanel,
        scaler: Scaler,
        inputs: InputSpec,
        *,
        context_length: int,
        horizon: int,
        tell_series: bool = False,
    ) -> None:
        series = np.repeat(np.arange(len(panel)), panel.lengths) if scaler.by_series else None
        self.values = torch.from_numpy(scaler.transform(panel.values, series))
        self.static = torch.from_numpy(scaler.transform_static(panel.static))
        self.offsets = torch.from_numpy(panel.offsets)
        self._inputs, self._tell_series = inputs, tell_series
        self._past = torch.arange(-context_length, 0)
        self._ahead = torch.arange(horizon)

    def to(self, device: torch.device) -> None:
        """Move the rows to the device that trains."""
        for name in ("values", "static", "offsets", "_past", "_ahead"):
            setattr(self, name, getattr(self, name).to(device))

    def gather(self, cutoffs: Tensor) -> Window:
        """The windows at (batch,) cutoffs."""
        inputs = self._inputs
        rows = cutoffs[:, None] + self._past
        static = series = lengths = None
        if inputs.padded or inputs.n_static or self._tell_series:
            at = torch.searchsorted(self.offsets, cutoffs - 1, right=True) - 1
            static = self.static[at] if inputs.n_static else None
            series = at + 1 if self._tell_series else None
            if inputs.padded:
                start = self.offsets[at]
                lengths = (cutoffs - start).clamp(max=len(self._past))
                rows = torch.maximum(rows, start[:, None])
        ahead = self.values[cutoffs[:, None] + self._ahead]
        future = ahead[..., inputs.n_inputs - inputs.n_future :]
        return Window(Inputs(self.values[rows], future, static, series, lengths), ahead[..., : inputs.n_targets])


def evaluation_batch_size(context_length: int, n_inputs: int) -> int:
    """How many windows are forecast at once."""
    return max(1, min(_EVALUATION_WINDOWS, _EVALUATION_NUMBERS // (context_length * n_inputs)))


class _Chunks:
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


class _Shuffled(_Chunks):
    """In each pass a new order of all cutoffs; of too many, a new choice, the same number from every series.

    Args:
        cutoffs: (windows,) rows, series after series.
        offsets: (series + 1,) rows at which the series begin.
        chunk_size: Windows in a chunk.
        most: Windows in a pass at most; ``None``: all of them, each once.
        seed: Of the orders.
    """

    def __init__(self, cutoffs: Rows, offsets: Rows, chunk_size: int, *, most: int | None, seed: int) -> None:
        super().__init__(cutoffs, chunk_size)
        self._generator = torch.Generator().manual_seed(seed)
        bounds = np.searchsorted(cutoffs, offsets)
        counts = np.diff(bounds)
        has = counts > 0
        self._first, self._counts = torch.from_numpy(bounds[:-1][has]), torch.from_numpy(counts[has])
        self._most = len(cutoffs) if most is None else min(most, len(cutoffs))
        # Where every series has as many windows and all of them fit, each comes once.
        self._balance = most is not None and (self._most < len(cutoffs) or len(set(counts[has])) > 1)

    @property
    def size(self) -> int:
        """Windows of a pass."""
        return self._most

    def _epoch(self) -> Tensor:
        if not self._balance:
            return self._cutoffs[torch.randperm(len(self._cutoffs), generator=self._generator)]
        n_series = len(self._counts)
        order = torch.randperm(n_series, generator=self._generator)
        series = order.repeat(-(-self._most // n_series))[: self._most]
        within = torch.rand(self._most, generator=self._generator, dtype=torch.float64) * self._counts[series]
        chosen = self._cutoffs[self._first[series] + within.long()]
        return chosen[torch.randperm(self._most, generator=self._generator)]


class WindowsDataModule(LightningDataModule):
    """Cutoffs for training, shuffled anew each epoch, and for evaluation.

    Args:
        training: (windows,) cutoffs to learn from, series after series.
        evaluation: (windows,) cutoffs to score; ``None``: there is no validation.
        offsets: (series + 1,) rows at which the series begin.
        batch_size: Windows in an optimiser step.
        evaluation_batch_size: Windows that are forecast at once.
        epoch_windows: Windows of an epoch at most, see :class:`~lstmgru.specs.TrainSpec`.
        seed: Of the order.
    """

    def __init__(
        self,
        training: Rows,
        evaluation: Rows | None,
        offsets: Rows,
        *,
        batch_size: int,
        evaluation_batch_size: int,
        epoch_windows: int | None,
        seed: int,
    ) -> None:
        super().__init__()
        chunk = batch_size * CHUNK_BATCHES
        self._training = _Shuffled(training, offsets, chunk, most=epoch_windows, seed=seed)
        self.n_steps = math.ceil(self._training.size / batch_size)
        """Optimiser steps of an epoch."""
        self._evaluation = None if evaluation is None else _Chunks(evaluation, evaluation_batch_size)

    def train_dataloader(self) -> _Chunks:
        """Chunks of cutoffs; a training step walks a chunk batch by batch."""
        return self._training

    def val_dataloader(self) -> _Chunks | list[Tensor]:
        """Large batches of cutoffs; an empty list where there is no validation."""
        return self._evaluation if self._evaluation is not None else []
