"""The end of a study, in a worker: refit the winner, score the holdout once, write the bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.tasks.labelling import LabelData

if TYPE_CHECKING:
    from search.executors.base import Channel
    from search.finishing.task import FinalResult, FinalTask


def finalize(task: FinalTask[Any, Any], channel: Channel) -> FinalResult:
    """Bring a study of any task to its end."""
    from search.finishing.forecasts import finish_forecasts
    from search.finishing.labels import finish_labels

    return (finish_labels if isinstance(task.data, LabelData) else finish_forecasts)(task, channel)
