"""Batches of windows, gathered by index from one resident tensor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Rows
from lstmgru.data.forecasting.windows import Runs
from lstmgru.nn.forecast_network import Inputs
from lstmgru.specs import InputSpec
from lstmgru.training.chunks import CHUNK_BATCHES, Chunks, ChunksDataModule

# Without gradients a window needs little memory, so evaluation uses large batches: at most this many windows, and this
# many numbers in their contexts.
_EVALUATION_WINDOWS = 1024
_EVALUATION_NUMBERS = 600_000
# Devices on which indexing overlapping views copies only the selected windows.
_WITH_VIEWS = ("cpu", "cuda")


class Window(NamedTuple):
    """A batch of scaled windows: network inputs, and targets (batch, H, Y), NaN where they are not known."""

    inputs: Inputs
    target: Tensor


class WindowTensor:
    """All rows of a panel on one device; windows are gathered by cutoff and then scaled.

    The rows are stored unscaled, so on a CPU they share the memory of the panel, even across processes.

    Args:
        panel: The data.
        scaler: Fitted on the training part.
        inputs: The inputs of the network.
        context_length: T.
        horizon: H.
        tell_series: Whether the network needs the codes of the series.

    Raises:
        DataError: A target whose logarithm is needed is not positive.
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
        scaler.check(panel.values)
        self.values = torch.from_numpy(panel.values)
        self.static = torch.from_numpy(scaler.transform_static(panel.static))
        self.offsets = torch.from_numpy(panel.offsets)
        self._known = None if panel.known is None else torch.from_numpy(panel.known)
        self._mean, self._scale = torch.from_numpy(scaler.mean), torch.from_numpy(scaler.scale)
        self._log, self._by_series = scaler.log, scaler.by_series
        self._floor = None if scaler.floor is None else torch.from_numpy(scaler.floor)
        self._inputs, self._tell_series = inputs, tell_series
        self._context_length = context_length
        self._span = torch.arange(-context_length, horizon)
        self._windows = self._views()

    def to(self, device: torch.device) -> None:
        """Move the rows to the device that trains."""
        for name in ("values", "static", "offsets", "_mean", "_scale", "_span"):
            setattr(self, name, getattr(self, name).to(device))
        self._known = None if self._known is None else self._known.to(device)
        self._floor = None if self._floor is None else self._floor.to(device)
        self._windows = self._views()

    def _views(self) -> Tensor | None:
        """(rows - T - H + 1, T + H, F) view of all windows, even across series, or ``None``.

        Selected windows are copied as a whole, which is faster than row by row.
        """
        span = len(self._span)
        if len(self.values) < span or self.values.device.type not in _WITH_VIEWS:
            return None
        return self.values.unfold(0, span, 1).transpose(1, 2)

    def gather(self, cutoffs: Tensor) -> Window:
        """The windows at (batch,) cutoffs."""
        inputs, steps = self._inputs, self._context_length
        at = start = static = series = lengths = None
        if inputs.padded or inputs.n_static or self._tell_series or self._by_series:
            at = torch.searchsorted(self.offsets, cutoffs - 1, right=True) - 1
            static = self.static[at] if inputs.n_static else None
            series = at + 1 if self._tell_series else None
            if inputs.padded:
                start = self.offsets[at]
                lengths = (cutoffs - start).clamp(max=steps)
        rows = self._scaled(self._rows(cutoffs, start), at)
        past, ahead = rows[:, :steps].contiguous(), rows[:, steps:]
        future, target = ahead[..., inputs.n_inputs - inputs.n_future :], ahead[..., : inputs.n_targets]
        if self._known is not None:
            target = target.where(self._known[cutoffs[:, None] + self._span[steps:]], torch.nan)
        return Window(Inputs(past, future, static, series, lengths), target)

    def _rows(self, cutoffs: Tensor, start: Tensor | None) -> Tensor:
        """(batch, T + H, F) in original units; rows before ``start`` repeat the row at ``start``."""
        if start is None and self._windows is not None:
            return torch.index_select(self._windows, 0, cutoffs - self._context_length)
        rows = cutoffs[:, None] + self._span
        return self.values[rows if start is None else torch.maximum(rows, start[:, None])]

    def _scaled(self, rows: Tensor, series: Tensor | None) -> Tensor:
        """Scale (batch, T + H, F) rows in place."""
        if self._log:
            targets = rows[..., : self._inputs.n_targets]
            if self._floor is not None:
                torch.maximum(targets, self._floor, out=targets)
            targets.log_()
        if self._by_series:
            assert series is not None  # see gather
            return rows.sub_(self._mean[series, None]).div_(self._scale[series, None])
        return rows.sub_(self._mean).div_(self._scale)


