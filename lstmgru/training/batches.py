"""Windows as index batches over one resident tensor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lstmgru.data.scaling import Scaler
from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows
from lstmgru.nn.network import Inputs
from lstmgru.specs import InputSpec
from lstmgru.training.chunks import CHUNK_BATCHES, Chunks, ChunksDataModule, Shuffled

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


class WindowsDataModule(ChunksDataModule):
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
        super().__init__(
            Shuffled(training, offsets, batch_size * CHUNK_BATCHES, most=epoch_windows, seed=seed),
            None if evaluation is None else Chunks(evaluation, evaluation_batch_size),
            batch_size=batch_size,
        )
