"""Consoles, and the plan of a study as names and texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from search.config.objectives import SCORE, Goal
from search.config.search_values import executor_kind
from search.executors import RAY
from search.reports.formatting import duration, metric_label
from search.tasks import task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.tasks.plan import Plan

Fact = tuple[str, str]
"""A name and a text, both with markup."""
_NAME = 17
"""Least width of the names."""
_LONGEST_WORD = 40
"""Characters of a word that no table breaks."""


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


def _at_a_time(plan: Plan) -> str:
    search = plan.config.search
    if executor_kind(search.executor) == RAY:
        return "as many at a time as the cluster holds" if search.jobs == "auto" else f"{plan.jobs} at a time in Ray,"
    return f"{plan.jobs} at a time"


def plan_heading(plan: Plan) -> str:
    """The name of a study and what it predicts, with markup."""
    return f"[bold]{escape(plan.name)}[/]: {escape(task_of(plan).words.subject(plan))}, {_aims(plan)}"


def plan_facts(plan: Plan) -> list[Fact]:
    """The plan of a run, and what a user should know before it."""
    config, words = plan.config, task_of(plan).words
    limits = [] if plan.trials is None else [f"{plan.trials} trials"]
    limits += [] if config.search.timeout is None else [f"at most {duration(config.search.timeout)}"]
    return [
        ("data", escape(f"{plan.source}: {words.data_line(plan)}")),
        ("folds", f"{plan.n_folds}, then {escape(words.holdout_line(plan))}"),
        (
            "search",
            f"{', '.join(limits)}, {config.search.sampler}, {config.search.pruner} pruner, {_at_a_time(plan)} on "
            f"{plan.accelerator}, seed {config.search.seed}",
        ),
        *(("[yellow]note[/]", escape(note)) for note in plan.notes),
    ]


def print_table(
    console: Console,
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Sequence[str],
    tight: bool = False,
    styles: Sequence[str | None] = (),
) -> None:
    """A table of which no number and no word is broken: in a terminal that is too narrow, its lines are longer.

    Args:
        console: Where.
        title: Above the table.
        head: Names of the columns.
        rows: Cells, in the order of the columns.
        words: Names of the columns that hold words; all others hold numbers.
        tight: Whether there is no room beside the cells.
        styles: Of each row; empty: they have none.
    """
    least, natural = [], []
    for place, name in enumerate(head):
        cells = [row[place] for row in rows]
        whole = [*name.split(), *(word for cell in cells for word in (cell.split() if name in words else [cell]))]
        least.append(min(_LONGEST_WORD, max(map(cell_len, whole), default=1)))
        natural.append(max(least[-1], *map(cell_len, (name, *cells))))
    widths = _shared(least, natural, console.width - 1 - len(head) * (1 if tight else 3))
    table = Table(
        title=title, title_justify="left", title_style="bold", padding=(0, 0 if tight else 1), pad_edge=not tight
    )
    for name, width in zip(head, widths, strict=True):
        # Not width, which a terminal that is too narrow makes smaller.
        justify: Literal["left", "right"] = "left" if name in words else "right"
        table.add_column(escape(name), justify=justify, overflow="fold", min_width=width, max_width=width)
    for row, style in zip(rows, styles or [None] * len(rows), strict=True):
        table.add_row(*map(escape, row), style=style)
    console.print(table, crop=False)


def _shared(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """The widths of columns: what they need at least, and equal shares of the rest up to their natural widths."""
    widths, rest = list(least), max(0, room - sum(least))
    order = sorted(range(len(least)), key=lambda place: natural[place] - least[place])
    for count, place in zip(range(len(order), 0, -1), order, strict=True):
        granted = min(natural[place] - least[place], rest // count)
        widths[place] += granted
        rest -= granted
    return widths


def print_facts(console: Console, facts: Sequence[Fact]) -> None:
    """Names and texts in two columns; in a terminal, the lines of a long text begin below each other."""
    names = [Text.from_markup(name) for name, _ in facts]
    width = max(_NAME, *(name.cell_len for name in names))
    if console.is_terminal:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=width + 2)
        grid.add_column(overflow="fold")
        for name, (_, text) in zip(names, facts, strict=True):
            grid.add_row(Text("  ") + name, text)
        console.print(grid)
        return
    for name, (_, text) in zip(names, facts, strict=True):
        line = Text("  ") + name + " " * (width - name.cell_len + 1) + Text.from_markup(text)
        console.print(line, soft_wrap=True)


def _aims(plan: Plan) -> str:
    """The goal of the search: ``maximize accuracy, minimize latency, with n_parameters <= 50000``."""
    goal = Goal(plan.config.search.objectives, plan.config.search.bounds)
    if plan.direction == "minimize":
        return f"minimize {goal.describe().replace(SCORE, metric_label(plan.metric), 1)}"
    costs = [name for name in goal.objectives if name != SCORE]
    aims = f"maximize {metric_label(plan.metric)}" + (f", minimize {' and '.join(costs)}" if costs else "")
    return aims + (f", with {' and '.join(map(str, goal.bounds))}" if goal.bounds else "")
