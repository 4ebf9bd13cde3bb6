"""What is measured of a family, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


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
