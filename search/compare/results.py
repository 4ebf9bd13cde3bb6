"""The results of a comparison as plain values, which the terminal, the files and MLflow show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from lstmgru.evaluation.decimals import score_decimals
from search.study.json_keys import key
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
    """Counts of the trials of a family."""

    total: Annotated[int, key("All trials that count, the same number for every family.")]
    complete: Annotated[int, key("Trials that were trained on every fold.")]
    pruned: Annotated[int, key("Trials that the pruner stopped.")]
    failed: Annotated[int, key("Trials that ended with an error.")]
    diverged: Annotated[int, key("Failed trials whose loss or score was not finite.")]
    inherited: Annotated[int, key("Trials that the study ran.")]


@dataclass(frozen=True)
class Score:
    """Scores of one candidate that was trained with several seeds; of a baseline, its score as that of one seed."""

    mean: Annotated[float, key("Mean over the seeds; of scores on the folds, over seeds and folds.", unit="metric")]
    seeds_sd: Annotated[
        float | None,
        key("Standard deviation over the seeds, of their means over the folds. `null` with one seed.", unit="metric"),
    ]
    folds_sd: Annotated[
        float | None,
        key(
            "Standard deviation over the folds, of their means over the seeds. `null` with one fold, and on the "
            "holdout.",
            unit="metric",
        ),
    ]
    low: Annotated[float, key("Smallest score of a seed.", unit="metric")]
    high: Annotated[float, key("Largest score of a seed.", unit="metric")]
    by_seed: Annotated[tuple[float, ...], key("Score of each seed.", unit="metric")]


@dataclass(frozen=True)
class Difference:
    """Score of a family or baseline on the holdout minus that of the best family."""

    mean: Annotated[
        float,
        key(
            "The difference, averaged over the seeds. For forecasts, a mean over the windows; for `rmse`, of squared "
            "errors. Positive values are worse if `direction` is `minimize`, negative values if it is `maximize`.",
            unit="metric",
        ),
    ]
    low: Annotated[
        float | None,
        key(
            "Lower end of the 95% interval. `null` if there are too few cutoffs, sequences, texts or groups.",
            unit="metric",
        ),
    ]
    high: Annotated[float | None, key("Upper end of the 95% interval. `null` as for `low`.", unit="metric")]
    p_value: Annotated[float, key("p-value of the null hypothesis of no difference.")]
    corrected: Annotated[
        float,
        key("p-value corrected for all comparisons of families, or of baselines, with the best family (Holm 1979)."),
    ]
    beyond_seeds: Annotated[
        bool | None,
        key("Whether the scores of the seeds differ too (t test, 0.05). `null` with fewer than two seeds."),
    ]


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
    """A strength or weakness of a family."""

    measure: Annotated[str, key("Name of the measure: `accuracy`, `latency`, `far`, …", stability="open")]
    text: Annotated[str, key("Description with the value.", stability="text")]


_Standing = Annotated[
    Standing | None,
    key(
        "Relation to the best family: `best`, `equal`, `worse`, `seeds`, `better` or `unknown`. `null` without a "
        "score.",
        stability="open",
    ),
]
_Difference = Annotated[
    Difference | None, key("Difference from the best family. `null` for the best family, and without a score.")
]
_Steps = Annotated[
    tuple[float, ...],
    key(
        "For forecasts, the score on the holdout at each step of the horizon, mean over the seeds. Otherwise empty, "
        "also if a step has no score.",
        unit="metric",
    ),
]
_Lengths = Annotated[
    tuple[LengthScore, ...],
    key("Scores of short, medium and long sequences or texts of the holdout. Empty for forecasts and equal lengths."),
]
_Classes = Annotated[
    tuple[ClassScore, ...], key("For classification, scores of each class on the holdout. Otherwise empty.")
]
_Latency = Annotated[float | None, key("Time for the output of one window, sequence or text.", unit="seconds")]
_BatchLatency = Annotated[float | None, key("Time for the outputs of a batch of 64 of them.", unit="seconds")]


@dataclass(frozen=True)
class FamilyResult:
    """A family. If none of its trials is complete, the keys after `trials` are `null`, 0 or empty."""

    name: Annotated[str, key("Name of the family.")]
    words: Annotated[str, key("What its networks have in common.", stability="text")]
    trials: Annotated[Counts, key("Counts of its trials.")]
    trial: Annotated[int | None, key("Number of its best complete trial, within the family.")] = None
    layers: Annotated[str | None, key("Architecture of that trial.", stability="open")] = None
    params: Annotated[dict[str, Any], key("Parameters of that trial, by name.", stability="open")] = field(
        default_factory=dict
    )
    seeds: Annotated[int, key("Number of seeds with which that trial was retrained.")] = 0
    failed_seeds: Annotated[int, key("Number of these trainings that failed.")] = 0
    folds: Annotated[Score | None, key("Scores on the folds.")] = None
    holdout: Annotated[Score | None, key("Scores on the holdout.")] = None
    standing: _Standing = None
    difference: _Difference = None
    steps: _Steps = ()
    contexts: Annotated[
        tuple[ContextScore, ...],
        key("For forecasts, scores of its complete trials by context length, shortest first. Otherwise empty."),
    ] = ()
    lengths: _Lengths = ()
    classes: _Classes = ()
    n_parameters: Annotated[int | None, key("Number of trainable parameters.")] = None
    epoch_seconds: Annotated[
        float | None, key("Time of an epoch of a fold, possibly with other load on the machine.", unit="seconds")
    ] = None
    best_seconds: Annotated[float | None, key("Time until the end of the best epoch of a fold.", unit="seconds")] = None
    latency: _Latency = None
    batch_latency: _BatchLatency = None
    memory: Annotated[
        int | None,
        key("Memory that training adds to a process. `null` if the system does not report it.", unit="bytes"),
    ] = None
    sensitivity: Annotated[
        float | None,
        key("Interquartile range of the scores of its complete trials. `null` with fewer than four.", unit="metric"),
    ] = None
    trial_scores: Annotated[tuple[float, ...], key("Scores of its complete trials.", unit="metric")] = ()
    strengths: Annotated[tuple[Trait, ...], key("Measures in which the family is better than the others.")] = ()
    weaknesses: Annotated[tuple[Trait, ...], key("Measures in which the family is worse than the others.")] = ()

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
    """A baseline, which is compared with the families on the holdout alone."""

    name: Annotated[str, key("Name of the baseline.")]
    holdout: Annotated[Score, key("Its score on the holdout.")]
    standing: _Standing = None
    difference: _Difference = None
    steps: _Steps = ()
    lengths: _Lengths = ()
    classes: _Classes = ()
    n_parameters: Annotated[int | None, key("Number of stored numbers.")] = None
    fit_seconds: Annotated[float | None, key("Time of the fit to everything before the holdout.", unit="seconds")] = (
        None
    )
    latency: _Latency = None
    batch_latency: _BatchLatency = None

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


def decimals_of_families(families: Sequence[FamilyResult], *, larger_is_better: bool) -> int:
    """Decimals of all scores of a comparison: those of the best family on the holdout."""
    best = next((family for family in families if family.standing == "best"), None)
    score = best.holdout.mean if best is not None and best.holdout is not None else None
    return score_decimals(score, larger_is_better=larger_is_better)


def growth(steps: Sequence[float]) -> float | None:
    """Error of the last step over that of the first; ``None``: fewer than two steps, or the first has no error."""
    return steps[-1] / steps[0] if len(steps) > 1 and steps[0] > 0 else None


@dataclass(frozen=True)
class Advice:
    """The family or baseline to use under a preference."""

    preference: Annotated[str, key("`accuracy`, `speed` or `size`.", stability="open")]
    family: Annotated[str, key("Name of the family or baseline.")]
    reason: Annotated[str, key("Reason.", stability="text")]
    kind: Annotated[Literal["family", "baseline"], key("`family` or `baseline`.")] = "family"


@dataclass(frozen=True)
class Comparison:
    """A comparison of families of architectures."""

    study: Annotated[str, key("Name of the study.")]
    uid: Annotated[str, key("Unique identifier of the comparison, different after `--fresh`.")]
    task: Annotated[str, key("`forecast`, `classification` or `regression`.", stability="open")]
    metric: Annotated[str, key("The score: a value of `forecast.metric` or `labels.metric`.", stability="open")]
    targets: Annotated[tuple[str, ...], key("Columns that are predicted; empty for labels without a name.")]
    direction: Annotated[Literal["minimize", "maximize"], key("`minimize` or `maximize`.")]
    cases: Annotated[
        str,
        key("What is scored one by one: `windows` of forecasts, otherwise `sequences` or `texts`.", stability="open"),
    ]
    horizon: Annotated[
        int | None, key("Steps of the forecast. `null` for classification and regression.", unit="steps")
    ]
    folds: Annotated[int, key("Number of folds.")]
    trials: Annotated[int, key("Number of trials of each family that count.")]
    seeds: Annotated[int, key("Number of seeds with which the best trial of each family was to be retrained.")]
    seconds: Annotated[float, key("Time of the comparison, all runs together.", unit="seconds")]
    families: Annotated[
        tuple[FamilyResult, ...],
        key("The families, sorted by their scores on the folds, best first; those without a score come last."),
    ]
    best: Annotated[str | None, key("Name of the family with the best mean score on the folds. `null` without one.")]
    verdict: Annotated[str, key("The result in sentences.", stability="text")]
    advice: Annotated[tuple[Advice, ...], key("The recommended family or baseline under each preference.")] = ()
    baselines: Annotated[
        dict[str, float], key("Mean score of each baseline on the folds, by name.", unit="metric", stability="open")
    ] = field(default_factory=dict)
    baseline_results: Annotated[
        tuple[ComparedBaseline, ...], key("The baselines on the holdout, sorted by score, best first.")
    ] = ()
    notes: Annotated[tuple[str, ...], key("Limitations of the results, one sentence each.", stability="text")] = ()

    @property
    def scored(self) -> list[FamilyResult]:
        """The families that have a score."""
        return [family for family in self.families if family.folds is not None]

    @property
    def contenders(self) -> list[Contender]:
        """The families that have a score, and then the baselines."""
        return [*self.scored, *self.baseline_results]

    @property
    def decimals(self) -> int:
        """Of all scores, in tables, charts and sentences."""
        return decimals_of_families(self.families, larger_is_better=self.direction == "maximize")

    @property
    def terms(self) -> Terms:
        """Words of the task."""
        return Terms(self.metric, self.cases, self.targets)

    def to_json(self) -> dict[str, Any]:
        """The object that ``compare --json`` prints."""
        return asdict(self)
