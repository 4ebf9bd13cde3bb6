"""Strengths and weaknesses: each family's measures against those of the others, by rules with thresholds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from search.compare.results import Advice, FamilyResult, Trait
from search.compare.tables import megabytes, number, seconds
from search.tasks.compare import ClassScore, LengthScore, Terms

Measure = Callable[[FamilyResult], float | None]

FEWEST_PER_CONTEXT = 3
"""Complete trials that the shortest and the longest contexts must have before anything is said of them."""
FEWEST_SEEDS = 3
"""Seeds from which on anything is said of their spread."""
SMALLEST_MEMORY = 5e6
"""Bytes; less is not told apart."""
FEWEST_CASES = 30
"""Cases that the shortest or the longest third must have before anything is said of it."""
FEWEST_OF_CLASS = 20
"""Labels of a class in the holdout from which on anything is said of it."""
CLASS_STEP = 0.1
"""F1 of a class that is by so much above or below the median of the other families is a strength or a weakness."""


@dataclass(frozen=True)
class Rule:
    """When a measure is a strength, and when a weakness.

    Attributes:
        measure: Its name.
        value: Of a family; ``None``: not known, and nothing is said.
        good: It is a strength at this value or below.
        bad: It is a weakness at this value or above.
        relative: Whether the value is taken relative to the median of the other families' values.
        strength: In words; ``{value}`` is the value as shown, ``{others}`` says how it is to the median of the others,
            ``{output}``, ``{cases}`` and ``{metric}`` are those of the task.
        weakness: Likewise.
        shown: Makes the value readable.
        score: Whether the value is a score: where larger is better, what it lacks of 1 is compared, the best there is.
    """

    measure: str
    value: Measure
    good: float
    bad: float
    strength: str
    weakness: str
    shown: Callable[[float], str]
    relative: bool = True
    score: bool = False


def context_effect(family: FamilyResult) -> float | None:
    """The median score of trials with the longest contexts over that of those with the shortest, minus 1."""
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
    """What is below a few megabytes is the allocator's as much as the network's."""
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
         "quick single {output}s: {value}, {others}", "slow single {output}s: {value}, {others}", seconds),
    Rule("batch_latency", lambda family: family.batch_latency, 0.75, 1.33,
         "quick {output}s of 64 {cases}: {value}, {others}",
         "slow {output}s of 64 {cases}: {value}, {others}", seconds),
    Rule("n_parameters", lambda family: family.n_parameters, 0.67, 1.5,
         "small: {value} parameters, {others}", "large: {value} parameters, {others}", lambda value: f"{value:,.0f}"),
    Rule("memory", _memory, 0.67, 1.5,
         "little memory in training: {value}, {others}", "much memory in training: {value}, {others}", _memory_text),
    Rule("epoch_seconds", lambda family: family.epoch_seconds, 0.75, 1.33,
         "quick epochs: {value}, {others}", "slow epochs: {value}, {others}", seconds),
    Rule("best_seconds", lambda family: family.best_seconds, 0.67, 1.5,
         "soon trained: best after {value}, {others}", "long to train: best after {value}, {others}", seconds),
    Rule("seeds", _seed_spread, 0.5, 2.0,
         "steady: scores of seeds deviate by {value}, {others}",
         "depends on the seed: scores deviate by {value}, {others}", number),
    Rule("sensitivity", lambda family: family.sensitivity, 0.67, 1.5,
         "forgiving of its settings: the middle half of its trials spans {value}, {others}",
         "sensitive to its settings: the middle half of its trials spans {value}, {others}", number),
    Rule("failures", _failures, -1.0, 0.1, "", "{value} of its trials failed", _percent, relative=False),
    Rule("near", _first_step, 0.9, 1.1,
         "near steps: the error of the first is {value}, {others}",
         "near steps: the error of the first is {value}, {others}", number),
    Rule("far", _last_step, 0.9, 1.1,
         "far steps: the error of the last is {value}, {others}",
         "far steps: the error of the last is {value}, {others}", number),
    Rule("context", context_effect, -0.05, 0.05,
         "gains from long contexts: the median score is {value} lower with the longest than with the shortest",
         "loses with long contexts: the median score is {value} higher with the longest than with the shortest",
         _percent, relative=False),
    Rule("short", _shortest, 0.8, 1.25,
         "short {cases}: {metric} {value}, {others}", "short {cases}: {metric} {value}, {others}", number, score=True),
    Rule("long", _longest, 0.8, 1.25,
         "long {cases}: {metric} {value}, {others}", "long {cases}: {metric} {value}, {others}", number, score=True),
)  # fmt: skip
"""All of them, in the order in which they are shown."""


def judge(
    rule: Rule, family: FamilyResult, others: Sequence[FamilyResult], terms: Terms
) -> tuple[Trait | None, Trait | None]:
    """The strength and the weakness that a rule finds in a family; at most one of them.

    Args:
        rule: The rule.
        family: Whose measure.
        others: The other families.
        terms: The words of the task.
    """
    value = rule.value(family)
    if value is None:
        return None, None
    lacks = rule.score and terms.larger_is_better
    compared = 1 - value if lacks else value
    if rule.relative:
        known = [1 - other if lacks else other for each in others if (other := rule.value(each)) is not None]
        if not known or statistics.median(known) <= 0:
            return None, None
        compared /= statistics.median(known)
    times = f"{number(compared, 2)} times the others' median"
    words = {
        "value": rule.shown(value),
        "others": f"what it lacks of 1 is {times}" if lacks else times,
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
    """The class that a family is best at, and the one that it is worst at, if either is far from the others' median.

    Args:
        family: Whose classes.
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
        _class_trait("good", best, medians) if best is not None and leads[best.name] >= CLASS_STEP else None,
        _class_trait("bad", worst, medians) if worst is not None and leads[worst.name] <= -CLASS_STEP else None,
    )


