"""Whether targets have values that a loss is for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstmgru.specs.tasks import NONNEGATIVE_LOSSES


def unfit_target(loss: str, names: Sequence[str], values: npt.NDArray[np.float32]) -> str | None:
    """What is wrong with a target for a loss, or ``None``: ``target 'sold' has -1, which …``.

    Args:
        loss: Of the training.
        names: (Y,) of the targets.
        values: (rows, Y) in original units; NaN where they are not known.
    """
    if loss not in NONNEGATIVE_LOSSES:
        return None
    for name, column in zip(names, values.T, strict=True):
        rules = [(column < 0, "is negative")]
        if loss == "negative_binomial":
            rules.append((~np.isnan(column) & (column != np.rint(column)), "is not a whole number"))
        for breaks, what in rules:
            if breaks.any():
                return f"target {name!r} has {column[breaks][0]:g}, which {what}"
    return None
