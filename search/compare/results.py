"""The results of a comparison as plain values, which the terminal, the files and MLflow show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from search.tasks.compare import ClassScore, ContextScore, LengthScore, Terms

Standing = Literal["best", "equal", "worse", "seeds", "better", "unknown"]
"""Relation of a family to the best one, see :func:`search.compare.significance.standing`."""

STANDINGS: dict[Standing, str] = {
    "best": "best on the folds",
    "equal": "not significantly different",
    "worse": "worse",
    "seeds": "within the variation between seeds",
    "better": "better on the holdout, but not on the folds",
    "unknown": "too few {units} or seeds",
}
"""Each standing in words; ``{units}`` are cutoffs, sequences or texts."""


@dataclass(frozen=True)
class Counts:
    """Numbers of the trials of a family that count.

    Attributes:
        total: All trials, the same number for every family.
        complete: Trials that were trained on every fold.
        pruned: Trials that the pruner stopped.
        failed: Trials that ended with an error.
        diverged: Failed trials whose loss or score was not finite.
        inherited: Trials that the study ran.
    """

    total: int
    complete: int
    pruned: int
    failed: int
    diverged: int
    inherited: int


@dataclass(frozen=True)
class Score:
    """Scores of one candidate trained with several seeds.

    Attributes:
        mean: Mean over seeds and folds.
        seeds_sd: Standard deviation over the seeds, of their means over the folds; ``None`` with one seed.
        folds_sd: Standard deviation over the folds, of their means over the seeds; ``None`` with one fold.
        low: Smallest score of a seed.
        high: Largest score of a seed.
        by_seed: Score of each seed.
    """

    mean: float
    seeds_sd: float | None
    folds_sd: float | None
    low: float
    high: float
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """Score of a family on the holdout minus that of the best one, estimated from windows, sequences or texts.

    Attributes:
        mean: The difference, averaged over the seeds; for forecasts a mean over windows, of squared errors with RMSE.
        low: Lower end of the 95% interval; ``None``: too few cases.
        high: Upper end of the 95% interval.
        p_value: p-value of no difference.
        corrected: The p-value corrected for all comparisons with the best family (Holm 1979).
        beyond_seeds: Whether the scores of the seeds differ too (Welch's t test, 5%); ``None``: too few seeds.
    """

    mean: float
    low: float | None
    high: float | None
    p_value: float
    corrected: float
    beyond_seeds: bool | None


@dataclass(frozen=True)
class Costs:
    """Measured costs of a candidate.

    Attributes:
        latency: Seconds for the output of one window or sequence.
        batch_latency: Seconds for the outputs of a batch of :data:`~search.tasks.compare.BATCH`.
        memory: Bytes that one epoch of training and validation adds to the peak resident size of the process; ``None``:
            the system does not report it.
    """

    latency: float
    batch_latency: float
    memory: int | None


@dataclass(frozen=True)
class Trait:
    """A strength or weakness.

    Attributes:
        measure: Name of the measure.
        text: Description with the value.
    """

    measure: str
    text: str


@dataclass(frozen=True)
class FamilyResult:
    """Results of one family.

    Attributes:
        name: Name of the family.
        words: What its candidates have in common.
        trials: Numbers of the trials that count.
        trial: Number of the best complete trial among them; ``None``: there is none, and all other results are empty.
        layers: Architecture of the best trial.
        params: Parameters of the best trial.
        seeds: Number of seeds with which the best trial was retrained.
        failed_seeds: Number of retrainings that failed.
        folds: Scores on the folds.
        holdout: Scores on the holdout.
        standing: Relation to the best family; ``None``: the family has no score.
        difference: Difference from the best family; ``None`` for the best family itself.
        steps: (H,) scores of each step of the horizon on the holdout, mean over the seeds; forecasts only.
        contexts: Scores of its trials by context length, shortest first; forecasts only.
        lengths: Scores of short, middle and long cases of the holdout; classification and regression of sequences of
            different lengths only.
        classes: (C,) scores of each class on the holdout; classification only.
        n_parameters: Number of trainable parameters.
        epoch_seconds: Seconds per epoch of a fold.
        best_seconds: Seconds until the end of the best epoch of a fold.
        latency: Seconds for the output of one window or sequence.
        batch_latency: Seconds for the outputs of a batch of 64.
        memory: Bytes that training adds to a process; ``None``: unknown on this system.
        sensitivity: Interquartile range of the scores of complete trials; ``None`` with fewer than four.
        trial_scores: Scores of complete trials.
        strengths: Measures in which the family is better than the others.
        weaknesses: Measures in which the family is worse than the others.
    """

    name: str
    words: str
    trials: Counts
    trial: int | None = None
    layers: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    seeds: int = 0
    failed_seeds: int = 0
    folds: Score | None = None
    holdout: Score | None = None
    standing: Standing | None = None
    difference: Difference | None = None
    steps: tuple[float, ...] = ()
    contexts: tuple[ContextScore, ...] = ()
    lengths: tuple[LengthScore, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    n_parameters: int | None = None
    epoch_seconds: float | None = None
    best_seconds: float | None = None
    latency: float | None = None
    batch_latency: float | None = None
    memory: int | None = None
    sensitivity: float | None = None
    trial_scores: tuple[float, ...] = ()
    strengths: tuple[Trait, ...] = ()
    weaknesses: tuple[Trait, ...] = ()

    @property
    def title(self) -> str:
        """Its name in tables, charts and sentences."""
        return self.name

    @property
    def failure_share(self) -> float:
        """Share of trials that failed."""
        return self.trials.failed / self.trials.total if self.trials.total else 0.0

    @property
    def growth(self) -> float | None:
        """See :func:`growth`."""
        return growth(self.steps)


@dataclass(frozen=True)
class ComparedBaseline:
    """Results of a baseline, which has no trials and is compared with the families on the holdout alone.

    Attributes:
        name: Name of the baseline.
        holdout: Its score on the holdout, as the score of a single seed.
        standing: Relation to the best family; ``None``: no family has a score.
        difference: Difference from the best family; its p-value is corrected for the number of baselines.
        steps: As of :class:`FamilyResult`.
        lengths: Likewise.
        classes: Likewise.
        n_parameters: Number of stored numbers.
        fit_seconds: Seconds of the fit to everything before the holdout.
        latency: As of :class:`FamilyResult`.
        batch_latency: Likewise.
    """

    name: str
    holdout: Score
    standing: Standing | None = None
    difference: Difference | None = None
    steps: tuple[float, ...] = ()
    lengths: tuple[LengthScore, ...] = ()
    classes: tuple[ClassScore, ...] = ()
    n_parameters: int | None = None
    fit_seconds: float | None = None
    latency: float | None = None
    batch_latency: float | None = None

    @property
    def title(self) -> str:
        """Its name in tables, charts and sentences."""
        return self.name.replace("_", " ")

    @property
    def growth(self) -> float | None:
        """As of :class:`FamilyResult`."""
        return growth(self.steps)


Contender = FamilyResult | ComparedBaseline
"""What is compared on the holdout."""


def growth(steps: Sequence[float]) -> float | None:
    """Error of the last step over that of the first; ``None``: fewer than two steps, or the first has no error."""
    return steps[-1] / steps[0] if len(steps) > 1 and steps[0] > 0 else None


@dataclass(frozen=True)
class Advice:
    """The family or baseline to use under a preference.

    Attributes:
        preference: ``accuracy``, ``speed`` or ``size``.
        family: Name of the family or baseline.
        reason: The reason in words.
        kind: Which of the two it is.
    """

    preference: str
    family: str
    reason: str
    kind: Literal["family", "baseline"] = "family"


@dataclass(frozen=True)
class Comparison:
    """All results of a comparison.

    Attributes:
        study: Name of the study.
        uid: Unique identifier of the comparison, different after ``--fresh``.
        task: ``forecast``, ``classification`` or ``regression``.
        metric: Name of the metric.
        direction: ``minimize`` or ``maximize``.
        cases: What is scored one by one.
        horizon: Steps of the forecast; ``None`` for classification and regression.
        folds: Number of folds.
        trials: Number of trials of each family that count.
        seeds: Number of seeds with which the best trial of each family was to be retrained.
        seconds: Time of the comparison, all runs together.
        families: Families ordered by their scores on the folds, those without a score last.
        best: Name of the best family; ``None``: no family has a score.
        verdict: The result in sentences.
        advice: The recommended family under each preference.
        baselines: Mean scores of the baselines on the folds, by name.
        baseline_results: The baselines on the holdout, best first.
        notes: Limitations of the results, one sentence each.
    """

    study: str
    uid: str
    task: str
    metric: str
    direction: Literal["minimize", "maximize"]
    cases: str
    horizon: int | None
    folds: int
    trials: int
    seeds: int
    seconds: float
    families: tuple[FamilyResult, ...]
    best: str | None
    verdict: str
    advice: tuple[Advice, ...] = ()
    baselines: dict[str, float] = field(default_factory=dict)
    baseline_results: tuple[ComparedBaseline, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def scored(self) -> list[FamilyResult]:
        """The families that have a score."""
        return [family for family in self.families if family.folds is not None]

    @property
    def contenders(self) -> list[Contender]:
        """The families that have a score, and then the baselines."""
        return [*self.scored, *self.baseline_results]

    @property
    def terms(self) -> Terms:
        """Words of the task."""
        return Terms(self.metric, self.cases)

    def to_json(self) -> dict[str, Any]:
        """The object that ``compare --json`` prints; its keys are public API."""
        return asdict(self)
