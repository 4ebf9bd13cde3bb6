"""Checks of what a forecasting model is given: arrays, and the series of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.tables.grid import times_at
from lstmgru.errors import DataError, SeriesError, did_you_mean, shorten, show_time

if TYPE_CHECKING:
    from lstmgru.data.forecasting.context import ForecastContext
    from lstmgru.data.forecasting.series import SeriesSchema
    from lstmgru.data.tables.grid import Grid
    from lstmgru.runtime.forecasting.signature import Categories, ForecastSignature

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

MOST_SAMPLED = 50_000_000
"""Rows of the sample paths that a table holds, and that one series may have: 2 GB, and about 5 GB in the making."""
_ROW_BYTES = 40
"""Of a row of sample paths in memory: series, time, target, sample and value."""
_INTEGERS = ("series", "lengths")
_REASONS = {"series": "the model has parameters for each series", "lengths": "contexts of the model may be padded"}


def check_arrays(
    signature: ForecastSignature, arrays: dict[str, Any], schema: SeriesSchema
) -> dict[str, npt.NDArray[Any]]:
    """The arrays that a model reads, by name, as ``float32`` or ``int64``; others are ignored.

    Args:
        signature: Of the model.
        arrays: ``past``, ``future``, ``static``, ``series``, ``lengths``; ``None`` if not given.
        schema: Names of the columns.

    Raises:
        DataError: An array is missing, or its shape or a value is invalid.
    """
    count, inputs = len(arrays["past"]), signature.inputs
    if not inputs.n_future:  # there is no covariate, but the number of windows must agree
        _check_shape("future", arrays["future"], (count, signature.horizon, 0))
    checked = {}
    for name, shape in signature.shapes.items():
        array = arrays[name]
        if array is None:
            reason = _REASONS.get(name, f"the model reads the static covariates {shorten(schema.static_covariates)}")
            raise DataError(f"{name} must be given: {reason}; its shape is {(count, *shape)}")
        _check_shape(name, array, (count, *shape))
        checked[name] = np.asarray(array, np.int64 if name in _INTEGERS else np.float32)
    _check_codes(checked, signature.categories, schema)
    if "lengths" in checked:
        least, most = signature.required_rows, signature.context_length
        check_range("lengths", arrays["lengths"], least, most, "rows of a context")
    if "series" in checked:
        check_range("series", arrays["series"], 1, inputs.n_series, "codes of the training series")
    lengths = arrays["lengths"] if signature.padded else None
    wrong = _not_positive(arrays["past"], len(schema.targets), signature.log_rows, lengths)
    if wrong is not None:
        window, step, target = (int(index) for index in np.argwhere(wrong)[0])
        raise DataError(
            f"past must be positive in target {schema.targets[target]!r}, as the model takes logarithms, but "
            f"is {arrays['past'][window, step, target]:g} at step {step} of window {window}"
        )
    return checked


def series_codes(
    ids: npt.NDArray[np.object_], known: Sequence[object], signature: ForecastSignature, source: str
) -> Codes:
    """(series,) codes of a table's series, for a model with parameters for each training series.

    Args:
        ids: (series,) names of the series.
        known: Names of the training series.
        signature: Of the model.
        source: Name of the table in error messages.

    Raises:
        DataError: A series is not one of the training series.
    """
    code = {name: number for number, name in enumerate(known, start=1)}
    unknown = [name for name in ids if name not in code]

    def message(index: int) -> str:
        name = unknown[index]
        spec = next(spec for spec in signature.networks if spec.tells_series(len(known)))
        has = "an embedding" if spec.series_embedding else f"a scale (normalization {spec.normalization})"
        near = did_you_mean(str(name), [str(each) for each in code])
        return (
            f"{source}: the model has {has} for each training series, and {name!r} is not one of them"
            f"{near} (series: {shorten(list(code))}); remove it, or train with space.normalization fold, window "
            "or mean and space.series_embedding 0"
        )

    if unknown:
        raise SeriesError(unknown, message)
    return np.array([code[name] for name in ids], np.int64)


def check_logarithms(
    context: ForecastContext, signature: ForecastSignature, schema: SeriesSchema, grid: Grid, source: str
) -> None:
    """Refuse contexts with a target that is not positive, for a model that takes logarithms.

    Args:
        context: The rows that the model reads.
        signature: Of the model.
        schema: Names of the columns.
        grid: Of the model's times.
        source: Name of the table in error messages.

    Raises:
        DataError: Names the first such value.
    """
    wrong = _not_positive(context.past, len(schema.targets), signature.log_rows, context.lengths)
    if wrong is None:
        return
    having = np.flatnonzero(wrong.any(axis=(1, 2)))

    def message(index: int) -> str:
        series = int(having[index])
        step, target = (int(place) for place in np.argwhere(wrong[series])[0])
        back = np.array([step + 1 - context.past.shape[1]])
        (when,) = times_at(grid, context.last_times[series : series + 1], back, context.timezone)
        transform = next(spec.transform for spec in signature.networks if spec.log)
        of_series = f" of series {context.ids[series]!r}" if schema.id else ""
        return (
            f"{source}: column {schema.targets[target]!r} must be positive, as the model takes logarithms "
            f"(transform {transform}), but is {context.past[series, step, target]:g} at "
            f"{show_time(when)}{of_series}; correct it, or train with space.transform none or difference"
        )

    raise SeriesError(context.ids[having].tolist(), message)


def check_finite(context: ForecastContext, outputs: Sequence[Array], schema: SeriesSchema, source: str) -> None:
    """Refuse what overflows, as that of contexts with values near the end of single precision does.

    Args:
        context: The rows that the model reads.
        outputs: (series, …) forecasts, and perhaps quantiles, in original units.
        schema: Names of the columns.
        source: Name of the table in error messages.

    Raises:
        DataError: Names the first series with a value that is not finite, and the largest value of its rows.
    """
    # Quantiles of a level without an interval are NaN.
    overflown = [np.isinf(each) if place else ~np.isfinite(each) for place, each in enumerate(outputs)]
    finite = [~each.reshape(len(context), -1).any(axis=1) for each in overflown]
    having = np.flatnonzero(~np.logical_and.reduce(finite)) if finite else np.empty(0, np.int64)
    if not having.size:
        return

    def message(index: int) -> str:
        series = int(having[index])
        sizes = np.nanmax(np.abs(context.past[series]), axis=0)
        channel = int(sizes.argmax())
        of_series = f" of series {context.ids[series]!r}" if schema.id else ""
        return (
            f"{source}: the forecast{of_series} is not a finite number; column {schema.value_columns[channel]!r} holds "
            f"values up to {sizes[channel]:g} in size before it; correct them"
        )

    raise SeriesError(context.ids[having].tolist(), message)


def check_horizon(steps: int | None, trained: int) -> int:
    """The number of steps to forecast; all of them for ``None``.

    Raises:
        DataError: The model does not forecast so many.
    """
    if steps is None:
        return trained
    if not 1 <= steps <= trained:
        longer = f"; for a longer one train a model with forecast.horizon {steps}" if steps > trained else ""
        raise DataError(f"the horizon must be from 1 to {trained} (the trained horizon) but got {steps}{longer}")
    return steps


def check_samples(n: int, steps: int, targets: int, series: int = 1) -> None:
    """Refuse a number of sample paths that is not positive or whose table is too large.

    Raises:
        DataError: The message gives the size of the table.
    """
    if n < 1:
        raise DataError(f"the number of sample paths must be at least 1 but got {n}")
    each = steps * targets * series
    if n * each > MOST_SAMPLED:
        fewer = (
            "sample fewer series at once" if series > 1 else f"ask for up to {MOST_SAMPLED // each:,} with each seed"
        )
        raise DataError(
            f"{n:,} sample paths of {'a' if series == 1 else f'{series:,}'} series are "
            f"{n * each:,} rows (about {_ROW_BYTES * n * each / 1e9:,.0f} GB), but a table holds up to "
            f"{MOST_SAMPLED:,}; {fewer}"
        )


def check_range(name: str, values: npt.NDArray[Any], lowest: int, highest: int, what: str) -> None:
    """Refuse values that are not whole numbers of a range.

    Raises:
        DataError: Names the first such value.
    """
    wrong = (values < lowest) | (values > highest) | (values % 1 != 0)
    if wrong.any():
        raise DataError(f"{name} must hold {what}, {lowest} to {highest}, but holds {values[wrong][0]}")


def _not_positive(past: Array, n_targets: int, rows: int, lengths: Codes | None) -> npt.NDArray[np.bool_] | None:
    """(n, T, Y) True for values without a logarithm that need one; ``None`` if there are none.

    Args:
        past: (n, T, F) contexts, targets first.
        n_targets: Y.
        rows: Number of last rows of which logarithms are taken.
        lengths: (n,) number of real rows at the end of each context; ``None`` if all are.
    """
    if not rows:
        return None
    wrong = ~(past[..., :n_targets] > 0)
    wrong[:, : past.shape[1] - rows] = False
    if lengths is not None:
        wrong &= (np.arange(past.shape[1]) >= past.shape[1] - lengths[:, None])[..., None]
    return wrong if wrong.any() else None


def _check_shape(name: str, array: npt.NDArray[Any], expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise DataError(f"{name} must have the shape {expected} but has {array.shape}")


def _check_codes(arrays: dict[str, npt.NDArray[Any]], categories: dict[str, Categories], schema: SeriesSchema) -> None:
    """Refuse values of categorical columns that are not codes of their categories."""
    columns = {"past": schema.value_columns, "future": schema.future_covariates, "static": schema.static_covariates}
    for name, pairs in categories.items():
        for channel, names in pairs:
            values = arrays[name][..., channel]
            wrong = ~((values >= 0) & (values <= names) & (values == np.floor(values)))
            if wrong.any():
                raise DataError(
                    f"{name} must hold codes of categories, 0 to {names}, in {columns[name][channel]!r} but holds "
                    f"{float(values[wrong][0]):g}"
                )
