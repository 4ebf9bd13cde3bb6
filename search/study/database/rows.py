"""The rows of studies in the tables of Optuna's ``RDBStorage``, read and written many at a time.

``RDBStorage`` creates the tables and checks their version. It would write every value in a transaction of several
queries; a driver with many workers writes all changes of a moment in one transaction. The rows are the same, so every
tool for Optuna's storages reads them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert

from search.study.places import distribution_of

_STUDIES: Table = models.StudyModel.__table__
_DIRECTIONS: Table = models.StudyDirectionModel.__table__
_TRIALS: Table = models.TrialModel.__table__
STUDY_USER: Table = models.StudyUserAttributeModel.__table__
STUDY_SYSTEM: Table = models.StudySystemAttributeModel.__table__
TRIAL_USER: Table = models.TrialUserAttributeModel.__table__
TRIAL_SYSTEM: Table = models.TrialSystemAttributeModel.__table__
PARAMS: Table = models.TrialParamModel.__table__
VALUES: Table = models.TrialValueModel.__table__
INTERMEDIATE: Table = models.TrialIntermediateValueModel.__table__
_KEYS = {
    **dict.fromkeys((STUDY_USER, STUDY_SYSTEM), ("study_id", "key")),
    **dict.fromkeys((TRIAL_USER, TRIAL_SYSTEM), ("trial_id", "key")),
    PARAMS: ("trial_id", "param_name"),
    VALUES: ("trial_id", "objective"),
    INTERMEDIATE: ("trial_id", "step"),
}
"""The columns that identify a row: what it belongs to, and its key there."""
_STAMP = "lstmgru-search:writer"
"""System attribute of a study: the last transaction of its writer."""
_OWN = ("config", "identity", "uid")
"""User attributes of every study of this program."""


@dataclass
class Ids:
    """Ids in the database by ids in this process."""

    studies: dict[int, int] = field(default_factory=dict)
    trials: dict[int, int] = field(default_factory=dict)

    def update(self, more: Ids) -> None:
        """Add ids."""
        self.studies |= more.studies
        self.trials |= more.trials


class Changes:
    """What is to be written: studies, trials, and the newest of all values that have changed."""

    def __init__(self) -> None:
        self._studies: dict[int, tuple[str, Sequence[StudyDirection]]] = {}
        self._trials: dict[int, tuple[int, FrozenTrial]] = {}
        self._values: dict[Table, dict[tuple[int, Any], dict[str, Any]]] = defaultdict(dict)

    def __bool__(self) -> bool:
        return bool(self._studies or self._trials or self._values)

    def add_study(self, study_id: int, name: str, directions: Sequence[StudyDirection]) -> None:
        """A new study.

        Args:
            study_id: Its id in this process.
            name: Its name in the database.
            directions: Of its objectives.
        """
        self._studies[study_id] = name, directions

    def add_trial(self, study_id: int, trial: FrozenTrial) -> None:
        """A new trial, or a new state of one, without its values."""
        self._trials[trial._trial_id] = study_id, trial

    def add_attribute(self, table: Table, owner: int, key: str, text: str) -> None:
        """An attribute of a study or trial, as JSON."""
        self._values[table][owner, key] = {"value_json": text}

    def add_param(self, trial_id: int, name: str, value: float, distribution: BaseDistribution) -> None:
        """A parameter, in Optuna's internal representation."""
        text = distribution_to_json(distribution)
        self._values[PARAMS][trial_id, name] = {"param_value": value, "distribution_json": text}

    def add_value(self, trial_id: int, objective: int, value: float) -> None:
        """The value of an objective."""
        stored, kind = models.TrialValueModel.value_to_stored_repr(value)
        self._values[VALUES][trial_id, objective] = {"value": stored, "value_type": kind}

    def add_intermediate_value(self, trial_id: int, step: int, value: float) -> None:
        """An intermediate value."""
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
        self._values[INTERMEDIATE][trial_id, step] = {"intermediate_value": stored, "intermediate_value_type": kind}

    def write(self, connection: Connection, known: Ids) -> Ids:
        """Write everything; returns the ids of new studies and trials.

        Args:
            connection: In a transaction.
            known: Ids of the others.
        """
        new = Ids()
        for study_id, (name, directions) in self._studies.items():
            new.studies[study_id] = _insert(connection, _STUDIES, study_name=name)
            rows = [
                {"study_id": new.studies[study_id], "objective": number, "direction": direction}
                for number, direction in enumerate(directions)
            ]
            connection.execute(insert(_DIRECTIONS), rows)
        studies = known.studies | new.studies
        changed = []
        for trial_id, (study_id, trial) in self._trials.items():
            if trial_id in known.trials:
                changed.append({"id": known.trials[trial_id], **{f"new_{k}": v for k, v in _columns(trial).items()}})
            else:
                columns = {"study_id": studies[study_id], "number": trial.number, **_columns(trial)}
                new.trials[trial_id] = _insert(connection, _TRIALS, **columns)
        if changed:
            connection.execute(_update_trial(), changed)
        for table, changes in self._values.items():
            owner, key = _KEYS[table]
            old, added = (known.studies, new.studies) if owner == "study_id" else (known.trials, new.trials)
            rows = [
                {owner: added[which] if which in added else old[which], key: name, **columns}
                for (which, name), columns in changes.items()
            ]
            connection.execute(_upsert(table), rows)
        return new


