"""Rolling-origin folds before a holdout at the end of the series.

A split has training rows (``train``) and rows of scored targets (``evaluation``). Its training rows always precede its
first evaluation row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries, check_short_series
from lstmgru.errors import DataError, SpecError

Rows = npt.NDArray[np.int64]

MOST_STEPS = 1_000_000_000
"""Maximum of all lengths in a :class:`SplitSpec`, so that the product of two fits in 64 bits."""


@dataclass(frozen=True)
class SplitSpec:
    """How a panel is split; all lengths are in time steps.

    Attributes:
        holdout: Steps at the end that the search never sees.
        folds: Number of rolling-origin folds before the holdout.
        fold_size: Steps of the evaluation part of a fold; ``None`` for the length of the holdout.
        step: Distance between the evaluation parts of two folds; ``None`` for ``fold_size``.
        gap: Steps between a training part and its evaluation part.
        window: ``expanding``: training parts start at the first row; ``sliding``: they have ``train_size`` steps.
        train_size: Steps of a sliding training part; ``None`` for that of the first fold.
        stride: Steps between two scored cutoffs.
        align: ``time``: all series are split at the same times; ``end``: each series is split relative to its end.
    """

    holdout: int
    folds: int = 3
    fold_size: int | None = None
    step: int | None = None
    gap: int = 0
    window: Literal["expanding", "sliding"] = "expanding"
    train_size: int | None = None
    stride: int = 1
    align: Literal["time", "end"] = "time"

    def __post_init__(self) -> None:
        minimums = {"holdout": 1, "folds": 1, "fold_size": 1, "step": 1, "gap": 0, "train_size": 1, "stride": 1}
        for name, minimum in minimums.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise SpecError(f"{name} must be at least {minimum} but got {value}")
            if value is not None and value > MOST_STEPS:
                raise SpecError(f"{name} must be at most {MOST_STEPS} but got {value}")


@dataclass(frozen=True)
class Split:
    """One training part and the evaluation part after it.

    Attributes:
        name: ``fold 1``, ``fold 2``, … or ``holdout``.
        train: (series, 2) absolute rows ``[start, end)`` of the training part.
        evaluation: (series, 2) absolute rows ``[start, end)`` of the scored targets.
    """

    name: str
    train: Rows
    evaluation: Rows

    @property
    def n_train(self) -> int:
        """Rows of the training part, all series together."""
        return int((self.train[:, 1] - self.train[:, 0]).sum())


@dataclass(frozen=True)
class Splits:
    """The folds of the search, and the holdout for the best model and the baselines.

    Attributes:
        folds: First to last in time.
        holdout: Its training part is everything before the holdout (and its gap).
        stride: Steps between two scored cutoffs.
    """

    folds: tuple[Split, ...]
    holdout: Split
    stride: int


def time_span(panel: SeriesPanel, parts: Rows) -> tuple[np.generic, np.generic]:
    """The first and the last time of parts, at least one of which has rows.

    Args:
        panel: The data.
        parts: (series, 2) absolute rows ``[start, end)``, which may be empty.
    """
    starts, ends = parts[parts[:, 1] > parts[:, 0]].T
    return panel.times[starts].min(), panel.times[ends - 1].max()


def make_splits(
    panel: SeriesPanel, spec: SplitSpec, *, horizon: int, context_length: int, short_series: ShortSeries = "error"
) -> Splits:
    """Split a panel into folds and a holdout.

    Args:
        panel: All data.
        spec: How to split.
        horizon: H, steps of one forecast.
        context_length: The longest context; every training part must have at least one window with it.
        short_series: With ``pad``, it is enough that one series has one row and a horizon to train on; others may have
            less, or start later. A sliding part then has at least the length of a window.

    Raises:
        DataError: The series are too short for the folds, the horizon or the context.
    """
    check_short_series(short_series)
    size = spec.fold_size or spec.holdout
    step = spec.step or size
    for name, length in (("splits.holdout", spec.holdout), ("splits.fold_size", size)):
        if length < horizon:
            raise DataError(
                f"{name} is {length} steps, shorter than forecast.horizon ({horizon}): no forecast fits in it; "
                f"make it at least {horizon}"
            )
    train_size = None
    if spec.window == "sliding":
        first_start = _rows_before_end(panel, spec.holdout + step * (spec.folds - 1) + size, spec.align)
        train_size = spec.train_size or int((first_start - spec.gap - panel.offsets[:-1]).max())
        if short_series == "pad":
            train_size = _at_least_a_window(train_size, context_length, horizon, chosen=spec.train_size is None)

    def fold(number: int) -> Split:
        end = spec.holdout + step * (spec.folds - number)
        start_row, end_row = (_rows_before_end(panel, steps, spec.align) for steps in (end + size, end))
        return _split(f"fold {number}", panel, start_row, end_row, spec.gap, train_size)

    # The first fold has the smallest training part; check it before creating the others, which may be many.
    first = fold(1)
    reserved = spec.holdout + step * (spec.folds - 1) + size + spec.gap
    _check_first(panel, first, reserved, horizon, context_length, short_series, spec.folds)
    holdout_start = _rows_before_end(panel, spec.holdout, spec.align)
    return Splits(
        folds=(first, *(fold(number) for number in range(2, spec.folds + 1))),
        holdout=_split("holdout", panel, holdout_start, _rows_before_end(panel, 0, spec.align), spec.gap, None),
        stride=spec.stride,
    )


def split_at(panel: SeriesPanel, starts: Rows, *, name: str) -> Split:
    """The split that scores all rows from some on and trains on those before.

    Args:
        panel: All data.
        starts: (series,) absolute first rows of the evaluation part; the end of a series for none.
        name: Of the split.
    """
    return _split(name, panel, starts, panel.offsets[1:], 0, None)


def whole_split(panel: SeriesPanel, holdout: Split) -> Split:
    """The split that trains on all rows, those of the holdout included.

    Args:
        panel: All data.
        holdout: Its evaluation part is kept, and must not be scored after this training.
    """
    return Split("everything", np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1), holdout.evaluation)


def _rows_before_end(panel: SeriesPanel, steps: int, align: str) -> Rows:
    """(series,) absolute first rows of the last ``steps`` steps."""
    starts, ends = panel.offsets[:-1], panel.offsets[1:]
    if align == "end" or len(panel) == 1:
        return np.maximum(ends - steps, starts)
    if steps == 0:
        return ends.copy()
    moment = _moment_before_end(panel, steps)
    if moment is None:
        return starts.copy()
    return np.array(
        [start + np.searchsorted(panel.times[start:end], moment) for start, end in zip(starts, ends, strict=True)]
    )


def _moment_before_end(panel: SeriesPanel, steps: int) -> np.generic | None:
    """The start time of the last ``steps`` steps of the panel; ``None`` if it is before all rows."""
    from lstmgru.data.tables.frequency import parse_frequency
    from lstmgru.data.tables.grid import positions, times_at

    ends = panel.offsets[1:] - 1
    last = np.flatnonzero(panel.times[ends] == panel.times[ends].max())
    longest = last[np.argmax(panel.lengths[last])]
    if steps <= panel.lengths[longest]:
        return panel.times[ends[longest] + 1 - steps]  # type: ignore[no-any-return]  # times are of any type
    # All series that reach the end start later, so the grid is extended backward.
    grid = parse_frequency(panel.frequency, step=panel.step)
    span = np.array([panel.times[panel.offsets[:-1]].min(), panel.times[ends[longest]]])
    before = int(positions(grid, span, np.array([0, 2]), panel.timezone)[0][1])
    if steps > before + 1:
        return None
    return times_at(grid, span[1:], np.array([1 - steps]), panel.timezone)[0]  # type: ignore[no-any-return]


def _split(name: str, panel: SeriesPanel, start: Rows, end: Rows, gap: int, train_size: int | None) -> Split:
    """The split with evaluation rows ``start:end``; training parts end with an observed row.

    A filled row may be interpolated from a later value, which would leak into a training part that ends with it.
    """
    train_end = np.maximum(start - gap, panel.offsets[:-1])
    for series, first in enumerate(panel.offsets[:-1]):
        while train_end[series] > first and not panel.observed[train_end[series] - 1]:
            train_end[series] -= 1
    train_start = panel.offsets[:-1].copy()
    if train_size is not None:
        train_start = np.maximum(train_start, train_end - train_size)
    return Split(name, np.stack([train_start, train_end], axis=1), np.stack([start, end], axis=1))


def _check_first(
    panel: SeriesPanel,
    first: Split,
    reserved: int,
    horizon: int,
    context_length: int,
    short_series: ShortSeries,
    folds: int,
) -> None:
    """Refuse a first fold with too little to train on.

    Args:
        panel: The data.
        first: The fold.
        reserved: Steps after its training part.
        horizon: H.
        context_length: T.
        short_series: With ``error``, all series need T + H rows; with ``pad``, one series needs 1 + H.
        folds: Number of folds.
    """
    have = first.train[:, 1] - first.train[:, 0]
    padded = short_series == "pad"
    needed = horizon + (1 if padded else context_length)
    if (have.max() if padded else have.min()) >= needed:
        return
    worst = int(np.argmax(have) if padded else np.argmin(have))
    which = f"series {panel.ids[worst]!r}" if len(panel) > 1 else "the series"
    context = "one row of context" if padded else f"context {context_length}"
    way_out = ["use fewer or smaller folds" if folds > 1 else "use smaller folds", "a smaller holdout"]
    if not padded:
        way_out += ["a shorter context"] if context_length > 1 else []
        way_out += ["data.short_series: pad"] if have.max() > horizon else []
    short = int((have < needed).sum())
    raise DataError(
        f"{which} has {panel.lengths[worst]} rows, too few: the first fold trains on what is left before the last "
        f"{reserved} (holdout, folds, gap), here {have[worst]} rows, and needs at least {needed} "
        f"({context} + horizon {horizon}); {', '.join(way_out[:-1])}, or {way_out[-1]}"
        + (f" ({short} of {len(panel)} series are too short)" if len(panel) > 1 else "")
    )


def _at_least_a_window(train_size: int, context_length: int, horizon: int, *, chosen: bool) -> int:
    """The length of a sliding training part, which must not be shorter than a window itself."""
    needed = context_length + horizon
    if train_size < needed and not chosen:
        raise DataError(
            f"splits.train_size is {train_size}, shorter than a window of {needed} steps (context {context_length} + "
            f"horizon {horizon}); make it at least {needed}"
        )
    return max(train_size, needed)
