"""How messages show times, counts and lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def show_time(time: object) -> str:
    """A day without its midnight, a step as a number."""
    if isinstance(time, np.integer | int):
        return str(time)
    import pandas as pd

    return str(pd.Timestamp(time)).removesuffix(" 00:00:00")  # type: ignore[arg-type]  # a datetime64


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shorten(names: Sequence[object], most: int = 12) -> str:
    """``a, b, c`` with no more than ``most`` names."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
