"""A comparison as a run in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.compare.page import brief
from search.compare.results import Comparison, FamilyResult
from search.study.paths import COMPARISON_FILES
from search.tracking.comparison import ComparisonRun, show_comparison

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from search.study.records import StudyRecord


def track(
    comparison: Comparison, settings: Mapping[str, Any], folder: Path, files: Path, study: StudyRecord | None
) -> str:
    """Log a comparison as a run below that of the study.

    Args:
        comparison: The results.
        settings: The ``tracking`` section of the study.
        folder: The working folder.
        files: Folder of the files of the comparison.
        study: The study; ``None``: it has not been run.

    Returns:
        The id of the run.

    Raises:
        TrackingError: MLflow failed.
    """
    names = ", ".join(sorted(each.name for each in comparison.families))
    tags = {"verdict": comparison.verdict, "best_family": comparison.best or "", "families": names}
    tags |= {f"best_for_{each.preference}": each.family for each in comparison.advice}
    run = ComparisonRun(
        study=comparison.study,
        uid=comparison.uid,
        tags=tags,
        params={"metric": comparison.metric},
        metrics={name: float(value) for family in comparison.families for name, value in _metrics(family)},
        step=comparison.trials * 1000 + comparison.seeds,
        files=files,
        names=COMPARISON_FILES,
        note=brief(comparison),
    )
    return show_comparison(run, settings, folder, study)


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
