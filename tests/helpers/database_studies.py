"""Studies in a database, small and without training, and how Optuna itself reads them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.study.database.place import DatabasePlace
from search.study.paths import StudyPaths

ATTRIBUTES: dict[str, Any] = {"config": {"search": {}}, "identity": {"a": 1}, "data": {}, "task": "forecast"}


def place_at(folder: Path, url: str, name: str = "demo") -> DatabasePlace:
    """The place of a study of a folder in a database."""
    return DatabasePlace(StudyPaths(folder, name), url)


def by_optuna(url: str, name: str = "demo") -> optuna.Study:
    """The study as Optuna's own storage reads it."""
    return optuna.load_study(study_name=name, storage=RDBStorage(url.replace("postgresql", "postgresql+psycopg", 1)))


def contents(trial: FrozenTrial) -> dict[str, Any]:
    """All of a trial but its id; a value that is no number equals itself."""
    values = {name: value for name, value in vars(trial).items() if name != "_trial_id"}
    return values | {"intermediate_values": {step: str(value) for step, value in trial.intermediate_values.items()}}


def fill(study: optuna.Study) -> None:
    """Trials in all states, with all kinds of parameters and values."""
    study.enqueue_trial({"x": 0.5}, user_attrs={"known": {"origin": "portfolio"}})
    distributions = {"x": FloatDistribution(0, 1), "n": IntDistribution(1, 64, log=True)}
    more = {"cell": CategoricalDistribution(("lstm", "gru", None, 3, True))}
    for number in range(4):
        trial = study.ask(distributions | (more if number else {}))
        trial.set_user_attr("text", 'a "quoted" \\ line\n\t\u0000 ü €')
        study._storage.set_trial_system_attr(trial._trial_id, "nested", {"1": [1.5, None, {"deep": math.inf}]})
        for step, value in enumerate((2.5, math.inf, -math.inf, math.nan, 0.1 + 0.2), start=1):
            trial.report(value, step)
        trial.set_constraint("n_parameters", -1.0)
        match number:
            case 0:
                study.tell(trial, 1 / 3)
            case 1:
                study.tell(trial, math.inf)
            case 2:
                study.tell(trial, state=TrialState.PRUNED)
            case 3:
                study.tell(trial, state=TrialState.FAIL)
    study.ask(distributions)
    study.add_trial(
        create_trial(
            value=2.0, params={"x": 0.25}, distributions={"x": FloatDistribution(0, 1)}, intermediate_values={3: 1.0}
        )
    )