def evaluation_batch_size(context_length: int, n_inputs: int) -> int:
    """Number of windows that are forecast at once."""
    return max(1, min(_EVALUATION_WINDOWS, _EVALUATION_NUMBERS // (context_length * n_inputs)))


class ShuffledWindows(Chunks):
    """A new random order of the cutoffs in each epoch, with repetition or balanced sampling to limit its length.

    Args:
        runs: The cutoffs, series by series.
        offsets: (series + 1,) first rows of the series.
        chunk_size: Windows in a chunk.
        least: Approximate minimum number of windows per epoch; fewer are repeated a whole number of times.
        most: Maximum number of windows per epoch, of which each series gets an equal share; ``None`` for all.
        seed: Seed of the orders.
    """

    def __init__(
        self, runs: Runs, offsets: Rows, chunk_size: int, *, least: int = 1, most: int | None, seed: int
    ) -> None:
        self._chunk_size, self._runs = chunk_size, runs
        self.generator = torch.Generator().manual_seed(seed)
        bounds = runs.before(offsets)
        counts = np.diff(bounds)
        has = counts > 0
        self._first, self._counts = torch.from_numpy(bounds[:-1][has]), torch.from_numpy(counts[has])
        self._passes = max(1, round(least / len(runs)))
        windows = self._passes * len(runs)
        self._size = windows if most is None else min(most, windows)
        # Series with the same number of windows, all of which fit, are balanced anyway.
        self._balance = most is not None and (self._size < windows or len(set(counts[has])) > 1)

    @property
    def size(self) -> int:
        """Windows per epoch."""
        return self._size

    def _epoch(self) -> Tensor:
        return torch.from_numpy(self._runs.at(self._places().numpy()))

    def _places(self) -> Tensor:
        """Positions in the runs of the windows of an epoch."""
        if not self._balance:
            orders = [torch.randperm(len(self._runs), generator=self.generator) for _ in range(self._passes)]
            return torch.cat(orders)
        n_series = len(self._counts)
        order = torch.randperm(n_series, generator=self.generator)
        series = order.repeat(-(-self._size // n_series))[: self._size]
        within = torch.rand(self._size, generator=self.generator, dtype=torch.float64) * self._counts[series]
        chosen = self._first[series] + within.long()
        return chosen[torch.randperm(self._size, generator=self.generator)]


class WindowsDataModule(ChunksDataModule):
    """Cutoffs for training, reshuffled each epoch, and for evaluation.

    Args:
        training: Training cutoffs, series by series: (windows,) rows, or their runs.
        evaluation: (windows,) cutoffs to score; ``None`` for no validation.
        offsets: (series + 1,) first rows of the series.
        batch_size: Windows per optimizer step.
        evaluation_batch_size: Windows that are forecast at once.
        epoch_windows: Maximum number of windows per epoch, see :class:`~lstmgru.specs.TrainSpec`.
        min_epoch_windows: Approximate minimum, reached by repetition.
        seed: Seed of the order.
    """

    def __init__(
        self,
        training: Rows | Runs,
        evaluation: Rows | None,
        offsets: Rows,
        *,
        batch_size: int,
        evaluation_batch_size: int,
        epoch_windows: int | None,
        min_epoch_windows: int = 1,
        seed: int,
    ) -> None:
        super().__init__(
            ShuffledWindows(
                training if isinstance(training, Runs) else Runs.of(training),
                offsets,
                batch_size * CHUNK_BATCHES,
                least=min_epoch_windows,
                most=epoch_windows,
                seed=seed,
            ),
            None if evaluation is None else Chunks(evaluation, evaluation_batch_size),
            batch_size=batch_size,
        )
