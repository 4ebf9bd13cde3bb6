"""The task-specific parts of the report of a forecasting study."""

from __future__ import annotations

import html
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgru.errors import shorten
from lstmgru.evaluation.decimals import decimals_of, fixed
from search.reports.formatting import counted, metric_label, scored
from search.reports.page import Line, paragraph, table
from search.reports.task_pages import searched_space
from search.study.paths import ATTENTION_TABLE, FORECASTS_TABLE, SERIES_TABLE
from search.tasks.forecasting.diagram import ForecastRoles, describe_forecaster

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lstmgru.specs import ModelSpec
    from search.reports.charts.chart import Chart
    from search.reports.diagram.boxes import Network
    from search.reports.holdout.prediction_tables import ClassScore
    from search.space.space import SearchSpace, Settings
    from search.study.records import HoldoutRecord, StudyRecord

_MOST_TARGETS = 5
_DRAWN = "Of all forecasts, consecutive ones that do not overlap are drawn; the scores above cover all of them."


class ForecastPages:
    """See :class:`search.reports.task_pages.TaskPages`."""

    outputs = "forecasts"

    def summary(self, study: StudyRecord) -> str:
        """One sentence on what is forecast and how it is scored."""
        targets = study.config.get("data", {}).get("target") or []
        names = shorten([targets] if isinstance(targets, str) else targets, _MOST_TARGETS)
        horizon = counted(study.config.get("forecast", {}).get("horizon", 0), "step")
        return f"Forecasts of {names}, {horizon} ahead, {scored(study)}"

    def settings(self, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Horizon, season and splits."""
        forecast, splits = config.get("forecast", {}), config.get("splits", {})
        if forecast:
            yield "forecast", f"{forecast.get('horizon')} steps, season of {forecast.get('season_length')}"
        if splits:
            gap = f", {splits['gap']} steps left out before each" if splits.get("gap") else ""
            folds = f"{splits.get('folds')} folds ({splits.get('window')})"
            yield "splits", f"{folds}, then a holdout of {splits.get('holdout')} steps{gap}"

    def search_space(self, identity: Mapping[str, Any]) -> SearchSpace:
        """The search space of a study, presets filled in."""
        from search.tasks.forecasting.config import ForecastSpaceConfig

        return searched_space(identity, ForecastSpaceConfig)

    def network(self, model: ModelSpec, study: StudyRecord) -> Network:
        """The boxes of a network's diagram."""
        return describe_forecaster(model, ForecastRoles.of_study(study.config))

    def unused_settings(self, model: ModelSpec, settings: Settings) -> frozenset[str]:
        """Settings of classifiers."""
        return frozenset({"label_smoothing", "class_weights"})

    def holdout_metrics(self, holdout: HoldoutRecord) -> str:
        """Coverage and width of the prediction intervals."""
        if not holdout.intervals:
            return paragraph("There are no prediction intervals whose coverage could be measured.")
        decimals = decimals_of([each.width for each in holdout.intervals])
        lines = [
            Line((f"{100 * each.level:g}%", f"{100 * each.coverage:.1f}%", fixed(each.width, decimals)))
            for each in holdout.intervals
        ]
        head = ("interval", "coverage", "mean width")
        return table(head, lines, numbers=head) + paragraph(
            "The intervals were calibrated on the folds and are evaluated on the holdout, which was not used for "
            "calibration. An interval that covers less than its level is too narrow. The errors of neighboring "
            "forecasts are correlated, so a difference of a few percentage points is to be expected."
        )

    def latest(self, study: StudyRecord, folder: Path) -> str:
        """The last windows of the holdout and the next forecast."""
        from search.reports.charts.chart import chart_html
        from search.reports.holdout.forecasts import latest_chart

        name, drawn = latest_chart(folder)
        return f"<div><h2>Latest forecasts of {html.escape(name)}</h2>\n{chart_html(drawn)}</div>\n"

    def outputs_chart(
        self, study: StudyRecord, folder: Path, *, series: str | None = None, target: str | None = None
    ) -> Chart:
        """The last windows of the holdout and the next forecast, of one series and target."""
        from search.reports.holdout.forecasts import latest_chart

        name, drawn = latest_chart(folder, series, target)
        return replace(drawn, title=f"Latest forecasts of {name}")

    def holdout_section(self, study: StudyRecord, folder: Path) -> str:
        """Forecasts against actual values, and attention weights."""
        from search.reports.holdout.attention import attention_charts
        from search.reports.holdout.chosen import panel_html
        from search.reports.holdout.errors import errors_html, read_series_scores
        from search.reports.holdout.forecast_table import read_forecasts
        from search.reports.holdout.forecasts import forecast_charts, levels_of

        frame = read_forecasts(folder / FORECASTS_TABLE)
        levels = levels_of(frame)
        if len(frame[["series", "target"]].drop_duplicates()) > 1:
            scores = read_series_scores(folder / SERIES_TABLE)
            drawn = panel_html(frame, scores, metric_label(study.metric))
        else:
            drawn = forecast_charts(frame)
        return "".join(
            [paragraph(_DRAWN), drawn, errors_html(frame, levels), attention_charts(folder / ATTENTION_TABLE)]
        )

    def class_scores(self, study: StudyRecord) -> tuple[ClassScore, ...]:
        """Forecasts have no classes."""
        return ()


PAGES = ForecastPages()
