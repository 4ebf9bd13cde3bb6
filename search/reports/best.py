"""The best architecture: drawn, and its settings."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lstmgru.errors import SpecError
from lstmgru.specs import SequenceModelSpec
from search.reports.diagram.boxes import Roles
from search.reports.diagram.candidate import candidate
from search.reports.diagram.diagram import architecture_svg
from search.reports.page import Line, paragraph, table
from search.study.records import StudyRecord, TrialRecord
from search.tasks.sequences.presets import OF_TEXTS

if TYPE_CHECKING:
    from search.space.space import Model, Settings

_OF_CLASSES = ("label_smoothing", "class_weights")


def best_html(study: StudyRecord, attributes: Mapping[str, Any]) -> str:
    """The section, as HTML.

    Args:
        study: Before the holdout is scored, its best trial so far is shown; then the winner.
        attributes: Of Optuna's study.
    """
    best = _best(study)
    if best is None:
        none = "No complete trial keeps the bounds" if study.complete else "No trial is complete yet"
        return paragraph(f"{none}, so there is no best architecture.")
    try:
        model, settings = candidate(attributes.get("identity", {}), best.params)
        drawn = f'<div class="scroll">{architecture_svg(model, Roles.of_study(study.config, study.data))}</div>'
        network, training = _network_settings(model), _training_settings(settings)
    except SpecError as error:
        drawn = paragraph(f"It cannot be drawn: {error}.")
        network, training = best.params, {}
    tables = (_settings("network", network), _settings("training", training | _facts(best)))
    return (
        f"<p>Trial {best.number}: <strong>{html.escape(best.layers or 'not recorded')}</strong></p>\n"
        f'<div class="beside">{drawn}\n{"".join(tables)}</div>\n'
    )


def _best(study: StudyRecord) -> TrialRecord | None:
    """The trial whose model was scored on the holdout; before that, the best complete one."""
    if study.holdout is not None:
        return next((trial for trial in study.trials if trial.number == study.holdout.trial), None)
    return study.best


def _network_settings(model: Model) -> dict[str, Any]:
    """What the architecture uses."""
    unused = {"merge": len(model.branches) == 1, "n_heads": model.pooling != "multihead"}
    if isinstance(model, SequenceModelSpec):
        numbers = model.tokens is None
        unused |= dict.fromkeys(OF_TEXTS, numbers) | {"normalization": not numbers}
    return {name: value for name, value in model.to_dict().items() if not unused.get(name, False)}


def _training_settings(settings: Settings) -> dict[str, Any]:
    """What the training uses."""
    unused = () if settings.loss == "cross_entropy" else _OF_CLASSES
    return {name: value for name, value in vars(settings).items() if name not in unused}


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
