"""What a comparison found, as plain values: the one picture that the terminal, the pages and MLflow show."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from search.tasks.compare import Cases, ClassScore, ContextScore, LengthScore, Terms

Standing = Literal["best", "equal", "worse", "seeds", "better", "unknown"]
"""How a family stands to the best one, see :mod:`search.compare.significance`."""


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
class Trait:
    """A strength or weakness.

    Attributes:
        measure: What it is about.
        text: In words, with its number.
    """

    measure: str
    text: str


@dataclass(frozen=True)
class FamilyResult:
    """What was found of a family.

    Attributes:
        name: Of the family.
        words: What its candidates have in common.
        trials: Those that count.
        trial: Number of the best complete one among them; ``None``: there is none, and nothing else is known.
        layers: Its architecture.
        params: Its parameters.
        seeds: With how many it was trained again.
        failed_seeds: How many of those trainings failed.
        folds: Scores on the folds.
        holdout: Scores on the holdout.
        standing: How it stands to the best family; ``None``: it has no score.
        difference: From the best family; ``None`` for that one itself.
        steps: (H,) scores of each step of the horizon on the holdout, mean over the seeds; of forecasts.
        contexts: Scores of its trials by the length of their contexts, shortest first; of forecasts.
        lengths: Scores of short, middle and long cases of the holdout; of labels, where lengths differ.
        classes: (C,) scores of each class on the holdout; of classes.
        n_parameters: Trainable numbers.
        epoch_seconds: Seconds of an epoch of a fold.
        best_seconds: Seconds until the best epoch of a fold was over.
        latency: Seconds of the output for one window or sequence.
        batch_latency: Seconds of the outputs for 64 of them at once.
        memory: Bytes that training adds to a process; ``None``: not known on this system.
        sensitivity: Interquartile range of its complete trials' scores; ``None`` with fewer than four.
        trial_scores: Scores of its complete trials.
        strengths: What it is good at.
        weaknesses: What it is bad at.
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
    def failure_share(self) -> float:
        """Share of its trials that failed."""
        return self.trials.failed / self.trials.total if self.trials.total else 0.0

    @property
    def growth(self) -> float | None:
        """Error of the last step over that of the first; ``None``: fewer than two steps, or the first has no error."""
        return self.steps[-1] / self.steps[0] if len(self.steps) > 1 and self.steps[0] > 0 else None


@dataclass(frozen=True)
class Advice:
    """The family to use under a preference.

    Attributes:
        preference: ``accuracy``, ``speed`` or ``size``.
        family: Its name.
        reason: Why, in words.
    """

    preference: str
    family: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    Attributes:
        study: Name of the study.
        uid: Tells two comparisons of one study apart.
        task: ``forecast``, ``classification`` or ``regression``.
        metric: Name of the score.
        direction: Which way it is better, ``minimize`` or ``maximize``.
        cases: What is scored one by one.
        horizon: Steps that are forecast; ``None``: labels are given.
        folds: How many there are.
        trials: How many of each family count.
        seeds: With how many the best of each family was to be trained again.
        seconds: That the comparison took, all runs together.
        families: The best on the folds first, those without a score last.
        best: Name of the best family; ``None``: none has a score.
        verdict: What the numbers support, in sentences.
        advice: Under each preference.
        baselines: Mean scores of simple methods on the folds, by name.
        notes: What limits these numbers, a sentence each.
    """

    study: str
    uid: str
    task: str
    metric: str
    direction: Literal["minimize", "maximize"]
    cases: Cases
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
    notes: tuple[str, ...] = ()

    @property
    def terms(self) -> Terms:
        """The words in which it is told."""
        return Terms(self.metric, self.cases)

    def to_json(self) -> dict[str, Any]:
        """The object that ``compare --json`` prints; its keys are a public interface."""
        return asdict(self)
