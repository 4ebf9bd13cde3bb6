"""The description of a study's run, in Markdown: what was searched, where, what came of it, how to use it."""

from __future__ import annotations

from typing import Any

from search.reports.formatting import aims
from search.reports.leaderboard import Row, leaderboard
from search.study.records import StudyRecord
from search.tasks import find_task

_ROWS = 10
_COUNTED = ("series", "sequences", "rows", "channels", "classes", "groups")


def description(study: StudyRecord, *, tracking_uri: str, model_uri: str | None) -> str:
    """What one wants to know of a study first.

    Args:
        study: The study.
        tracking_uri: What to connect to.
        model_uri: The registered model, if there is one.
    """
    states = [trial.state for trial in study.trials]
    pages = find_task(study.task).pages
    parts = [
        *([f"> {_escape(study.holdout.verdict)}"] if study.holdout else []),
        f"**{_escape(study.study)}**: {_escape(pages.summary(study))}",
        *_goal(study),
        f"Data: {_escape(_data(study.data))}.",
        f"Trials: {len(states)}, of which {states.count('COMPLETE')} complete, "
        f"{states.count('PRUNED')} pruned, {states.count('FAIL')} failed.",
    ]
    parts.append(leaderboard_table(study, rows=_ROWS))
    if model_uri:
        parts.append(_usage(tracking_uri, model_uri, pages.outputs))
    return "\n\n".join(parts) + "\n"


def leaderboard_table(study: StudyRecord, *, rows: int | None = None) -> str:
    """Trials and baselines as a Markdown table, best first.

    Args:
        study: The study.
        rows: How many trials at most; baselines are always in it. ``None`` means all.
    """
    measured = _measured(study)
    heads = [f"{study.metric}, folds", f"{study.metric}, holdout", "parameters", *measured.values()]
    lines = [f"| # | model | trial | {' | '.join(heads)} |", f"|--:|:--|--:|{'--:|' * len(heads)}"]
    shown = 0
    for rank, row in enumerate(leaderboard(study), 1):
        shown += row.trial is not None
        if row.trial is None or rows is None or shown <= rows or row.pareto:
            lines.append(_line(rank, row, list(measured)))
    return "\n".join(lines)


def _measured(study: StudyRecord) -> dict[str, str]:
    """What else of a row the study is about, with its title."""
    goal = study.goal
    judged = {*goal.objectives, *(bound.name for bound in goal.bounds)}
    titles = {"latency": "latency, s", "train_seconds": "training, s"}
    shown = {name: title for name, title in titles.items() if name in judged}
    return shown | ({} if goal.single else {"pareto": "front"}) | ({"broken": "breaks"} if goal.bounds else {})


def _goal(study: StudyRecord) -> list[str]:
    """What the winner is chosen by, where that is not the score alone."""
    goal = study.goal
    if goal.single and not goal.bounds:
        return []
    weights = ", ".join(f"{name} {weight:g}" for name, weight in goal.prefer.items())
    return [f"Judged by: {_escape(aims(study))}{f'; preference: {weights}' if weights else ''}."]


def _line(rank: int, row: Row, measured: list[str]) -> str:
    name = f"`{_escape(row.name)}`" if row.trial is not None else f"*{_escape(row.name)}* (baseline)"
    numbers = [_number(value) for value in (row.trial, row.folds, row.holdout, row.n_parameters)]
    rest = [_cell(getattr(row, name)) for name in measured]
    return "| " + " | ".join([str(rank), name, *numbers, *rest]) + " |"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "*" if value else ""
    return ", ".join(map(_escape, value)) if isinstance(value, tuple) else _number(value)


def _number(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _data(data: dict[str, Any]) -> str:
    facts = [str(data.get("source", "unknown"))]
    facts += [f"{data[key]} {key}" for key in _COUNTED if key in data]
    if "start" in data and "end" in data:
        facts.append(f"{data['start']} to {data['end']}")
    if data.get("frequency"):
        facts.append(f"frequency {data['frequency']}")
    return ", ".join(facts)


def _usage(tracking_uri: str, model_uri: str, outputs: str) -> str:
    return (
        f"The best model is registered as `{model_uri}`:\n\n```python\nimport mlflow\nimport pandas as pd\n\n"
        f"mlflow.set_tracking_uri({tracking_uri!r})\nmodel = mlflow.pyfunc.load_model({model_uri!r})\n"
        f"{outputs} = model.predict(pd.read_csv('new.csv'))\n```"
    )


def _escape(text: str) -> str:
    """Keep a name from being read as Markdown or HTML, or from ending a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
