"""The report of a study: all that is known of it, on one page that needs nothing from elsewhere."""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgru.errors import DataError, SpecError
from search.errors import StudyNotFound
from search.records import StudyRecord, TrialRecord
from search.reportfiles import FORECASTS_TABLE, REPORT_PAGE, report_path
from search.reports.attention import ATTENTION_TABLE, attention_charts
from search.reports.boxes import Roles
from search.reports.candidate import candidate
from search.reports.diagram import architecture_svg
from search.reports.forecast_table import read_forecasts
from search.reports.forecasts import forecast_charts
from search.reports.origin import origin
from search.reports.outcome import failures, leaderboard_html, status, verdict
from search.reports.page import Line, html_page, paragraph, table
from search.reports.search_plots import search_html

if TYPE_CHECKING:
    from optuna import Study

    from lstmgru.specs import ModelSpec

_DRAWN = (
    "Of all forecasts those are drawn that follow each other without an overlap; the scores above are over all of them."
)


def report_html(study: StudyRecord, optuna_study: Study) -> str:
    """The page, also of a study that has just begun, is running or failed: it says what is not there yet.

    Args:
        study: The study; ``bundle`` says where its model and its forecasts of the holdout are.
        optuna_study: The same for Optuna's plots.
    """
    written = datetime.now().astimezone()
    attributes = optuna_study.user_attrs
    with warnings.catch_warnings():
        # Of Optuna, about what is experimental and about few trials; the page says itself what few trials mean.
        warnings.simplefilter("ignore")
        sections = {
            "Leaderboard": leaderboard_html(study) + failures(study),
            "Best architecture": _architecture(study, attributes),
            "Forecasts of the holdout": _forecasts(study),
            "The search": search_html(study, optuna_study, written.replace(tzinfo=None)),
            "What was run": origin(study, attributes, written),
        }
    links = "".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in sections)
    body = [
        paragraph(_subject(study), f"Written on {written:%Y-%m-%d at %H:%M %Z}."),
        f"<nav>{links}</nav>\n",
        verdict(study),
        status(study),
        *(f'<h2 id="{_anchor(title)}">{title}</h2>\n{content}' for title, content in sections.items()),
    ]
    return html_page(f"{study.study}: report", "\n".join(body))


def write_report(study: str, folder: Path, output: Path | None = None) -> Path:
    """Write the report of a study, also while it runs.

    Args:
        study: Its name.
        folder: Where ``studies/`` is.
        output: File to write; ``None``: ``studies/<name>.report/report.html``.

    Raises:
        StudyNotFound: It has not been run in this folder.
        OSError: The file cannot be written.
    """
    from search.journal import journal_path, open_storage
    from search.study import StudyStore

    path = journal_path(folder, study)
    store = StudyStore.load(open_storage(path), study) if path.exists() else None
    if store is None:
        raise StudyNotFound(f"study '{study}' has not been run in {folder}; run it with: python -m search run {study}")
    record, bundle = store.record(), path.with_suffix(".bundle")
    if record.bundle is not None and not Path(record.bundle).is_dir() and bundle.is_dir():
        record = replace(record, bundle=str(bundle))  # the folder was moved
    page = report_html(record, store.study)
    if output is None:
        output = report_path(bundle) / REPORT_PAGE
        output.parent.mkdir(exist_ok=True)
    output.write_text(page, encoding="utf-8")
    return output


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _subject(study: StudyRecord) -> str:
    data, forecast = study.config.get("data", {}), study.config.get("forecast", {})
    targets = data.get("target", [])
    what = ", ".join(targets[:5]) + (f" and {len(targets) - 5} more" if len(targets) > 5 else "")
    return f"Forecasts of {what}, {forecast.get('horizon')} steps ahead, scored by {study.metric}."


def _best(study: StudyRecord) -> TrialRecord | None:
    """The trial whose model was scored on the holdout; before that, the best complete one."""
    if study.holdout is not None:
        return next((trial for trial in study.trials if trial.number == study.holdout.trial), None)
    return study.best


def _architecture(study: StudyRecord, attributes: Mapping[str, Any]) -> str:
    best = _best(study)
    if best is None:
        none = "No complete trial keeps the bounds" if study.complete else "No trial is complete yet"
        return paragraph(f"{none}, so there is no best architecture.")
    try:
        model, settings = candidate(attributes.get("identity", {}), best.params)
        drawn = f'<div class="scroll">{architecture_svg(model, Roles.of_study(study.config))}</div>'
        network, training = _network_settings(model), vars(settings)
    except SpecError as error:
        drawn = paragraph(f"It cannot be drawn: {error}.")
        network, training = best.params, {}
    tables = (_settings("network", network), _settings("training", training | _facts(best)))
    return (
        f"<p>Trial {best.number}: <strong>{html.escape(best.layers or 'not recorded')}</strong></p>\n"
        f'<div class="beside">{drawn}\n{"".join(tables)}</div>\n'
    )


def _network_settings(model: ModelSpec) -> dict[str, Any]:
    """What the architecture uses."""
    unused = {"merge": len(model.branches) == 1, "n_heads": model.pooling != "multihead"}
    return {name: value for name, value in model.to_dict().items() if not unused.get(name, False)}


def _facts(trial: TrialRecord) -> dict[str, Any]:
    facts = {
        "parameters": None if trial.n_parameters is None else f"{trial.n_parameters:,}",
        "epochs, all folds": trial.epochs,
        "seconds": trial.seconds,
        **{f"score of fold {fold}": score for fold, score in enumerate(trial.fold_scores, start=1)},
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _settings(title: str, values: Mapping[str, Any]) -> str:
    lines = [Line((name.replace("_", " "), _value(value))) for name, value in values.items()]
    return f"<div>{table((title, ''), lines)}</div>" if lines else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _forecasts(study: StudyRecord) -> str:
    if study.holdout is None or study.bundle is None:
        return paragraph("The holdout has not been forecast yet: that is done once, when the search has ended.")
    path = report_path(Path(study.bundle)) / FORECASTS_TABLE
    try:
        return (
            paragraph(_DRAWN)
            + forecast_charts(read_forecasts(path))
            + attention_charts(path.with_name(ATTENTION_TABLE))
        )
    except FileNotFoundError:
        return paragraph(f"The forecasts are not here any more: there is no {path}.")
    except DataError as error:
        return paragraph(f"The forecasts cannot be drawn: {error}.")
