"""The leaderboard: the blend, then trials and baselines in one list, best first, and its columns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lstmgru.evaluation.decimals import fixed
from search.reports.formatting import cost_text, counted, decimals_of_study
from search.study.records import STATE_WORDS, StudyRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from search.study.blend_records import Candidate


@dataclass(frozen=True)
class Row:
    """One row of the leaderboard.

    Attributes:
        name: Architecture of a trial, name of a baseline, or what a blend consists of.
        trial: Its number; ``None`` for a baseline and a blend.
        folds: Mean score over the folds; ``None`` if unknown.
        holdout: Score on the holdout, of the blend, the best trial and the baselines only.
        n_parameters: Number of trainable parameters.
        seconds: Wall time of the trial.
        latency: Seconds of one prediction.
        train_seconds: Seconds of training on all folds.
        broken: Bounds of the study that it violates.
        pareto: Whether it is on the Pareto front.
        weight: Its share of the blend; ``None``: it is no member, or it is the blend.
        kind: What it is.
        stopped: Whether the time budget or the pruner ended it, so its score is that of fewer epochs or folds.
        reached: Fold and epoch in which it was stopped; empty: it was not, or that is not known.
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
    weight: float | None = None
    kind: Literal["trial", "baseline", "blend"] = "trial"
    stopped: bool = False
    reached: str = ""


def leaderboard(study: StudyRecord) -> list[Row]:
    """The blend, then complete trials and baselines, best fold score first.

    A blend of one trial is that trial. Includes a winner that was stopped before any trial was complete, after the
    others, because its score is that of fewer epochs or folds. Trials that violate a bound come last: they cannot win.
    """
    front, weights = set(study.front), _weights(study)
    winner = study.holdout.trial if study.holdout else None
    shown = [trial for trial in study.trials if trial.state == "COMPLETE" or trial.number == winner]
    rows = [
        Row(
            name=(trial.layers or "?") + ("" if trial.state == "COMPLETE" else f" ({STATE_WORDS[trial.state]})"),
            trial=trial.number,
            folds=trial.value,
            holdout=_alone(study) if trial.number == winner else None,
            n_parameters=trial.n_parameters,
            seconds=trial.seconds,
            latency=trial.latency,
            train_seconds=trial.train_seconds,
            broken=tuple(study.broken(trial)),
            pareto=trial.number in front,
            weight=weights.get(trial.number),
            stopped=trial.state != "COMPLETE",
        )
        for trial in shown
    ]
    rows += [
        Row(name, None, baseline.folds, baseline.holdout, weight=weights.get(name), kind="baseline")
        for name, baseline in study.baselines.items()
    ]
    sign = 1 if study.direction == "minimize" else -1
    ranked = sorted(
        rows, key=lambda row: (bool(row.broken), row.stopped, math.inf if row.folds is None else sign * row.folds)
    )
    return [*_blend_row(study, rows), *ranked]


def is_blended(study: StudyRecord) -> bool:
    """Whether the exported model is anything else than one trial."""
    return study.blend is not None and (study.blend.alone is None or study.blend.alone.trial is None)


def _weights(study: StudyRecord) -> dict[Candidate, float]:
    """Shares of the members of the blend."""
    members = study.blend.members if study.blend is not None and is_blended(study) else ()
    return {member.candidate: member.weight for member in members}


def _alone(study: StudyRecord) -> float | None:
    """Score on the holdout of the best trial alone."""
    if study.blend is not None and is_blended(study):
        return study.blend.single.holdout if study.blend.single else None
    return study.holdout.score if study.holdout else None


def _blend_row(study: StudyRecord, rows: list[Row]) -> list[Row]:
    if study.blend is None or not is_blended(study):
        return []
    members = [row for row in rows if row.weight is not None]
    sizes = [row.n_parameters for row in members if row.n_parameters is not None]
    name = counted(len(study.blend.members), "member")
    return [
        Row(name, None, study.blend.folds, study.blend.holdout, sum(sizes) if sizes else None, kind="blend"),
    ]


