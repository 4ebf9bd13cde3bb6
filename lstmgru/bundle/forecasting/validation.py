"""Whether a model knows what it would have to know of a table's series, and can read their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstmgru.bundle.forecasting.arrays import Codes, first_not_positive
from lstmgru.data.forecasting.context import ForecastContext
from lstmgru.data.formatting import shorten, show_time
from lstmgru.data.tables.aliases import parse_frequency
from lstmgru.data.tables.grid import times_at
from lstmgru.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from lstmgru.bundle.forecasting.bundle import ForecastBundle


def series_codes(bundle: ForecastBundle, context: ForecastContext, source: str) -> Codes:
    """(series,) codes of a table's series, for a model that keeps numbers for each of those that it learnt from.

    Raises:
        DataError: It has not learnt from a series.
    """
    code = {name: number for number, name in enumerate(bundle.ids, start=1)}
    for name in context.ids:
        if name not in code:
            spec = bundle.model_spec
            keeps = "an embedding" if spec.series_embedding else f"the scale (normalization {spec.normalization})"
            near = did_you_mean(str(name), [str(known) for known in code])
            raise DataError(
                f"{source}: the model keeps {keeps} of each series that it learnt from, and {name!r} is none of them"
                f"{near} (series: {shorten(list(code))}); leave it out, or train with space.normalization fold, window "
                "or mean and space.series_embedding 0"
            )
    return np.array([code[name] for name in context.ids], np.int64)


def check_logarithms(bundle: ForecastBundle, context: ForecastContext, source: str) -> None:
    """Refuse contexts with a target that is not positive, for a model that takes logarithms.

    Raises:
        DataError: Names the first such value.
    """
    if not bundle.model_spec.log:
        return
    found = first_not_positive(context.past, len(bundle.schema.targets), context.lengths)
    if found is None:
        return
    series, step, target = found
    grid = parse_frequency(bundle.frequency, step=bundle.step)
    back = np.array([step + 1 - context.past.shape[1]])
    (when,) = times_at(grid, context.last_times[series : series + 1], back, context.timezone)
    of_series = f" of series {context.ids[series]!r}" if bundle.schema.id else ""
    raise DataError(
        f"{source}: column {bundle.schema.targets[target]!r} must be positive, for the model takes logarithms "
        f"(transform {bundle.model_spec.transform}), but is {context.past[series, step, target]:g} at "
        f"{show_time(when)}{of_series}; correct it, or train with space.transform none or difference"
    )
