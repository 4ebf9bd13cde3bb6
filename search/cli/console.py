"""Output of a run: live progress in a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column

from search.config.objectives import SCORE, Goal
from search.config.search_values import executor_kind
from search.errors import printable
from search.executors import RAY
from search.run.progress import Progress
from search.study.records import ENDED, STATE_WORDS, StudyRecord, TrialRecord
from search.tasks import task_of

if TYPE_CHECKING:
    from search.tasks.plan import Plan


def make_console() -> Console:
    """Standard output; where it is no terminal, lines are never cut or wrapped at 80 columns."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def print_json(value: object) -> None:
    """Print one JSON object."""
    print(json.dumps(value, indent=2))


def short_path(path: Path) -> str:
    """The path, relative to the current folder if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


class RunListener:
    """Shows the progress of a run; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            BarColumn(bar_width=16),
            TextColumn("{task.completed}/{task.total}"),
            # In a narrow terminal the end of this text is cut, and neither the bar nor a number.
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=console,
            expand=True,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=None, visible=False)

    def __enter__(self) -> Self:
        """Start the display."""
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Remove the display."""
        self._bar.stop()

    def on_plan(self, plan: Plan, study: StudyRecord) -> None:
        """Print the plan of the run."""
        for line in plan_lines(plan):
            self._console.print(line)
        ended = sum(trial.state in ENDED for trial in study.trials)
        if ended:
            wanted = "" if plan.trials is None else f", {plan.trials} are requested in total"
            self._console.print(f"resuming: {ended} trials have ended{wanted}")
        self._bar.update(self._task, completed=ended, total=plan.trials, description="starting workers", visible=True)

    def on_phase(self, text: str) -> None:
        """A line, and the bar's text."""
        self._bar.update(self._task, description=escape(text))
        self._console.print(escape(text))

    def on_progress(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(
            self._task, completed=progress.done, total=progress.total, description=_progress_text(progress)
        )

    def on_trial(self, trial: TrialRecord, progress: Progress) -> None:
        """One line a trial."""
        value = f"{trial.value:.4g}" if trial.value is not None else "-"
        mark = " [bold green]best[/]" if progress.best and progress.best.number == trial.number else ""
        state = "done" if trial.state == "COMPLETE" else STATE_WORDS[trial.state]
        text = f"{trial.number:4d}  {state:7}  {value:>8}  {escape(trial.layers or '')}{mark}"
        if trial.state == "FAIL" and trial.reason:
            text += f"  [red]{escape(trial.reason)}[/]"
        self._console.print(text, soft_wrap=True)
        self.on_progress(progress)

    def on_message(self, text: str) -> None:
        """A line that stands out."""
        self._console.print(f"[yellow]note:[/] {escape(printable(text))}", soft_wrap=True)


def _at_a_time(plan: Plan) -> str:
    search = plan.config.search
    if executor_kind(search.executor) == RAY:
        return "as many at a time as the cluster holds" if search.jobs == "auto" else f"{plan.jobs} at a time in Ray,"
    return f"{plan.jobs} at a time"


def plan_lines(plan: Plan) -> list[str]:
    """The plan of a run in four lines, and what a user should know before it."""
    config, words = plan.config, task_of(plan).words
    limits = [] if plan.trials is None else [f"{plan.trials} trials"]
    limits += [] if config.search.timeout is None else [f"at most {config.search.timeout:g} s"]
    return [
        f"[bold]{escape(plan.name)}[/]: {escape(words.subject(plan))}, {_aims(plan)}",
        f"  data               {escape(plan.source)}: {escape(words.data_line(plan))}",
        f"  folds              {plan.n_folds}, then {escape(words.holdout_line(plan))}",
        f"  search             {', '.join(limits)}, {config.search.sampler}, {config.search.pruner} pruner, "
        f"{_at_a_time(plan)} on {plan.accelerator}, seed {config.search.seed}",
        *(f"  [yellow]note[/]               {escape(note)}" for note in plan.notes),
    ]


def _aims(plan: Plan) -> str:
    """The goal of the search: ``maximize accuracy, minimize latency, with n_parameters <= 50000``."""
    goal = Goal(plan.config.search.objectives, plan.config.search.bounds)
    if plan.direction == "minimize":
        return f"minimize {goal.describe().replace(SCORE, plan.metric, 1)}"
    costs = [name for name in goal.objectives if name != SCORE]
    aims = f"maximize {plan.metric}" + (f", minimize {' and '.join(costs)}" if costs else "")
    return aims + (f", with {' and '.join(map(str, goal.bounds))}" if goal.bounds else "")


def _progress_text(progress: Progress) -> str:
    parts = [] if progress.seconds_left is None else [f"{progress.seconds_left:.0f} s left"]
    if progress.best is not None and progress.best.value is not None:
        # The name comes last: a narrow terminal cuts it and nothing else.
        parts.append(f"best {progress.best.value:.4g} {escape(progress.best.layers or '')}")
    return " · ".join(parts) or "first trials running"
