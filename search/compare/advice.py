"""Which family to use, under each preference, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.compare.formatting import seconds
from search.compare.results import Advice, FamilyResult
from search.compare.terms import Terms

_NOT_WORSE = ("best", "equal", "seeds", "better", "unknown")
_COSTS: dict[str, tuple[str, Callable[[FamilyResult], float | None], Callable[[float], str]]] = {
    "speed": ("the quickest {output}", lambda family: family.latency, seconds),
    "size": ("the fewest parameters", lambda family: family.n_parameters, lambda value: f"{value:,.0f}"),
}


def advise(families: Sequence[FamilyResult], terms: Terms) -> tuple[Advice, ...]:
    """A family for accuracy, one for speed and one for size.

    For accuracy it is the one that scores best on the folds: the holdout chooses nothing. For speed and size it is the
    quickest and the smallest of those that these data do not show to be worse.

    Args:
        families: Of them, those that have a standing.
        terms: The words of the task.
    """
    scored = [family for family in families if family.standing is not None]
    best = next((family for family in scored if family.standing == "best"), None)
    if best is None:
        return ()
    candidates = [family for family in scored if family.standing in _NOT_WORSE]
    advice = [Advice("accuracy", best.name, _accuracy(best, candidates, len(scored)))]
    for preference, (what, cost, shown) in _COSTS.items():
        known = [(value, family) for family in candidates if (value := cost(family)) is not None]
        if known:
            value, family = min(known, key=lambda pair: pair[0])
            reason = _reason(what.format(output=terms.output), shown(value), family, best, len(candidates))
            advice.append(Advice(preference, family.name, reason))
    return tuple(advice)


def _accuracy(best: FamilyResult, candidates: Sequence[FamilyResult], count: int) -> str:
    score = f"the best score on the folds, {best.folds.mean:.4g}" if best.folds else "the best score on the folds"
    if count == 1:
        return score
    others = [family.name for family in candidates if family is not best]
    if not others:
        return f"{score}, and better than every other family on the holdout"
    return f"{score}; these data do not show that {' or '.join(others)} would be worse"


def _reason(what: str, value: str, family: FamilyResult, best: FamilyResult, count: int) -> str:
    if count == 1:
        return f"all others are worse; {value}"
    if family is best:
        return f"{what} of those that are not shown to be worse, {value}, and the best score on the folds"
    return f"{what} of those that are not shown to be worse, {value}"
