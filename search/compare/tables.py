"""The tables of a comparison as text; the terminal, the page and the Markdown file show the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from lstmgru.evaluation.decimals import decimals_of, fixed
from search.compare.results import STANDINGS, Advice, ComparedBaseline, Comparison, Contender, FamilyResult
from search.reports.formatting import counted
from search.tasks.compare import Terms

_MOST_STEPS = 5
_MOST_CLASSES = 20


@dataclass(frozen=True)
class TextTable:
    """A table of strings.

    Attributes:
        title: Heading.
        caption: Sentences that explain the table; may be empty.
        head: Names of the columns.
        rows: Cells, in the order of the columns.
        words: Names of the columns that hold words; all others hold numbers.
    """

    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ("family",)


def all_tables(comparison: Comparison) -> Iterator[TextTable]:
    """All tables that have rows."""
    made = (
        _candidates,
        _scores,
        _differences,
        _costs,
        _trials,
        _steps,
        _contexts,
        _lengths,
        _classes,
    )
    return (table for table in (make(comparison) for make in made) if table.rows)


def advice_table(comparison: Comparison) -> TextTable:
    """The family or baseline to use under each preference."""
    rows = tuple((each.preference, _recommended(each), each.reason) for each in comparison.advice)
    head = ("preference", "family", "reason")
    return TextTable("Recommendations", "", head, rows, words=head)


def _recommended(advice: Advice) -> str:
    return f"{advice.family.replace('_', ' ')} (baseline)" if advice.kind == "baseline" else advice.family


def _candidates(comparison: Comparison) -> TextTable:
    rows = tuple(
        (family.name, family.words, family.layers or "none", _count(family.n_parameters))
        for family in comparison.families
    )
    rows += tuple((each.title, "baseline", "", _count(each.n_parameters)) for each in comparison.baseline_results)
    caption = f"The best of {counted(comparison.trials, 'trial')} of each family is retrained with new seeds."
    head = ("family", "candidates", "best candidate", "parameters")
    return TextTable("Families", caption, head, rows, words=head[:3])


def _scores(comparison: Comparison) -> TextTable:
    rows, terms = [], comparison.terms
    shown = partial(score, decimals=comparison.decimals)
    for family in comparison.scored:
        folds, holdout = family.folds, family.holdout
        assert folds is not None and holdout is not None  # noqa: PT018  # a family is scored on both or on none
        rows.append(
            (
                family.name,
                shown(folds.mean),
                shown(folds.seeds_sd),
                shown(folds.folds_sd),
                shown(folds.low),
                shown(folds.high),
                shown(holdout.mean),
                shown(holdout.seeds_sd),
                shown(holdout.low),
                shown(holdout.high),
            )
        )
    rows += [
        (each.title, "", "", "", "", "", shown(each.holdout.mean), "", "", "") for each in comparison.baseline_results
    ]
    caption = (
        f"{terms.title}, {'larger' if terms.larger_is_better else 'smaller'} is better: mean over "
        f"{counted(comparison.folds, 'fold')} and all seeds, standard deviation over seeds and over folds, minimum and "
        "maximum over seeds; then the same on the holdout, which is never used to choose a family. Baselines are "
        "compared on the holdout alone, because the best candidates were chosen on the folds."
    )
    head = ("family", "folds", "sd seeds", "sd folds", "min", "max", "holdout", "sd", "min", "max")
    return TextTable("Scores", caption, head, tuple(rows))


def _differences(comparison: Comparison) -> TextTable:
    rows: list[tuple[str, ...]] = []
    terms = comparison.terms
    known = [each.difference for each in comparison.contenders if each.difference is not None]
    decimals = decimals_of([value for each in known for value in (each.mean, each.low, each.high)], 3)
    for each in comparison.contenders:
        difference, words = each.difference, _standing(each, terms)
        if difference is None:
            rows.append((each.title, "", "", "", "", words))
            continue
        mean, low, high = (signed(value, decimals) for value in (difference.mean, difference.low, difference.high))
        interval = f"{low} to {high}" if low else ""
        p_values = [probability(value) for value in (difference.p_value, difference.corrected)]
        rows.append((each.title, mean, interval, *p_values, words))
    caption = f"{terms.test}; p-values corrected for all families and for all baselines (Holm)."
    head = ("family", "difference", "95% interval", "p", "corrected", "standing")
    return TextTable("Against the best family", caption, head, tuple(rows), words=("family", "standing"))


def _standing(each: Contender, terms: Terms) -> str:
    if each.standing == "better" and isinstance(each, ComparedBaseline):
        return "better on the holdout"
    return STANDINGS[each.standing].format(units=terms.units) if each.standing else ""


def _costs(comparison: Comparison) -> TextTable:
    terms = comparison.terms
    rows = tuple(
        (
            family.name,
            _count(family.n_parameters),
            seconds(family.epoch_seconds),
            seconds(family.best_seconds),
            seconds(family.latency),
            seconds(family.batch_latency),
            megabytes(family.memory),
        )
        for family in comparison.scored
    )
    rows += tuple(
        (
            each.title,
            _count(each.n_parameters),
            "",
            seconds(each.fit_seconds),
            seconds(each.latency),
            seconds(each.batch_latency),
            "",
        )
        for each in comparison.baseline_results
    )
    caption = (
        "Of the best candidate, on one thread: time per epoch and until the best epoch (mean over the folds), time for "
        f"the {terms.output}s of 1 and of {terms.timed}, and memory that training adds to a fresh process. "
        'Of a baseline, "to best" is the time of its fit to everything before the holdout.'
    )
    head = ("family", "parameters", "epoch", "to best", f"1 {terms.case}", f"64 {terms.cases}", "memory")
    return TextTable("Costs", caption, head, rows)


def _trials(comparison: Comparison) -> TextTable:
    rows = tuple(
        (
            family.name,
            str(family.trials.total),
            str(family.trials.inherited),
            str(family.trials.complete),
            str(family.trials.pruned),
            str(family.trials.failed),
            str(family.trials.diverged),
            score(family.sensitivity, comparison.decimals),
        )
        for family in comparison.families
    )
    caption = (
        "Trials that count, those of them that the study ran, and how they ended; diverged trials are failed ones "
        "whose loss was not finite. Spread is the interquartile range of the scores of complete trials: how sensitive "
        "a family is to its hyperparameters, as far as the pruner let trials finish."
    )
    head = ("family", "trials", "of study", "complete", "pruned", "failed", "diverged", "spread")
    return TextTable("Trials", caption, head, rows)


def _steps(comparison: Comparison) -> TextTable:
    shown_rows = [each for each in comparison.contenders if len(each.steps) > 1]
    horizon = comparison.horizon or 1
    count = min(_MOST_STEPS, horizon)
    shown = [round(position * (horizon - 1) / max(1, count - 1)) for position in range(count)]
    rows = tuple(
        (each.title, *(score(each.steps[step], comparison.decimals) for step in shown), number(each.growth))
        for each in shown_rows
    )
    caption = f"{comparison.terms.title} on the holdout at single steps; growth is the last step over the first."
    head = ("family", *(f"step {step + 1}" for step in shown), "growth")
    return TextTable("By step of the horizon", caption, head, rows)


def _contexts(comparison: Comparison) -> TextTable:
    rows = []
    for family in comparison.families:
        for each in family.contexts:
            length = span(each.shortest, each.longest)
            rows.append((family.name, length, str(each.trials), score(each.median, comparison.decimals)))
    caption = (
        "Median score of complete trials on the folds. Trials also differ in other hyperparameters, so the median of "
        "a few trials says little."
    )
    return TextTable("By context length", caption, ("family", "context", "trials", "median"), tuple(rows))


def _lengths(comparison: Comparison) -> TextTable:
    families = [each for each in comparison.contenders if each.lengths]
    groups = dict.fromkeys((each.shortest, each.longest, each.cases) for family in families for each in family.lengths)
    scores = [{(each.shortest, each.longest): each.score for each in family.lengths} for family in families]
    shown = partial(score, decimals=comparison.decimals)
    rows = tuple(
        (span(shortest, longest), str(cases), *(shown(found.get((shortest, longest))) for found in scores))
        for shortest, longest, cases in groups
    )
    terms = comparison.terms
    unit = terms.length_unit
    caption = f"{terms.title} on the short, middle and long {terms.cases} of the holdout, by their {unit}."
    head = (unit, terms.cases, *(family.title for family in families))
    return TextTable("By length", caption, head, rows, words=(unit,))


def _classes(comparison: Comparison) -> TextTable:
    families = [each for each in comparison.contenders if each.classes]
    codes = shown_classes(comparison.scored)
    rows = tuple(
        (
            families[0].classes[code].name,
            str(families[0].classes[code].support),
            *(score(family.classes[code].f1, 4) for family in families),
        )
        for code in codes
    )
    caption = f"F1 of each class on the holdout, and the number of {comparison.cases} of the class there."
    if families and len(codes) < len(families[0].classes):
        caption += f" Shown are the {len(codes)} of {len(families[0].classes)} classes in which families differ most."
    head = ("class", comparison.cases, *(family.title for family in families))
    return TextTable("By class", caption, head, rows, words=("class",))


def shown_classes(families: Sequence[FamilyResult]) -> list[int]:
    """Codes of the classes that are shown: all, or where there are many, those in which the families differ most."""
    f1 = [[each.f1 for each in family.classes] for family in families if family.classes]
    spreads = [max(scores) - min(scores) for scores in zip(*f1, strict=True)]
    widest = sorted(range(len(spreads)), key=lambda code: -spreads[code])
    return sorted(widest[:_MOST_CLASSES])


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def span(shortest: int, longest: int) -> str:
    """A range of lengths: ``3 to 5``, or ``3``."""
    return str(shortest) if shortest == longest else f"{shortest} to {longest}"


def number(value: float | None, digits: int = 3) -> str:
    """That many significant digits, also zeros, and all digits before the point; empty if unknown."""
    return "" if value is None else fixed(value, decimals_of([value], digits))


def score(value: float | None, decimals: int) -> str:
    """A score or a deviation of scores; empty if unknown."""
    return "" if value is None else fixed(value, decimals)


def signed(value: float | None, decimals: int) -> str:
    """A number with its sign: ``+0.0123``; empty if unknown."""
    return "" if value is None else f"{value:+z,.{decimals}f}"


def seconds(value: float | None) -> str:
    """``0.820 ms`` or ``1.40 s``; empty if unknown."""
    if value is None:
        return ""
    return f"{number(value * 1000)} ms" if value < 0.9995 else f"{number(value)} s"


def megabytes(value: float | None) -> str:
    """``12.3 MB``, or ``< 1 MB``; empty if unknown."""
    if value is None:
        return ""
    return f"{number(value / 1e6)} MB" if value >= 1e6 else "< 1 MB"


def probability(value: float) -> str:
    """A p-value: ``0.034``, ``< 0.001``."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
