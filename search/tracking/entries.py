"""A study record as MLflow entries: parameters, points of metrics, and tags. Plain values, the same every time.

Timestamps come from the record and never from the clock: MLflow stores a point that is logged twice with the same key,
step, timestamp and value only once, so a study can be projected repeatedly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, count
from typing import Any

from lstmgru.errors import DataError
from search.errors import TrackingError, masked
from search.study.blend_records import BlendMember
from search.study.records import STATE_WORDS, BaselineRecord, StudyRecord, TrialRecord
from search.tasks import find_task
from search.tracking.runs import BASELINE, STARTED, STATE, STUDY_UID, TRIAL, Point

# MLflow's limits on the text of a parameter and of a tag, and on the name of a metric.
MAX_PARAM, MAX_TAG, MAX_METRIC_NAME = 6000, 8000, 250
# With more classes, their scores are in classes.csv only.
MOST_CLASSES = 50

# The UI shows a killed run as a failure, but to be pruned or stopped is the fate of most trials.
STATUS = {
    "WAITING": "SCHEDULED",
    "RUNNING": "RUNNING",
    "COMPLETE": "FINISHED",
    "PRUNED": "FINISHED",
    "STOPPED": "FINISHED",
    "FAIL": "FAILED",
}


_SIZED = re.compile(r"[\w-]+(?=\(\d+\))")
# Other parts of an architecture that have a size.
_NOT_RECURRENT = ("series", "word", "character", "conv", "segments", "multihead", "fcn")


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970 of a local time without zone, as in records."""
    return round(time.timestamp() * 1000)


def clip(text: str, limit: int) -> str:
    """The text, truncated to ``limit`` characters with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def trial_name(trial: TrialRecord) -> str:
    """The name of a trial's run, with its recurrent layers but not their sizes: ``#012 lstm > gru``."""
    stacks = [
        " > ".join(cell for cell in _SIZED.findall(branch) if cell not in _NOT_RECURRENT)
        for branch in (trial.layers or "").split("|")
    ]
    return f"#{trial.number:03d} {' ∥ '.join(stacks)}".rstrip()


def trial_params(trial: TrialRecord) -> dict[str, str]:
    """The suggested parameters, and the architecture."""
    params = trial.params | {"layers": trial.layers}
    return {key: clip(str(value), MAX_PARAM) for key, value in params.items() if value is not None}


def baseline_name(name: str) -> str:
    """The name of a baseline's run: ``baseline: seasonal naive``."""
    return f"baseline: {name.replace('_', ' ')}"


def baseline_identity(study: StudyRecord, name: str) -> dict[str, str]:
    """Tags that identify the run of a baseline."""
    return {"kind": "baseline", "study": study.study, STUDY_UID: study.uid, BASELINE: name}


def baseline_scores(study: StudyRecord, baseline: BaselineRecord, *, time: int) -> list[Point]:
    """The metrics of a baseline's run, under the names of those of trials and of the study.

    Args:
        study: The study.
        baseline: Its scores.
        time: Timestamp, in milliseconds since 1970.
    """
    looks = study.holdout.looks if study.holdout else 0
    values = (("score", baseline.folds, 0), (f"holdout_{study.metric}", baseline.holdout, looks))
    return [Point(key, value, time, step) for key, value, step in values if value is not None]


def trial_identity(study: StudyRecord, trial: TrialRecord) -> dict[str, str]:
    """Tags that identify the run of a trial and the attempt."""
    return {
        "study": study.study,
        STUDY_UID: study.uid,
        TRIAL: str(trial.number),
        STARTED: trial.started.isoformat() if trial.started else "",
    }


def trial_tags(trial: TrialRecord) -> dict[str, str]:
    """State of the trial. Written last: a run with the state of a finished trial is complete."""
    tags: dict[str, str] = {STATE: trial.state}
    if trial.origin:
        tags["origin"] = clip(trial.origin, MAX_TAG)
    if trial.reason:
        tags["reason"] = clip(trial.reason, MAX_TAG)
    if trial.state in ("PRUNED", "STOPPED"):
        tags[STATE_WORDS[trial.state]] = "true"
    return tags


