"""Forecasting of time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from search.tasks.base import Task

if TYPE_CHECKING:
    from pathlib import Path

    from search.config.space_config import FamilyConfig
    from search.config.study_config import StudyConfig
    from search.reports.task_pages import TaskPages
    from search.tasks.base import Words
    from search.tasks.forecasting.compare import ComparedForecasts
    from search.tasks.forecasting.plan import ForecastPlan


class ForecastingTask(Task[Any, Any, Any]):
    """Forecasts of one or many series."""

    @property
    def config(self) -> type[StudyConfig]:
        """What a study file of the task holds."""
        from search.tasks.forecasting.config import ForecastStudyConfig

        return ForecastStudyConfig

    @property
    def family(self) -> type[FamilyConfig]:
        """What a family of a comparison may hold."""
        from search.tasks.forecasting.config import ForecastFamilyConfig

        return ForecastFamilyConfig

    def plan(self, config: StudyConfig, *, study_file: Path | None = None) -> ForecastPlan:
        """See :meth:`search.tasks.base.Task.plan`."""
        from search.tasks.forecasting.plan import forecast_plan

        return forecast_plan(cast("Any", config), study_file=study_file)

    @property
    def words(self) -> Words:
        """What the command line says of a plan."""
        from search.tasks.forecasting import words

        return words

    @property
    def pages(self) -> TaskPages:
        """The task-specific parts of a study's report."""
        from search.tasks.forecasting.report import PAGES

        return PAGES

    def compare(self, plan: ForecastPlan) -> ComparedForecasts:
        """How families of networks are compared."""
        from search.tasks.forecasting.compare import ComparedForecasts

        return ComparedForecasts(plan)


TASK = ForecastingTask()
