"""``search check`` and ``search schema``: a study file before training."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from search.cli import options
from search.reports.formatting import counted, duration
from search.tasks import task_of

if TYPE_CHECKING:
    from search.cli.console import Fact
    from search.run.check_estimate import Outlook
    from search.tasks.plan import Plan


_MINUTE = 60


def check(
    study: options.Study = None,
    set_: options.Set = None,
    data: options.Data = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing if the study is valid.")] = False,
) -> None:
    """Validate a study and its data, and show the folds, the search space, and estimates of time and memory.

    Trains nothing.

    Example: python -m search check weather --set splits.folds=5
    """
    from search.api import load_plan

    plan = load_plan(study, overrides=set_ or (), data=data)
    if quiet:
        return

    # Imported after the study is validated, so that an error in its file appears at once.
    from search.cli.console import make_console, plan_facts, plan_heading, print_facts

    console = make_console()
    console.print(plan_heading(plan), soft_wrap=True)
    print_facts(console, [*plan_facts(plan), *_details(plan), *_space(plan), *_tried_first(plan), *_costs(plan)])
    console.print("[green]the study is valid[/]")


class Described(StrEnum):
    """What a JSON Schema describes."""

    STUDY = "study"
    SHOW = "show"
    COMPARE = "compare"
    BACKTEST = "backtest"
    REFIT = "refit"
    PREDICT = "predict"


def schema(
    of: Annotated[
        Described, typer.Argument(metavar="KIND", help="A study file, or the JSON of a command.")
    ] = Described.STUDY,
) -> None:
    """Print the JSON Schema of a study file, which editors use to complete and check keys, or of the JSON of a command.

    The JSON of a command is what --json prints, and of predict the file of --left-out, see docs/json.md.

    Example: python -m search schema > study.schema.json
    """
    from search.cli.console import print_json

    if of is Described.STUDY:
        from search.tasks import study_file

        print_json(study_file.schema())
    else:
        from search.cli.documents import documents
        from search.study.json_keys import json_schema

        print_json(json_schema(documents()[of]))


def _details(plan: Plan) -> list[Fact]:
    words = task_of(plan).words
    return [(name, escape(text)) for name, text in (*words.data_lines(plan), *words.split_lines(plan))]


def _space(plan: Plan) -> list[Fact]:
    size = plan.space.size
    known = "infinitely many candidates (a continuous range)" if size is None else f"{size:,} candidates"
    whole = ("space", f"{known}, {task_of(plan).words.size_line(plan)}")
    return [whole, *((f"  {name}", escape(values)) for name, values in plan.space.describe().items())]


def _costs(plan: Plan) -> list[Fact]:
    """What the search is expected to take, within a factor of about three."""
    from search.run.check_estimate import outlook

    expected = outlook(plan)
    screened = "" if expected.screened_seconds is None else f"{_about(expected.screened_seconds)} to be screened, "
    size = f"{expected.data_bytes / 1e6:.2g} MB of data, {counted(plan.jobs, 'trial')} at a time"
    return [
        ("a candidate takes", f"{screened}{_about(expected.whole_seconds)} on all folds (estimates)"),
        ("time", _trials(plan, expected)),
        ("memory", f"about {expected.bytes / 1e9:.1f} GB: {size}"),
    ]


def _trials(plan: Plan, expected: Outlook) -> str:
    limit = plan.config.search.timeout
    if limit is None:
        return f"{counted(expected.trials, 'trial')} take {_about(expected.seconds)}"
    return f"about {counted(expected.trials, 'trial')} fit into {duration(limit)}"


def _about(seconds: float) -> str:
    """``about 3 min``, rounded as a rough estimate is."""
    rough = float(f"{seconds:.1g}")
    return f"about {rough:g} s" if rough < _MINUTE else f"about {duration(rough)}"


def _tried_first(plan: Plan) -> list[Fact]:
    """Configurations that are tried before the sampler suggests any."""
    from search.run.resume import warm_start

    warm = warm_start(plan, Path.cwd())
    words = (", ".join(f"{name} {value}" for name, value in given.items()) for given in plan.try_first)
    return [
        *(("tried first", escape(text)) for text in words),
        *([("warm start", escape(warm.note))] if warm else []),
        *([("tried first", f"portfolio ({len(plan.portfolio)})")] if plan.portfolio else []),
    ]
