"""Progress of a run: a bar that stays at the bottom of a terminal, and a line for each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.markup import escape
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from lstmgru.errors import counted
from lstmgru.evaluation.decimals import fixed, score_decimals
from search.cli.console import plan_facts, plan_heading, print_facts
from search.errors import printable
from search.reports.formatting import duration
from search.study.records import ENDED, STATE_WORDS, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import Console, RenderableType

    from search.run.progress import Progress
    from search.tasks.plan import Plan


class _Bar(Bar):
    """A bar with a line below it, of which a narrow terminal cuts the end."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar and the line."""
        yield from super().get_renderables()
        if self.below:
            below = Text.from_markup(self.below, style="dim")
            below.no_wrap, below.overflow = True, "ellipsis"
            yield below


class RunListener:
    """Shows the progress of a run; use it as a context manager.

    Args:
        console: Where; no terminal gets plain lines instead of the bar.
        quiet: Whether to show nothing at all.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console, self._quiet = console, quiet
        self._larger_is_better = False
        self._decimals: int | None = None
        self._bar = _Bar(
            BarColumn(bar_width=16),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=console,
            expand=True,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("opening the study", total=None, count="")

    def __enter__(self) -> Self:
        """Start the display."""
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Remove the display."""
        self._bar.stop()

    def on_plan(self, plan: Plan, study: StudyRecord) -> None:
        """Print the plan of the run."""
        self._larger_is_better = plan.direction == "maximize"
        if not self._quiet:
            self._console.print(plan_heading(plan), soft_wrap=True)
            print_facts(self._console, plan_facts(plan))
        ended = sum(trial.state in ENDED for trial in study.trials)
        if ended:
            wanted = "" if plan.trials is None else f", {plan.trials} are requested in total"
            self._print(f"resuming: {ended} trials have ended{wanted}")
        self._show("starting workers")

    def on_phase(self, text: str) -> None:
        """A line, and the bar's text."""
        self._bar.below = ""
        self._bar.update(self._task, total=None, count="")
        self._show(escape(text))
        self._print(escape(text))

    def on_progress(self, progress: Progress) -> None:
        """Move the bar."""
        done, total, left = progress.done, progress.total, progress.seconds_left
        count = counted(done, "trial") if total is None else f"{done}/{total}"
        if total is None and left is not None:  # a bar of time
            done, total = round(progress.elapsed), round(progress.elapsed + left)
        self._bar.update(self._task, completed=done, total=total, count=count)
        self._bar.below = _below(progress, self._score)
        self._show(_beside(progress))

    def on_trial(self, trial: TrialRecord, progress: Progress) -> None:
        """One line a trial."""
        value = self._score(trial.value) if trial.value is not None else "-"
        mark = " [bold green]best[/]" if progress.best and progress.best.number == trial.number else ""
        state = "done" if trial.state == "COMPLETE" else STATE_WORDS[trial.state]
        text = f"{trial.number:4d}  {state:7}  {value:>8}  {escape(trial.layers or '')}{mark}"
        if trial.state == "FAIL" and trial.reason:
            text += f"  [red]{escape(trial.reason)}[/]"
        self._print(text)
        self.on_progress(progress)

    def on_message(self, text: str) -> None:
        """A line that stands out."""
        self._print(f"[yellow]note:[/] {escape(printable(text))}")

    def _score(self, value: float) -> str:
        """A score; all have the decimals of the first one."""
        if self._decimals is None:
            self._decimals = score_decimals(value, larger_is_better=self._larger_is_better)
        return fixed(value, self._decimals)

    def _print(self, text: str) -> None:
        if not self._quiet:
            self._console.print(text, soft_wrap=True)

    def _show(self, description: str) -> None:
        self._bar.update(self._task, description=description)


def _beside(progress: Progress) -> str:
    """What stands behind the bar: the time left, or that workers are starting."""
    if progress.seconds_left is not None:
        return f"{duration(progress.seconds_left)} left"
    if progress.ready < progress.workers and progress.done == 0:
        return f"starting {counted(progress.workers, 'worker')}: {progress.ready} ready"
    return "first trials running"


def _below(progress: Progress, score: Callable[[float], str]) -> str:
    """The best score beside that of the best baseline, and the trials by state; what may be cut comes last."""
    best, baseline = progress.best, progress.baseline
    parts = []
    if best is not None and best.value is not None:
        style = "green" if progress.ahead else "default"
        parts.append(f"best [not dim {style}]{score(best.value)}[/]")
    if baseline is not None:
        parts.append(f"{escape(baseline[0].replace('_', ' '))} {score(baseline[1])}")
    parts += [f"{len(progress.running)} running"] if progress.running else []
    parts += [f"{progress.pruned} pruned"] if progress.pruned else []
    parts += [f"{progress.promoted} promoted"] if progress.promoted else []
    parts += [escape(best.layers)] if best is not None and best.layers else []
    return " · ".join(parts)
