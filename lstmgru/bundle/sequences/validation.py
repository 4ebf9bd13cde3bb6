"""Checks of the arrays that a sequence model is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lstmgru.bundle.sequences.servable import BlendedLabeler
from lstmgru.data.sequences.sequences import Indices
from lstmgru.errors import DataError
from lstmgru.runtime.forecasting.validation import check_range


def check_sequences(
    servable: BlendedLabeler, inputs: npt.NDArray[Any], lengths: npt.NDArray[Any] | None, most: int | None
) -> tuple[npt.NDArray[Any], Indices]:
    """Arrays as the model reads them: float32 values or int64 codes, and int64 lengths.

    Args:
        servable: The model; it reads one kind of tokens at most.
        inputs: (n, T', F) values in original units or (n, T') codes.
        lengths: (n,) number of steps of each sequence; ``None`` if all have T'.
        most: Maximum of T'; ``None``: there is none.

    Raises:
        DataError: A shape or a value is invalid.
    """
    name, rest = ("tokens", []) if servable.vocabularies else ("values", [servable.n_channels])
    fits = inputs.ndim == 2 + len(rest) and list(inputs.shape[2:]) == rest
    if not (fits and 1 <= inputs.shape[1] <= (most or inputs.shape[1])):
        shape = ", ".join(["n", f"1 to {most}" if most else "T", *map(str, rest)])
        raise DataError(f"{name} must have the shape ({shape}) but has {inputs.shape}")
    count, steps = inputs.shape[:2]
    lengths = np.full(count, steps) if lengths is None else lengths
    if lengths.shape != (count,):
        raise DataError(f"lengths must have the shape ({count},) but has {lengths.shape}")
    check_range("lengths", lengths, 1, steps, "numbers of steps")
    real = np.arange(steps) < lengths[:, None]
    if servable.vocabularies:
        (size,) = servable.vocabularies.values()
        check_range("tokens", inputs[real], 1, size - 1, "codes of tokens")
        return inputs.astype(np.int64), lengths.astype(np.int64)
    values = inputs.astype(np.float32)
    if not np.isfinite(values[real]).all():
        raise DataError(
            f"values must be finite in single precision but {int((~np.isfinite(values[real])).sum())} are not"
        )
    return values, lengths.astype(np.int64)
