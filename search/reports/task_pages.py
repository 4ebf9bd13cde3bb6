"""The task-specific parts of a report: the interface of a task, and the search space of a finished study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lstmgru.errors import SpecError
from lstmgru.specs.cells import cell_names

if TYPE_CHECKING:
    from pathlib import Path

    from search.config.space_config import SpaceConfig
    from search.reports.charts.chart import Chart
    from search.reports.diagram.boxes import Network
    from search.reports.holdout.prediction_tables import ClassScore
    from search.space.space import Model, SearchSpace, Settings, Values
    from search.study.records import HoldoutRecord, StudyRecord

_SPACE = "space."


class TaskPages(Protocol):
    """What the report of a study needs from its task."""

    @property
    def outputs(self) -> str:
        """The outputs of a model: ``forecasts``, ``predictions``."""

    def summary(self, study: StudyRecord) -> str:
        """One sentence on what is predicted and how it is scored."""

    def settings(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """The task and its splits as lines of a table.

        Args:
            config: The study file, every default filled in.
        """

    def search_space(self, identity: Mapping[str, Any]) -> SearchSpace:
        """The search space of a study, presets filled in.

        Args:
            identity: The study's attribute ``identity``.

        Raises:
            SpecError: It has no space, one of another version, or a cell that is not registered in this process.
        """

    def network(self, model: Any, study: StudyRecord) -> Network:
        """The boxes of a network's diagram."""

    def unused_settings(self, model: Any, settings: Settings) -> frozenset[str]:
        """Settings of a candidate that have no effect on it and are not shown."""

    def holdout_metrics(self, holdout: HoldoutRecord) -> str:
        """HTML beside the table of the metrics; empty if there is none."""

    def latest(self, study: StudyRecord, folder: Path) -> str:
        """The latest outputs of the model as HTML, for the first screen; empty if there is nothing to draw.

        Args:
            study: A study whose holdout was scored.
            folder: Directory of the tables of the holdout.

        Raises:
            DataError: A file is not the expected table.
            FileNotFoundError: A table does not exist.
        """

    def outputs_chart(
        self, study: StudyRecord, folder: Path, *, series: str | None = None, target: str | None = None
    ) -> Chart:
        """The outputs for the holdout as one chart.

        Args:
            study: A study whose holdout was scored.
            folder: Directory of the tables of the holdout.
            series: Name of the series of a panel; ``None``: the first one.
            target: Name of the target; ``None``: the first one.

        Raises:
            DataError: A file is not the expected table, or has no such series or target.
            FileNotFoundError: A table does not exist.
        """

    def holdout_section(self, study: StudyRecord, folder: Path) -> str:
        """The outputs for the holdout as HTML.

        Args:
            study: A study whose holdout was scored.
            folder: Directory of the tables of the holdout.

        Raises:
            DataError: A file is not the expected table.
            FileNotFoundError: A table does not exist.
        """

    def class_scores(self, study: StudyRecord) -> tuple[ClassScore, ...]:
        """Scores of each class on the holdout; empty if there are no classes or the table no longer exists.

        Raises:
            DataError: The file is not such a table.
        """


def searched_space(
    identity: Mapping[str, Any], config: type[SpaceConfig], *, unset: Mapping[str, Values] | None = None
) -> SearchSpace:
    """The search space of a study, presets filled in.

    Args:
        identity: What must not change in a study, by dotted key.
        config: The section of a study file that describes the space.
        unset: Keys that may be ``None``, and their values in that case.

    Raises:
        SpecError: The study has no space, one of another version, or a cell that is not registered in this process.
    """
    from pydantic import ValidationError

    from search.space.space import SearchSpace

    flat = {key.removeprefix(_SPACE): value for key, value in identity.items() if key.startswith(_SPACE)}
    _check_cells(flat.get("cell", []))
    try:
        values: dict[str, Any] = dict(iter(config.model_validate(_nested(flat))))
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(f"space.{first['loc'][0]} of the study is unknown to this version: {first['msg']}") from error
    values |= {name: fixed for name, fixed in (unset or {}).items() if flat.get(name, fixed) is None}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise SpecError(f"the study does not record its search space: space.{missing[0]} is missing")
    return SearchSpace(config, **{name: value for name, value in values.items() if name != "preset"})


def candidate(space: SearchSpace, params: Mapping[str, Any]) -> tuple[Model, Settings]:
    """The architecture and the training settings of a trial.

    Args:
        space: The search space of its study.
        params: The parameters of the trial.

    Raises:
        SpecError: A parameter is missing, or the architecture is not possible in this version.
    """
    from optuna.trial import FixedTrial

    try:
        return space.suggest(FixedTrial(dict(params)))
    except SpecError:
        raise
    except ValueError as error:  # Optuna's, for a missing parameter
        missing = f"the trial lacks a parameter of its architecture, it has {', '.join(params) or 'none'}"
        raise SpecError(missing) from error


def _check_cells(cells: str | list[str]) -> None:
    unknown = [cell for cell in ([cells] if isinstance(cells, str) else cells) if cell not in cell_names()]
    if unknown:
        raise SpecError(
            f"the cell {unknown[0]!r} is not registered in this process; import the module that registers it first"
        )


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        name, _, inner = key.partition(".")
        if inner:
            tree.setdefault(name, {})[inner] = value
        else:
            tree[name] = value
    return tree
