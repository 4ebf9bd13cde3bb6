"""The tables of a comparison, as text: the terminal, the page and the Markdown file show the same ones."""

from __future__ import annotations

from collections.abc import Iterator

from search.compare.breakdown_tables import classes_sheet, contexts_sheet, lengths_sheet, steps_sheet
from search.compare.formatting import megabytes, number, probability, seconds, signed
from search.compare.results import Comparison
from search.compare.sheet import Sheet, scored, shown_score
from search.compare.significance import STANDINGS
from search.reports.formatting import counted


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
    text = f"{_how_compared(comparison)}; p-values corrected for all comparisons (Holm)."
    head = ("family", "difference", "95 % interval", "p", "corrected", "standing")
    return Sheet("Against the best family", text, head, tuple(rows), words=("family", "standing"))


def _how_compared(comparison: Comparison) -> str:
    terms = comparison.terms
    if comparison.task == "forecast":
        squared = " squared" if comparison.metric == "rmse" else ""
        return (
            f"Errors{squared} on the holdout minus those of the best family, window by window, mean over the seeds, "
            "above 0 where it is worse; a paired test over blocks of windows"
        )
    return (
        f"{terms.title} on the holdout minus that of the best family, mean over the seeds, "
        f"{'below' if terms.larger_is_better else 'above'} 0 where it is worse; a paired bootstrap over {terms.cases}, "
        "or over their groups"
    )


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
    longest = "" if comparison.task == "forecast" else ", as long as they are read at most"
    text = (
        "Of the best candidate, with one thread: time of an epoch, and until the best one, mean of the folds; time of "
        f"the {terms.output}s of 1 and of 64 {terms.cases}{longest}; memory that training adds to a fresh process."
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
