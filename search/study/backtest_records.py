"""A backtest of a model as plain values, which the command line, the reports and tracking read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from lstmgru.evaluation.decimals import decimals_of, fixed, score_decimals
from search.study.json_keys import key
from search.study.records import IntervalRecord

STUDY_HOLDOUT = "the holdout of the study"
"""The rows of the earlier scores, unless the model is that of a refit."""

_Score = Annotated[float | None, key("Score of the model. `null` if it is undefined there.", unit="metric")]
_BestBaseline = Annotated[
    float | None,
    key(
        "Score of the baseline that is best on all scored rows. `null` if it is undefined, or without baselines.",
        unit="metric",
    ),
]
_Intervals = Annotated[tuple[IntervalRecord, ...], key("Prediction intervals there.")]


@dataclass(frozen=True)
class SeriesPart:
    """Scores of one series."""

    series: Annotated[str, key("Name of the series.")]
    forecasts: Annotated[int, key("Number of its forecasts.")]
    score: _Score
    best_baseline: _BestBaseline
    intervals: _Intervals


@dataclass(frozen=True)
class StepPart:
    """Scores of one step of the horizon."""

    step: Annotated[int, key("Number of the step, starting from 1.")]
    score: _Score
    best_baseline: _BestBaseline
    intervals: _Intervals


@dataclass(frozen=True)
class ClassPart:
    """Scores of one class."""

    name: Annotated[str, key("Name of the class.")]
    support: Annotated[int, key("Number of its labels.")]
    precision: Annotated[float, key("Share of its predictions that are correct.", unit="share")]
    recall: Annotated[float, key("Share of its labels that are predicted correctly.", unit="share")]
    f1: Annotated[float, key("Harmonic mean of precision and recall.", unit="share")]


@dataclass(frozen=True)
class Parts:
    """Scores of parts of the scored rows."""

    series: Annotated[tuple[SeriesPart, ...], key("For forecasts of several series, each series.")] = ()
    steps: Annotated[tuple[StepPart, ...], key("For forecasts of several steps, each step of the horizon.")] = ()
    classes: Annotated[tuple[ClassPart, ...], key("For classification, each class.")] = ()


@dataclass(frozen=True)
class BacktestBaseline:
    """A baseline on the rows of a backtest, fitted to the rows before them."""

    score: Annotated[float | None, key("Its score. `null` if it could not be scored.", unit="metric")]
    holdout: Annotated[float | None, key("Its score on `holdout_rows`. `null` if it is unknown.", unit="metric")] = None
    reason: Annotated[str, key("Why it was not scored. Empty if it was.", stability="text")] = ""


@dataclass(frozen=True)
class BacktestRecord:
    """Scores of a model on a table that contains the actual values."""

    model: Annotated[
        str, key("The model, as it was named: a study, a directory of an exported model, `models:/NAME@alias`.")
    ]
    task: Annotated[str, key("`forecast`, `classification` or `regression`.", stability="open")]
    metric: Annotated[str, key("The score: a value of `forecast.metric` or `labels.metric`.", stability="open")]
    direction: Annotated[str, key("`minimize` or `maximize`.")]
    source: Annotated[str, key("The table.", stability="text")]
    scored: Annotated[str, key("The rows, sequences or texts that are scored.", stability="text")]
    score: Annotated[float, key("Score of the model.", unit="metric")]
    metrics: Annotated[
        dict[str, float],
        key("All metrics by name, without those that are undefined.", unit="each its own", stability="open"),
    ]
    holdout: Annotated[
        dict[str, float],
        key("The same on `holdout_rows`. Empty if they are unknown.", unit="each its own", stability="open"),
    ] = field(default_factory=dict)
    holdout_rows: Annotated[
        str,
        key(
            "The rows of the earlier scores: `the holdout of the study`; of a model that `refit` has trained, `the "
            "last new rows of the refit`, or `the holdout of the refit` if they were too few.",
            stability="open",
        ),
    ] = STUDY_HOLDOUT
    intervals: Annotated[tuple[IntervalRecord, ...], key("Prediction intervals. Empty for labels.")] = ()
    holdout_intervals: Annotated[tuple[IntervalRecord, ...], key("The same on `holdout_rows`.")] = ()
    baselines: Annotated[
        dict[str, BacktestBaseline],
        key("The quick baselines of the study, by name. Empty if there is nothing to fit them to.", stability="open"),
    ] = field(default_factory=dict)
    verdict: Annotated[
        str, key("Whether the model beats the best baseline. Empty without baselines.", stability="text")
    ] = ""
    beats_baselines: Annotated[
        bool | None, key("Whether it is significantly better than the best baseline. `null` without baselines.")
    ] = None
    drift: Annotated[
        str, key("What has changed since `holdout_rows`. Empty if the earlier scores are unknown.", stability="text")
    ] = ""
    parts: Annotated[Parts, key("Scores of series, steps of the horizon and classes.")] = Parts()
    notes: Annotated[tuple[str, ...], key("Limitations of the scores, one sentence each.", stability="text")] = ()

    @property
    def then(self) -> str:
        """The head of the columns of the earlier scores."""
        return "on the holdout" if self.holdout_rows == STUDY_HOLDOUT else "in the refit"

    @property
    def best_baseline(self) -> str | None:
        """The name of the best scored baseline."""
        scores = {name: each.score for name, each in self.baselines.items() if each.score is not None}
        choose = max if self.direction == "maximize" else min
        return choose(scores, key=scores.__getitem__) if scores else None

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table of the model and the baselines, best first: score, earlier score and change."""
        known = {name: (each.score, each.holdout) for name, each in self.baselines.items() if each.score is not None}
        rows = {"model": (self.score, self.holdout.get(self.metric)), **known}
        sign = -1 if self.direction == "maximize" else 1
        ordered = sorted(rows.items(), key=lambda row: sign * float(row[1][0] or 0))
        lines: list[tuple[str, ...]] = [
            (name if name == "model" else f"baseline: {name.replace('_', ' ')}", *_cells(*scores, self._decimals))
            for name, scores in ordered
        ]
        return ("", self.metric, self.then, "change"), lines

    def metric_rows(self) -> list[tuple[str, ...]]:
        """Name, score, score on the holdout and change of each metric, the one of the study first."""
        ordered = sorted(self.metrics.items(), key=lambda item: item[0] != self.metric)
        return [
            (
                name,
                *_cells(score, self.holdout.get(name), self._decimals if name == self.metric else decimals_of([score])),
            )
            for name, score in ordered
        ]

    def interval_rows(self) -> list[tuple[str, ...]]:
        """Level, coverage, coverage on the holdout and mean width of each interval."""
        then = {each.level: each.coverage for each in self.holdout_intervals}
        decimals = decimals_of([each.width for each in self.intervals])
        return [
            (
                f"{100 * each.level:g}%",
                f"{100 * each.coverage:.1f}%",
                f"{100 * then[each.level]:.1f}%" if each.level in then else "",
                fixed(each.width, decimals),
            )
            for each in self.intervals
        ]

    @property
    def part_names(self) -> list[str]:
        """The kinds of parts that have scores."""
        return [name for name, rows in vars(self.parts).items() if rows]

    @staticmethod
    def part_noun(name: str) -> str:
        """One of the parts of a kind, such as ``class`` for ``classes``."""
        return {"steps": "step of the horizon", "classes": "class"}.get(name, name)

    def part_table(self, name: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table of a kind of part."""
        rows = [self._part_row(part) for part in getattr(self.parts, name)]
        head = tuple(dict.fromkeys(title for row in rows for title in row))
        return head, [tuple(_cell(row.get(title), title, self._decimals) for title in head) for row in rows]

    @property
    def _decimals(self) -> int:
        """Decimals of all scores in the metric of the study."""
        return score_decimals(self.score, larger_is_better=self.direction == "maximize")

    def _part_row(self, part: SeriesPart | StepPart | ClassPart) -> dict[str, Any]:
        """The values of a part by the head of their column."""
        heads = {"name": "class", "score": self.metric, "best_baseline": "best baseline"}
        values = {heads.get(name, name): value for name, value in vars(part).items()}
        return values | {f"coverage {100 * each.level:g}%": each.coverage for each in values.pop("intervals", ())}

    def to_json(self) -> dict[str, Any]:
        """The object that ``backtest --json`` prints, without its run in MLflow."""
        return asdict(self)


_SHARES = ("precision", "recall", "f1")


def _cell(value: Any, title: str, decimals: int) -> str:
    """A cell of a column; scores have so many decimals."""
    if value is None:
        return ""
    if title.startswith("coverage"):
        return f"{100 * value:.1f}%"
    if not isinstance(value, float):
        return str(value)
    return fixed(value, 3 if title in _SHARES else decimals)


def _cells(score: float | None, holdout: float | None, decimals: int) -> tuple[str, str, str]:
    """Score, holdout, and the relative change."""
    change = f"{(score - holdout) / abs(holdout):+z.1%}" if score is not None and holdout else ""
    shown, then = ("" if value is None else fixed(value, decimals) for value in (score, holdout))
    return shown, then, change
