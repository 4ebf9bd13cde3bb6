"""What the holdout says of the exported model, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lstmgru.errors import listed
from lstmgru.evaluation.decimals import fixed
from lstmgru.evaluation.metrics import find_metric
from lstmgru.evaluation.significance import LEVEL, Interval
from search.reports.formatting import decimals_of_scores, measure, percent_sign


def best_baseline(metric: str, scores: dict[str, float]) -> str:
    """The name of the best of several scores."""
    choose = max if find_metric(metric).larger_is_better else min
    return choose(scores, key=scores.__getitem__)


def around(score: float, interval: Interval, *, own: bool = False, squared: bool = False) -> tuple[float, float] | None:
    """An interval to show, around a score: that of eight blocks where there is one.

    The interval of a difference that is not significant reaches to the score that the other method has.

    Args:
        score: On the holdout.
        interval: Of a difference of errors, or of errors; it is symmetric.
        own: Whether it is that of the errors behind the score.
        squared: Whether it is one of squared errors, and the score is the root of their mean.

    Returns:
        Its ends; ``None`` with too few data.
    """
    if interval.lacking:
        return None
    half = interval.high - interval.mean if interval.blocks is None else interval.blocks
    if not own and interval.p_value >= LEVEL:
        half = max(half, abs(interval.mean))
    if squared:
        return math.sqrt(max(0.0, score**2 - half)), math.sqrt(score**2 + half)
    return score - half, score + half


def judge(
    metric: str,
    winner: float,
    baseline_name: str,
    baseline: float,
    interval: Interval,
    *,
    targets: Sequence[str],
    choices: int,
    called: str = "winner",
    where: str = "on the holdout",
) -> tuple[str, bool]:
    """One sentence on whether the winner really beats the best baseline, and that as a truth value.

    Args:
        metric: Name of the score.
        winner: Its score on the holdout.
        baseline_name: The best baseline.
        baseline: Its score.
        interval: Of the difference of their errors, winner less baseline, case by case.
        targets: What is predicted.
        choices: Number of baselines that the best one was chosen from, on the same holdout. The p-value of "a baseline
            is better" is multiplied by it (Bonferroni); "the winner is better" needs no correction, because the
            choice favors the baseline.
        called: What the winner is called: ``blend`` if it has several members.
        where: What both were scored on.
    """
    name = baseline_name.replace("_", " ")
    larger = find_metric(metric).larger_is_better
    better, worse = (winner > baseline, winner < baseline) if larger else (winner < baseline, winner > baseline)
    numbers = against(metric, winner, baseline, targets=targets, apart=True)
    if interval.high < 0 and better:
        return f"The {called} beats the best baseline ({name}) {where}: {numbers}.", True
    if interval.low > 0 and worse and interval.p_value * choices < LEVEL:
        return f"A simple baseline is better: {name} beats the {called} {where} ({numbers}). Use {name}.", False
    numbers = undecided(metric, winner, baseline, interval.lacking, targets=targets)
    if better:
        return f"The {called} does not clearly beat the best baseline ({name}) {where}: {numbers}.", False
    return f"The {called} does not beat the best baseline ({name}) {where}: {numbers}. Prefer {name}.", False


def against(metric: str, score: float, other: float, *, targets: Sequence[str], apart: bool = False) -> str:
    """Two scores: ``MAE of sales 2.000 against 2.500, 20.0% lower``, or ``accuracy 0.8333 against 0.8333, equal``.

    Args:
        metric: Name of the score.
        score: Of the model.
        other: Of what it is compared with.
        targets: What is predicted.
        apart: Whether they differ significantly. Then more decimals than usual are shown if those are the same.
    """
    usual = decimals_of_scores(metric, score)
    decimals = next((n for n in range(usual, usual + 14) if not same(score, other, n)), usual) if apart else usual
    sign = percent_sign(metric)
    numbers = f"{measure(metric, targets)} {fixed(score, decimals)}{sign} against {fixed(other, decimals)}{sign}"
    if same(score, other, decimals):
        return f"{numbers}, equal"
    change = _change(metric, score, other, decimals)
    return f"{numbers}, {change} {'lower' if score < other else 'higher'}"


def undecided(metric: str, score: float, other: float, lacking: str, *, targets: Sequence[str]) -> str:
    """Two scores that do not differ significantly, and why.

    Args:
        metric: Name of the score.
        score: Of the model.
        other: Of what it is compared with.
        lacking: What there is too little of for a test; empty if there is enough.
        targets: What is predicted.
    """
    numbers = against(metric, score, other, targets=targets)
    if lacking:
        return f"{numbers}, with too few {lacking} for a significance test"
    equal = same(score, other, decimals_of_scores(metric, score))
    return numbers if equal else f"{numbers}, a difference that is not significant"


def same(score: float, other: float, decimals: int) -> bool:
    """Whether two scores are equal as they are shown, with so many decimals."""
    return fixed(score, decimals) == fixed(other, decimals)


def _change(metric: str, score: float, other: float, decimals: int) -> str:
    """By how much two scores differ: errors by a share, those of which 1 is the best by themselves."""
    if find_metric(metric).larger_is_better:
        return fixed(abs(score - other), decimals)
    return relative(score, other) if other else "infinitely"


def relative(score: float, other: float) -> str:
    """The difference of two scores as a share of the second: ``4.0%``, ``less than 0.1%``."""
    share = f"{abs(score - other) / abs(other):.1%}"
    return "less than 0.1%" if share == "0.0%" else share


def of_baselines(metric: str, names: Sequence[str], score: float, why: str, *, targets: Sequence[str]) -> str:
    """One sentence on a model that has no network.

    Args:
        metric: Name of the score.
        names: Of the baselines that are exported.
        score: Of the model on the holdout.
        why: Why it has none: ``No network completed``.
        targets: What is predicted.
    """
    named = listed([name.replace("_", " ") for name in names])
    what = f"the baseline {named}" if len(names) == 1 else f"a blend of the baselines {named}"
    value = f"{measure(metric, targets)} {fixed(score, decimals_of_scores(metric, score))}{percent_sign(metric)}"
    return f"{why}, so {what} is exported ({value} on the holdout)."


def unscored(names: Sequence[str], *, late: bool) -> str:
    """One sentence on baselines that are missing in the comparison.

    Args:
        names: Of those that are better on the folds than all others, and have no score on the holdout.
        late: Whether a longer time limit might score one.
    """
    named = listed([name.replace("_", " ") for name in names])
    return (
        f"The comparison lacks {named}, the best {'baseline' if len(names) == 1 else 'baselines'} on the folds, which "
        f"could not be scored on the holdout{'; rerun with a longer --timeout' if late else ''}."
    )
