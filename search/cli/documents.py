"""The JSON that commands print, by command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from search.study.backtest_records import BacktestRecord
from search.study.json_keys import key
from search.study.refit_records import RefitRecord


@dataclass(frozen=True)
class BacktestOutput(BacktestRecord):
    """A backtest and its run in MLflow."""

    mlflow_run_id: Annotated[str | None, key("ID of the evaluation run in MLflow. `null` if none was logged.")] = None


@dataclass(frozen=True)
class RefitOutput(RefitRecord):
    """A refit and the backtest of the old champion."""

    backtest: Annotated[
        BacktestRecord | None, key("The old champion on the rows that have arrived since. `null` if they are too few.")
    ]


@dataclass(frozen=True)
class LeftOut:
    """A series, sequence or text that is not predicted."""

    name: Annotated[str, key("Its name.")]
    reason: Annotated[str, key("The rule that it breaks.", stability="text")]


def documents() -> dict[str, Any]:
    """What each command prints as JSON, or, of ``predict``, writes to the file of ``--left-out``."""
    from search.compare.results import Comparison
    from search.study.show_json import Study

    return {
        "show": Study,
        "compare": Comparison,
        "backtest": BacktestOutput,
        "refit": RefitOutput,
        "predict": list[LeftOut],
    }
