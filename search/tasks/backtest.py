"""Score a trained model on a table that contains the actual values, beside baselines that do not look ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol

from lstmgru.errors import BaselineTooSlow, DataError
from lstmgru.evaluation.decimals import fixed
from lstmgru.evaluation.metrics import find_metric
from lstmgru.evaluation.time_limit import TimeLimit
from search.reports.formatting import decimals_of_scores
from search.study.backtest_records import STUDY_HOLDOUT, BacktestBaseline, BacktestRecord, Parts
from search.study.records import IntervalRecord
from search.tasks.data import Data, Split
from search.tasks.verdict import best_baseline, judge, relative, same

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from lstmgru.bundle.base import Bundle
    from lstmgru.evaluation.significance import Interval

BASELINE_SECONDS = 60.0
"""Time limit of a baseline."""
HOLDOUT, LAST_NEW_ROWS = "holdout", "last_new_rows"
"""What the model of a refit was scored on, as its provenance says."""
SCORED = "on these rows"
"""Where the scores of a verdict are from."""


@dataclass(frozen=True)
class BacktestPart(Generic[Data, Split]):
    """The part of a table that is scored.

    Attributes:
        data: Of the table, in the form of the model's.
        split: Its training part is what came before.
        scored: What is scored, in words.
        notes: What a user should know, a sentence each.
    """

    data: Data
    split: Split
    scored: str
    notes: tuple[str, ...] = ()


class TaskBacktest(Protocol):
    """What a task knows of backtests."""

    def read(self, bundle: Any, frame: pd.DataFrame, *, source: str, start: str | None) -> BacktestPart[Any, Any]:
        """The rows of a table that are scored.

        Args:
            bundle: The model.
            frame: The table.
            source: Its name, for messages.
            start: First time to score, as the user wrote it; ``None``: after what the model learned from.

        Raises:
            DataError: The table does not fit the model, or has nothing to score.
        """

    def unseen(self, bundle: Any, plan: Any, new: npt.NDArray[np.bool_] | None) -> Any:
        """The split of a study's data on a later table that scores what its model has not learned from.

        Args:
            bundle: The model.
            plan: Of the study on the later table.
            new: (rows,) whether a row of :meth:`Plan.rows` is new; ``None`` if that is unknown.

        Raises:
            DataError: There is nothing, or the model does not fit the data.
        """

    def part(self, bundle: Any, plan: Any, split: Any) -> BacktestPart[Any, Any]:
        """What :meth:`read` returns, of such a split.

        Raises:
            DataError: There is too little to score.
        """

    def last_part(self, data: Any, split: Any) -> Any:
        """The later half of the scored part, if it is long enough for a test of differences; else all of it."""

    def outputs(self, bundle: Any, part: BacktestPart[Any, Any], source: str) -> Any:
        """The outputs of the model for the scored part, in the form of :attr:`HoldoutScores.blend`.

        Raises:
            DataError: The model cannot read a value.
        """

    def of_baseline(self, part: BacktestPart[Any, Any], outputs: Any, calibration: Any) -> Any:
        """Outputs of a baseline in the same form."""

    def calibration(self, part: BacktestPart[Any, Any], name: str, limit: TimeLimit) -> dict[str, Any] | None:
        """Calibration of a baseline's intervals before the scored part, if the metric needs them."""

    def scores(self, part: BacktestPart[Any, Any], outputs: Any) -> dict[str, float]:
        """Every metric that is defined, by name."""

    def intervals(self, part: BacktestPart[Any, Any], outputs: Any) -> tuple[IntervalRecord, ...]:
        """Coverage of the prediction intervals."""

    def difference(self, part: BacktestPart[Any, Any], outputs: Any, others: Any) -> Interval:
        """Interval of the difference between the errors of two methods, the first less the second."""

    def parts(self, part: BacktestPart[Any, Any], outputs: Any, baseline: Any) -> Parts:
        """Scores of parts, see :attr:`BacktestRecord.parts`; ``baseline``: outputs of the best one, or ``None``."""

    def draw(self, part: BacktestPart[Any, Any], outputs: Any) -> str:
        """The outputs as HTML."""


@dataclass(frozen=True)
class Backtested:
    """A backtest.

    Attributes:
        record: Its scores.
        part: What was scored.
        outputs: Of the model.
    """

    record: BacktestRecord
    part: BacktestPart[Any, Any]
    outputs: Any


