"""The best architecture: its diagram and settings, and the members of the blend."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from lstmgru.errors import SpecError
from lstmgru.evaluation.decimals import fixed
from search.reports.charts.chart import Chart, chart_html
from search.reports.charts.colors import baseline_color
from search.reports.charts.marks import Boxes
from search.reports.charts.scales import Axis
from search.reports.diagram.draw import network_svg
from search.reports.formatting import decimals_of_study
from search.reports.leaderboard import is_blended
from search.reports.page import Line, details, paragraph, table
from search.reports.task_pages import candidate
from search.study.blend_records import BlendRecord, candidate_name
from search.study.records import StudyRecord, TrialRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from search.reports.task_pages import TaskPages
    from search.space.space import Model, Settings


def best_html(study: StudyRecord, identity: Mapping[str, Any], pages: TaskPages) -> str:
    """The diagram and the settings of the best architecture, as HTML.

    Args:
        study: The study; the winner is shown once the holdout is scored, before that the best trial so far.
        identity: The study's attribute ``identity``.
        pages: The task's parts of the report.
    """
    best = _best(study)
    if best is None:
        none = "No complete trial satisfies the bounds" if study.complete else "No trial is complete yet"
        return paragraph(f"{none}, so there is no best architecture.")
    try:
        model, settings = candidate(pages.search_space(identity), best.params)
        drawn = f'<div class="scroll">{network_svg(pages.network(model, study), model.architecture)}</div>'
        network, training = _used_settings(model, settings, pages)
    except SpecError as error:
        drawn = paragraph(f"It cannot be drawn: {error}.")
        network, training = best.params, {}
    tables = (
        _settings("network", network),
        _settings("training", {**training, **_facts(best, decimals_of_study(study))}),
    )
    return (
        f"<p>Trial {best.number}: <strong>{html.escape(best.layers or 'not recorded')}</strong></p>\n"
        f'<div class="beside">{drawn}\n<div class="beside">{"".join(tables)}</div></div>\n'
        f"{_members(study, best, identity, pages)}"
    )


def _members(study: StudyRecord, best: TrialRecord, identity: Mapping[str, Any], pages: TaskPages) -> str:
    """The members of the blend with their weights, and the diagrams of those that are not the best trial."""
    if study.blend is None or not is_blended(study):
        return ""
    trials = {trial.number: trial for trial in study.trials}
    parts = []
    for member in study.blend.members:
        trial = None if member.trial is None else trials.get(member.trial)
        if trial is None or trial.number == best.number:
            continue
        try:
            model, _ = candidate(pages.search_space(identity), trial.params)
            drawn = network_svg(pages.network(model, study), model.architecture)
        except SpecError:
            continue  # the table names it, and the section says why none can be drawn
        title = f"{candidate_name(member.candidate)}, {member.weight:.0%}"
        parts.append(f'<div class="scroll"><h4>{html.escape(title)}</h4>{drawn}</div>')
    diagrams = details("Diagrams of the other members", f'<div class="beside">{"".join(parts)}</div>') if parts else ""
    return f"<h3>Members of the blend</h3>\n{chart_html(members_chart(study.blend, trials))}{diagrams}"


def members_chart(blend: BlendRecord, trials: Mapping[int, TrialRecord]) -> Chart:
    """The weights of the members of a blend.

    Args:
        blend: The blend.
        trials: The trials of the study by number.
    """
    names, boxes = [], []
    for place, member in enumerate(blend.members):
        trial = None if member.trial is None else trials.get(member.trial)
        names.append(candidate_name(member.candidate))
        color = baseline_color(member.baseline) if member.baseline else "blue"
        text = f"{names[-1]}, {trial.layers}" if trial and trial.layers else names[-1]
        weight = f"{member.weight:.0%}"
        boxes.append(
            Boxes(
                name=names[-1], color=color, left=[0.0], right=[member.weight], bottom=[place - 0.32],
                top=[place + 0.32], texts=[text], values=[weight], labels=[weight], legend=False,
            )
        )  # fmt: skip
    most = max(member.weight for member in blend.members)
    return Chart(
        title="Weights of the members of the blend",
        x=Axis("weight", span=(0.0, 1.12 * most)),
        y=Axis(kind="words", words=tuple(names)),
        marks=tuple(boxes),
    )


def _best(study: StudyRecord) -> TrialRecord | None:
    """The trial whose model was scored on the holdout; before that, the best complete one."""
    if study.holdout is not None:
        return next((trial for trial in study.trials if trial.number == study.holdout.trial), None)
    return study.best


def _used_settings(model: Model, settings: Settings, pages: TaskPages) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the network and of its training that have an effect."""
    unused = set(pages.unused_settings(model, settings))
    unused |= {"merge"} if len(model.branches) == 1 else set()
    unused |= {"n_heads"} if model.pooling != "multihead" else set()
    network, training = (
        {name: value for name, value in values.items() if name not in unused}
        for values in (model.to_dict(), vars(settings))
    )
    return network, training


def _facts(trial: TrialRecord, decimals: int) -> dict[str, Any]:
    facts = {
        "parameters": None if trial.n_parameters is None else f"{trial.n_parameters:,}",
        "epochs, all folds": trial.epochs,
        "seconds": None if trial.seconds is None else f"{trial.seconds:.1f}",
        **{f"score of fold {fold}": fixed(score, decimals) for fold, score in enumerate(trial.fold_scores, start=1)},
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _settings(title: str, values: Mapping[str, Any]) -> str:
    lines = [Line((name.replace("_", " "), _value(value))) for name, value in values.items()]
    return f"<div>{table((title, ''), lines)}</div>" if lines else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
