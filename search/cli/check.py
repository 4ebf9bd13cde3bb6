"""``search check``: everything that can be known without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from search.cli import options

if TYPE_CHECKING:
    from lstmgru.data.splits import Split
    from search.plan import Plan


def check(study: options.Study = None, set_: options.Set = None, data: options.Data = None) -> None:
    """Validate a study and its data, and show what a run would do. Trains nothing.

    Example: python -m search check weather --set splits.folds=5
    """
    from search.api import load_plan
    from search.cli.console import make_console, plan_lines

    console = make_console()
    plan = load_plan(study, overrides=set_ or (), data=data)
    for line in (*plan_lines(plan), *_data_lines(plan), *_split_lines(plan), *_space_lines(plan), *_first_lines(plan)):
        console.print(line, soft_wrap=True)
    console.print("[green]the study is valid[/]")


def _data_lines(plan: Plan) -> list[str]:
    from rich.markup import escape

    from lstmgru.data.wording import show_time

    panel = plan.panel
    lengths = panel.lengths
    size = f"{lengths.min()} rows" if lengths.min() == lengths.max() else f"{lengths.min()} to {lengths.max()} rows"
    filled = int((~panel.observed).sum())
    first, last = panel.times[panel.offsets[:-1]].min(), panel.times[panel.offsets[1:] - 1].max()
    roles = {
        "targets": panel.schema.targets,
        "past covariates": panel.schema.past_covariates,
        "future covariates": panel.schema.future_covariates,
        "static covariates": panel.schema.static_covariates,
        "categorical": [f"{column} ({len(names)} names)" for column, names in panel.schema.categories.items()],
        "calendar": panel.schema.calendar,
    }
    return [
        _line("series", f"{len(panel)}, {size} each, from {show_time(first)} to {show_time(last)}"),
        _line("frequency", f"{panel.frequency}, season of {plan.forecast.season_length} steps"),
        _line("gaps", f"{filled} rows filled ({plan.config.data.gaps})" if filled else "none"),
        *_short_lines(plan),
        *(_line(name, escape(", ".join(columns))) for name, columns in roles.items() if columns),
    ]


def _short_lines(plan: Plan) -> list[str]:
    """How many series are padded, where a study allows it."""
    if plan.config.data.short_series == "error":
        return []
    train = plan.splits.folds[0].train
    window = plan.space.longest_context + plan.forecast.horizon
    short = int((train[:, 1] - train[:, 0] < window).sum())
    if not short:
        return []
    return [_line("short series", f"{short} of {len(train)} have no whole window of {window} rows in fold 1 (pad)")]


def _line(name: str, text: str) -> str:
    return f"  {name:18} {text}"


def _split_lines(plan: Plan) -> list[str]:
    return [_split_line(plan, split) for split in (*plan.splits.folds, plan.splits.holdout)]


def _split_line(plan: Plan, split: Split) -> str:
    from lstmgru.data.splits import time_span
    from lstmgru.data.wording import show_time

    train, evaluation = (
        " to ".join(show_time(time) for time in time_span(plan.panel, parts))
        for parts in (split.train, split.evaluation)
    )
    return _line(split.name, f"train {train}, score {evaluation}")


def _space_lines(plan: Plan) -> list[str]:
    size = plan.space.size
    known = "infinitely many candidates (a continuous range)" if size is None else f"{size:,} candidates"
    lines = [_line("space", f"{known}, context of at most {plan.space.longest_context} steps")]
    return [*lines, *(_line(f"  {name}", values) for name, values in plan.space.describe().items())]


def _first_lines(plan: Plan) -> list[str]:
    """What would be tried before anything else."""
    from rich.markup import escape

    from search.warmstart import warm_start

    warm = warm_start(plan, Path.cwd())
    words = (", ".join(f"{name} {value}" for name, value in given.items()) for given in plan.try_first)
    return [
        *(_line("tried first", escape(text)) for text in words),
        *([_line("warm start", escape(warm.note))] if warm else []),
    ]
