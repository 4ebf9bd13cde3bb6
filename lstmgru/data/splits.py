"""Rolling-origin folds before a holdout at the end of the series.

A split says which rows may be learnt from (``train``) and in which rows the scored targets lie (``evaluation``).
Nothing at or after the first evaluation row of a split is ever part of its training rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstmgru.data.series import SeriesPanel
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
        minimums = {
            "holdout": 1,
            "folds": 1,
            "fold_size": 1,
            "step": 1,
            "gap": 0,
            "train_size": 1,
            "stride": 1,
        }
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


def make_splits(panel: SeriesPanel, spec: SplitSpec, *, horizon: int, context_length: int) -> Splits:
    """Cut a panel into folds and a holdout.

    Args:
        panel: The whole data.
        spec: How to cut.
        horizon: H, steps of one forecast.
        context_length: The longest context that will be read; every training part must hold one window of it.

    Raises:
        DataError: The series are too short for that many folds, that horizon or that context.
    """
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

    def fold(number: int) -> Split:
        end = spec.holdout + step * (spec.folds - number)
        start_row, end_row = (_rows_before_end(panel, steps, spec.align) for steps in (end + size, end))
        return _split(f"fold {number}", panel, start_row, end_row, spec.gap, train_size)

    # The first fold has the least to train on: before the others, of which there may be any number.
    first = fold(1)
    _check_lengths(panel, first, spec, size, step, horizon, context_length)
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
    longest = int(np.argmax(panel.times[ends - 1]))
    last = int(ends[longest])
    if steps == 0:
        return ends.copy()
    row = last - steps
    # Where even the series that ends last is too short, no row is left: the length check says so.
    moment = panel.times[max(row, int(starts[longest]))]
    return np.array(
        [start + np.searchsorted(panel.times[start:end], moment) for start, end in zip(starts, ends, strict=True)]
    )


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


def _check_lengths(
    panel: SeriesPanel, first: Split, spec: SplitSpec, size: int, step: int, horizon: int, context_length: int
) -> None:
    needed = context_length + horizon
    have = first.train[:, 1] - first.train[:, 0]
    short = np.flatnonzero(have < needed)
    if len(short) == 0:
        return
    worst = int(short[np.argmin(have[short])])
    reserved = spec.holdout + step * (spec.folds - 1) + size + spec.gap
    which = f"series {panel.ids[worst]!r}" if len(panel) > 1 else "the series"
    raise DataError(
        f"{which} has {panel.lengths[worst]} rows, too few: the first fold trains on what is left "
        f"before the last {reserved} (holdout, folds, gap), here {have[worst]} rows, and needs at least {needed} "
        f"(context {context_length} + horizon {horizon}); "
        "use fewer or smaller folds, a smaller holdout, or a shorter context"
        + (f" ({len(short)} of {len(panel)} series are too short)" if len(panel) > 1 else "")
    )
