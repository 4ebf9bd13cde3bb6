"""The baselines on the holdout, beside the families: the jobs that score them, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lstmgru.errors import BaselineTooSlow, DataError
from lstmgru.evaluation.time_limit import TimeLimit
from search.compare.results import ComparedBaseline, Score
from search.compare.significance import baseline_differences, standing
from search.tasks.compare import BaselineScores, ComparedTask

if TYPE_CHECKING:
    from search.executors.base import JobContext
    from search.tasks.base import Task
    from search.tasks.data import SeedResult


def score_on_holdout(
    task: Task[Any, Any, Any],
    data: Any,
    holdout: Any,
    name: str,
    calibration: dict[str, Any] | None,
    seconds: float,
    context: JobContext,
) -> dict[str, Any] | str:
    """Fit a baseline to everything before the holdout and score it there; a job.

    Args:
        task: Of the study.
        data: Of the study, and the holdout, too.
        holdout: The split that is scored.
        name: Of the baseline.
        calibration: Of its intervals on the folds, as plain values; ``None``: it has none.
        seconds: Time limit.
        context: Of the job.

    Returns:
        The :class:`~search.tasks.compare.BaselineScores` as plain values, or why there are none.
    """
    limit = TimeLimit(seconds, lambda: context.stop_reason() is not None)
    try:
        return asdict(task.score_compared_baseline(data, holdout, name, calibration, limit))
    except (BaselineTooSlow, DataError) as error:
        return str(error)


def compared_baselines(
    stored: Mapping[str, Any],
    best: Sequence[SeedResult],
    task: ComparedTask,
    seed_result: type[SeedResult],
) -> tuple[ComparedBaseline, ...]:
    """The baselines on the holdout and their differences from the best family, best score first.

    Args:
        stored: What :func:`score_on_holdout` returned, by name.
        best: What the seeds of the best family gave; empty if no family has a score.
        task: Compares them.
        seed_result: The scores of one seed in the task.
    """
    known = {name: BaselineScores(**values) for name, values in stored.items() if not isinstance(values, str)}
    results = {name: _as_seed(each, seed_result) for name, each in known.items()}
    larger = task.terms.larger_is_better
    differences = baseline_differences(results, best, task.interval) if best else {}
    found = [
        ComparedBaseline(
            name=name,
            holdout=_score(result.holdout),
            standing=standing(differences[name], larger_is_better=larger) if best else None,
            difference=differences.get(name),
            n_parameters=known[name].n_parameters,
            fit_seconds=known[name].fit_seconds,
            latency=known[name].latency,
            batch_latency=known[name].batch_latency,
            **task.findings([result]),
        )
        for name, result in results.items()
    ]
    return tuple(sorted(found, key=lambda each: each.holdout.mean, reverse=larger))


def _as_seed(baseline: BaselineScores, seed_result: type[SeedResult]) -> SeedResult:
    """The scores of a baseline, as those of the only seed of a family without folds."""
    seconds = {"epoch_seconds": baseline.fit_seconds, "best_seconds": baseline.fit_seconds}
    return seed_result.from_dict({"seed": 0, "fold_scores": (), "best_epochs": (), **seconds, **baseline.scores})


def _score(value: float) -> Score:
    return Score(value, None, None, value, value, (value,))
