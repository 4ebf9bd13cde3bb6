"""Arrays that a model is given, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstmgru.bundle.forecasting.forecaster import Categories, UnscaledForecaster
from lstmgru.data.forecasting.series import SeriesSchema
from lstmgru.data.formatting import shorten
from lstmgru.errors import DataError

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

_WHOLE = ("series", "lengths")
"""The inputs that are whole numbers."""


def check_arrays(forecaster: UnscaledForecaster, arrays: dict[str, Any], schema: SeriesSchema) -> dict[str, Tensor]:
    """The tensors that a forecaster reads, from arrays by name; others are left out.

    Args:
        forecaster: What reads them.
        arrays: ``past``, ``future``, ``static``, ``series``, ``lengths``; ``None``: not given.
        schema: Names of the columns.

    Raises:
        DataError: An array is missing, or its shape or a value does not fit.
    """
    count, inputs = len(arrays["past"]), forecaster.network.inputs
    if not inputs.n_future:  # no covariate, but how many windows there are must agree
        _check_shape("future", arrays["future"], (count, forecaster.network.horizon, 0))
    tensors = {}
    for name, shape in forecaster.shapes.items():
        array = arrays[name]
        if array is None:
            raise DataError(f"{name} must be given: {_why(name, schema)}; its shape is {(count, *shape)}")
        _check_shape(name, array, (count, *shape))
        tensors[name] = torch.from_numpy(np.asarray(array, np.int64 if name in _WHOLE else np.float32))
    _check_codes(tensors, forecaster.categories, schema)
    if "lengths" in tensors:
        _check_range("lengths", tensors["lengths"], forecaster.network.spec.context_length, "rows of a context")
    if "series" in tensors:
        n_series = len(forecaster.mean) - 1 if forecaster.by_series else inputs.n_series
        _check_range("series", tensors["series"], n_series, "codes of the series that the model learnt from")
    if forecaster.log:
        found = first_not_positive(arrays["past"], len(schema.targets), arrays["lengths"] if inputs.padded else None)
        if found is not None:
            window, step, target = found
            raise DataError(
                f"past must be positive in target {schema.targets[target]!r}, of which the model takes logarithms, but "
                f"is {arrays['past'][window, step, target]:g} at step {step} of window {window}"
            )
    return tensors


def first_not_positive(past: Array, n_targets: int, lengths: Codes | None) -> tuple[int, int, int] | None:
    """Window, step and target of the first value that has no logarithm; ``None``: there is none.

    Args:
        past: (n, T, F) contexts, targets first.
        n_targets: Y.
        lengths: (n,) real rows of each context, its last; ``None``: all.
    """
    wrong = ~(past[..., :n_targets] > 0)
    if lengths is not None:
        wrong &= (np.arange(past.shape[1]) >= past.shape[1] - lengths[:, None])[..., None]
    if not wrong.any():
        return None
    window, step, target = (int(index) for index in np.argwhere(wrong)[0])
    return window, step, target


def _why(name: str, schema: SeriesSchema) -> str:
    match name:
        case "static":
            return f"the model reads the static covariates {shorten(schema.static_covariates)}"
        case "series":
            return "the model keeps numbers for each of its series"
        case "lengths":
            return "contexts of the model may be padded"
        case _:
            return "the model reads it"


def _check_shape(name: str, array: npt.NDArray[Any], expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise DataError(f"{name} must have the shape {expected} but has {array.shape}")


def _check_codes(tensors: dict[str, Tensor], categories: dict[str, Categories], schema: SeriesSchema) -> None:
    """Refuse values of categorical columns that are no codes of their names."""
    columns = {"past": schema.value_columns, "future": schema.future_covariates, "static": schema.static_covariates}
    for name, pairs in categories.items():
        for channel, names in pairs:
            values = tensors[name][..., channel]
            wrong = ~((values >= 0) & (values <= names) & (values == values.floor()))
            if wrong.any():
                raise DataError(
                    f"{name} must hold codes of names, 0 to {names}, in {columns[name][channel]!r} but holds "
                    f"{float(values[wrong][0]):g}"
                )


def _check_range(name: str, values: Tensor, highest: int, what: str) -> None:
    wrong = (values < 1) | (values > highest)
    if wrong.any():
        raise DataError(f"{name} must hold {what}, 1 to {highest}, but holds {int(values[wrong][0])}")