def _class_trait(how: str, found: ClassScore, medians: dict[str, float]) -> Trait:
    text = f"{how} at the class {found.name}: F1 {number(found.f1)}, the others' median {number(medians[found.name])}"
    return Trait("class", text)


def with_traits(families: Sequence[FamilyResult], terms: Terms) -> tuple[FamilyResult, ...]:
    """The families with what each is good and bad at; accuracy first, as its standing says."""
    scored = [family for family in families if family.standing is not None]
    found = {family.name: family for family in families}
    for family in scored:
        others = [other for other in scored if other is not family]
        judged = [*(judge(rule, family, others, terms) for rule in RULES), class_traits(family, others)]
        strengths = [good for good, _ in judged if good is not None]
        weaknesses = [bad for _, bad in judged if bad is not None]
        best = _accuracy(family, scored, terms)
        if best is not None:
            (strengths if family.standing in ("best", "better") else weaknesses).insert(0, best)
        found[family.name] = replace(family, strengths=tuple(strengths), weaknesses=tuple(weaknesses))
    return tuple(found.values())


def _accuracy(family: FamilyResult, scored: Sequence[FamilyResult], terms: Terms) -> Trait | None:
    """What its standing says of its scores; nothing where no difference is shown."""
    worse = [other.name for other in scored if other.standing == "worse"]
    if family.standing == "best" and worse:
        return Trait("accuracy", f"accurate: better on the holdout than {', '.join(worse)}")
    if family.standing == "better":
        return Trait("accuracy", f"accurate on the holdout, where it has {terms.better} than the best on the folds")
    if family.standing == "worse":
        return Trait("accuracy", f"{terms.worse} than the best family")
    return None


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
    advice = [Advice("accuracy", best.name, _most_accurate(best, candidates, len(scored)))]
    for preference, (what, cost, shown) in _COSTS.items():
        known = [(value, family) for family in candidates if (value := cost(family)) is not None]
        if known:
            value, family = min(known, key=lambda pair: pair[0])
            reason = _reason(what.format(output=terms.output), shown(value), family, best, len(candidates))
            advice.append(Advice(preference, family.name, reason))
    return tuple(advice)


def _most_accurate(best: FamilyResult, candidates: Sequence[FamilyResult], count: int) -> str:
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