def standing_tags(study: StudyRecord, trial: TrialRecord, *, on_front: bool) -> dict[str, str]:
    """What later trials may change of a complete one: its weight in the blend, and whether it is on the front."""
    tags = {}
    if study.blend is not None:
        weights = {member.candidate: member.weight for member in study.blend.members}
        tags["blend_weight"] = f"{weights.get(trial.number, 0):.4g}"
    if study.goal.bounds:
        tags["breaks"] = ", ".join(study.broken(trial)) or "nothing"
    if not study.goal.single:
        tags["pareto"] = str(on_front).lower()
    return tags


def trial_curve(study: StudyRecord, trial: TrialRecord, *, start: int, skip: int = 0) -> list[Point]:
    """The points of all epochs after the first ``skip``.

    Args:
        study: The study, whose metric names the curve.
        trial: The trial.
        start: Start of the trial, in milliseconds since 1970.
        skip: Number of epochs that are already logged.
    """
    points = []
    for epoch in trial.curve[skip:]:
        time = start + round(epoch.seconds * 1000)
        points.append(Point(f"fold_{epoch.fold}/val_{study.metric}", epoch.value, time, epoch.epoch))
        points.append(Point(f"fold_{epoch.fold}/train_loss", epoch.train_loss, time, epoch.epoch))
    return points


def trial_summary(trial: TrialRecord, *, time: int) -> list[Point]:
    """The final metrics of a finished trial; a pruned or stopped trial has ``last_value`` instead of ``score``."""
    values = {
        "score" if trial.state == "COMPLETE" else "last_value": trial.value,
        "n_parameters": trial.n_parameters,
        "latency": trial.latency,
        "train_seconds": trial.train_seconds,
        "seconds": trial.seconds,
        "epochs": trial.epochs,
    }
    values |= {f"fold_{number}/score": score for number, score in enumerate(trial.fold_scores, 1)}
    return [Point(key, float(value), time, 0) for key, value in values.items() if value is not None]


def study_params(study: StudyRecord) -> dict[str, str]:
    """The settings of the study file by dotted key, such as ``forecast.horizon``, without passwords.

    Keys without a value are left out.
    """
    return {key: clip(masked(value), MAX_PARAM) for key, value in _flatten(study.config)}


def changed_settings(before: Mapping[str, str], study: StudyRecord) -> str:
    """What a resumed study changes: ``search.trials: 20 → 40``; empty if nothing.

    Args:
        before: Parameters that its run has.
        study: The study.
    """
    now = study_params(study)
    keys = [
        key for key in sorted(before) if key.partition(".")[0] in study.config and before[key] != now.get(key, "null")
    ]
    return clip("; ".join(f"{key}: {before[key]} → {now.get(key, 'null')}" for key in keys), MAX_TAG)


def study_tags(study: StudyRecord) -> dict[str, str]:
    """Tags that identify the study, and its results."""
    tags = {
        "study": study.study,
        STUDY_UID: study.uid,
        "task": study.task,
        "metric": study.metric,
        "direction": study.direction,
    }
    if not study.goal.single:
        tags |= {"objectives": ", ".join(study.goal.objectives), "pareto_front": ", ".join(map(str, study.front))}
    if study.best:
        tags |= {"best_trial": str(study.best.number), "best_layers": study.best.layers or ""}
    if study.blend is not None:
        tags["blend"] = ", ".join(f"{_named(member)} {member.weight:.4g}" for member in study.blend.members)
    if study.holdout:
        tags |= {
            "verdict": study.holdout.verdict,
            "beats_baselines": str(study.holdout.beats_baselines).lower(),
        }
    return {key: clip(value, MAX_TAG) for key, value in tags.items()}


