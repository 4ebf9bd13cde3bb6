"""The description of a study's run in Markdown, and its files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import TrackingError, masked
from search.reports.formatting import aims, counted, metric_label
from search.reports.leaderboard import Row, leaderboard, leaderboard_columns, leaderboard_frame
from search.reports.report import report_html
from search.study.paths import REPORT_PAGE, report_path
from search.study.records import StudyRecord
from search.tasks import find_task

if TYPE_CHECKING:
    from optuna import Study

_ROWS = 10
_COUNTED = ("series", "sequences", "rows", "channels", "classes", "groups")


def description(study: StudyRecord, *, tracking_uri: str, model_uri: str | None) -> str:
    """The description of a study's run: verdict, data, trials, leaderboard, and how to use the model.

    Args:
        study: The study.
        tracking_uri: Store or server that the description tells readers to connect to.
        model_uri: The registered model, or ``None``.
    """
    pages = find_task(study.task).pages
    parts = [
        *([f"> {_escape(study.holdout.verdict)}"] if study.holdout else []),
        f"**{_escape(study.study)}**: {_escape(pages.summary(study))}",
        *_goal(study),
        f"Data: {_escape(_data(study.data))}.",
        f"{counted(len(study.trials), 'trial')}{': ' if study.trials else ''}{', '.join(study.counted_states)}.",
        leaderboard_table(study, rows=_ROWS),
        *([_usage(tracking_uri, model_uri, pages.outputs)] if model_uri else []),
    ]
    return "\n\n".join(parts) + "\n"


def experiment_note(study: StudyRecord) -> str:
    """The description of the experiment of a study: what its runs are."""
    return f"""{_escape(find_task(study.task).pages.summary(study))}

- The run with the name of a study has the verdict, the leaderboard, the report (`report.html`), the exported model and
  its `score`.
- `#012 lstm > gru` is a trial; `score` is the mean over the folds. A trial that was pruned or stopped has `last_value`
  instead, and a tag with the reason.
- `baseline: naive` is a baseline on the same folds.
- `refit …` and `backtest …` are later trainings and evaluations of the model.
"""


def leaderboard_table(study: StudyRecord, *, rows: int | None = None) -> str:
    """Trials and baselines as a Markdown table, best first.

    Args:
        study: The study.
        rows: Maximum number of trials; baselines are always included. ``None``: all trials.
    """
    metric = metric_label(study.metric)
    columns = [column for column in leaderboard_columns(study) if column.name != "seconds"]
    heads = [f"{metric}, {each.name}" if each.name in ("folds", "holdout") else each.name for each in columns]
    aligned = [":--" if column.is_text else "--:" for column in columns]
    lines = [f"| # | {' | '.join(heads)} |", f"|--:|{'|'.join(aligned)}|"]
    shown = 0
    for rank, row in enumerate(leaderboard(study), 1):
        shown += row.trial is not None
        if row.trial is None or rows is None or shown <= rows or row.pareto or row.weight is not None:
            cells = [_model(row) if column.name == "model" else _escape(column.cell(row)) for column in columns]
            lines.append(f"| {rank} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _model(row: Row) -> str:
    return f"`{_escape(row.name)}`" if row.kind == "trial" else f"*{_escape(row.name)}* ({row.kind})"


def _goal(study: StudyRecord) -> list[str]:
    """How the winner is chosen, if not by the score alone."""
    goal = study.goal
    if goal.single and not goal.bounds:
        return []
    weights = ", ".join(f"{name} {weight:g}" for name, weight in goal.prefer.items())
    return [f"Judged by: {_escape(aims(study))}{f'; preference: {weights}' if weights else ''}."]


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
        f"mlflow.set_tracking_uri({tracking_uri!r})\n"
        f"model = mlflow.pyfunc.load_model({model_uri!r}).get_raw_model()\n"
        f"{outputs} = model.predict(pd.read_csv('new.csv'))\n```"
    )


def _escape(text: str) -> str:
    """Escape Markdown, HTML and the ends of table cells."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def write_settings(folder: Path, study: StudyRecord) -> None:
    """Write ``study.yaml``, without passwords."""
    import yaml

    text = masked(yaml.safe_dump(study.config, sort_keys=False, allow_unicode=True))
    (folder / "study.yaml").write_text(text, encoding="utf-8")


def write_leaderboard(folder: Path, study: StudyRecord) -> None:
    """Write ``leaderboard.csv``, ``.json`` and ``.md``."""
    frame = leaderboard_frame(study)
    frame.to_csv(folder / "leaderboard.csv", index=False)
    frame.to_json(folder / "leaderboard.json", orient="records", indent=2, force_ascii=False)
    (folder / "leaderboard.md").write_text(leaderboard_table(study) + "\n", encoding="utf-8")


def write_holdout(folder: Path, study: StudyRecord) -> None:
    """Copy the existing tables of the holdout."""
    if study.bundle is None:
        return
    for name in find_task(study.task).words.holdout_tables:
        if (table := report_path(Path(study.bundle)) / name).is_file():
            shutil.copy(table, folder / name)


def write_report(folder: Path, study: StudyRecord, optuna_study: Study) -> None:
    """Write ``report.html``.

    Raises:
        TrackingError: The report failed.
    """
    try:
        page = report_html(study, optuna_study, find_task(study.task).pages)
    except Exception as error:  # a plot that fails must not cost the rest of the run
        reason = f"{type(error).__name__}: {error}"
        raise TrackingError(f"the report of study '{study.study}' cannot be written: {reason}") from error
    (folder / REPORT_PAGE).write_text(page, encoding="utf-8")
