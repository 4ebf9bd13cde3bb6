"""Covariates that give away the target: what they explain beyond the target's own past, before the holdout.

A covariate leaks if what it is known to be at the cutoff, or ahead for a future covariate, explains almost all of what
the past of the target leaves open one step ahead. Past values of the target are taken out first, because a slow target
resembles its own shifted copies, and any covariate that follows it. The measure is the squared partial correlation, of
values and of ranks, which finds monotone disguises such as logarithms.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lstmgru.data.forecasting.series import SeriesPanel
    from lstmgru.data.forecasting.splits import Splits
    from lstmgru.specs import ForecastSpec

_Float = npt.NDArray[np.float64]
_Codes = npt.NDArray[np.int64]

ALMOST_ALL = 0.98
"""Share of what the past leaves open from which a covariate leaks."""
_NOTHING_OPEN = 1e-8
"""Share of the variance that the past leaves open below which a target is a function of its past."""
_MOST_ROWS = 20_000
_MOST_SERIES = 200
_MOST_SHIFTS = 24
_FEWEST_ROWS = 50


def leaks(panel: SeriesPanel, splits: Splits, forecast: ForecastSpec) -> tuple[str, ...]:
    """A sentence for each covariate that gives away a target.

    Args:
        panel: The data; the holdout is not read.
        splits: Which rows are before the holdout.
        forecast: Horizon and season.
    """
    schema = panel.schema
    columns = [
        (index, column)
        for index, column in enumerate(schema.value_columns)
        if column not in schema.targets and len(schema.categories.get(column, ())) <= 2  # codes of more are no scale
    ]
    if not columns:
        return ()
    rows, series = _sample(panel, splits)
    values = panel.values[rows][:, : len(schema.value_columns)].astype(np.float64)
    forms = [_standardized(values, series), _standardized(_ranks(values, series), series)]
    lags = _lags(forecast, np.bincount(series))
    future = {index: column in schema.future_covariates for index, column in columns}
    sentences = []
    for place, target in enumerate(schema.targets):
        most: dict[int, tuple[float, int]] = {}
        for ahead, form in itertools.product((False, True), forms):
            some, shifts = [index for index in future if future[index] is ahead], _shifts(forecast.horizon, ahead=ahead)
            for index, share, shift in _explained(form, series, place, some, lags, shifts):
                most[index] = max(most.get(index, (0.0, 0)), (share, shift))
        sentences += [
            _sentence(column, target, *most[index], ahead=future[index])
            for index, column in columns
            if index in most and most[index][0] >= ALMOST_ALL
        ]
    return tuple(sentences)


def _sentence(column: str, target: str, share: float, shift: int, *, ahead: bool) -> str:
    what = "future covariate" if ahead else "past covariate"
    steps = f"{abs(shift)} step{'s' if abs(shift) > 1 else ''}"
    when = f"{steps} later" if shift > 0 else f"{steps} earlier" if shift < 0 else "at the same time"
    percent = min(99.9, int(1000 * share) / 10)
    return (
        f"{what} {column!r} may give away target {target!r}: its value {when} explains {percent:g}% of what the past "
        "of the target leaves open; remove it unless it is really known then"
    )


def _sample(panel: SeriesPanel, splits: Splits) -> tuple[_Codes, _Codes]:
    """Rows before the holdout, the last of each of some series, and the number of each row's series."""
    starts, ends = panel.offsets[:-1], splits.holdout.evaluation[:, 0]
    chosen = np.linspace(0, len(panel) - 1, min(len(panel), _MOST_SERIES)).astype(np.int64)
    most = max(_FEWEST_ROWS, _MOST_ROWS // len(chosen))
    parts = [np.arange(max(starts[series], ends[series] - most), ends[series]) for series in chosen]
    rows = np.concatenate(parts)
    return rows, np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _ranks(values: _Float, series: _Codes) -> _Float:
    """(rows, columns) ranks within each series; equal values share their mean rank."""
    import pandas as pd

    return pd.DataFrame(values).groupby(series).rank().to_numpy(np.float64)


def _standardized(values: _Float, series: _Codes) -> _Float:
    """(rows, columns) with mean 0 and deviation 1 within each series; constant columns are 0."""
    counts = np.maximum(np.bincount(series), 1)[:, None]

    def mean(numbers: _Float) -> _Float:
        sums = np.zeros((len(counts), numbers.shape[1]))
        np.add.at(sums, series, numbers)
        return (sums / counts)[series]

    centered = values - mean(values)
    deviation = np.sqrt(mean(centered**2))
    return np.divide(centered, deviation, out=np.zeros_like(centered), where=deviation > 1e-9)


def _lags(forecast: ForecastSpec, lengths: _Codes) -> list[int]:
    """Steps back at which the target's own past is read, within a third of a usual series."""
    season, horizon = forecast.season_length, forecast.horizon
    wanted = {1, 2, 3, season, season + 1, 2 * season, horizon}
    longest = float(np.median(lengths[lengths > 0])) / 3
    return sorted(lag for lag in wanted if lag == 1 or lag <= longest)


def _shifts(horizon: int, *, ahead: bool) -> Sequence[int]:
    """Steps from a forecast step to the covariate's value: past covariates are known up to the step before it.

    A value from before the cutoff is the target in disguise only if it knows what comes after it.
    """
    most = min(horizon, _MOST_SHIFTS)
    return range(-most, most if ahead else 0)


def _explained(
    form: _Float, series: _Codes, target: int, columns: Sequence[int], lags: list[int], shifts: Sequence[int]
) -> Iterator[tuple[int, float, int]]:
    """For each covariate and shift: the column, the share of what the target's past leaves open, and the shift."""
    rows = np.arange(len(form))
    first, last = max(*lags, -shifts[0]), max(shifts[-1], 0)
    inside = rows[first : len(rows) - last] if len(rows) > first + last else rows[:0]
    inside = inside[(series[inside - first] == series[inside]) & (series[inside + last] == series[inside])]
    if len(inside) < _FEWEST_ROWS:
        return
    past = np.column_stack([form[inside - lag, target] for lag in lags] + [np.ones(len(inside))])
    basis = np.linalg.qr(past)[0]

    def left_open(numbers: _Float) -> _Float:
        return numbers - basis @ (basis.T @ numbers)

    own = form[inside, target]
    open_ = left_open(own)
    if (open_**2).mean() <= _NOTHING_OPEN * own.var():
        return
    for column in columns:
        others = left_open(form[inside[:, None] + np.array(shifts), column])
        size = (others**2).sum(axis=0) * (open_**2).sum()
        known = (others**2).mean(axis=0) > _NOTHING_OPEN
        shares = np.divide((open_ @ others) ** 2, size, out=np.zeros(len(shifts)), where=known)
        yield from zip(itertools.repeat(column), shares.tolist(), shifts)
