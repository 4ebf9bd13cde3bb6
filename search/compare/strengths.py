"""Strengths and weaknesses of each family by rules with thresholds, and which family to use."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lstmgru.errors import listed
from lstmgru.evaluation.decimals import fixed
from search.compare.results import Advice, ComparedBaseline, Contender, FamilyResult, Trait, decimals_of_families
from search.compare.tables import megabytes, number, seconds
from search.tasks.compare import ClassScore, LengthScore, Terms
from search.tasks.verdict import same

Measure = Callable[[FamilyResult], float | None]

FEWEST_PER_CONTEXT = 3
"""Complete trials needed at the shortest and at the longest contexts to compare them."""
FEWEST_SEEDS = 3
"""Seeds needed to compare their spread."""
SMALLEST_MEMORY = 5e6
"""Bytes; smaller values count as this one."""
FEWEST_CASES = 30
"""Cases needed in the shortest or longest third to compare its score."""
FEWEST_OF_CLASS = 20
"""Labels of a class needed in the holdout to compare its F1."""
CLASS_STEP = 0.1
"""Difference between the F1 of a class and the median of the other families that makes a strength or a weakness."""


@dataclass(frozen=True)
class Rule:
    """Thresholds at which a measure is a strength or a weakness.

    Attributes:
        measure: Name of the measure.
        value: The measure of a family; ``None``: unknown, and the rule does not apply.
        good: At this value or below it is a strength.
        bad: At this value or above it is a weakness.
        strength: Text with the fields ``{value}``, as ``shown`` formats it, ``{others}``, how it relates to the median
            of the other families, and the task's ``{output}``, ``{cases}`` and ``{metric}``.
        weakness: Likewise.
        shown: Formats the value; ``None``: it has the decimals of the scores.
        relative: Whether the value is divided by the median of the other families.
        score: Whether the value is a score: where larger is better, its distance from 1 is compared.
    """

    measure: str
    value: Measure
    good: float
    bad: float
    strength: str
    weakness: str
    shown: Callable[[float], str] | None
    relative: bool = True
    score: bool = False


def context_effect(family: FamilyResult) -> float | None:
    """Relative change of the median score from the shortest to the longest contexts; ``None``: too few trials."""
    if len(family.contexts) < 2:
        return None
    first, last = family.contexts[0], family.contexts[-1]
    if min(first.trials, last.trials) < FEWEST_PER_CONTEXT or first.median <= 0:
        return None
    return last.median / first.median - 1


def _first_step(family: FamilyResult) -> float | None:
    return family.steps[0] if len(family.steps) > 1 else None


def _last_step(family: FamilyResult) -> float | None:
    return family.steps[-1] if len(family.steps) > 1 else None


def _memory(family: FamilyResult) -> float | None:
    """Below a few megabytes the allocator matters as much as the network."""
    return None if family.memory is None else max(float(family.memory), SMALLEST_MEMORY)


def _memory_text(value: float) -> str:
    return megabytes(value) if value > SMALLEST_MEMORY else f"at most {megabytes(SMALLEST_MEMORY)}"


def _shortest(family: FamilyResult) -> float | None:
    return _of_length(family.lengths[:1])


def _longest(family: FamilyResult) -> float | None:
    return _of_length(family.lengths[-1:])


def _of_length(group: Sequence[LengthScore]) -> float | None:
    return next((each.score for each in group if each.cases >= FEWEST_CASES), None)


def _seed_spread(family: FamilyResult) -> float | None:
    return family.folds.seeds_sd if family.folds is not None and family.seeds >= FEWEST_SEEDS else None


def _failures(family: FamilyResult) -> float | None:
    return family.failure_share if family.trials.failed else None


def _percent(value: float) -> str:
    return f"{abs(value):.0%}"


RULES: tuple[Rule, ...] = (
    Rule("latency", lambda family: family.latency, 0.75, 1.33,
         "fast single {output}s: {value}, {others}", "slow single {output}s: {value}, {others}", seconds),
    Rule("batch_latency", lambda family: family.batch_latency, 0.75, 1.33,
         "fast {output}s of 64 {cases}: {value}, {others}", "slow {output}s of 64 {cases}: {value}, {others}", seconds),
    Rule("n_parameters", lambda family: family.n_parameters, 0.67, 1.5,
         "small: {value} parameters, {others}", "large: {value} parameters, {others}", lambda value: f"{value:,.0f}"),
    Rule("memory", _memory, 0.67, 1.5,
         "little memory in training: {value}, {others}", "much memory in training: {value}, {others}", _memory_text),
    Rule("epoch_seconds", lambda family: family.epoch_seconds, 0.75, 1.33,
         "fast epochs: {value}, {others}", "slow epochs: {value}, {others}", seconds),
    Rule("best_seconds", lambda family: family.best_seconds, 0.67, 1.5,
         "trains quickly: {value} until the best epoch, {others}",
         "trains slowly: {value} until the best epoch, {others}", seconds),
    Rule("seeds", _seed_spread, 0.5, 2.0,
         "stable across seeds: standard deviation {value}, {others}",
         "varies across seeds: standard deviation {value}, {others}", None),
    Rule("sensitivity", lambda family: family.sensitivity, 0.67, 1.5,
         "robust to hyperparameters: interquartile range of its trials {value}, {others}",
         "sensitive to hyperparameters: interquartile range of its trials {value}, {others}", None),
    Rule("failures", _failures, -1.0, 0.1, "", "{value} of its trials failed", _percent, relative=False),
    Rule("near", _first_step, 0.9, 1.1,
         "near steps: error of the first {value}, {others}",
         "near steps: error of the first {value}, {others}", None),
    Rule("far", _last_step, 0.9, 1.1,
         "far steps: error of the last {value}, {others}", "far steps: error of the last {value}, {others}", None),
    Rule("context", context_effect, -0.05, 0.05,
         "gains from long contexts: median score {value} lower with the longest than with the shortest",
         "loses with long contexts: median score {value} higher with the longest than with the shortest",
         _percent, relative=False),
    Rule("short", _shortest, 0.8, 1.25,
         "short {cases}: {metric} {value}, {others}", "short {cases}: {metric} {value}, {others}", None, score=True),
    Rule("long", _longest, 0.8, 1.25,
         "long {cases}: {metric} {value}, {others}", "long {cases}: {metric} {value}, {others}", None, score=True),
)  # fmt: skip
"""All rules, in the order in which strengths and weaknesses are shown."""


def judge(
    rule: Rule, family: FamilyResult, others: Sequence[FamilyResult], terms: Terms, decimals: int
) -> tuple[Trait | None, Trait | None]:
    """The strength and the weakness that a rule finds in a family; at least one of them is ``None``.

    Args:
        rule: The rule.
        family: The family.
        others: The other families.
        terms: Words of the task.
        decimals: Of scores.
    """
    value = rule.value(family)
    if value is None:
        return None, None
    distance = rule.score and terms.larger_is_better
    compared = 1 - value if distance else value
    if rule.relative:
        known = [1 - other if distance else other for each in others if (other := rule.value(each)) is not None]
        if not known or statistics.median(known) <= 0:
            return None, None
        compared /= statistics.median(known)
    times = f"{number(compared, 2)} times the median of the others"
    words = {
        "value": fixed(value, decimals) if rule.shown is None else rule.shown(value),
        "others": f"its distance from 1 is {times}" if distance else times,
        "output": terms.output,
        "cases": terms.cases,
        "metric": terms.name,
    }
    if compared <= rule.good:
        return Trait(rule.measure, rule.strength.format(**words)), None
    if compared >= rule.bad:
        return None, Trait(rule.measure, rule.weakness.format(**words))
    return None, None


def class_traits(family: FamilyResult, others: Sequence[FamilyResult]) -> tuple[Trait | None, Trait | None]:
    """The strongest and the weakest class of a family, where its F1 is far from the median of the others.

    Args:
        family: The family.
        others: The other families.
    """
    scores = [{each.name: each.f1 for each in other.classes} for other in others if other.classes]
    if not scores:
        return None, None
    medians = {name: statistics.median(score[name] for score in scores) for name in scores[0]}
    known = [each for each in family.classes if each.support >= FEWEST_OF_CLASS]
    leads = {each.name: each.f1 - medians[each.name] for each in known}
    best = max(known, key=lambda each: leads[each.name], default=None)
    worst = min(known, key=lambda each: leads[each.name], default=None)
    return (
        _class_trait("strong", best, medians) if best is not None and leads[best.name] >= CLASS_STEP else None,
        _class_trait("weak", worst, medians) if worst is not None and leads[worst.name] <= -CLASS_STEP else None,
    )


def _class_trait(how: str, found: ClassScore, medians: dict[str, float]) -> Trait:
    text = f"{how} on class {found.name}: F1 {fixed(found.f1, 4)}, median of the others {fixed(medians[found.name], 4)}"
    return Trait("class", text)


def with_traits(families: Sequence[FamilyResult], terms: Terms) -> tuple[FamilyResult, ...]:
    """The families with their strengths and weaknesses; accuracy, which follows from the standing, comes first."""
    scored = [family for family in families if family.standing is not None]
    found = {family.name: family for family in families}
    decimals = decimals_of_families(families, larger_is_better=terms.larger_is_better)
    for family in scored:
        others = [other for other in scored if other is not family]
        judged = [*(judge(rule, family, others, terms, decimals) for rule in RULES), class_traits(family, others)]
        strengths = [good for good, _ in judged if good is not None]
        weaknesses = [bad for _, bad in judged if bad is not None]
        best = _accuracy(family, scored, terms)
        if best is not None:
            (strengths if family.standing in ("best", "better") else weaknesses).insert(0, best)
        found[family.name] = replace(family, strengths=tuple(strengths), weaknesses=tuple(weaknesses))
    return tuple(found.values())


def _accuracy(family: FamilyResult, scored: Sequence[FamilyResult], terms: Terms) -> Trait | None:
    """The trait that follows from the standing; ``None`` without a significant difference."""
    worse = [other.name for other in scored if other.standing == "worse"]
    if family.standing == "best" and worse:
        return Trait("accuracy", f"accurate: better on the holdout than {', '.join(worse)}")
    if family.standing == "better":
        return Trait("accuracy", f"accurate on the holdout: {terms.better} than the family that is best on the folds")
    if family.standing == "worse":
        return Trait("accuracy", f"{terms.worse} than the best family")
    return None


_NOT_WORSE = ("best", "equal", "seeds", "better", "unknown")
_COSTS: dict[str, tuple[str, Callable[[Contender], float | None], Callable[[float], str]]] = {
    "speed": ("fastest {output}", lambda each: each.latency, seconds),
    "size": ("fewest parameters", lambda each: each.n_parameters, lambda value: f"{value:,.0f}"),
}


def advise(families: Sequence[FamilyResult], baselines: Sequence[ComparedBaseline], terms: Terms) -> tuple[Advice, ...]:
    """The family or baseline to use for accuracy, for speed and for size.

    For accuracy it is the family with the best score on the folds, or the best baseline of the holdout if this family
    is not better there. For speed and size it is the fastest and the smallest of the families that are not
    significantly worse, and of the baselines that are at least as good on the holdout as one of these families.

    Args:
        families: All families; those without a standing are never recommended.
        baselines: The baselines, best score on the holdout first.
        terms: Words of the task.
    """
    scored = [family for family in families if family.standing is not None]
    best = next((family for family in scored if family.standing == "best"), None)
    if best is None:
        return ()
    candidates = [family for family in scored if family.standing in _NOT_WORSE]
    decimals = decimals_of_families(scored, larger_is_better=terms.larger_is_better)
    advice = [_accurate(best, candidates, len(scored), baselines, terms, decimals)]
    simple = [each for each in baselines if any(_as_good(each, family, terms) for family in candidates)]
    eligible: list[Contender] = [*candidates, *simple]
    for preference, (what, cost, shown) in _COSTS.items():
        known = [(value, each) for each in eligible if (value := cost(each)) is not None]
        if known:
            value, found = min(known, key=lambda pair: pair[0])
            words = what.format(output=terms.output), shown(value)
            if isinstance(found, ComparedBaseline):
                reason = f"{words[0]}, {words[1]}; {_accuracy_of(found, candidates, terms)}"
                advice.append(Advice(preference, found.name, reason, "baseline"))
            else:
                advice.append(Advice(preference, found.name, _reason(*words, found, best, len(candidates))))
    return tuple(advice)


def _accurate(
    best: FamilyResult,
    candidates: Sequence[FamilyResult],
    count: int,
    baselines: Sequence[ComparedBaseline],
    terms: Terms,
    decimals: int,
) -> Advice:
    if baselines and best.holdout is not None and _as_good(baselines[0], best, terms):
        first = baselines[0]
        score, other = first.holdout.mean, best.holdout.mean
        how = "equal" if same(score, other, decimals) else "not better"
        reason = f"{best.name} is {how} on the holdout, {fixed(score, decimals)} against {fixed(other, decimals)}"
        return Advice("accuracy", first.name, reason, "baseline")
    return Advice("accuracy", best.name, _most_accurate(best, candidates, count, decimals))


def _as_good(baseline: ComparedBaseline, family: FamilyResult, terms: Terms) -> bool:
    """Whether a baseline is at least as good as a family on the holdout."""
    if family.holdout is None:
        return False
    score, other = baseline.holdout.mean, family.holdout.mean
    return score >= other if terms.larger_is_better else score <= other


def _accuracy_of(baseline: ComparedBaseline, families: Sequence[FamilyResult], terms: Terms) -> str:
    names = [family.name for family in families if _as_good(baseline, family, terms)]
    return f"on the holdout at least as good as {listed(names)}"


def _most_accurate(best: FamilyResult, candidates: Sequence[FamilyResult], count: int, decimals: int) -> str:
    score = "best score on the folds" + (f", {fixed(best.folds.mean, decimals)}" if best.folds else "")
    if count == 1:
        return score
    others = [family.name for family in candidates if family is not best]
    if not others:
        return f"{score}, and better than every other family on the holdout"
    return f"{score}; not significantly better than {' or '.join(others)}"


def _reason(what: str, value: str, family: FamilyResult, best: FamilyResult, count: int) -> str:
    if count == 1:
        return f"all others are worse; {value}"
    reason = f"{what} among families that are not significantly worse, {value}"
    return f"{reason}, and best score on the folds" if family is best else reason
