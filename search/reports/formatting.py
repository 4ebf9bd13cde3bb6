"""Words and numbers that the leaderboard, the report and MLflow share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lstmgru.errors import listed
from lstmgru.evaluation.decimals import decimals_of, fixed, score_decimals
from search.config.objectives import SCORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.study.records import HoldoutRecord, StudyRecord

_LARGE_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
_TENTHS = 9.95
"""Seconds up to which tenths are shown."""


def metric_label(name: str) -> str:
    """The name of a metric in prose: ``MAE``, ``macro F1``; its name if it is not registered in this process."""
    from lstmgru.errors import SpecError
    from lstmgru.evaluation.metrics import find_metric

    try:
        return find_metric(name).label
    except SpecError:
        return name


def measure(metric: str, targets: Sequence[str]) -> str:
    """A metric, with the target whose unit it has: ``MAE of temp_max``; alone if there are several targets."""
    of = f" of {targets[0]}" if _unit(metric).startswith("target") and len(targets) == 1 else ""
    return metric_label(metric) + of


def percent_sign(metric: str) -> str:
    """``%`` for a metric in percent; empty for all others."""
    return "%" if _unit(metric) == "percent" else ""


def _unit(metric: str) -> str:
    from lstmgru.errors import SpecError
    from lstmgru.evaluation.metrics import find_metric

    try:
        return find_metric(metric).unit
    except SpecError:
        return "none"


def better(study: StudyRecord) -> str:
    """The direction of the score: ``smaller is better`` or ``larger is better``."""
    return f"{'larger' if study.direction == 'maximize' else 'smaller'} is better"


def scored(study: StudyRecord) -> str:
    """The end of the summary of a study: ``scored by MAE (smaller is better).``"""
    return f"scored by {metric_label(study.metric)} ({better(study)})."


def aims(study: StudyRecord) -> str:
    """The objectives and bounds: ``score (maximized) and latency (minimized), with n_parameters <= 50000``."""
    goal = study.goal
    verbs = {SCORE: f"{study.direction}d"}
    what = listed([f"{name} ({verbs.get(name, 'minimized')})" for name in goal.objectives])
    return what + (f", with {listed([str(bound) for bound in goal.bounds])}" if goal.bounds else "")


def number(value: float | None) -> str:
    """Four significant digits; empty for ``None``, ``undefined`` for a value that is not finite."""
    if value is None:
        return ""
    return f"{value:.4g}" if math.isfinite(value) else "undefined"


def decimals_of_scores(metric: str, score: float) -> int:
    """Decimals of the score of a model and of all that it is compared with, in every table and sentence."""
    from lstmgru.errors import SpecError
    from lstmgru.evaluation.metrics import find_metric

    try:
        larger = find_metric(metric).larger_is_better
    except SpecError:
        larger = False
    return score_decimals(score, larger_is_better=larger)


def decimals_of_study(study: StudyRecord) -> int:
    """Decimals of all scores of a study: those of the score on the holdout; before that, of the scores on the folds."""
    larger = study.direction == "maximize"
    if study.holdout is not None:
        return score_decimals(study.holdout.score, larger_is_better=larger)
    folds = [*(trial.value for trial in study.complete), *(each.folds for each in study.baselines.values())]
    return 4 if larger else decimals_of(folds)


def milliseconds(seconds: float) -> str:
    """``8.80 ms``, ``124 ms``: three digits."""
    return f"{fixed(1000 * seconds, decimals_of([1000 * seconds], 3))} ms"


def cost_text(name: str, value: float | None) -> str:
    """What a trial costs, as in the leaderboard: ``8.80 ms``, ``12,500`` parameters, ``21.3`` seconds.

    Args:
        name: ``latency``, ``n_parameters``, or that of a time in seconds.
        value: In seconds or parameters; ``None``: unknown, an empty text.
    """
    if value is None:
        return ""
    if name == "latency":
        return milliseconds(value)
    return f"{value:,.0f}" if name == "n_parameters" else f"{value:.1f}"


def counted(count: int, thing: str) -> str:
    """``1 trial``, ``2 trials``, ``1,234 trials``."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def coverage_text(holdout: HoldoutRecord) -> str:
    """A sentence on the coverage of the prediction intervals, if there are any."""
    covered = [f"{100 * each.coverage:.1f}% in the {100 * each.level:g}% interval" for each in holdout.intervals]
    return f"Coverage on the holdout: {', '.join(covered)}."


def share(value: float) -> str:
    """A share, probability or score of a class in [0, 1] with three decimals, so that columns align."""
    return fixed(value, 3)


def duration(seconds: float) -> str:
    """``43 s``, ``5 min 10 s``, ``3 h 20 min``, ``2 d 4 h``, with no-break spaces before the units."""
    if seconds < _TENTHS:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    if round(seconds) < 60:
        return f"{seconds:.0f}\N{NO-BREAK SPACE}s"
    for size, name, small_size, small_name in _LARGE_UNITS:
        whole, rest = divmod(round(seconds / small_size), size // small_size)
        if whole:
            return f"{whole}\N{NO-BREAK SPACE}{name}" + (f" {rest}\N{NO-BREAK SPACE}{small_name}" if rest else "")
    raise AssertionError(seconds)