@cache
def _upsert(table: Table) -> Insert:
    statement, keys = postgresql_insert(table), _KEYS[table]
    others = [column.name for column in table.columns if not column.primary_key and column.name not in keys]
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in others}
    )


@cache
def _update_trial() -> Any:
    names = ("state", "datetime_start", "datetime_complete")
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return update(_TRIALS).where(_TRIALS.c.trial_id == bindparam("id")).values(values)


def _insert(connection: Connection, table: Table, **columns: Any) -> int:
    """Insert a row; returns its id."""
    [key] = table.primary_key
    return int(connection.execute(insert(table).values(columns).returning(key)).scalar_one())


def _columns(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state,
        "datetime_start": _to_utc(trial.datetime_start),
        "datetime_complete": _to_utc(trial.datetime_complete),
    }


def _to_utc(local: datetime | None) -> datetime | None:
    return None if local is None else local.astimezone(UTC).replace(tzinfo=None)


def _to_local(utc: datetime | None) -> datetime | None:
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


@dataclass(frozen=True)
class StoredStudy:
    """A study in the database.

    Attributes:
        study_id: Its id there.
        directions: Of its objectives.
        user_attrs: Its user attributes.
        system_attrs: Its system attributes.
        trials: By number, with their ids there.
    """

    study_id: int
    directions: list[StudyDirection]
    user_attrs: dict[str, Any]
    system_attrs: dict[str, Any]
    trials: list[FrozenTrial]


def read_study(connection: Connection, study_id: int) -> StoredStudy:
    """Read a study with all its trials."""
    user, system = (
        {row.key: json.loads(row.value_json) for row in connection.execute(select(t).where(t.c.study_id == study_id))}
        for t in (STUDY_USER, STUDY_SYSTEM)
    )
    directions = (
        select(_DIRECTIONS.c.direction).where(_DIRECTIONS.c.study_id == study_id).order_by(_DIRECTIONS.c.objective)
    )
    return StoredStudy(study_id, list(connection.scalars(directions)), user, system, _read_trials(connection, study_id))


def _read_trials(connection: Connection, study_id: int) -> list[FrozenTrial]:
    query = select(_TRIALS).where(_TRIALS.c.study_id == study_id).order_by(_TRIALS.c.number)
    trials = {row.trial_id: _empty_trial(row) for row in connection.execute(query)}

    def rows(table: Table) -> Iterator[tuple[FrozenTrial, Row[Any]]]:
        [key] = table.primary_key
        query = select(table).join(_TRIALS).where(_TRIALS.c.study_id == study_id).order_by(key)
        # A trial that has begun since is not among those that were read.
        return ((trials[row.trial_id], row) for row in connection.execute(query) if row.trial_id in trials)

    for trial, row in rows(PARAMS):
        distribution = distribution_of(row.distribution_json)
        trial.distributions[row.param_name] = distribution
        trial.params[row.param_name] = distribution.to_external_repr(row.param_value)
    for trial, row in rows(TRIAL_USER):
        trial.user_attrs[row.key] = json.loads(row.value_json)
    for trial, row in rows(TRIAL_SYSTEM):
        trial.system_attrs[row.key] = json.loads(row.value_json)
    for trial, row in rows(INTERMEDIATE):
        kind, stored = row.intermediate_value_type, row.intermediate_value
        value = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value(stored, kind)
        trial.intermediate_values[row.step] = value
    values: dict[int, dict[int, float]] = defaultdict(dict)
    for trial, row in rows(VALUES):
        value = models.TrialValueModel.stored_repr_to_value(row.value, row.value_type)
        values[trial._trial_id][row.objective] = value
    for trial_id, found in values.items():
        trials[trial_id].values = [found[objective] for objective in sorted(found)]
    return list(trials.values())