def first_rows(study: StudyRecord, most: int = 10) -> tuple[list[Row], int]:
    """The rows that a terminal or a notebook shows, and the number of trials that are left out.

    These are the blend and the baselines, the best trials, the exported one, and all members of the blend and of the
    Pareto front.

    Args:
        study: The study.
        most: Number of trials that are shown in any case.
    """
    shown: list[Row] = []
    hidden = 0
    for row in leaderboard(study):
        trials = sum(other.trial is not None for other in shown)
        chosen = row.pareto or row.weight is not None or row.holdout is not None
        if row.trial is None or trials < most or chosen:
            shown.append(row)
        else:
            hidden += 1
    return shown, hidden


def counted_trials(study: StudyRecord, hidden: int) -> str:
    """The line below the rows: ``31 trials: 13 complete, 18 pruned; 3 more not shown``."""
    states = f": {', '.join(study.counted_states)}" if study.trials else ""
    left_out = f"; {hidden} more not shown" if hidden else ""
    return f"{counted(len(study.trials), 'trial')}{states}{left_out}"


@dataclass(frozen=True)
class Column:
    """A displayed column of the leaderboard.

    Attributes:
        name: Its title.
        cell: Text of its cell in a row.
        is_text: Whether it holds text rather than numbers.
    """

    name: str
    cell: Callable[[Row], str]
    is_text: bool = False


def leaderboard_columns(study: StudyRecord) -> tuple[Column, ...]:
    """The columns for a study; measured times are shown if they are objectives or bounds, weights for a blend."""
    decimals, goal = decimals_of_study(study), study.goal

    def score(value: float | None) -> str:
        return "" if value is None else fixed(value, decimals)

    judged = {*goal.objectives, *(bound.name for bound in goal.bounds)}
    shown = (
        (Column("model", _model, is_text=True), True),
        (Column("trial", lambda row: "" if row.trial is None else str(row.trial)), True),
        (Column("weight", lambda row: "" if row.weight is None else f"{row.weight:.0%}"), is_blended(study)),
        (Column("folds", lambda row: score(row.folds)), True),
        (Column("holdout", lambda row: score(row.holdout)), True),
        (Column("parameters", lambda row: cost_text("n_parameters", row.n_parameters)), True),
        (Column("latency", lambda row: cost_text("latency", row.latency)), "latency" in judged),
        (Column("training", lambda row: cost_text("train_seconds", row.train_seconds)), "train_seconds" in judged),
        (Column("seconds", lambda row: cost_text("seconds", row.seconds)), True),
        (Column("front", lambda row: "*" if row.pareto else ""), not goal.single),
        (Column("breaks", lambda row: ", ".join(row.broken), is_text=True), bool(goal.bounds)),
    )
    return tuple(column for column, is_shown in shown if is_shown)


def _model(row: Row) -> str:
    return row.name if row.kind == "trial" else f"{row.kind}: {row.name.replace('_', ' ')}"


def leaderboard_frame(study: StudyRecord) -> pd.DataFrame:
    """The leaderboard as a data frame.

    Its columns are ``model, trial, folds, holdout, n_parameters, latency, train_seconds, seconds``, ``pareto`` if there
    are several objectives, ``broken`` if there are bounds, and ``weight`` if a blend is exported, which is the row
    ``blend``.
    """
    import pandas as pd

    columns = ["name", "trial", "folds", "holdout", "n_parameters", "latency", "train_seconds", "seconds"]
    columns += [] if study.goal.single else ["pareto"]
    columns += ["broken"] if study.goal.bounds else []
    columns += ["weight"] if is_blended(study) else []
    rows = [
        vars(row) | {"broken": ", ".join(row.broken)} | ({"name": "blend"} if row.kind == "blend" else {})
        for row in leaderboard(study)
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"trial": "Int64", "n_parameters": "Int64"}).rename(columns={"name": "model"})
