"""A comparison in a terminal of 80 columns."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search.compare.results import Comparison
from search.compare.tables import TextTable, advice_table, all_tables

_WIDTH = 80


def print_comparison(comparison: Comparison) -> None:
    """Tables, strengths and weaknesses, verdict, advice; the most important last, where one looks first."""
    terminal = Console(highlight=False)
    # The tables are made for 80 columns: a narrower terminal breaks lines, a file has them as they are.
    console = terminal if terminal.is_terminal and terminal.width > _WIDTH else Console(highlight=False, width=_WIDTH)
    console.print()
    for each in all_tables(comparison):
        console.print(_table(each, comparison.best))
        console.print(escape(each.caption), style="dim")
        console.print()
    for family in comparison.families:
        if not family.strengths and not family.weaknesses:
            continue
        console.print(f"[bold]{escape(family.name)}[/]")
        listed = Table.grid(padding=(0, 1))
        for mark, traits in (("[green]+[/]", family.strengths), ("[red]-[/]", family.weaknesses)):
            for trait in traits:
                listed.add_row(mark, escape(trait.text))
        console.print(listed)
    console.print()
    for note in comparison.notes:
        console.print(escape(note), style="dim")
    console.print()
    console.print(f"[bold]{escape(comparison.verdict)}[/]")
    console.print()
    console.print(_table(advice_table(comparison), None))


def _table(shown: TextTable, best: str | None) -> Table:
    table = Table(title=shown.title, title_justify="left", title_style="bold", padding=(0, 0), pad_edge=False)
    for name in shown.head:
        table.add_column(name, justify="left" if name in shown.words else "right", overflow="fold")
    for row in shown.rows:
        table.add_row(*map(escape, row), style="bold" if row[0] == best else None)
    return table
