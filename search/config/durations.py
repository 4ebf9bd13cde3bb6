"""Times as people write them."""

from __future__ import annotations

import math
import re

from search.errors import shown

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*")
_FORMS = "a number of seconds, or like 90s, 5m, 2h or 1h30m"

PATTERN = r"^\s*(\d+(\.\d+)?\s*[smhd]\s*)+$"
"""Regular expression of the text that :func:`parse_duration` takes."""


def parse_duration(value: object) -> float:
    """Seconds of ``90``, ``"90s"``, ``"5m"``, ``"2h"`` or ``"1h30m"``.

    Raises:
        ValueError: The value has another form, or is not above zero; the message is the predicate of a key.
    """
    seconds = _seconds(value)
    if seconds is None:
        raise ValueError(f"must be {_FORMS} but got {shown(value)}")
    if not 0 < seconds < math.inf:
        raise ValueError(f"must be a time above zero ({_FORMS}) but got {shown(value)}")
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        # What is left between the parts, an unknown unit or a stray word, makes the text no time.
        parts = _PART.findall(value)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts) if re.match(PATTERN, value) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
