"""The calibration of prediction intervals, as a bundle stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.errors import SpecError
from lstmgru.specs.fields import check_types, single_precision

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """How far the intervals of each level reach beyond a forecast.

    Attributes:
        levels: Nominal coverage of the intervals, ascending.
        offsets: (levels, H, Y) in units of the window's scale; NaN if the backtest is too small for a level, which
            then has no interval.
        scaled: Whether windows have the scale of :mod:`lstmgru.data.forecasting.windows`; otherwise it is 1, and
            offsets are in original units.
        season_length: Steps in one season, for the scale.
        n_windows: Number of scored backtest forecasts.
    """

    levels: tuple[float, ...]
    offsets: Array
    scaled: bool
    season_length: int
    n_windows: int

    def __post_init__(self) -> None:
        if self.offsets.ndim != 3 or len(self.offsets) != len(self.levels):
            raise SpecError(
                f"offsets must be ({len(self.levels)} levels, H, Y) but have the shape {self.offsets.shape}"
            )

    @property
    def known_levels(self) -> tuple[float, ...]:
        """The levels that have an interval, ascending."""
        of_level = zip(self.levels, self.offsets, strict=True)
        return tuple(level for level, offsets in of_level if not np.isnan(offsets).all())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, ``None`` for NaN; :meth:`from_dict` is the inverse."""
        # The shortest decimal of a float32 is exact, and half as long as that of its double.
        numbers = [None if np.isnan(value) else float(str(value)) for value in self.offsets.ravel()]
        return {
            "levels": list(self.levels),
            "shape": list(self.offsets.shape),
            "offsets": numbers,
            "scaled": self.scaled,
            "season_length": self.season_length,
            "n_windows": self.n_windows,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The calibration that :meth:`to_dict` wrote.

        Raises:
            SpecError: Levels and offsets do not fit together, or a value is of the wrong type or too large.
        """
        plain = {key: value for key, value in values.items() if key not in ("levels", "shape", "offsets")}
        check_types(cls, plain)
        offsets = single_precision("offsets", values["offsets"]).reshape(values["shape"])
        return cls(levels=tuple(values["levels"]), offsets=offsets, **plain)
