"""The leaderboard: trials and baselines in one list, best first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from search.records import StudyRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Row:
    """One line.

    Attributes:
        name: Architecture of a trial, name of a baseline.
        trial: Its number; ``None`` for a baseline.
        folds: Mean score over the folds; ``None`` where it is not known.
        holdout: Score on the holdout, of the winner and the baselines only.
        n_parameters: Trainable numbers.
        seconds: Wall time of the trial.
    """

    name: str
    trial: int | None
    folds: float | None
    holdout: float | None = None
    n_parameters: int | None = None
    seconds: float | None = None


def leaderboard(study: StudyRecord) -> list[Row]:
    """Complete trials and baselines, best fold score first.

    A winner that was stopped by the time budget, because no trial was complete, stands there too.
    """
    winner = study.holdout.trial if study.holdout else None
    shown = [trial for trial in study.trials if trial.state == "COMPLETE" or trial.number == winner]
    rows = [
        Row(
            name=(trial.layers or "?") + ("" if trial.state == "COMPLETE" else " (stopped)"),
            trial=trial.number,
            folds=trial.value,
            holdout=study.holdout.score if study.holdout and trial.number == winner else None,
            n_parameters=trial.n_parameters,
            seconds=trial.seconds,
        )
        for trial in shown
    ]
    rows += [Row(name, None, baseline.folds, baseline.holdout) for name, baseline in study.baselines.items()]
    sign = 1 if study.direction == "minimize" else -1
    return sorted(rows, key=lambda row: math.inf if row.folds is None else sign * row.folds)


def leaderboard_frame(study: StudyRecord) -> pd.DataFrame:
    """The leaderboard as a table: ``model, trial, folds, holdout, n_parameters, seconds``."""
    import pandas as pd

    columns = {"name": "model"}
    rows = [vars(row) for row in leaderboard(study)]
    frame = pd.DataFrame(rows, columns=["name", "trial", "folds", "holdout", "n_parameters", "seconds"])
    return frame.astype({"trial": "Int64", "n_parameters": "Int64"}).rename(columns=columns)