def _empty_trial(row: Row[Any]) -> FrozenTrial:
    return FrozenTrial(
        number=row.number,
        state=row.state,
        value=None,
        datetime_start=_to_local(row.datetime_start),
        datetime_complete=_to_local(row.datetime_complete),
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=row.trial_id,
    )


def find_studies(connection: Connection, name: str, *, families: bool) -> tuple[dict[str, int], str | None]:
    """The ids of the studies of a name, and the name of one that this program has not created.

    Args:
        connection: To the database.
        name: Of the study there.
        families: Include those of the families of a comparison, ``NAME: lstm``.
    """
    if connection.scalar(select(func.to_regclass(_STUDIES.name))) is None:
        return {}, None
    named = _STUDIES.c.study_name == name
    if families:
        named = or_(named, _STUDIES.c.study_name.startswith(f"{name}: ", autoescape=True))
    keys = func.array_agg(STUDY_USER.c.key)
    query = select(_STUDIES.c.study_name, _STUDIES.c.study_id, keys).outerjoin(STUDY_USER).where(named)
    found = connection.execute(query.group_by(_STUDIES.c.study_id).order_by(_STUDIES.c.study_id)).all()
    foreign = next((name for name, _, known in found if not set(_OWN) <= set(known)), None)
    return {name: study_id for name, study_id, _ in found}, foreign


def count_trials(connection: Connection, studies: Iterable[int]) -> int:
    """Number of trials of studies."""
    return int(connection.scalar(select(func.count()).where(_TRIALS.c.study_id.in_(studies))) or 0)


def delete_studies(connection: Connection, studies: Iterable[int]) -> None:
    """Delete studies with everything that belongs to them."""
    ids = list(studies)
    trials = select(_TRIALS.c.trial_id).where(_TRIALS.c.study_id.in_(ids))
    for table in reversed(models.BaseModel.metadata.sorted_tables):
        if "study_id" in table.c:
            connection.execute(delete(table).where(table.c.study_id.in_(ids)))
        elif "trial_id" in table.c:
            connection.execute(delete(table).where(table.c.trial_id.in_(trials)))


def read_stamp(connection: Connection, name: str) -> str | None:
    """The last transaction of the writer of a study; ``None``: there is no study."""
    query = select(STUDY_SYSTEM.c.value_json).join(_STUDIES).where(_STUDIES.c.study_name == name)
    stamp: str | None = connection.scalar(query.where(STUDY_SYSTEM.c.key == _STAMP))
    return stamp


def write_stamp(connection: Connection, name: str, before: str | None, after: str) -> bool:
    """Replace the stamp of a study; ``False`` if it is not the one before, so another process has written.

    Args:
        connection: In a transaction.
        name: Of the study.
        before: The stamp that it has; ``None``: it has none.
        after: The stamp that it gets.
    """
    study = select(_STUDIES.c.study_id).where(_STUDIES.c.study_name == name).scalar_subquery()
    written = STUDY_SYSTEM.c.key
    if before is None:
        values = {"study_id": study, "key": _STAMP, "value_json": after}
        insertion = postgresql_insert(STUDY_SYSTEM).values(values).on_conflict_do_nothing()
        return connection.scalar(insertion.returning(written)) is not None
    same = (STUDY_SYSTEM.c.study_id == study, STUDY_SYSTEM.c.key == _STAMP, STUDY_SYSTEM.c.value_json == before)
    change = update(STUDY_SYSTEM).where(*same).values(value_json=after)
    return connection.scalar(change.returning(written)) is not None
