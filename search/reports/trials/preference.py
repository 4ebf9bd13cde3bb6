"""Which trial of the Pareto front each weight of the score would export, as a table that a slider goes through."""

from __future__ import annotations

from lstmgru.evaluation.decimals import fixed
from search.config.objectives import SCORE
from search.reports.formatting import cost_text, decimals_of_study, metric_label
from search.reports.page import Line, paragraph, table
from search.study.records import StudyRecord, TrialRecord

_STEPS = 10


def preference_html(study: StudyRecord) -> str:
    """The trial for each weight from 0 to 1; the other objectives share the rest equally. Empty without a front.

    Args:
        study: A study with several objectives.
    """
    trials = {trial.number: trial for trial in study.trials}
    others = [name for name in study.goal.objectives if name != SCORE]
    now = _weight_now(study)
    decimals = decimals_of_study(study)
    lines = []
    for step in range(_STEPS + 1):
        weights = weights_of(step / _STEPS, others)
        number = study.preferred(weights)
        if number is None:
            return ""
        cells = _cells(trials[number], others, decimals)
        lines.append(Line((_words(weights), str(number), *cells), "winner" if step == now else "", number))
    head = ("search.prefer", "trial", "model", metric_label(study.metric), *(name.replace("_", " ") for name in others))
    text = paragraph(
        "The trial that each choice of weights would export. To export another one, set search.prefer in the study "
        "file to the weights of its row and run the study again."
    )
    listed = table(head, lines, numbers=("trial", *head[3:]), slider="Weight of the score")
    return f"<h3>Other preferences</h3>\n{text}{listed}"


def weights_of(score: float, others: list[str]) -> dict[str, float]:
    """Weights of the objectives, which sum to 1."""
    return {SCORE: score, **{name: (1 - score) / len(others) for name in others}}


def _weight_now(study: StudyRecord) -> int:
    """The row next to the weights of the study, of which none means the score alone."""
    prefer = study.goal.prefer or {SCORE: 1.0}
    return round(_STEPS * prefer.get(SCORE, 0.0) / sum(prefer.values()))


def _words(weights: dict[str, float]) -> str:
    """As in a study file, without weights of 0."""
    return "{" + ", ".join(f"{name}: {weight:.3g}" for name, weight in weights.items() if weight) + "}"


def _cells(trial: TrialRecord, others: list[str], decimals: int) -> list[str]:
    measures = [trial.measures.get(name) for name in others]
    costs = map(cost_text, others, measures)
    return [trial.layers or "?", "" if trial.value is None else fixed(trial.value, decimals), *costs]
