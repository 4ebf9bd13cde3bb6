"""The tables of a comparison, as text: the terminal, the page and the Markdown file show the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from search.compare.results import Comparison, FamilyResult
from search.compare.significance import STANDINGS
from search.reports.formatting import counted


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        title: What it shows.
        text: How it is to be read, sentences.
        head: Names of the columns.
        rows: Cells, in the order of the columns.
        words: Names of the columns that hold words; the others hold numbers.
    """

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ("family",)


def scored(comparison: Comparison) -> list[FamilyResult]:
    """The families that have a score."""
    return [family for family in comparison.families if family.folds is not None]


def shown_score(comparison: Comparison) -> Callable[[float | None], str]:
    """How a score is written."""
    return partial(score, of_one=comparison.terms.larger_is_better)


def sheets(comparison: Comparison) -> Iterator[Sheet]:
    """All tables that there is anything to show in."""
    made = (
        _candidates,
        _scores,
        _differences,
        _costs,
        _trials,
        steps_sheet,
        contexts_sheet,
        lengths_sheet,
        classes_sheet,
    )
    return (sheet for sheet in (make(comparison) for make in made) if sheet.rows)


def advice_sheet(comparison: Comparison) -> Sheet:
    """What to use, under each preference."""
    rows = tuple((each.preference, each.family, each.reason) for each in comparison.advice)
    head = ("preference", "family", "why")
    return Sheet("What to use", "", head, rows, words=head)


def _candidates(comparison: Comparison) -> Sheet:
    rows = tuple(
        (family.name, family.words, family.layers or "none", f"{family.n_parameters:,}" if family.n_parameters else "")
        for family in comparison.families
    )
    text = f"The best of the {comparison.trials} trials of each family, which is trained again."
    head = ("family", "candidates", "the best one", "parameters")
    return Sheet("Families", text, head, rows, words=head[:3])


def _scores(comparison: Comparison) -> Sheet:
    rows, terms, shown = [], comparison.terms, shown_score(comparison)
    for family in scored(comparison):
        folds, holdout = family.folds, family.holdout
        assert folds is not None and holdout is not None  # noqa: PT018  # a family is scored on both or on none
        rows.append(
            (
                family.name,
                shown(folds.mean),
                number(folds.seeds_sd, 2),
                number(folds.folds_sd, 2),
                shown(folds.low),
                shown(folds.high),
                shown(holdout.mean),
                number(holdout.seeds_sd, 2),
                shown(holdout.low),
                shown(holdout.high),
            )
        )
    text = (
        f"{terms.title}, {'larger' if terms.larger_is_better else 'smaller'} is better: the mean over "
        f"{counted(comparison.folds, 'fold')} and the seeds, its standard deviation over the seeds and over the folds, "
        "the smallest and the largest of a seed; then the same on the holdout, which chose nothing."
    )
    head = ("family", "folds", "sd seeds", "sd folds", "min", "max", "holdout", "sd", "min", "max")
    return Sheet("Scores", text, head, tuple(rows))


def _differences(comparison: Comparison) -> Sheet:
    rows: list[tuple[str, ...]] = []
    terms = comparison.terms
    for family in scored(comparison):
        difference = family.difference
        words = STANDINGS[family.standing].format(cases=terms.cases) if family.standing else ""
        if difference is None:
            rows.append((family.name, "", "", "", "", words))
            continue
        interval = "" if difference.low is None else f"{signed(difference.low)} to {signed(difference.high)}"
        p_values = [probability(value) for value in (difference.p_value, difference.corrected)]
        rows.append((family.name, signed(difference.mean), interval, *p_values, words))
    text = f"{terms.test}; p-values corrected for all comparisons (Holm)."
    head = ("family", "difference", "95 % interval", "p", "corrected", "standing")
    return Sheet("Against the best family", text, head, tuple(rows), words=("family", "standing"))


def _costs(comparison: Comparison) -> Sheet:
    terms = comparison.terms
    rows = tuple(
        (
            family.name,
            f"{family.n_parameters:,}" if family.n_parameters else "",
            seconds(family.epoch_seconds),
            seconds(family.best_seconds),
            seconds(family.latency),
            seconds(family.batch_latency),
            megabytes(family.memory),
        )
        for family in scored(comparison)
    )
    text = (
        "Of the best candidate, with one thread: time of an epoch, and until the best one, mean of the folds; time of "
        f"the {terms.output}s of 1 and of {terms.timed}; memory that training adds to a fresh process."
    )
    head = ("family", "parameters", "epoch", "to best", f"1 {terms.case}", f"64 {terms.cases}", "memory")
    return Sheet("What it costs", text, head, rows)


def _trials(comparison: Comparison) -> Sheet:
    rows = tuple(
        (
            family.name,
            str(family.trials.total),
            str(family.trials.inherited),
            str(family.trials.complete),
            str(family.trials.pruned),
            str(family.trials.failed),
            str(family.trials.diverged),
            number(family.sensitivity),
        )
        for family in comparison.families
    )
    text = (
        "Trials that count, how many of them are the study's, and how they ended; diverged are those of the failed "
        "whose loss was not finite. The spread is the interquartile range of the complete trials' scores: how "
        "sensitive a family is to its settings, as far as the pruner let them come to their end."
    )
    head = ("family", "trials", "of study", "complete", "pruned", "failed", "diverged", "spread")
    return Sheet("Trials", text, head, rows)


