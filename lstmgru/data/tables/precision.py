"""Numbers that single precision, in which models compute, would round to almost nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstmgru.data.tables.grid import Integers
from lstmgru.errors import DataError

_Float = npt.NDArray[np.float64]
# Limits the memory of intermediate results.
_BLOCK_ROWS = 262_144
_MOST_ROUNDING = 0.1
"""Largest share of the rounding error in the size of the changes, or in the deviation."""
_NOISE = 1e-12
"""Relative size below which changes are rounding errors of double precision themselves."""


def check_changes(values: _Float, offsets: Integers, what: str) -> None:
    """Refuse numbers whose changes from row to row are about as small as the steps of single precision.

    Args:
        values: (rows,) numbers, none missing.
        offsets: (series + 1,) series ``s`` has the rows ``offsets[s]:offsets[s + 1]``.
        what: The column, as the subject of the message.

    Raises:
        DataError: Single precision would round the changes away.
    """
    squares, count = 0.0, len(values) - len(offsets) + 1
    for start in range(0, len(values), _BLOCK_ROWS):
        part = values[start : start + _BLOCK_ROWS + 1]
        change = np.diff(part)
        breaks = offsets[1:-1] - 1 - start
        change[breaks[(breaks >= 0) & (breaks < len(change))]] = 0.0
        squares += float(np.square(change, out=change).sum())
    _check(values, float(np.sqrt(squares / max(count, 1))), what, "changes by about {} from row to row")


def check_deviation(values: _Float, what: str) -> None:
    """Refuse numbers whose standard deviation is about as small as the steps of single precision.

    Args:
        values: (rows,) numbers, none missing.
        what: The column, as the subject of the message.

    Raises:
        DataError: Single precision would round the differences away.
    """
    mean, squares = float(values.mean()), 0.0
    for start in range(0, len(values), _BLOCK_ROWS):
        distance = values[start : start + _BLOCK_ROWS] - mean
        squares += float(np.square(distance, out=distance).sum())
    _check(values, float(np.sqrt(squares / len(values))), what, "has a standard deviation of only {}")


def _check(values: _Float, size: float, what: str, rule: str) -> None:
    largest = float(max(abs(values.min()), abs(values.max())))
    step = float(np.spacing(np.float32(largest)))
    if size <= _NOISE * largest or step <= _MOST_ROUNDING * size:
        return  # constant, or rounded by less even if no number were exact
    squares = 0.0
    for start in range(0, len(values), _BLOCK_ROWS):
        part = values[start : start + _BLOCK_ROWS]
        squares += float(np.square(part - part.astype(np.float32)).sum())
    if np.sqrt(squares / len(values)) > _MOST_ROUNDING * size:
        raise DataError(
            f"{what} {rule.format(f'{size:.3g}')}, but near {largest:.15g} single precision has steps of {step:g}: "
            f"its numbers are too large for their differences; subtract {_constant(values):.15g} from them, or "
            "replace them by their changes"
        )


def _constant(values: _Float) -> float:
    """A round number near the middle of the values."""
    middle, spread = float(np.median(values)), float(np.ptp(values))
    digits = int(np.floor(np.log10(spread)))
    return float(np.round(middle / 10.0**digits) * 10.0**digits)