def best_so_far(study: StudyRecord) -> list[Point]:
    """``best_score`` after each complete trial that satisfies the bounds."""
    choose = min if study.direction == "minimize" else max
    done = sorted(
        (trial.completed, trial.number, trial.value)
        for trial in study.complete
        if trial.completed is not None and trial.value is not None and not study.broken(trial)
    )
    points: list[Point] = []
    for step, (time, _, value) in enumerate(done, 1):
        best = choose(points[-1].value, value) if points else value
        points.append(Point("best_score", best, milliseconds(time), step))
    return points


def study_outcome(study: StudyRecord, *, time: int) -> list[Point]:
    """Scores of the exported model, on the holdout of each class if there are few, and of the baselines.

    The step counts how often the holdout was scored, so a later winner's score does not replace an earlier one. The
    exported model has its score over the folds under the same name as trials and baselines, so that all are compared.

    Args:
        study: The study as it ended.
        time: Timestamp, in milliseconds since 1970.

    Raises:
        TrackingError: The table of class scores is damaged.
    """
    looks = study.holdout.looks if study.holdout else 0
    metrics = (study.holdout.metrics if study.holdout else {}) | _class_scores(study)
    metrics = {f"holdout_{name}": value for name, value in metrics.items()}
    score = _exported_score(study)
    metrics = ({} if score is None else {"score": score}) | metrics
    points = [Point(key, value, time, looks, of_model=True) for key, value in metrics.items()]
    points += [Point(key, value, time, looks) for key, value in _blend_metrics(study).items()]
    for name, baseline in study.baselines.items():
        if baseline.folds is not None:
            points.append(Point(f"baseline.{name}.score", baseline.folds, time, 0))
        if baseline.holdout is not None:
            points.append(Point(f"baseline.{name}.holdout_{study.metric}", baseline.holdout, time, looks))
    return points


def _exported_score(study: StudyRecord) -> float | None:
    """Score over the folds of the exported model; ``None`` if there is none yet, or its score is not known."""
    if study.holdout is None:
        return None
    if study.blend is not None:
        return study.blend.folds
    return next((trial.value for trial in study.trials if trial.number == study.holdout.trial), None)


def _blend_metrics(study: StudyRecord) -> dict[str, float]:
    """Score and weights of the blend, and the score of the best trial alone."""
    blend = study.blend
    if blend is None:
        return {}
    found = {f"blend.weight.{_named(member).replace(' ', '_')}": member.weight for member in blend.members}
    if blend.folds is not None:
        found["blend.score"] = blend.folds
    if blend.single is not None and blend.single.holdout is not None:
        found[f"single.holdout_{study.metric}"] = blend.single.holdout
    return found


def _named(member: BlendMember) -> str:
    """``trial 3``, or ``seasonal_naive``."""
    return f"trial {member.trial}" if member.baseline is None else member.baseline


def _class_scores(study: StudyRecord) -> dict[str, float]:
    """F1 of each class by the name of its metric, without ``holdout_``."""
    try:
        classes = find_task(study.task).pages.class_scores(study)
    except DataError as error:
        raise TrackingError(
            f"the classes of study '{study.study}' cannot be shown: {error}; delete the file to continue"
        ) from error
    shown = classes if len(classes) <= MOST_CLASSES else ()
    names = metric_names([f"holdout_f1.{each.name}" for each in shown])
    return {name.removeprefix("holdout_"): each.f1 for name, each in zip(names, shown, strict=True)}


def metric_names(texts: Sequence[str]) -> list[str]:
    """A unique name for each text that is valid for a metric in MLflow.

    Letters, digits, ``_``, ``-``, ``.`` and spaces are kept; everything else, including what MLflow accepts on some
    systems only or as a path, becomes ``_``.
    """
    names: list[str] = []
    for text in texts:
        name = re.sub(r"[^\w.\- ]", "_", text)[: MAX_METRIC_NAME - len("_99")]
        numbered = chain([name], (f"{name}_{number}" for number in count(2)))
        names.append(next(each for each in numbered if each not in names))
    return names


def _flatten(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)
