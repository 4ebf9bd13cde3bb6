"""From a study file to everything that is known before any training: data, folds, space, jobs.

Needs neither torch nor MLflow, so that ``check`` and every error about the study or its data answer at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

from lstmgru.evaluation.metrics import Metric, find_metric, registered_metrics
from lstmgru.specs import TrainSpec
from lstmgru.specs.cells import registered_cells
from search.config.search_config import LEARNING
from search.config.study_config import StudyConfig
from search.config.types import MOST_JOBS
from search.errors import StudyFileError
from search.space.configurations import known_configurations
from search.space.portfolio import first_candidates, load_portfolio
from search.space.space import Parameters, SearchSpace, Settings
from search.study.identity import SCORED_AFTER, Identity
from search.tasks.accelerator import jobs_of
from search.tasks.epochs import scoring_rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from search.config.search_config import SearchConfig
    from search.config.space_config import SpaceConfig
    from search.study.table_rows import TableRows
    from search.tasks.data import TaskData


DEFAULT_TRIALS = 30
"""Trials of a study that limits neither their number nor its time."""


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """A validated study with its data; subclasses add what is specific to a task.

    Attributes:
        name: Of the study.
        config: The study file.
        source: Where the data came from, for people.
        space: What is searched.
        trials: How many the study is to have; at most the size of a grid. ``None``: as many as fit into the time.
        jobs: How many at once.
        accelerator: What they train on.
        try_first: Configurations that are tried before any other, as trials have them.
        portfolio: Configurations of the portfolio that a new study tries next, as trials have them.
        notes: What a user should know before the search.
    """

    name: str
    config: StudyConfig
    source: str
    space: SearchSpace
    trials: int | None
    jobs: int
    accelerator: str
    try_first: tuple[Parameters, ...] = ()
    portfolio: tuple[Parameters, ...] = ()
    notes: tuple[str, ...] = ()

    if TYPE_CHECKING:

        @property
        def splits(self) -> Any:
            """The folds and the holdout; every task has a field for them."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """Name of the score."""

    @property
    def n_folds(self) -> int:
        """Folds that every candidate is trained on."""
        return len(self.splits.folds)

    @property
    def holdout(self) -> Any:
        """The split that is scored once."""
        return self.splits.holdout

    @property
    @abstractmethod
    def large_data(self) -> tuple[object, ...]:
        """The parts of the data that may be large: as the end of the study sees them, and as trials do."""

    @abstractmethod
    def search_data(self) -> TaskData:
        """What trials see: the holdout is hidden."""

    @abstractmethod
    def whole_data(self) -> TaskData:
        """What the end of the study sees: the holdout, too."""

    @abstractmethod
    def digest(self) -> str:
        """Two studies with the same digest have the same data."""

    @abstractmethod
    def rows(self) -> TableRows:
        """The rows of the data, to tell whether a later table only adds some."""

    @abstractmethod
    def describe_data(self) -> dict[str, Any]:
        """The data in a few words, for people and for MLflow."""

    @abstractmethod
    def resolved(self, space: SpaceConfig, search: SearchConfig) -> SearchSpace:
        """The space that the study would search with another section ``space`` and ``search``.

        Raises:
            StudyFileError: Its values do not fit each other or the data.
        """

    @property
    def space_config(self) -> SpaceConfig:
        """The section ``space`` from which the spaces of families are derived: every value, as the data left it."""
        return self.space.as_config()

    def family_problems(self, space: SearchSpace) -> dict[str, str]:
        """What keeps a space from being compared within this study, by key: message as the predicate of the key."""
        del space
        return {}

    def narrowed(self, *, name: str, config: StudyConfig, space: SearchSpace) -> Self:
        """The plan of a part of the space: everything else, also what is scored, stays as it is."""
        return replace(self, name=name, config=config, space=space, try_first=(), portfolio=())

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Which way the score is better."""
        return find_metric(self.metric).direction

    def registered_cells(self) -> dict[str, type[Any]]:
        """The user's own cells that are searched, by name."""
        searched = self.space["cell"].values or ()
        return {name: cell for name, cell in registered_cells().items() if name in searched}

    def registered_metrics(self) -> dict[str, Metric]:
        """The user's own metrics of the task, by name."""
        return {name: metric for name, metric in registered_metrics().items() if self.config.task in metric.tasks}

    def registered_code(self) -> tuple[Any, ...]:
        """The user's own classes and functions on which the scores of trials depend."""
        metric = self.registered_metrics().get(self.metric)
        return (*self.registered_cells().values(), *(() if metric is None else (metric.function,)))

    def train_spec(self, settings: Settings, *, seed: int) -> TrainSpec:
        """The training settings of a trial."""
        training = self.config.training
        return TrainSpec(
            **asdict(settings),
            **self._epoch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            gradient_clip=training.gradient_clip,
            ema_decay=training.ema_decay,
            accelerator=self.accelerator,
            precision=training.precision,
            seed=seed,
        )

    @property
    @abstractmethod
    def max_epochs(self) -> int:
        """Most epochs of a fold."""

    @property
    @abstractmethod
    def patience(self) -> int | None:
        """Epochs without a better score before the training of a fold stops; ``None``: it never stops early."""

    @property
    def defaults(self) -> dict[str, Any]:
        """Values that the study leaves open and another version may choose differently; stored with the study."""
        return {}

    def with_defaults(self, stored: Mapping[str, Any] | None) -> Self:
        """The plan with the :attr:`defaults` that a study was begun with; ``None``: before they were stored."""
        del stored
        return self

    @property
    def most_examples(self) -> int | None:
        """Most examples of an epoch; ``None``: an epoch has all."""
        return self._epoch_size.get("epoch_windows")

    def stored_in(self, storage: str) -> Self:
        """The same with the place in which the study is stored, which its file may leave open."""
        search = self.config.search.model_copy(update={"storage": storage})
        return replace(self, config=self.config.model_copy(update={"search": search}))

    @property
    def _epoch_size(self) -> dict[str, Any]:
        """What limits the examples of an epoch, as in :class:`~lstmgru.specs.TrainSpec`."""
        return {}


