"""What is measured of a family, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Trials of a family that count.

    Attributes:
        total: All of them; every family has as many.
        complete: Trained on every fold.
        pruned: Stopped by the pruner.
        failed: Ended by an error.
        diverged: Those of the failed whose loss or score was not finite.
        inherited: From the study.
    """

    total: int
    complete: int
    pruned: int
    failed: int
    diverged: int
    inherited: int


@dataclass(frozen=True)
class Score:
    """Scores of one candidate, trained with several seeds.

    Attributes:
        mean: Over all of them.
        seeds_sd: Standard deviation over the seeds, of their means over the folds; ``None`` with one seed.
        folds_sd: Standard deviation over the folds, of their means over the seeds; ``None`` with one fold.
        low: The smallest of a seed.
        high: The largest of a seed.
        by_seed: A score for each seed.
    """

    mean: float
    seeds_sd: float | None
    folds_sd: float | None
    low: float
    high: float
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """The score of a family on the holdout minus that of the best one, from its windows, sequences or texts.

    Attributes:
        mean: Above 0 where the family's score is larger. Of forecasts it is a mean over the windows, with RMSE of
            squared errors.
        low: Lower end of its 95 % interval; ``None``: too few cases for one.
        high: Upper end.
        p_value: Of no difference.
        corrected: The same, corrected for all comparisons with the best family (Holm 1979).
        beyond_seeds: Whether the scores of the seeds differ, too (Welch's t test, 5 %); ``None``: too few seeds.
    """

    mean: float
    low: float | None
    high: float | None
    p_value: float
    corrected: float
    beyond_seeds: bool | None


@dataclass(frozen=True)
class ContextScore:
    """Complete trials that read as many steps.

    Attributes:
        shortest: Of their contexts.
        longest: The same where the study lists its contexts.
        trials: How many.
        median: Of their scores.
    """

    shortest: int
    longest: int
    trials: int
    median: float


@dataclass(frozen=True)
class LengthScore:
    """Sequences or texts of the holdout that are about as long.

    Attributes:
        shortest: Steps, or characters of texts.
        longest: Likewise.
        cases: How many there are.
        score: On them, mean over the seeds.
    """

    shortest: int
    longest: int
    cases: int
    score: float


@dataclass(frozen=True)
class ClassScore:
    """One class on the holdout.

    Attributes:
        name: Of the class.
        support: Labels of it there.
        recall: Share of them that is found, mean over the seeds.
        f1: Harmonic mean of precision and recall, mean over the seeds.
    """

    name: str
    support: int
    recall: float
    f1: float
