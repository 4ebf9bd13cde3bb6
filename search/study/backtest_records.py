"""A backtest of a model as plain values, which the command line, the reports and tracking read."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from search.study.records import IntervalRecord

Rows = tuple[dict[str, Any], ...]
STUDY_HOLDOUT = "the holdout of the study"
"""The rows of the earlier scores, unless the model is that of a refit."""


@dataclass(frozen=True)
class BacktestBaseline:
    """A baseline on the rows of a backtest.

    Attributes:
        score: The metric of the study; ``None`` if it could not be scored.
        holdout: Its score on :attr:`BacktestRecord.holdout_rows`; ``None`` if unknown.
        reason: Why it was not scored; empty if it was.
    """

    score: float | None
    holdout: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class BacktestRecord:
    """Scores of a model on a table that contains the actual values.

    Attributes:
        model: What the user named: a study, a directory, ``models:/NAME@alias``.
        task: ``forecast``, ``classification`` or ``regression``.
        metric: Name of the score.
        direction: ``minimize`` or ``maximize``.
        source: The table.
        scored: What is scored, in words: ``14 forecasts of 20 rows, from 2022-04-26 to 2022-05-15``.
        score: Of the model by the metric.
        metrics: Every metric by name.
        holdout: The same on ``holdout_rows``, as the bundle has them; empty if unknown.
        holdout_rows: The rows of the earlier scores, in words: those of the study's holdout, or of the refit that has
            trained the model.
        intervals: Coverage of the prediction intervals.
        holdout_intervals: The same on ``holdout_rows``.
        baselines: By name, fitted to the rows before the scored ones.
        verdict: One sentence on whether the model beats the best baseline; empty without baselines.
        beats_baselines: Whether the interval of the difference is on the model's side; ``None`` without baselines.
        drift: One sentence on what has changed since the holdout; empty if its score is unknown.
        parts: Scores of parts, a row each: ``series``, ``steps`` and ``classes``, as the task has them.
        notes: What a user should know, a sentence each.
    """

    model: str
    task: str
    metric: str
    direction: str
    source: str
    scored: str
    score: float
    metrics: dict[str, float]
    holdout: dict[str, float] = field(default_factory=dict)
    holdout_rows: str = STUDY_HOLDOUT
    intervals: tuple[IntervalRecord, ...] = ()
    holdout_intervals: tuple[IntervalRecord, ...] = ()
    baselines: dict[str, BacktestBaseline] = field(default_factory=dict)
    verdict: str = ""
    beats_baselines: bool | None = None
    drift: str = ""
    parts: dict[str, Rows] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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
            (name if name == "model" else f"baseline: {name.replace('_', ' ')}", *_cells(*scores))
            for name, scores in ordered
        ]
        return ("", self.metric, self.then, "change"), lines

    def metric_rows(self) -> list[tuple[str, ...]]:
        """Name, score, score on the holdout and change of each metric, the one of the study first."""
        ordered = sorted(self.metrics.items(), key=lambda item: item[0] != self.metric)
        return [(name, *_cells(score, self.holdout.get(name))) for name, score in ordered]

    def interval_rows(self) -> list[tuple[str, ...]]:
        """Level, coverage, coverage on the holdout and mean width of each interval."""
        then = {each.level: each.coverage for each in self.holdout_intervals}
        return [
            (
                f"{100 * each.level:g}%",
                f"{100 * each.coverage:.1f}%",
                f"{100 * then[each.level]:.1f}%" if each.level in then else "",
                f"{each.width:.4g}",
            )
            for each in self.intervals
        ]

    @staticmethod
    def part_noun(name: str) -> str:
        """One of the parts of a kind, such as ``class`` for ``classes``."""
        return {"steps": "step of the horizon", "classes": "class"}.get(name, name)

    def part_table(self, name: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Head and rows of the table of a kind of part."""
        rows = self.parts[name]
        return tuple(rows[0]), [tuple(_cell(value, key) for key, value in row.items()) for row in rows]

    def to_json(self) -> dict[str, Any]:
        """Plain values; numbers that are not finite are ``None``."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _cell(value: Any, key: str = "") -> str:
    """A cell of a table; scores have four significant digits, also zeros, so that columns line up."""
    if value is None:
        return ""
    if key.startswith("coverage"):
        return f"{100 * value:.1f}%"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 10**4 else f"{value:#.4g}".rstrip(".")


def _cells(score: float | None, holdout: float | None) -> tuple[str, str, str]:
    """Score, holdout, and the relative change."""
    change = f"{(score - holdout) / abs(holdout):+.1%}" if score is not None and holdout else ""
    return _cell(score), _cell(holdout), change


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
