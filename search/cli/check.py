"""``search check`` and ``search schema``: a study file before training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from search.cli import options
from search.reports.formatting import counted, duration
from search.tasks import task_of

if TYPE_CHECKING:
    from search.run.check_estimate import Outlook
    from search.tasks.plan import Plan


_MINUTE = 60


def check(study: options.Study = None, set_: options.Set = None, data: options.Data = None) -> None:
    """Validate a study and its data, and show the folds, the search space, and estimates of time and memory.

    Trains nothing.

    Example: python -m search check weather --set splits.folds=5
    """
    from search.api import load_plan

    plan = load_plan(study, overrides=set_ or (), data=data)

    # Imported after the study is validated, so that an error in its file appears at once.
    from search.cli.console import make_console, plan_lines

    console = make_console()
    for line in (*plan_lines(plan), *_detail_lines(plan), *_space_lines(plan), *_first_lines(plan), *_cost_lines(plan)):
        console.print(line, soft_wrap=True)
    console.print("[green]the study is valid[/]")


def schema() -> None:
    """Print the JSON Schema of a study file, which editors use to complete and check keys.

    Example: python -m search schema > study.schema.json
    """
    from search.cli.console import print_json
    from search.tasks.study_file import schema as study_schema

    print_json(study_schema())


def _line(name: str, text: str) -> str:
    return f"  {name:18} {text}"


def _detail_lines(plan: Plan) -> list[str]:
    words = task_of(plan).words
    return [_line(name, escape(text)) for name, text in (*words.data_lines(plan), *words.split_lines(plan))]


def _space_lines(plan: Plan) -> list[str]:
    size = plan.space.size
    known = "infinitely many candidates (a continuous range)" if size is None else f"{size:,} candidates"
    lines = [_line("space", f"{known}, {task_of(plan).words.size_line(plan)}")]
    return [*lines, *(_line(f"  {name}", values) for name, values in plan.space.describe().items())]


def _cost_lines(plan: Plan) -> list[str]:
    """What the search is expected to take, within a factor of about three."""
    from search.run.check_estimate import outlook

    expected = outlook(plan)
    screened = "" if expected.screened_seconds is None else f"{_about(expected.screened_seconds)} to be screened, "
    size = f"{expected.data_bytes / 1e6:.2g} MB of data, {counted(plan.jobs, 'trial')} at a time"
    return [
        _line("a candidate takes", f"{screened}{_about(expected.whole_seconds)} on all folds (estimates)"),
        _line("time", _trials(plan, expected)),
        _line("memory", f"about {expected.bytes / 1e9:.1f} GB: {size}"),
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


def _first_lines(plan: Plan) -> list[str]:
    """Configurations that are tried before the sampler suggests any."""
    from search.run.resume import warm_start

    warm = warm_start(plan, Path.cwd())
    words = (", ".join(f"{name} {value}" for name, value in given.items()) for given in plan.try_first)
    return [
        *(_line("tried first", escape(text)) for text in words),
        *([_line("warm start", escape(warm.note))] if warm else []),
        *([_line("tried first", f"portfolio ({len(plan.portfolio)})")] if plan.portfolio else []),
    ]
