"""The charts of a study by name, for notebooks and documents."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.errors import did_you_mean
from search.errors import SearchError
from search.reports.charts.chart import Chart
from search.reports.charts.standalone import standalone_svg
from search.reports.first_screen import standing_chart
from search.reports.formatting import decimals_of_study, metric_label
from search.reports.page import save_page
from search.reports.trials.history import (
    Objective,
    best_baseline,
    complete_trials,
    curves_chart,
    history_chart,
    objectives,
    pareto_chart,
    score_of,
)
from search.reports.trials.parameters import importance, importance_chart
from search.study.paths import report_path

if TYPE_CHECKING:
    import os

    from optuna import Study

    from search.reports.task_pages import TaskPages
    from search.study.records import StudyRecord

PLOTS = {
    "holdout": "the exported model and every baseline on the holdout, with 95% intervals",
    "forecasts": "the last forecasts of the holdout and the next one, of one series and target",
    "predictions": "predicted against actual values of the holdout; of classes, the reliability of their probabilities",
    "history": "the score of every trial, and the best so far",
    "curves": "the intermediate values of every trial",
    "importance": "the importance of the parameters",
    "pareto_NAME": "another objective against the score, with the Pareto front",
}
"""Names and contents of all plots; a study has those that its task and its objectives have."""
_PARETO = "pareto_"


@dataclass(frozen=True)
class Plot:
    """A chart of a study, which a notebook shows as a picture.

    Attributes:
        title: What it shows.
        svg: The picture, an SVG document with a white background.
    """

    title: str
    svg: str

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file.

        Raises:
            SearchError: Its name does not end with ``.svg``, or it cannot be written.
        """
        if Path(path).suffix != ".svg":
            raise SearchError(f"{path} must end with .svg, the format of plots")
        save_page(Path(path), self.svg)

    def __repr__(self) -> str:
        return f"Plot({self.title!r})"

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """As an image, which notebooks also show before they are trusted."""
        content = base64.b64encode(self.svg.encode()).decode()
        return f'<img alt="{html.escape(self.title)}" src="data:image/svg+xml;base64,{content}">'


def plot_names(study: StudyRecord, pages: TaskPages) -> list[str]:
    """The names of the plots that a study has, once it is complete."""
    others = [name for name in study.goal.objectives if name != "score"]
    single = [] if others else ["curves"]
    return ["holdout", pages.outputs, "history", *single, "importance", *(f"{_PARETO}{name}" for name in others)]


def study_plot(
    name: str,
    study: StudyRecord,
    optuna_study: Study,
    pages: TaskPages,
    *,
    series: str | None = None,
    target: str | None = None,
) -> Plot:
    """A plot of a study.

    Args:
        name: One of :func:`plot_names`.
        study: The study.
        optuna_study: The same study, as Optuna has it.
        pages: The task's parts of the report.
        series: Of a panel, the series whose forecasts are drawn; ``None``: the first one.
        target: The target whose forecasts are drawn; ``None``: the first one.

    Raises:
        SearchError: There is no such plot, or what it shows is not there yet.
        DataError: There is no such series or target, or a table of the holdout is damaged.
    """
    known = plot_names(study, pages)
    if name not in known:
        raise SearchError(f"there is no plot {name!r}{did_you_mean(name, known)}; study '{study.study}' has: "
                          f"{', '.join(known)}")  # fmt: skip
    if name != pages.outputs and (series is not None or target is not None):
        raise SearchError(f"series and target choose {pages.outputs}, but plot {name!r} shows none; leave them out")
    if name == "holdout":
        chart = _holdout(study)
    elif name == pages.outputs:
        chart = _outputs(study, pages, series, target)
    else:
        chart = _of_search(name, study, optuna_study)
    return Plot(chart.title, standalone_svg(chart))


def _holdout(study: StudyRecord) -> Chart:
    if study.holdout is None:
        raise SearchError(f"study '{study.study}' has no scores on the holdout yet; run it to completion first")
    return standing_chart(study, study.holdout)


def _outputs(study: StudyRecord, pages: TaskPages, series: str | None, target: str | None) -> Chart:
    if study.holdout is None or study.bundle is None:
        raise SearchError(f"study '{study.study}' has no {pages.outputs} yet; run it to completion first")
    try:
        return pages.outputs_chart(study, report_path(Path(study.bundle)), series=series, target=target)
    except FileNotFoundError as error:
        raise SearchError(f"the {pages.outputs} are no longer available: {error.filename} does not exist") from error


def _of_search(name: str, study: StudyRecord, optuna_study: Study) -> Chart:
    label = metric_label(study.metric)
    if name == "curves" and any(each.intermediate_values for each in optuna_study.get_trials(deepcopy=False)):
        return curves_chart(study, optuna_study, study.best.number if study.best else None, label)
    if not complete_trials(optuna_study):
        raise SearchError(f"study '{study.study}' has no complete trial yet, so there is no plot {name!r}")
    aims = objectives(optuna_study, label, decimals_of_study(study))
    score = score_of(aims)
    if name == "history":
        return history_chart(study, optuna_study, score, best_baseline(study))
    if name == "importance":
        return _importance(study, optuna_study)
    return pareto_chart(study, optuna_study, score, _named(name.removeprefix(_PARETO), aims))


def _importance(study: StudyRecord, optuna_study: Study) -> Chart:
    found = importance(optuna_study)
    if not found.shares:
        raise SearchError(f"importances of study '{study.study}' cannot be computed: {found.reason}")
    return importance_chart(found)


def _named(name: str, aims: tuple[Objective, ...]) -> Objective:
    return next(aim for aim in aims if aim.name == name)
