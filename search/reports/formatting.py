"""Words and numbers that the leaderboard, the report and MLflow share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from search.config.objectives import SCORE

if TYPE_CHECKING:
    from search.study.records import StudyRecord


def better(study: StudyRecord) -> str:
    """Which way the score is better: ``smaller is better``, or larger."""
    return f"{'larger' if study.direction == 'maximize' else 'smaller'} is better"


def aims(study: StudyRecord) -> str:
    """What makes a trial the best one: ``score (maximized) and latency (minimized), with n_parameters <= 50000``."""
    goal = study.goal
    verbs = {SCORE: f"{study.direction.removesuffix('ize')}ised"}
    what = " and ".join(f"{name} ({verbs.get(name, 'minimized')})" for name in goal.objectives)
    return what + (f", with {' and '.join(map(str, goal.bounds))}" if goal.bounds else "")


def number(value: float | None) -> str:
    """Four significant digits; nothing for what is not known, a word for what is not a number."""
    if value is None:
        return ""
    return f"{value:.4g}" if math.isfinite(value) else "undefined"


def counted(count: int, thing: str) -> str:
    """``1 trial``, ``2 trials``, ``1,234 trials``."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def share(value: float) -> str:
    """A share, a probability or a score of which 1 is the best: three decimals, so that columns stand in line."""
    return f"{value:.3f}"


def subject(study: StudyRecord) -> str:
    """What a study of labels labels: ``sequence`` or ``text``."""
    # Only sequences have steps, which the rows are.
    return "sequence" if "rows" in study.data else "text"


def task(study: StudyRecord) -> str:
    """What is learnt and how it is scored, in one sentence."""
    data = study.config.get("data", {})
    scored = f"scored by {study.metric} ({better(study)})."
    if study.task == "forecast":
        targets = data.get("target") or []
        what = _some([targets] if isinstance(targets, str) else targets)
        steps = counted(study.config.get("forecast", {}).get("horizon", 0), "step")
        return f"Forecasts of {what}, {steps} ahead, {scored}"
    target, subjects = data.get("target"), f"{subject(study)}s"
    if study.task == "classification":
        return f"Sorts {subjects} into {study.data.get('classes')} classes{f' of {target}' if target else ''}, {scored}"
    return f"Tells {target or 'the number'} of {subjects}, {scored}"


def _some(names: list[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
