"""The task of a plan, as a comparison sees it."""

from __future__ import annotations

from search.comparing.compared import ComparedTask
from search.comparing.forecasts import ComparedForecasts
from search.comparing.labels import ComparedLabels
from search.forecast_plan import ForecastPlan
from search.label_plan import LabelPlan
from search.plan import Plan


def compared_task(plan: Plan) -> ComparedTask:
    """Of a study, or of one of its families."""
    if isinstance(plan, LabelPlan):
        return ComparedLabels(plan)
    assert isinstance(plan, ForecastPlan)  # there is no other
    return ComparedForecasts(plan)
