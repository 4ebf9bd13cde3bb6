"""The tables of a comparison, as text: the terminal, the page and the Markdown file show the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from search.comparing.judging import STANDINGS
from search.comparing.results import Comparison, FamilyResult
from search.comparing.traits import growth
from search.comparing.wording import megabytes, number, probability, score, seconds, signed

_MOST_STEPS = 5


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        title: What it shows.
        text: How it is to be read, sentences.
        head: Names of the columns; the first is that of the families.
        rows: Cells, in the order of the columns.
        words: Names of the columns that hold words; the others hold numbers.
    """

    title: str
    text: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ("family",)


def sheets(comparison: Comparison) -> Iterator[Sheet]:
    """All tables that there is anything to show in."""
    made = (_candidates, _scores, _differences, _costs, _trials, _steps, _contexts)
    return (sheet for sheet in (make(comparison) for make in made) if sheet.rows)


def advice_sheet(comparison: Comparison) -> Sheet:
    """What to use, under each preference."""
    rows = tuple((each.preference, each.family, each.reason) for each in comparison.advice)
    head = ("preference", "family", "why")
    return Sheet("What to use", "", head, rows, words=head)


def _scored(comparison: Comparison) -> list[FamilyResult]:
    return [family for family in comparison.families if family.folds is not None]


def _candidates(comparison: Comparison) -> Sheet:
    rows = tuple(
        (family.name, family.words, family.layers or "none", f"{family.n_parameters:,}" if family.n_parameters else "")
        for family in comparison.families
    )
    text = f"The best of the {comparison.trials} trials of each family, which is trained again."
    head = ("family", "candidates", "the best one", "parameters")
    return Sheet("Families", text, head, rows, words=head[:3])


def _scores(comparison: Comparison) -> Sheet:
    rows = []
    for family in _scored(comparison):
        folds, holdout = family.folds, family.holdout
        assert folds is not None and holdout is not None  # noqa: PT018  # a family is scored on both or on none
        rows.append(
            (
                family.name,
                score(folds.mean),
                number(folds.seeds_sd, 2),
                number(folds.folds_sd, 2),
                score(folds.low),
                score(folds.high),
                score(holdout.mean),
                number(holdout.seeds_sd, 2),
                score(holdout.low),
                score(holdout.high),
            )
        )
    text = (
        f"{comparison.metric.upper()}, smaller is better: the mean over {comparison.folds} folds and the seeds, its "
        "standard deviation over the seeds and over the folds, the smallest and the largest of a seed; then the same "
        "on the holdout, which chose nothing."
    )
    head = ("family", "folds", "sd seeds", "sd folds", "min", "max", "holdout", "sd", "min", "max")
    return Sheet("Scores", text, head, tuple(rows))


def _differences(comparison: Comparison) -> Sheet:
    rows: list[tuple[str, ...]] = []
    for family in _scored(comparison):
        difference = family.difference
        words = STANDINGS[family.standing] if family.standing else ""
        if difference is None:
            rows.append((family.name, "", "", "", "", words))
            continue
        interval = "" if difference.low is None else f"{signed(difference.low)} to {signed(difference.high)}"
        p_values = [probability(value) for value in (difference.p_value, difference.corrected)]
        rows.append((family.name, signed(difference.mean), interval, *p_values, words))
    squared = " squared" if comparison.metric == "rmse" else ""
    text = (
        f"Errors{squared} on the holdout minus those of the best family, window by window, mean over the seeds; a "
        "paired test over blocks of windows; p-values corrected for all comparisons (Holm)."
    )
    head = ("family", "difference", "95 % interval", "p", "corrected", "standing")
    return Sheet("Against the best family", text, head, tuple(rows), words=("family", "standing"))


def _costs(comparison: Comparison) -> Sheet:
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
        for family in _scored(comparison)
    )
    text = (
        "Of the best candidate, with one thread: time of an epoch, and until the best one, mean of the folds; time of "
        "a forecast of 1 and of 64 windows; memory that training adds to a fresh process."
    )
    head = ("family", "parameters", "epoch", "to best", "1 window", "64 windows", "memory")
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


def _steps(comparison: Comparison) -> Sheet:
    families = [family for family in _scored(comparison) if len(family.steps) > 1]
    horizon = comparison.horizon
    count = min(_MOST_STEPS, horizon)
    shown = [round(position * (horizon - 1) / max(1, count - 1)) for position in range(count)]
    rows = tuple(
        (family.name, *(score(family.steps[step]) for step in shown), number(growth(family))) for family in families
    )
    text = (
        f"{comparison.metric.upper()} on the holdout of single steps of the horizon; growth is the last over the first."
    )
    head = ("family", *(f"step {step + 1}" for step in shown), "growth")
    return Sheet("Over the horizon", text, head, rows)


def _contexts(comparison: Comparison) -> Sheet:
    rows = []
    for family in comparison.families:
        for each in family.contexts:
            length = str(each.shortest) if each.shortest == each.longest else f"{each.shortest} to {each.longest}"
            rows.append((family.name, length, str(each.trials), score(each.median)))
    text = (
        "Median score on the folds of complete trials by the steps that they read. Trials differ in other ways, too, "
        "so a few of them say little."
    )
    return Sheet("By length of the context", text, ("family", "context", "trials", "median"), tuple(rows))