_MOST_STEPS = 5
_MOST_CLASSES = 20


def steps_sheet(comparison: Comparison) -> Sheet:
    """Scores of single steps of the horizon."""
    families = [family for family in scored(comparison) if len(family.steps) > 1]
    horizon = comparison.horizon or 1
    count = min(_MOST_STEPS, horizon)
    shown = [round(position * (horizon - 1) / max(1, count - 1)) for position in range(count)]
    rows = tuple(
        (family.name, *(score(family.steps[step]) for step in shown), number(family.growth)) for family in families
    )
    text = f"{comparison.terms.title} on the holdout of single steps of the horizon; growth is the last over the first."
    head = ("family", *(f"step {step + 1}" for step in shown), "growth")
    return Sheet("Over the horizon", text, head, rows)


def contexts_sheet(comparison: Comparison) -> Sheet:
    """Scores of the trials by the length of their contexts."""
    rows = []
    for family in comparison.families:
        for each in family.contexts:
            length = span(each.shortest, each.longest)
            rows.append((family.name, length, str(each.trials), score(each.median)))
    text = (
        "Median score on the folds of complete trials by the steps that they read. Trials differ in other ways, too, "
        "so a few of them say little."
    )
    return Sheet("By length of the context", text, ("family", "context", "trials", "median"), tuple(rows))


def lengths_sheet(comparison: Comparison) -> Sheet:
    """Scores of the short, middle and long cases."""
    families = [family for family in scored(comparison) if family.lengths]
    groups = dict.fromkeys((each.shortest, each.longest, each.cases) for family in families for each in family.lengths)
    scores = [{(each.shortest, each.longest): each.score for each in family.lengths} for family in families]
    shown = shown_score(comparison)
    rows = tuple(
        (span(shortest, longest), str(cases), *(shown(found.get((shortest, longest))) for found in scores))
        for shortest, longest, cases in groups
    )
    terms = comparison.terms
    unit = terms.length_unit
    text = f"{terms.title} on the short, middle and long {terms.cases} of the holdout, by their {unit}."
    return Sheet("By length", text, (unit, terms.cases, *(family.name for family in families)), rows, words=(unit,))


def classes_sheet(comparison: Comparison) -> Sheet:
    """F1 of each class."""
    families = [family for family in scored(comparison) if family.classes]
    codes = shown_classes(families)
    rows = tuple(
        (
            families[0].classes[code].name,
            str(families[0].classes[code].support),
            *(score(family.classes[code].f1, of_one=True) for family in families),
        )
        for code in codes
    )
    text = f"F1 of each class on the holdout, where there are so many {comparison.cases} of it."
    if families and len(codes) < len(families[0].classes):
        text += f" Shown are the {len(codes)} of {len(families[0].classes)} classes in which the families differ most."
    head = ("class", comparison.cases, *(family.name for family in families))
    return Sheet("By class", text, head, rows, words=("class",))


def shown_classes(families: Sequence[FamilyResult]) -> list[int]:
    """Numbers of the classes that are shown: all, or of many those in which the families differ most."""
    if not families:
        return []
    f1 = [[each.f1 for each in family.classes] for family in families]
    spreads = [max(scores) - min(scores) for scores in zip(*f1, strict=True)]
    widest = sorted(range(len(spreads)), key=lambda code: -spreads[code])
    return sorted(widest[:_MOST_CLASSES])


def span(shortest: int, longest: int) -> str:
    """From one length to another."""
    return str(shortest) if shortest == longest else f"{shortest} to {longest}"


def number(value: float | None, digits: int = 3) -> str:
    """So many significant digits, large numbers whole; nothing for what is not known."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def score(value: float | None, *, of_one: bool = False) -> str:
    """Four significant digits, zeros at the end too, so that scores stand below each other.

    Args:
        value: The score; nothing for what is not known.
        of_one: Whether 1 is the best there is, so that four digits after the point are shown.
    """
    if value is None:
        return ""
    if of_one:
        return f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) >= 10**4 else f"{value:#.4g}".rstrip(".")


def signed(value: float | None) -> str:
    """With its sign: ``+0.0123``."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    return f"{value:+,.0f}" if abs(value) >= 10**3 else f"{value:+.3g}"


def seconds(value: float | None) -> str:
    """``0.82 ms`` or ``1.4 s``."""
    if value is None:
        return ""
    return f"{number(value * 1000)} ms" if value < 0.9995 else f"{number(value)} s"


def megabytes(value: float | None) -> str:
    """``12.3 MB``; below one, ``< 1 MB``."""
    if value is None:
        return ""
    return f"{number(value / 1e6)} MB" if value >= 1e6 else "< 1 MB"


def probability(value: float) -> str:
    """A p-value: ``0.034``, ``< 0.001``."""
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"