def backtest(
    task: TaskBacktest,
    bundle: Bundle,
    part: BacktestPart[Any, Any],
    *,
    model: str,
    source: str,
    calibrations: Mapping[str, dict[str, Any]] | None = None,
    called: str = "model",
) -> Backtested:
    """Score a model and the quick baselines of its study on a part of a table.

    Args:
        task: What the model's task knows of backtests.
        bundle: The model.
        part: What is scored.
        model: What the user named.
        source: The table.
        calibrations: Of the intervals of baselines, by name; others are calibrated before the scored part.
        called: What the verdict calls the model.

    Raises:
        DataError: The model cannot read a value, or the metric is undefined on these rows.
    """
    metric, outputs = part.data.metric, task.outputs(bundle, part, source)
    scores, then = task.scores(part, outputs), bundle.metrics.get("holdout") or {}
    if metric not in scores:
        raise DataError(
            f"{source}: {metric} is undefined on {part.scored}: the model has no intervals, or the true values do not "
            "vary; add rows"
        )
    baselines, kept = _baselines(task, bundle, part, calibrations or {})
    ranked = {name: each.score for name, each in baselines.items() if each.score is not None}
    verdict, beats, best = "", None, None
    if ranked:
        best = best_baseline(metric, ranked)
        verdict, beats = judge(
            metric,
            scores[metric],
            best,
            ranked[best],
            task.difference(part, outputs, kept[best]),
            targets=part.data.targets,
            choices=len(ranked),
            called=called,
            where=SCORED,
        )
    return Backtested(
        BacktestRecord(
            model=model,
            task=bundle.task_name,
            metric=metric,
            direction=find_metric(metric).direction,
            source=source,
            scored=part.scored,
            score=scores[metric],
            metrics=scores,
            holdout=then,
            holdout_rows=_then(bundle),
            intervals=task.intervals(part, outputs),
            holdout_intervals=tuple(IntervalRecord(**each) for each in bundle.metrics.get("intervals", ())),
            baselines=baselines,
            verdict=verdict,
            beats_baselines=beats,
            drift=_drift(metric, scores[metric], then.get(metric), best, baselines, _then(bundle)),
            parts=task.parts(part, outputs, None if best is None else kept[best]),
            notes=part.notes,
        ),
        part,
        outputs,
    )


def _baselines(
    task: TaskBacktest, bundle: Bundle, part: BacktestPart[Any, Any], calibrations: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, BacktestBaseline], dict[str, Any]]:
    """The quick baselines of the study, and the outputs of those that could be scored."""
    then: dict[str, float] = bundle.metrics.get("baselines") or {}
    metric, data = part.data.metric, part.data
    found: dict[str, BacktestBaseline] = {}
    kept: dict[str, Any] = {}
    for name, slow in data.baselines.items() if part.split.n_train else ():
        if slow or (then and name not in then):
            continue
        limit = TimeLimit(BASELINE_SECONDS, lambda: False)
        try:
            fitted = data.fit_baseline(part.split, name, limit)
            calibration = calibrations.get(name) or task.calibration(part, name, limit)
            outputs = task.of_baseline(part, data.predict_baseline(part.split, fitted, limit), calibration)
        except (DataError, BaselineTooSlow) as error:
            found[name] = BacktestBaseline(None, then.get(name), str(error))
            continue
        score = task.scores(part, outputs).get(metric)
        found[name] = BacktestBaseline(score, then.get(name), "" if score is not None else f"{metric} is undefined")
        if score is not None:
            kept[name] = outputs
    return found, kept


def _then(bundle: Bundle) -> str:
    """The rows that the scores of a bundle are from."""
    if "refit_of" not in bundle.provenance:
        return STUDY_HOLDOUT
    last = bundle.provenance.get("scored_on") == LAST_NEW_ROWS
    return "the last new rows of the refit" if last else "the holdout of the refit"


def _drift(
    metric: str,
    score: float,
    then: float | None,
    best: str | None,
    baselines: Mapping[str, BacktestBaseline],
    rows: str,
) -> str:
    """What has changed since the holdout: of the model, and of the baseline that is best now."""
    if not then:
        return ""
    label, decimals = find_metric(metric).label, decimals_of_scores(metric, score)
    shown = fixed(score, decimals)
    if same(score, then, decimals):
        sentence = f"{label} is {shown}, as on {rows}"
    else:
        change = _change(score, then, decimals)
        sentence = f"{label} is {shown}, {change} than on {rows} ({fixed(then, decimals)})"
    baseline = None if best is None else baselines[best]
    if best is None or baseline is None or not baseline.score or not baseline.holdout:
        return f"{sentence}."
    name = best.replace("_", " ")
    return (
        f"{sentence}; that of {name} is {_change(baseline.score, baseline.holdout, decimals)}. Relative to {name}: "
        f"{score / baseline.score:.3g}, then {then / baseline.holdout:.3g}."
    )


def _change(score: float, then: float, decimals: int) -> str:
    if same(score, then, decimals):
        return "the same"
    return f"{relative(score, then)} {'lower' if score < then else 'higher'}"
