"""The contract of a task: the interface for the search, the reports, the command line and comparisons."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from search.tasks.data import Data, Model, Split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lstmgru.bundle.base import Bundle
    from lstmgru.evaluation.time_limit import TimeLimit
    from lstmgru.specs import TrainSpec
    from lstmgru.training.checkpoints import Checkpoints
    from lstmgru.training.epoch_outputs import EpochOutputs
    from lstmgru.training.training import Observer, Trained
    from search.config.space_config import FamilyConfig
    from search.config.study_config import StudyConfig
    from search.reports.task_pages import TaskPages
    from search.study.records import StudyRecord
    from search.tasks.backtest import TaskBacktest
    from search.tasks.compare import BaselineScores, ComparedTask
    from search.tasks.data import ModelColumns, SeedResult
    from search.tasks.final_job import FinalJob, HoldoutScores
    from search.tasks.plan import Plan

Part = TypeVar("Part")


class Words(Protocol):
    """Descriptions of a task for the command line and MLflow, as plain text."""

    @property
    def predict(self) -> str:
        """What a model of the task does: ``forecast``, ``label``."""

    @property
    def drawn(self) -> str | None:
        """File of the report folder that draws the holdout's outputs; ``None``: only the report draws them."""

    def data_columns(self, study: StudyRecord) -> list[tuple[str, str]]:
        """The columns that a study reads, with MLflow's types: ``("temp_max", "double")``."""

    def model_columns(self, description: Mapping[str, Any]) -> ModelColumns:
        """The columns of an exported model.

        Args:
            description: Content of its ``bundle.json``.
        """

    def compared(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """What scores of two studies must have in common besides metric and data: names and values of a study file."""

    @property
    def holdout_tables(self) -> tuple[str, ...]:
        """File names of the tables of the holdout."""

    def subject(self, plan: Any) -> str:
        """What is predicted, after the name of the study: ``forecast temp_max 7 steps ahead``."""

    def data_line(self, plan: Any) -> str:
        """The size of the data."""

    def holdout_line(self, plan: Any) -> str:
        """The holdout."""

    def size_line(self, plan: Any) -> str:
        """The most that a candidate reads."""

    def data_lines(self, plan: Any) -> list[tuple[str, str]]:
        """The data in detail: names and texts."""

    def split_lines(self, plan: Any) -> list[tuple[str, str]]:
        """Folds and holdout: names and texts."""


class Lazy(Generic[Part]):
    """An attribute of a task that is imported when it is read."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __get__(self, task: object, owner: type[object]) -> Part:
        part: Part = resolve_name(self._place)
        return part


def lazy(place: str) -> Any:
    """A :class:`Lazy` attribute of the type that :class:`Task` declares.

    Args:
        place: Its module, or ``module:name``.
    """
    return Lazy(place)


class Task(ABC, Generic[Data, Split, Model]):
    """A kind of problem that can be searched: how it is planned, fitted, scored, refitted, described and compared.

    A task has no state: workers receive it with every job, and what its methods read is passed to them.
    """

    # Where it runs

    modules: tuple[str, ...]
    """Modules that are slow to import and that a training needs: a worker imports them before its first job."""

    # What a study file holds

    config: Lazy[type[StudyConfig]]
    """The study file."""
    family: Lazy[type[FamilyConfig]]
    """A family of a comparison."""

    # Plan

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

    # Fit

    @abstractmethod
    def fit(
        self,
        data: Data,
        split: Split,
        model: Model,
        train: TrainSpec,
        observer: Observer | None = None,
        *,
        validate: bool = True,
        checkpoints: Checkpoints | None = None,
        epoch_outputs: EpochOutputs | None = None,
    ) -> Trained[Any]:
        """Train a candidate on the training part of a split.

        Args:
            data: Of the study.
            split: A fold or the holdout.
            model: The architecture.
            train: The training settings.
            observer: Told about every epoch; may stop the training.
            validate: Score every epoch on the scored part, stop early and keep the best weights. Never on the holdout.
            checkpoints: Where the checkpoints of the training go, and the one from which it resumes; ``None`` for none.
            epoch_outputs: Receives the outputs for the scored part after every epoch.

        Raises:
            TrainingDiverged: A loss or score is not finite.
            DataError: The split has nothing to learn from for this candidate.
        """

    # Refit

    def refit(
        self, data: Data, holdout: Split, model: Model, train: TrainSpec, observer: Observer, *, part: str
    ) -> Trained[Any]:
        """Refit a candidate for the holdout.

        Args:
            data: Of the study.
            holdout: Its training part is everything before the holdout.
            model: The architecture.
            train: The training settings; ``max_epochs`` is the number of epochs where nothing validates.
            observer: May stop the training.
            part: ``all``: on everything but the holdout; ``last_fold``: as in the last fold, with early stopping there.
        """
        if part == "last_fold":
            return self.fit(data, data.folds[-1], model, train, observer)
        return self.fit(data, holdout, model, train, observer, validate=False)

    @abstractmethod
    def everything(self, data: Data, holdout: Split) -> Split:
        """The split whose training part is all data, the holdout included; nothing is scored."""

    # Holdout and export

    score_holdout: Lazy[Callable[[FinalJob[Data, Split, Model]], HoldoutScores]]
    """Scores a blend and every baseline on the holdout.

    Raises ``NoTrialCompleted`` if the metric needs intervals, and a network that is exported alone was stopped before
    they could be calibrated.
    """
    bundle: Lazy[Callable[[FinalJob[Data, Split, Model], HoldoutScores, dict[str, Any]], Bundle]]
    """Makes the model to export, with its origin and its metrics."""
    write_holdout: Lazy[Callable[[FinalJob[Data, Split, Model], HoldoutScores, Bundle], None]]
    """Writes the tables of the holdout from which the report is made; those of an earlier winner are replaced."""

    # Backtest

    backtest: Lazy[TaskBacktest]
    """Scores a model on a table that contains the actual values."""

    # Describe

    words: Lazy[Words]
    """Descriptions of a study for the command line and MLflow."""
    pages: Lazy[TaskPages]
    """What a report shows of a study."""

    # Compare

    compare: Lazy[Callable[[Any], ComparedTask]]
    """Makes the comparison of families of networks, of a plan."""
    seed_result: Lazy[type[SeedResult]]
    """The scores of one seed, see :attr:`score_seed`."""
    score_seed: Lazy[Callable[[Data, Split, Trained[Any]], dict[str, Any]]]
    """Scores a retrained candidate on the holdout, as :attr:`seed_result` holds the scores.

    Raises ``DataError`` if the metric is undefined there.
    """

    score_compared_baseline: Lazy[Callable[[Data, Split, str, dict[str, Any] | None, TimeLimit], BaselineScores]]
    """Scores a baseline on the holdout, given its name and the calibration of its intervals.

    Raises ``BaselineTooSlow`` if it takes longer than the limit, and ``DataError`` if it cannot be fitted.
    """

    def smallest(self, data: Data, model: Model) -> tuple[Data, Model]:
        """An architecture of layers with one unit, and the data to train it on: its memory is next to nothing."""
        return data, model
