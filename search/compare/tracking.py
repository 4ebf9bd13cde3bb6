"""The run of a comparison in MLflow: one per comparison, nested below the run of its study."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.compare.markdown import brief
from search.compare.results import Comparison, FamilyResult
from search.study.paths import COMPARISON_FILES
from search.tracking import store
from search.tracking.entries import MAX_TAG, clip
from search.tracking.runs import Point, Runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from search.study.records import StudyRecord

_UID = "comparison_uid"
"""Tag that identifies the run. It has no ``study_uid``, which identifies the runs of the study itself."""


def track(
    comparison: Comparison, settings: Mapping[str, Any], folder: Path, files: Path, study: StudyRecord | None
) -> str:
    """Create or update the run of a comparison; return its id.

    Args:
        comparison: The results.
        settings: The ``tracking`` section of the study.
        folder: The working folder.
        files: Folder of the files of the comparison.
        study: The study whose run becomes the parent; ``None`` if it was not run.

    Raises:
        TrackingError: MLflow failed.
    """
    uri = store.default_tracking_uri(settings.get("uri"), folder)
    with store.talking_to(uri):
        client = store.connect(uri)
        location = store.artifact_location(uri, folder)
        experiment = store.open_experiment(client, settings.get("experiment") or comparison.study, location)
        runs = Runs(client, experiment)
        state = runs.find(_UID, comparison.uid)
        if state is None:
            identity = {"kind": "comparison", "study": comparison.study, _UID: comparison.uid}
            state = runs.create(f"{comparison.study}: comparison", start=time.time_ns() // 1_000_000, tags=identity)
        tags = {name: clip(text, MAX_TAG) for name, text in _tags(comparison).items()}
        parent = None if study is None else runs.read(study).parent
        if parent is not None:
            tags["mlflow.parentRunId"] = parent.run_id
        # The step grows with the number of trials and seeds, so a later state does not replace an earlier one.
        step = comparison.trials * 1000 + comparison.seeds
        metrics = [metric for family in comparison.families for metric in _metrics(family)]
        metrics += [(f"baseline {each.name}/holdout", each.holdout.mean) for each in comparison.baseline_results]
        points = [Point(name, float(value), state.start, step) for name, value in metrics]
        runs.write(state, params={"metric": comparison.metric}, points=points, tags=tags)
        for name in COMPARISON_FILES:
            client.log_artifact(state.run_id, str(files / name))
        runs.set_status(state, "FINISHED", end=time.time_ns() // 1_000_000)
    return state.run_id


def _tags(comparison: Comparison) -> dict[str, str]:
    """The results as text, with a description in Markdown."""
    return {
        "verdict": comparison.verdict,
        "best_family": comparison.best or "",
        "families": ", ".join(sorted(each.name for each in comparison.families)),
        **{f"best_for_{each.preference}": each.family for each in comparison.advice},
        "mlflow.note.content": brief(comparison),
    }


def _metrics(family: FamilyResult) -> Iterator[tuple[str, float]]:
    """All results of a family that are single numbers, by name."""
    values: dict[str, float | None] = {
        "trials": family.trials.total,
        "failed": family.trials.failed,
        "sensitivity": family.sensitivity,
        "n_parameters": family.n_parameters,
        "epoch_seconds": family.epoch_seconds,
        "best_seconds": family.best_seconds,
        "latency": family.latency,
        "batch_latency": family.batch_latency,
        "memory": family.memory,
    }
    for part, score in (("folds", family.folds), ("holdout", family.holdout)):
        if score is not None:
            values |= {part: score.mean, f"{part}_seeds_sd": score.seeds_sd}
    if family.difference is not None:
        values |= {"difference": family.difference.mean, "p_corrected": family.difference.corrected}
    yield from ((f"{family.name}/{name}", value) for name, value in values.items() if value is not None)
