"""Times at equal distances as a first time for each series and a distance, which take no memory for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.tables.columns import group_of

# Limits the memory of a comparison.
_BLOCK_ROWS = 262_144


class RegularTimes:
    """The times of a panel whose rows are equally far apart in all series. It is indexed like an array of all times.

    Args:
        first: (series,) first time of each series, ``datetime64[ns]`` or ``int64``.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``.
        distance: Between two rows, in nanoseconds or steps.
    """

    def __init__(self, first: npt.NDArray[Any], offsets: npt.NDArray[np.int64], distance: int) -> None:
        self._first, self._offsets, self._distance = first, offsets, distance

    @property
    def dtype(self) -> np.dtype[Any]:
        """``datetime64[ns]`` or ``int64``."""
        return self._first.dtype

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._offsets[-1])

    def __getitem__(self, rows: Any) -> Any:
        """The times of a row, or of an array, a mask or a slice of rows."""
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.asarray(rows)
        numbers = np.flatnonzero(numbers) if numbers.dtype == bool else numbers
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        series = group_of(self._offsets, numbers)
        ticks = self._first.view(np.int64)[series] + (numbers - self._offsets[series]) * self._distance
        return ticks.view(self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All times."""
        return np.asarray(self[:], dtype)


def compact_times(times: Any, offsets: npt.NDArray[np.int64]) -> Any:
    """Times at equal distances as :class:`RegularTimes`; others, such as those of months, as they are.

    Args:
        times: (rows,) ``datetime64[ns]`` or ``int64``.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``; no series is empty.
    """
    if isinstance(times, RegularTimes) or times.dtype not in (np.int64, np.dtype("datetime64[ns]")):
        return times
    series = int(np.argmax(np.diff(offsets)))
    start, end = offsets[series : series + 2]
    distance = int(np.diff(times[start:end][:2].view(np.int64)).sum())  # 0 of a single row
    found = RegularTimes(times[offsets[:-1]], offsets, distance)
    blocks = (slice(at, at + _BLOCK_ROWS) for at in range(0, len(times), _BLOCK_ROWS))
    return found if all(np.array_equal(found[block], times[block]) for block in blocks) else times
