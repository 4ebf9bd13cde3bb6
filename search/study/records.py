"""The contents of a study as plain values, which the command line, the reports and tracking read.

A record is built from Optuna's storage alone (see :mod:`search.study.store`); it needs neither torch nor MLflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from search.config.objectives import SCORE, Goal
from search.study.blend_records import BlendRecord, Candidate
from search.study.json_keys import key
from search.study.refit_records import RefitRecord

TrialStateName = Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "STOPPED", "FAIL"]
"""Optuna's states, and ``STOPPED`` for a trial that the time budget ended, which Optuna keeps as pruned."""
STATE_WORDS: dict[TrialStateName, str] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "STOPPED": "stopped",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}
"""What people read, in the order in which trials are counted."""
ENDED = ("COMPLETE", "PRUNED", "STOPPED", "FAIL")
"""The states of trials that ended."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch of one fold.

    Attributes:
        fold: 1 for the first.
        epoch: 1 for the first.
        train_loss: Mean loss of the epoch's batches, on scaled values.
        value: The metric on the fold's evaluation windows, in original units.
        seconds: Since the trial started.
    """

    fold: int
    epoch: int
    train_loss: float
    value: float
    seconds: float


@dataclass(frozen=True)
class TrialRecord:
    """One trial.

    Attributes:
        number: Optuna's, from 0.
        state: Optuna's state name, or ``STOPPED``.
        value: Mean score of the folds; of a pruned or stopped trial, its last intermediate value; ``None`` if there is
            none.
        layers: The architecture, ``lstm(64) > gru(32)``; ``None`` before it is known.
        params: Suggested values by parameter name.
        n_parameters: Number of trainable parameters of the network.
        epochs: Number of epochs over all folds.
        seconds: Wall-clock time.
        reason: Why it was pruned or stopped, or failed.
        fold_scores: Score of each finished fold, at the epoch that is best on the other folds; the best one of a trial
            that was stopped.
        curve: Every epoch.
        started: Local time without zone, as Optuna keeps it.
        completed: Likewise.
        mlflow_run_id: Its run in MLflow, once tracked.
        latency: Seconds per prediction; ``None`` before the trial ended.
        train_seconds: Seconds of training over all folds that were trained.
        origin: Where its configuration comes from: ``search.try_first``, ``portfolio`` or ``study NAME``; ``None``: the
            sampler suggested it, or it repeats another trial.
    """

    number: int
    state: TrialStateName
    value: float | None = None
    layers: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    n_parameters: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    reason: str | None = None
    fold_scores: tuple[float, ...] = ()
    curve: tuple[EpochRecord, ...] = field(default=(), repr=False)
    started: datetime | None = field(default=None, repr=False)
    completed: datetime | None = field(default=None, repr=False)
    mlflow_run_id: str | None = field(default=None, repr=False)
    latency: float | None = None
    train_seconds: float | None = field(default=None, repr=False)
    origin: str | None = field(default=None, repr=False)

    @property
    def measures(self) -> dict[str, float]:
        """The known values, by objective."""
        known = {
            SCORE: self.value,
            "latency": self.latency,
            "n_parameters": self.n_parameters,
            "train_seconds": self.train_seconds,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class BaselineRecord:
    """Scores of a baseline."""

    folds: Annotated[
        float | None,
        key(
            "Mean score over the folds, on the same windows as every trial. `null` if only the holdout was scored.",
            unit="metric",
        ),
    ]
    holdout: Annotated[
        float | None,
        key(
            "Score on the holdout. `null` before it is scored there, and of a slow baseline that the time was too "
            "short for.",
            unit="metric",
        ),
    ] = None


@dataclass(frozen=True)
class IntervalRecord:
    """Prediction intervals of one level."""

    level: Annotated[float, key("Nominal coverage.", unit="share")]
    coverage: Annotated[float, key("Share of the true values that the intervals cover.", unit="share")]
    width: Annotated[float, key("Mean width.", unit="unit of the target")]


@dataclass(frozen=True)
class HoldoutRecord:
    """Scores of the exported model on the holdout.

    Attributes:
        trial: Number of the best trial, which is exported alone unless a blend is; ``None``: no trial is complete.
        score: The study's metric.
        metrics: Every metric by name.
        verdict: One sentence on whether the model beats the best baseline.
        beats_baselines: Whether the paired interval of the differences excludes zero in favor of the winner.
        intervals: One for each level that the backtest was large enough for.
        looks: How often a model of this study was scored on the holdout; more than once weakens the verdict.
        score_interval: 95% interval of the score; ``None``: there are too few cases.
        baseline_intervals: 95% interval of each baseline's score around it, given the score of the model: as wide as
            that of their paired difference, so that it contains the score of the model unless they differ.
    """

    trial: int | None
    score: float
    metrics: dict[str, float]
    verdict: str
    beats_baselines: bool
    intervals: tuple[IntervalRecord, ...] = ()
    looks: int = 1
    score_interval: tuple[float, float] | None = None
    baseline_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The record that ``dataclasses.asdict`` wrote."""
        intervals = tuple(IntervalRecord(**interval) for interval in values.get("intervals", ()))
        own, others = values.get("score_interval"), values.get("baseline_intervals", {})
        return cls(
            **{
                **values,
                "intervals": intervals,
                "score_interval": None if own is None else (own[0], own[1]),
                "baseline_intervals": {name: (low, high) for name, (low, high) in others.items()},
            }
        )


@dataclass(frozen=True)
class TrackingLinks:
    """Where MLflow has the study.

    Attributes:
        tracking_uri: The store or server.
        experiment_id: Id of the experiment.
        parent_run_id: Id of the study's run.
        trial_run_ids: Trial number → run id.
        model_uri: ``models:/weather@champion`` once the best model is registered.
    """

    tracking_uri: str
    experiment_id: str
    parent_run_id: str
    trial_run_ids: dict[int, str] = field(default_factory=dict)
    model_uri: str | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The links as JSON keeps them, whose keys are text."""
        runs = {int(number): run for number, run in values.get("trial_run_ids", {}).items()}
        return cls(**{**values, "trial_run_ids": runs})


@dataclass(frozen=True)
class StudyRecord:
    """One study.

    Attributes:
        study: Its name.
        uid: Identifies the study; another one of the same name, after ``--fresh``, has another.
        task: ``forecast``, ``classification`` or ``regression``.
        metric: Name of the score.
        direction: ``minimize`` or ``maximize``.
        config: The study file as it was run, with all defaults filled in.
        data: ``source``, ``digest`` and, as the task has it, ``series``, ``rows``, ``start``, ``end``, ``frequency``,
            or ``sequences``, ``classes`` and the like.
        trials: By number.
        baselines: By name.
        holdout: Scores on the holdout, once it was scored.
        bundle: Directory of the exported model.
        mlflow: Links to MLflow, once the study is tracked.
        blend: The exported blend; ``None`` before that, and if blends are off.
        refits: Trainings of the model on later tables, first to last.
    """

    study: str
    uid: str
    task: str
    metric: str
    direction: str
    config: dict[str, Any]
    data: dict[str, Any]
    trials: tuple[TrialRecord, ...] = ()
    baselines: dict[str, BaselineRecord] = field(default_factory=dict)
    holdout: HoldoutRecord | None = None
    bundle: str | None = None
    mlflow: TrackingLinks | None = None
    blend: BlendRecord | None = None
    refits: tuple[RefitRecord, ...] = ()

    @property
    def complete(self) -> list[TrialRecord]:
        """COMPLETE trials, best first."""
        sign = 1 if self.direction == "minimize" else -1
        scored = [trial for trial in self.trials if trial.state == "COMPLETE" and trial.value is not None]
        return sorted(scored, key=lambda trial: (sign * (trial.value or 0.0), trial.number))

    @cached_property
    def goal(self) -> Goal:
        """Objectives, bounds and preference, which determine the best trial."""
        return Goal.of_study(self.config)

    @property
    def best(self) -> TrialRecord | None:
        """The COMPLETE trial that the study exports: the best or preferred one that satisfies the bounds."""
        number = self.goal.best(self._judged)
        return None if number is None else next(trial for trial in self.trials if trial.number == number)

    @property
    def weights(self) -> dict[Candidate, float]:
        """Weights of the members of the exported model, the largest first; empty before the holdout is scored."""
        if self.blend is not None:
            return {each.candidate: each.weight for each in self.blend.members}
        return {} if self.holdout is None or self.holdout.trial is None else {self.holdout.trial: 1.0}

    @property
    def front(self) -> list[int]:
        """Numbers of the COMPLETE trials on the Pareto front, among those that satisfy the bounds."""
        return self.goal.front(self._judged)

    def preferred(self, weights: Mapping[str, float]) -> int | None:
        """Number of the COMPLETE trial that these weights of the objectives would export; ``None`` if there is none."""
        return replace(self.goal, prefer=weights).best(self._judged)

    @property
    def counted_states(self) -> list[str]:
        """How many trials are in which state: ``["8 complete", "3 pruned"]``."""
        states = [trial.state for trial in self.trials]
        return [f"{states.count(state)} {word}" for state, word in STATE_WORDS.items() if state in states]

    def broken(self, trial: TrialRecord) -> list[str]:
        """The bounds that a trial violates: ``["latency <= 2ms"]``."""
        return [str(bound) for bound in self.goal.broken(trial.measures)]

    @property
    def _judged(self) -> dict[int, dict[str, float]]:
        sign = 1 if self.direction == "minimize" else -1
        return {trial.number: trial.measures | {SCORE: sign * (trial.value or 0.0)} for trial in self.complete}

    def to_json(self) -> dict[str, Any]:
        """The object that ``show --json`` prints; its keys are a public interface."""
        best, front = self.best, set(self.front)
        trials = {trial.number: self._trial_json(trial, front) for trial in self.trials}
        return {
            "study": self.study,
            "task": self.task,
            "metric": self.metric,
            "direction": self.direction,
            "objectives": list(self.goal.objectives),
            "bounds": [str(bound) for bound in self.goal.bounds],
            "trials": list(trials.values()),
            "best": trials[best.number] if best else None,
            "baselines": {name: asdict(baseline) for name, baseline in self.baselines.items()},
            "holdout": {
                "score": self.holdout.score,
                "score_interval": self.holdout.score_interval,
                "metrics": self.holdout.metrics,
                "intervals": [asdict(interval) for interval in self.holdout.intervals],
                "baseline_intervals": self.holdout.baseline_intervals,
                "verdict": self.holdout.verdict,
                "beats_baselines": self.holdout.beats_baselines,
                "looks": self.holdout.looks,
            }
            if self.holdout
            else None,
            "blend": self.blend.to_json() if self.blend else None,
            "bundle": self.bundle,
            "refits": [asdict(refit) for refit in self.refits],
            "mlflow": {
                "tracking_uri": self.mlflow.tracking_uri,
                "experiment_id": self.mlflow.experiment_id,
                "parent_run_id": self.mlflow.parent_run_id,
            }
            if self.mlflow
            else None,
        }

    def _trial_json(self, trial: TrialRecord, front: set[int]) -> dict[str, Any]:
        judged = trial.state in ("COMPLETE", "PRUNED", "STOPPED")
        ranked = trial.state == "COMPLETE" and not self.goal.single
        return {
            **{key: getattr(trial, key) for key in _TRIAL_KEYS},
            "feasible": not self.broken(trial) if judged else None,
            "pareto": trial.number in front if ranked else None,
            "origin": trial.origin,
            "reason": trial.reason,
            "mlflow_run_id": trial.mlflow_run_id,
        }


_TRIAL_KEYS = (
    "number", "state", "value", "fold_scores", "layers", "params", "n_parameters", "latency", "epochs", "seconds",
    "train_seconds",
)  # fmt: skip
