"""The task of a plan, as a comparison sees it."""

from __future__ import annotations

from search.tasks.compare import ComparedTask
from search.tasks.forecasting.compare import ComparedForecasts
from search.tasks.forecasting.plan import ForecastPlan
from search.tasks.plan import Plan
from search.tasks.sequences.compare import ComparedSequences
from search.tasks.sequences.plan import SequencePlan


def compared_task(plan: Plan) -> ComparedTask:
    """Of a study, or of one of its families."""
    if isinstance(plan, SequencePlan):
        return ComparedSequences(plan)
    assert isinstance(plan, ForecastPlan)  # there is no other
    return ComparedForecasts(plan)
