"""Studies in Optuna's own storage whose trials were never trained, for the tests of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState, create_trial

from search.objectives import SCORE
from search.plan import describe_data, identity
from search.planning import make_plan
from search.study import StudyStore
from search.studyfile import load_study
from studies import write_study

START = datetime(2026, 3, 1, 12, 0, 0)
MAX_EPOCHS = 5


@dataclass(frozen=True)
class Made:
    """A trial to be made.

    Attributes:
        state: Optuna's.
        values: Of a complete one; ``None``: 3, and a little less for each trial.
        reason: Why it was pruned or failed.
        start: Seconds after the study.
        seconds: What it took.
        constraints: Positive ones are broken.
    """

    state: str = "COMPLETE"
    values: tuple[float, ...] | None = None
    reason: str | None = None
    start: float | None = None
    seconds: float = 20.0
    constraints: dict[str, float] = field(default_factory=dict)


def make_store(
    folder: Path,
    trials: Sequence[Made],
    *,
    name: str = "tiny",
    overrides: Sequence[str] = (),
    objectives: Sequence[str] = (SCORE,),
    baselines: bool = True,
) -> StudyStore:
    """A study of the small table with these trials, their parameters drawn at random from its space.

    Args:
        folder: Where its table is written.
        trials: In the order of their numbers.
        name: Of the study.
        overrides: Of its settings.
        objectives: What is minimised.
        baselines: Whether they are scored.
    """
    path = write_study(folder)
    settings = [f"data.path={folder / 'shop.csv'}", *overrides]
    if len(objectives) > 1:
        settings += [f"search.objectives=[{', '.join(objectives)}]", "search.pruner=none", "search.prefer={score: 1}"]
    plan = make_plan(load_study(path, overrides=settings).config, study_file=path)
    attributes = {
        "task": "forecast",
        "config": plan.config.to_dict() | {"name": name},
        "identity": identity(plan),
        "data": describe_data(plan),
        "elapsed": 75.0,
    }
    if baselines:
        attributes["baselines"] = {"naive": {"folds": 3.4, "holdout": None}, "linear": {"folds": 2.9, "holdout": None}}
    storage = optuna.storages.InMemoryStorage()
    store = StudyStore.create(storage, name, direction="minimize", attributes=attributes, objectives=objectives)
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number, made in enumerate(trials):
        asked = drawn.ask()
        model, _ = plan.space.suggest(asked)
        store.study.add_trial(_frozen(number, made, asked, model.architecture, objectives))
    return store


def _frozen(number: int, made: Made, asked: optuna.Trial, layers: str, objectives: Sequence[str]) -> Any:
    values = made.values or tuple(3.0 - 0.01 * number + place for place in range(len(objectives)))
    measures = dict(zip(objectives, values, strict=True))
    score = measures[SCORE]
    ended = made.state in ("COMPLETE", "PRUNED", "FAIL")
    curve = [[fold, epoch, 1.0, score + 1 / epoch, 2.0 * epoch] for fold in (1, 2) for epoch in (1, 2, 3)]
    reports = len(objectives) == 1 and made.state != "WAITING"
    result = {
        "n_parameters": 1000 + number, "latency": 0.002, "train_seconds": 12.0, **measures, "reason": made.reason,
        "seconds": made.seconds, "curve": curve, "fold_scores": [score] * 2, "best_epochs": [3, 3],
    }  # fmt: skip
    trial = create_trial(
        state=TrialState[made.state],
        values=list(values) if made.state == "COMPLETE" else None,
        params=asked.params,
        distributions=asked.distributions,
        intermediate_values={(fold - 1) * MAX_EPOCHS + epoch: value for fold, epoch, _, value, _ in curve}
        if reports
        else {},
        user_attrs={"seed": number, "layers": layers, **({"result": result} if ended else {})},
    )
    for constraint, value in made.constraints.items():
        trial.set_constraint(constraint, value)
    begin = START + timedelta(seconds=25.0 * number if made.start is None else made.start)
    trial.datetime_start = begin if made.state != "WAITING" else None
    trial.datetime_complete = begin + timedelta(seconds=made.seconds) if ended else None
    return trial
