"""Backtests of forecasting models, see :class:`search.tasks.backtest.TaskBacktest`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.forecasting.splits import Split, split_at
from lstmgru.data.tables.grid import wall_clock
from lstmgru.errors import DataError, counted, shorten, show_time
from lstmgru.evaluation.metrics import find_metric
from lstmgru.evaluation.significance import FEWEST_CUTOFFS
from search.study.backtest_records import Parts, SeriesPart, StepPart
from search.tasks.backtest import BacktestPart
from search.tasks.forecasting.data import ForecastBacktest, ForecastData
from search.tasks.forecasting.scoring import Forecasts, coverage_records, error_interval, with_intervals

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from lstmgru.bundle import ForecastBundle
    from lstmgru.data.forecasting.series import SeriesPanel
    from lstmgru.data.forecasting.splits import Rows as RowNumbers
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.evaluation.significance import Interval
    from lstmgru.evaluation.time_limit import TimeLimit
    from search.study.records import IntervalRecord
    from search.tasks.forecasting.plan import ForecastPlan

    ForecastPart = BacktestPart[ForecastData, Split]

NAME, HOLDOUT = "backtest", "holdout"
"""Of splits."""


def read(bundle: ForecastBundle, frame: pd.DataFrame, *, source: str, start: str | None) -> ForecastPart:
    """The rows of a table that are scored."""
    panel, learned = bundle.panel(frame, source=source), learned_until(bundle)
    notes = []
    if start is not None:
        starts = _first_rows(panel, _moment(panel, start), "left")
    elif learned is not None:
        starts = _first_rows(panel, learned, "right")
        if (starts == panel.offsets[1:]).all():
            raise DataError(
                f"{source} has no rows after {show_time(_local(panel, learned))}, the last that the model learned "
                "from; add rows, or score earlier ones with --from DATE"
            )
    else:
        starts = panel.offsets[:-1]
        notes.append("the model does not say up to where it has learned, so the whole table is scored")
    if (starts == panel.offsets[:-1]).all():  # the first forecast needs a context
        starts = np.minimum(starts + bundle.required_rows, panel.offsets[1:])
    notes += [*_seen(bundle, panel, starts, learned), *_new_series(bundle, panel)]
    return part_of(bundle, panel, _split_at(bundle, panel, starts, source), source=source, notes=notes)


def part_of(
    bundle: ForecastBundle, panel: SeriesPanel, split: Split, *, source: str, notes: list[str], advice: str = ""
) -> ForecastPart:
    """The part of a panel that is scored; ``advice``: the way out of its errors, unless it is ``--from``.

    Raises:
        DataError: No forecast can be scored.
    """
    scoring = bundle.provenance.get("scoring") or {}
    longest = max((member.model_spec.context_length for member in bundle.networks), default=bundle.required_rows)
    data = ForecastData(
        panel=panel,
        folds=(),
        forecast=bundle.forecast,
        context_length=max(int(scoring.get("context_length", longest)), bundle.required_rows),
        stride=int(scoring.get("stride", 1)),
        short_series=bundle.short_series,
    )
    first, ends, horizon = *split.evaluation.T, bundle.forecast.horizon
    rows = ends - first
    if not rows.max():
        last = show_time(_local(panel, np.asarray(panel.times).max()))
        raise DataError(f"{source} has no rows to score: it ends at {last}; {advice or 'begin earlier, or add rows'}")
    times = np.array([panel.times[first[rows > 0]].min(), panel.times[ends[rows > 0] - 1].max()])
    begin, end = map(show_time, wall_clock(times, panel.timezone))
    if rows.max() < horizon:
        raise DataError(
            f"{source} has {counted(int(rows.max()), 'row')} from {begin} on, fewer than the horizon of {horizon}, so "
            f"no forecast can be scored; {advice or 'add rows, or begin earlier with --from DATE'}"
        )
    try:
        cutoffs = data.evaluation(split).cutoffs
    except DataError as error:
        raise DataError(
            f"{source}: no forecast from {begin} on can be scored: one needs {data.context_length} rows before it, and "
            f"{horizon} with a known target after it; {advice or 'add earlier rows, or begin later with --from DATE'}"
        ) from error
    scored = f"{counted(len(cutoffs), 'forecast')} of {counted(int(rows.sum()), 'row')} from {begin} to {end}"
    return BacktestPart(data, split, scored, tuple(notes))


def unseen(bundle: ForecastBundle, plan: ForecastPlan, new: npt.NDArray[np.bool_] | None) -> Split:
    """The rows after the last one that the model has learned from."""
    del new  # the times say it
    panel, learned = plan.panel, learned_until(bundle)
    if learned is None:
        raise DataError(
            "the model of the study does not say up to where it has learned, so nothing tells which rows are new; "
            "search again with run --fresh"
        )
    own = {"frequency": panel.frequency, "step": panel.step, "time zone": panel.timezone}
    known = {"frequency": bundle.frequency, "step": bundle.step, "time zone": bundle.timezone}
    for name, value in own.items():
        if value != known[name]:
            raise DataError(
                f"{plan.source}: the {name} is {value} but the model was trained on {known[name]}; give a table like "
                "that of the study"
            )
    starts = _first_rows(panel, learned, "right")
    if (starts == panel.offsets[1:]).all():
        last = show_time(_local(panel, learned))
        raise DataError(
            f"{plan.source} has no rows after {last}, the last that the model of the study has learned from; give a "
            "longer table with --data"
        )
    if (starts == panel.offsets[:-1]).all():
        last = show_time(_local(panel, learned))
        raise DataError(
            f"{plan.source} has only rows after {last}, the last that the model of the study has learned from; give "
            "the whole table, as the model is trained on the earlier rows, too"
        )
    return _split_at(bundle, panel, starts, plan.source)


def _split_at(bundle: ForecastBundle, panel: SeriesPanel, starts: RowNumbers, source: str) -> Split:
    """The split that scores the rows from some on, except of series that the model cannot forecast.

    Raises:
        DataError: It can forecast none.
    """
    from lstmgru.runtime.forecasting.validation import series_codes

    split = split_at(panel, starts, name=NAME)
    if not bundle.signature.tells_series:
        return split
    known = np.isin(panel.ids.astype(str), bundle.ids)
    if not known.any():
        series_codes(panel.ids, bundle.ids, bundle.signature, source)  # raises
    return _scoring_only(split, known)


def _scoring_only(split: Split, scored: npt.NDArray[np.bool_]) -> Split:
    """The same split, in which only some series are scored."""
    first, ends = split.evaluation.T
    return replace(split, evaluation=np.stack([first, np.where(scored, ends, first)], axis=1))


def part(bundle: ForecastBundle, plan: ForecastPlan, split: Split) -> ForecastPart:
    """The part of the table of a plan that is scored."""
    # More than those that are lacking: if the new model becomes champion, only later rows are new.
    advice = f"refit again when {bundle.forecast.horizon} more rows with a known target have arrived"
    return part_of(bundle, plan.panel, split, source=plan.source, notes=_new_series(bundle, plan.panel), advice=advice)


def last_part(data: ForecastData, split: Split) -> Split:
    """The later half of the scored rows, if its forecasts cover five horizons; else all of them."""
    rows = np.concatenate([np.arange(first, end) for first, end in split.evaluation])
    times = np.unique(data.panel.times[rows])
    later = times[len(times) // 2 :]
    if len(later) < (FEWEST_CUTOFFS + 1) * data.forecast.horizon:
        return replace(split, name=HOLDOUT)
    first, ends = split.evaluation.T
    starts = np.maximum(_first_rows(data.panel, later[0], "left"), first)
    return _scoring_only(split_at(data.panel, starts, name=HOLDOUT), ends > first)


def learned_until(bundle: ForecastBundle) -> np.generic | None:
    """The last time that a model learned from, in UTC if there is a time zone; ``None`` if it is unknown."""
    origin = bundle.provenance
    last = origin.get("learned_until") or (origin.get("data") or {}).get("end")
    return None if last is None else _time_of(str(last), bundle.frequency == "step")


def _time_of(text: str, steps: bool) -> np.generic:
    return np.int64(text) if steps else np.datetime64(text.replace(" ", "T"), "ns")


def _moment(panel: SeriesPanel, text: str) -> np.generic:
    """A time as a user writes it: a step, or a date in the time zone of the table.

    Raises:
        DataError: It is none.
    """
    import pandas as pd

    steps = panel.times.dtype.kind == "i"
    try:
        if steps:
            return np.int64(text)
        moment = pd.Timestamp(text)
        if pd.isna(moment):
            raise ValueError(text)
        if panel.timezone is not None:
            moment = moment.tz_localize(panel.timezone) if moment.tz is None else moment
            moment = moment.tz_convert("UTC").tz_localize(None)
        elif moment.tz is not None:
            raise ValueError(text)
        return np.datetime64(moment.value, "ns")
    except (ValueError, OverflowError) as error:
        wanted = "a whole number, as the times are steps" if steps else "a date, as in 2024-01-31"
        raise DataError(f"--from must be {wanted}, but got {text!r}") from error


def _first_rows(panel: SeriesPanel, moment: np.generic, side: Any) -> RowNumbers:
    """(series,) the first rows from a moment on (``left``), or after it (``right``)."""
    spans = zip(panel.offsets[:-1], panel.offsets[1:], strict=True)
    return np.array([first + np.searchsorted(panel.times[first:end], moment, side=side) for first, end in spans])


def _local(panel: SeriesPanel, time: Any) -> Any:
    return wall_clock(np.array([time]), panel.timezone)[0]


def _seen(bundle: ForecastBundle, panel: SeriesPanel, starts: RowNumbers, learned: np.generic | None) -> list[str]:
    """That the model has learned from some of the rows; one of an earlier version may have."""
    if learned is None:
        return []
    scored = np.arange(len(panel.times)) >= np.repeat(starts, panel.lengths)
    seen = int((scored & (np.asarray(panel.times) <= learned)).sum())
    if not seen:
        return []
    has, are = ("has", "are") if "trained_on" in bundle.provenance else ("may have", "may be")
    last = show_time(_local(panel, learned))
    return [
        f"the model {has} learned from {seen} of the {int(scored.sum())} scored rows, those up to {last}: its scores "
        f"there {are} too good"
    ]


def _new_series(bundle: ForecastBundle, panel: SeriesPanel) -> list[str]:
    new = [name for name in panel.ids if name not in set(bundle.ids)] if bundle.schema.id and bundle.ids else []
    left_out = ", and cannot forecast them" if bundle.signature.tells_series else ""
    return [f"the model has not learned from {len(new)} of the series{left_out}: {shorten(new, 5)}"] if new else []


def outputs(bundle: ForecastBundle, part: ForecastPart, source: str) -> Forecasts:
    """The forecasts of the model."""
    panel, evaluation = part.data.panel, part.data.evaluation(part.split)
    try:
        point, quantiles = bundle.forecast_windows(panel, evaluation.cutoffs, source=source)
    except DataError as error:
        raise error if str(error).startswith(source) else DataError(f"{source}: {error}") from error
    if quantiles is None:
        none = np.empty((0, *point.shape), np.float32)
        return Forecasts(point, None, none, none)
    ends, middle = np.moveaxis(quantiles, -1, 0), quantiles.shape[-1] // 2
    whole = quantiles if bundle.levels == bundle.forecast.levels else None
    return Forecasts(point, whole, ends[:middle][::-1], ends[middle + 1 :])


def of_baseline(part: ForecastPart, outputs: npt.NDArray[np.float32], calibration: dict[str, Any] | None) -> Forecasts:
    """The forecasts of a baseline."""
    return with_intervals(part.data, part.data.evaluation(part.split), outputs, calibration, part.data.context_length)


def calibration(part: ForecastPart, name: str, limit: TimeLimit) -> dict[str, Any] | None:
    """Calibration of a baseline's intervals on the last rows before the scored ones, if the metric needs them."""
    data, split = part.data, part.split
    if not find_metric(data.metric).of_quantiles:
        return None
    size = (split.evaluation[:, 1] - split.evaluation[:, 0]).max()
    starts = np.maximum(split.train[:, 1] - size, split.train[:, 0])
    inner = replace(
        split_at(data.panel, starts, name="calibration"), evaluation=np.stack([starts, split.train[:, 1]], 1)
    )
    before = replace(data, folds=(inner,))
    backtest = ForecastBacktest(before, data.context_length)
    backtest.add(0, before.predict_baseline(inner, before.fit_baseline(inner, name, limit), limit))
    return backtest.calibration()


