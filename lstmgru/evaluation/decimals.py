"""Numbers with fixed decimals, so that all numbers of one measure are written alike."""

from __future__ import annotations

import math
from collections.abc import Iterable

_MOST = 17
"""Decimals that a double can hold."""


def fixed(value: float, decimals: int) -> str:
    """A number with that many decimals and separated thousands; ``undefined`` if it is not finite."""
    if not math.isfinite(value):
        return "undefined"
    text = f"{value:,.{min(decimals, _MOST)}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text


def decimals_of(values: Iterable[float | None], digits: int = 4) -> int:
    """Decimals with which the median of several numbers has that many digits, the same for all of them."""
    known = [abs(value) for value in values if value is not None and math.isfinite(value) and value]
    return max(0, digits - 1 - math.floor(math.log10(sorted(known)[len(known) // 2]))) if known else digits - 1


def score_decimals(score: float | None, *, larger_is_better: bool) -> int:
    """Decimals of a score and of all that it is compared with: four if 1 is the best one, else those of four digits."""
    return 4 if larger_is_better else decimals_of([score])
