"""Rolling-origin folds before a holdout at the end of the series.

A split says which rows may be learnt from (``train``) and in which rows the scored targets lie (``evaluation``).
Nothing at or after the first evaluation row of a split is ever part of its training rows.
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
"""Longest length of a :class:`SplitSpec`: the product of two still is a row number of 64 bits."""


@dataclass(frozen=True)
class SplitSpec:
    """How a panel is cut; all lengths are in time steps.

    Attributes:
        holdout: Steps at the end that the search never sees.
        folds: Number of rolling-origin folds before the holdout.
        fold_size: Steps in which a fold's scored targets lie; ``None``: as long as the holdout.
        step: Distance between the evaluation parts of two folds; ``None``: ``fold_size``.
        gap: Steps left out between a training part and its evaluation part.
        window: ``expanding``: training parts start at the first row; ``sliding``: all are ``train_size`` long.
        train_size: Steps of a sliding training part; ``None``: as long as the first fold's.
        stride: Steps between two scored cutoffs.
        align: ``time``: all series are cut at the same moments; ``end``: each is cut counting from its own end.
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
        train: (series, 2) absolute rows ``[start, end)`` that may be learnt from.
        evaluation: (series, 2) absolute rows ``[start, end)`` in which the scored targets lie.
    """

    name: str
    train: Rows
    evaluation: Rows


@dataclass(frozen=True)
class Splits:
    """The folds of the search, and the holdout that only the winner and the baselines are scored on.

    Attributes:
        folds: First to last in time.
        holdout: Trains on everything before the holdout (and its gap), is evaluated on the holdout.
        stride: Steps between two scored cutoffs.
    """

    folds: tuple[Split, ...]
    holdout: Split
    stride: int


def time_span(panel: SeriesPanel, parts: Rows) -> tuple[np.generic, np.generic]:
    """The first and the last time of parts, some of which have rows.

    Args:
        panel: The data.
        parts: (series, 2) absolute rows ``[start, end)``; of a series that begins later there are none.
    """
    starts, ends = parts[parts[:, 1] > parts[:, 0]].T
    return panel.times[starts].min(), panel.times[ends - 1].max()


def make_splits(
    panel: SeriesPanel, spec: SplitSpec, *, horizon: int, context_length: int, short_series: ShortSeries = "error"
) -> Splits:
    """Cut a panel into folds and a holdout.

    Args:
        panel: The whole data.
        spec: How to cut.
        horizon: H, steps of one forecast.
        context_length: The longest context that will be read; every training part must hold one window of it.
        short_series: With ``pad`` one series with a row and a horizon to train on is enough; others may have less, or
            begin after a training part. A sliding part then is at least one window long.

    Raises:
        DataError: The series are too short for that many folds, that horizon or that context.
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

    # The first fold has the least to train on: before the others, of which there may be any number.
    first = fold(1)
    reserved = spec.holdout + step * (spec.folds - 1) + size + spec.gap
    _check_first(panel, first, reserved, horizon, context_length, short_series)
    holdout_start = _rows_before_end(panel, spec.holdout, spec.align)
    return Splits(
        folds=(first, *(fold(number) for number in range(2, spec.folds + 1))),
        holdout=_split("holdout", panel, holdout_start, _rows_before_end(panel, 0, spec.align), spec.gap, None),
        stride=spec.stride,
    )


def _rows_before_end(panel: SeriesPanel, steps: int, align: str) -> Rows:
    """(series,) absolute rows at which the last ``steps`` steps begin."""
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
    """The time at which the last ``steps`` steps of the panel begin; ``None``: before all of its rows."""
    from lstmgru.data.tables.frequency import parse_frequency
    from lstmgru.data.tables.grid import positions, times_at

    ends = panel.offsets[1:] - 1
    last = np.flatnonzero(panel.times[ends] == panel.times[ends].max())
    longest = last[np.argmax(panel.lengths[last])]
    if steps <= panel.lengths[longest]:
        return panel.times[ends[longest] + 1 - steps]  # type: ignore[no-any-return]  # times are of any type
    # Every series that goes on to the end began later than that, so its grid has to be continued backwards.
    grid = parse_frequency(panel.frequency, step=panel.step)
    span = np.array([panel.times[panel.offsets[:-1]].min(), panel.times[ends[longest]]])
    before = int(positions(grid, span, np.array([0, 2]), panel.timezone)[0][1])
    if steps > before + 1:
        return None
    return times_at(grid, span[1:], np.array([1 - steps]), panel.timezone)[0]  # type: ignore[no-any-return]


def _split(name: str, panel: SeriesPanel, start: Rows, end: Rows, gap: int, train_size: int | None) -> Split:
    """The split whose evaluation rows are ``start:end``; a training part ends on an observed row.

    A filled row may hold a value interpolated from a later one, so a training part that ended inside a filled
    stretch would know what comes after it.
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
    panel: SeriesPanel, first: Split, reserved: int, horizon: int, context_length: int, short_series: ShortSeries
) -> None:
    """Refuse a first fold with too little to train on.

    Args:
        panel: The data.
        first: The fold.
        reserved: Steps after its training part.
        horizon: H.
        context_length: T.
        short_series: With ``error`` every series needs T + H rows, with ``pad`` one needs 1 + H.
    """
    have = first.train[:, 1] - first.train[:, 0]
    padded = short_series == "pad"
    needed = horizon + (1 if padded else context_length)
    if (have.max() if padded else have.min()) >= needed:
        return
    worst = int(np.argmax(have) if padded else np.argmin(have))
    which = f"series {panel.ids[worst]!r}" if len(panel) > 1 else "the series"
    context = "one row of context" if padded else f"context {context_length}"
    way_out = ["use fewer or smaller folds", "a smaller holdout"]
    if not padded:
        way_out += ["a shorter context"] + (["data.short_series: pad"] if have.max() > horizon else [])
    short = int((have < needed).sum())
    raise DataError(
        f"{which} has {panel.lengths[worst]} rows, too few: the first fold trains on what is left before the last "
        f"{reserved} (holdout, folds, gap), here {have[worst]} rows, and needs at least {needed} "
        f"({context} + horizon {horizon}); {', '.join(way_out[:-1])}, or {way_out[-1]}"
        + (f" ({short} of {len(panel)} series are too short)" if len(panel) > 1 else "")
    )


def _at_least_a_window(train_size: int, context_length: int, horizon: int, *, chosen: bool) -> int:
    """The length of a sliding training part: padding is for series that are short, not for parts that make them so."""
    needed = context_length + horizon
    if train_size < needed and not chosen:
        raise DataError(
            f"splits.train_size is {train_size}, shorter than a window of {needed} steps (context {context_length} + "
            f"horizon {horizon}); make it at least {needed}"
        )
    return max(train_size, needed)