def scores(part: ForecastPart, outputs: Forecasts) -> dict[str, float]:
    """Every metric that is defined."""
    return part.data.evaluation(part.split).scores(outputs.point, outputs.quantiles)


def intervals(part: ForecastPart, outputs: Forecasts) -> tuple[IntervalRecord, ...]:
    """Coverage of the prediction intervals."""
    return coverage_records(part.data.forecast, part.data.evaluation(part.split), outputs)


def difference(part: ForecastPart, outputs: Forecasts, others: Forecasts) -> Interval:
    """Interval of the difference between the errors of two methods."""
    evaluation, metric = part.data.evaluation(part.split), part.data.metric
    return error_interval(
        part.data, evaluation, outputs, evaluation.window_errors(metric, others.point, others.quantiles)
    )


def parts(part: ForecastPart, outputs: Forecasts, baseline: Forecasts | None) -> Parts:
    """Scores of each series, if there are several, and of each step of the horizon."""
    evaluation, panel, horizon = part.data.evaluation(part.split), part.data.panel, part.data.forecast.horizon
    numbers, firsts = np.unique(evaluation.series, return_index=True)  # ascending, as their cutoffs are
    windows_of = np.split(np.arange(len(evaluation.series)), firsts[1:])
    series = (
        SeriesPart(
            panel.ids[number],
            len(windows),
            **_scored(part, evaluation.some(windows), outputs.some(windows), baseline and baseline.some(windows)),
        )
        for number, windows in zip(numbers, windows_of, strict=True)
    )
    steps = (
        StepPart(
            step + 1,
            **_scored(part, evaluation.at_step(step), outputs.at_step(step), baseline and baseline.at_step(step)),
        )
        for step in range(horizon)
    )
    return Parts(tuple(series) if len(panel) > 1 else (), tuple(steps) if horizon > 1 else ())


def _scored(
    part: ForecastPart, evaluation: ForecastEvaluation, outputs: Forecasts, baseline: Forecasts | None
) -> dict[str, Any]:
    """Scores of the model and the best baseline, and the intervals, of some of the targets."""
    metric = part.data.metric

    def score(of: Forecasts | None) -> float | None:
        value = float("nan") if of is None else evaluation.score(metric, of.point, of.quantiles)
        return value if np.isfinite(value) else None

    intervals = coverage_records(part.data.forecast, evaluation, outputs)
    return {"score": score(outputs), "best_baseline": score(baseline), "intervals": intervals}


def draw(part: ForecastPart, outputs: Forecasts) -> str:
    """Forecasts against actual values."""
    from search.reports.holdout.forecast_table import forecast_table
    from search.reports.holdout.forecasts import forecast_charts

    evaluation = part.data.evaluation(part.split)
    levels = part.data.forecast.levels if len(outputs.lower) else ()
    table = forecast_table(
        part.data.panel, evaluation.cutoffs, evaluation.target, outputs.point, outputs.lower, outputs.upper, levels
    )
    return forecast_charts(table)