class Shared(TypedDict):
    """The attributes of a plan that are worked out in the same way for every task."""

    name: str
    trials: int | None
    jobs: int
    accelerator: str
    try_first: tuple[Parameters, ...]
    portfolio: tuple[Parameters, ...]


def shared(config: StudyConfig, space: SearchSpace, accelerator: str, file: str, *, portfolio: Path) -> Shared:
    """What follows from the study and its space.

    Args:
        config: The study.
        space: What is searched.
        accelerator: What it is trained on.
        file: The study file, for errors.
        portfolio: File of the portfolio for data of this kind.

    Raises:
        StudyFileError: A configuration of ``search.try_first`` is none of this space.
    """
    try_first, problems = known_configurations(space, config.search.try_first)
    if problems:
        raise StudyFileError(file, problems)
    grid_size = space.size if config.search.sampler == "grid" else None
    trials = _trials(config.search)
    trials = min(trials or grid_size, grid_size) if grid_size else trials
    return Shared(
        name=config.name,
        trials=trials,
        jobs=min(trials or MOST_JOBS, jobs_of(config)),
        accelerator=accelerator,
        try_first=try_first,
        portfolio=_portfolio(config.search, space, trials, portfolio),
    )


def _portfolio(search: SearchConfig, space: SearchSpace, trials: int | None, portfolio: Path) -> tuple[Parameters, ...]:
    """The first candidates of a new study: at most half of its trials."""
    if search.portfolio == "off" or search.sampler not in LEARNING:
        return ()
    candidates = first_candidates(space, load_portfolio(portfolio))
    return candidates if trials is None else candidates[: min(trials // 2, trials - len(search.try_first))]


def _trials(search: SearchConfig) -> int | None:
    """The number of trials, ``None`` for as many as fit into the time."""
    if search.trials != "auto":
        return search.trials
    return DEFAULT_TRIALS if search.timeout is None else None


def identity(plan: Plan) -> Identity:
    """The data and settings that must not change between runs, so that all trials are comparable."""
    config = plan.config
    sections = {name: getattr(config, name) for name in type(config).model_fields if name not in _OTHER}
    values: dict[str, Any] = {name: _kept(name, section.model_dump(mode="json")) for name, section in sections.items()}
    defaults = {name: _kept(name, section_defaults(section)) for name, section in sections.items()}
    values["data"]["digest"] = plan.digest()[:16]
    if own := {name: f"{cell.__module__}.{cell.__qualname__}" for name, cell in plan.registered_cells().items()}:
        values["registered_cells"] = own
    if metric := plan.registered_metrics().get(plan.metric):
        values["registered_metric"] = f"{metric.function.__module__}.{metric.function.__qualname__}"
    rule, unstated = scoring_rules(plan.n_folds)
    return Identity.of_sections(
        {"task": config.task, SCORED_AFTER: rule, "space": plan.space.to_dict(), **values},
        {SCORED_AFTER: unstated, "space": plan.space.spec_defaults(), **defaults},
    )


_OTHER = ("name", "task", "space", "export", "tracking", "compare")
"""Sections that trials do not depend on, and those that are added in another form."""
_LEFT_OUT = {"data": ("path", "test", "vectors"), "training": ("accelerator",)}
"""Places of files, whose contents are in the digest, and the hardware."""
_KEPT = {"search": ("objectives", "bounds")}
"""What the sampler learned with them cannot be undone; the other settings of the search may change."""


def _kept(section: str, values: dict[str, Any]) -> dict[str, Any]:
    """The keys of a section that trials depend on."""
    names = _KEPT.get(section, tuple(values))
    return {name: values[name] for name in names if name not in _LEFT_OUT.get(section, ())}


def section_defaults(section: BaseModel) -> dict[str, Any]:
    """Defaults of the keys of a section that have one, as JSON values."""
    return type(section).model_construct().model_dump(mode="json", warnings=False)
