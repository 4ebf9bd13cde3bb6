"""Times of a table of forecasts as positions on an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def seconds_of(times: pd.Series) -> list[float]:
    """Steps, or seconds since 1970 in local time."""
    if times.dtype.kind == "i":
        return [float(time) for time in times]
    local = times.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    return [float(time) for time in local.astype(np.int64)]
