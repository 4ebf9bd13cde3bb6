"""The end of a study, in a worker: refit the winner, score the holdout once, write the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.tasks.sequences.data import SequenceData

if TYPE_CHECKING:
    from search.executors.base import JobContext
    from search.tasks.refit import FinalResult, FinalTask


def finalize(task: FinalTask[Any, Any], channel: JobContext) -> FinalResult:
    """Bring a study of any task to its end."""
    from search.tasks.forecasting.refit import finish_forecasts
    from search.tasks.sequences.refit import finish_sequences

    return (finish_sequences if isinstance(task.data, SequenceData) else finish_forecasts)(task, channel)
