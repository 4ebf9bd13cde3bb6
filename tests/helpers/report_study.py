"""Studies in Optuna's own storage whose trials were never trained, for the tests of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import TrialState, create_trial

from helpers.sequence_bundles import long_table, text_table
from helpers.studies import write_study
from search.config.objectives import SCORE
from search.study.store import StudyStore
from search.tasks import make_plan
from search.tasks.plan import Plan, identity
from search.tasks.study_file import read_study_file

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


LABELS = """\
name: engines
task: classification
data:
  path: engines.csv
  id: engine
  time: minute
  target: state
  channels: [heat, load]
splits:
  folds: 2
search:
  jobs: 1
space:
  preset: small
training:
  max_epochs: 5
  accelerator: cpu
"""
"""A study of sequences of two channels, of three classes."""
NUMBERS = ("task=regression", "data.target=wear")
TEXTS = ("data={path: texts.csv, text: text, target: mood}",)


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
        objectives: What is judged.
        baselines: Whether they are scored.
    """
    plan = _plan(write_study(folder), objectives, [f"data.path={folder / 'shop.csv'}", *overrides])
    return _store(plan, trials, objectives, name, {"naive": 3.4, "linear": 2.9} if baselines else {})


def make_label_store(
    folder: Path,
    trials: Sequence[Made],
    *,
    overrides: Sequence[str] = (),
    objectives: Sequence[str] = (SCORE,),
) -> StudyStore:
    """A study of labels with these trials; see :func:`make_store`.

    Args:
        folder: Where its tables are written.
        trials: In the order of their numbers.
        overrides: Of its settings: ``NUMBERS``, ``TEXTS``.
        objectives: What is judged.
    """
    long_table(60).to_csv(folder / "engines.csv", index=False)
    texts = pd.concat([text_table()] * 9, ignore_index=True)
    texts.assign(text="it is said that " + texts["text"]).to_csv(folder / "texts.csv", index=False)
    path = folder / "engines.yaml"
    path.write_text(LABELS)
    return _store(_plan(path, objectives, overrides), trials, objectives, "engines", {"majority": 0.4, "ridge": 0.6})


def _plan(path: Path, objectives: Sequence[str], overrides: Sequence[str]) -> Plan:
    settings = list(overrides)
    if len(objectives) > 1:
        settings += [f"search.objectives=[{', '.join(objectives)}]", "search.pruner=none", "search.prefer={score: 1}"]
    return make_plan(read_study_file(path, overrides=settings).config, study_file=path)


def _store(
    plan: Plan, trials: Sequence[Made], objectives: Sequence[str], name: str, baselines: dict[str, float]
) -> StudyStore:
    attributes = {
        "task": plan.config.task,
        "metric": plan.metric,
        "config": plan.config.to_dict() | {"name": name},
        "identity": identity(plan).values,
        "data": plan.describe_data(),
        "elapsed": 75.0,
        "baselines": {name: {"folds": score, "holdout": None} for name, score in baselines.items()},
    }
    storage = optuna.storages.InMemoryStorage()
    store = StudyStore.create(storage, name, direction=plan.direction, attributes=attributes, objectives=objectives)
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
