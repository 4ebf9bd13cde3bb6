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
        latency: Seconds of one forecast.
        train_seconds: Seconds of training on all folds.
        broken: Bounds of the study that it breaks.
        pareto: Whether it is on the Pareto front.
    """

    name: str
    trial: int | None
    folds: float | None
    holdout: float | None = None
    n_parameters: int | None = None
    seconds: float | None = None
    latency: float | None = None
    train_seconds: float | None = None
    broken: tuple[str, ...] = ()
    pareto: bool = False


def leaderboard(study: StudyRecord) -> list[Row]:
    """Complete trials and baselines, best fold score first.

    A winner that was stopped by the time budget, because no trial was complete, stands there too. Trials that break a
    bound come last: they cannot win.
    """
    front = set(study.front)
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
            latency=trial.latency,
            train_seconds=trial.train_seconds,
            broken=tuple(study.broken(trial)),
            pareto=trial.number in front,
        )
        for trial in shown
    ]
    rows += [Row(name, None, baseline.folds, baseline.holdout) for name, baseline in study.baselines.items()]
    sign = 1 if study.direction == "minimize" else -1
    return sorted(rows, key=lambda row: (bool(row.broken), math.inf if row.folds is None else sign * row.folds))


def leaderboard_frame(study: StudyRecord) -> pd.DataFrame:
    """The leaderboard as a table.

    Its columns are ``model, trial, folds, holdout, n_parameters, latency, train_seconds, seconds``, ``pareto`` where
    there are several objectives, and ``broken`` where there are bounds.
    """
    import pandas as pd

    columns = ["name", "trial", "folds", "holdout", "n_parameters", "latency", "train_seconds", "seconds"]
    columns += [] if study.goal.single else ["pareto"]
    columns += ["broken"] if study.goal.bounds else []
    rows = [vars(row) | {"broken": ", ".join(row.broken)} for row in leaderboard(study)]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"trial": "Int64", "n_parameters": "Int64"}).rename(columns={"name": "model"})
