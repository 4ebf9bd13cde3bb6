"""The tasks of the library: a new one is a line in :data:`TASKS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from lstmgru.specs.training import ForecastLoss


@dataclass(frozen=True)
class TaskEntry:
    """A task, as loading a bundle and registering a metric need to know it.

    Attributes:
        bundle: The class of its bundles, which is imported when one is loaded.
        losses: The training losses that it has.
    """

    bundle: str
    losses: tuple[str, ...]


TASKS = {
    "forecast": TaskEntry("lstmgru.bundle.forecasting.bundle:ForecastBundle", get_args(ForecastLoss)),
    "classification": TaskEntry("lstmgru.bundle.sequences.bundle:SequenceBundle", ("cross_entropy",)),
    "regression": TaskEntry("lstmgru.bundle.sequences.bundle:SequenceBundle", ("mse", "mae", "huber")),
}
"""Tasks by the name that ``bundle.json`` and metrics call them."""
