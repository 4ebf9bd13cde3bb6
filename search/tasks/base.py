"""The contract of a task: what the search, the reports and the command line ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmgru.specs import RecurrentSpec, TrainSpec
    from lstmgru.training.callbacks import Observer
    from lstmgru.training.training import Trained
    from search.config.space_config import FamilyConfig
    from search.config.study_config import StudyConfig
    from search.reports.task_pages import TaskPages
    from search.tasks.compare import ComparedTask
    from search.tasks.plan import Plan

Data = TypeVar("Data", bound="TaskData")
Split = TypeVar("Split")
Spec = TypeVar("Spec")


@dataclass(frozen=True)
class BaselineResult:
    """What a simple method found.

    Attributes:
        score: Mean over the folds.
        calibration: What its outputs of the folds say of its intervals, as plain values; ``None``: it has none.
    """

    score: float
    calibration: dict[str, Any] | None = None


class Backtest(Protocol):
    """Collects what a method gives for the folds."""

    def add(self, fold: int, outputs: Any) -> None:
        """The outputs for the scored part of a fold, counted from 0."""

    def calibration(self) -> dict[str, Any] | None:
        """What they say of intervals, as plain values; ``None`` where there are none."""


class NoBacktest:
    """Of a task without intervals: nothing is kept."""

    def add(self, fold: int, outputs: Any) -> None:
        """Nothing to keep."""

    def calibration(self) -> dict[str, Any] | None:
        """There is none."""
        return None


class TaskData(ABC):
    """What every trial of a study shares; the holdout is hidden in it.

    A worker gets it once, so it must be picklable; it is read only.
    """

    @property
    @abstractmethod
    def n_folds(self) -> int:
        """Folds that every candidate is trained on."""

    @property
    @abstractmethod
    def larger_is_better(self) -> bool:
        """Whether the score is maximized."""

    @abstractmethod
    def fit(self, fold: int, model: RecurrentSpec, train: TrainSpec, observer: Observer) -> Trained[Any]:
        """Train a candidate on a fold, counted from 0, scoring every epoch.

        Raises:
            TrainingDiverged: A loss or score is not finite.
            DataError: The fold has nothing to learn from for this candidate.
        """

    @abstractmethod
    def score_baselines(self, should_stop: Callable[[], bool]) -> dict[str, BaselineResult] | None:
        """Every baseline on the folds, by name; ``None`` if it was stopped."""

    def backtest(self, model: RecurrentSpec) -> Backtest:
        """Where the outputs of a candidate go."""
        return NoBacktest()

    def better(self, score: float, other: float) -> float:
        """The better of two scores."""
        return max(score, other) if self.larger_is_better else min(score, other)


class Words(Protocol):
    """What the command line says of a plan, as plain text."""

    def subject(self, plan: Any) -> str:
        """What is predicted, after the name of the study: ``forecast temp_max 7 steps ahead``."""

    def data_line(self, plan: Any) -> str:
        """The size of the data."""

    def holdout_line(self, plan: Any) -> str:
        """What the holdout is."""

    def size_line(self, plan: Any) -> str:
        """What candidates read at most."""

    def data_lines(self, plan: Any) -> list[tuple[str, str]]:
        """The data in detail: names and texts."""

    def split_lines(self, plan: Any) -> list[tuple[str, str]]:
        """Folds and holdout: names and texts."""


class Task(ABC, Generic[Data, Split, Spec]):
    """A kind of problem that can be searched. It has no state, so that it travels to workers at no cost."""

    @property
    @abstractmethod
    def config(self) -> type[StudyConfig]:
        """What a study file of the task holds."""

    @property
    @abstractmethod
    def family(self) -> type[FamilyConfig]:
        """What a family of a comparison may hold."""

    @abstractmethod
    def plan(self, config: StudyConfig, *, study_file: Path | None = None) -> Plan:
        """Read the data of a study and work out everything else that is known before training.

        Args:
            config: The study.
            study_file: Where it was read from; a relative ``data.path`` may be relative to its folder.

        Raises:
            DataError: The data break a rule.
            StudyFileError: The study does not fit its data.
        """

    @property
    @abstractmethod
    def words(self) -> Words:
        """What the command line says of a plan."""

    @property
    @abstractmethod
    def pages(self) -> TaskPages:
        """The task-specific parts of a study's report."""

    @abstractmethod
    def compare(self, plan: Any) -> ComparedTask:
        """How families of networks are compared."""
