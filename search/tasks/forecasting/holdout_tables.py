"""The tables and pages of the holdout of a study of forecasts; large ones are written in blocks of whole series."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from lstmgru.data.tables.writers import write_csv, write_text
from lstmgru.errors import DataError
from lstmgru.evaluation.metrics import find_metric
from search.study.paths import ATTENTION_TABLE, FORECASTS_PAGE, FORECASTS_TABLE, NEXT_TABLE, SERIES_TABLE
from search.tasks.final_job import FinalJob, HoldoutScores
from search.tasks.forecasting.data import ForecastData
from search.tasks.forecasting.scoring import Forecasts

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from lstmgru.bundle import Bundle, ForecastBundle
    from lstmgru.data.forecasting.splits import Rows, Split
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.specs import ModelSpec
    from search.reports.holdout.forecasts import SeriesForecasts

    Floats = npt.NDArray[np.float32]

    ForecastJob = FinalJob[ForecastData, Split, ModelSpec]


_BLOCK_STEPS = 8_192
"""Forecast steps of a block of the table of forecasts, unless a single series has more."""


@dataclass(frozen=True)
class HoldoutForecasts:
    """What the table of the holdout shows.

    Attributes:
        blend: The forecasts of the model.
        baseline: Name of the best baseline, and its (windows, H, Y) forecasts; ``None``: none was scored.
    """

    blend: Forecasts
    baseline: tuple[str, Floats] | None


def write_holdout(job: ForecastJob, scores: HoldoutScores, bundle: Bundle) -> None:
    """Write the forecasts of the holdout, as a table and drawn, and the weights of an attention if there is one.

    Raises:
        DataError: A file cannot be written.
    """
    evaluation = job.data.evaluation(job.holdout)
    job.report.mkdir(parents=True, exist_ok=True)
    _write_forecasts(job, evaluation, scores.outputs)
    _write_series_scores(job, evaluation, scores.outputs)
    _write_attention(job, cast("ForecastBundle", bundle))
    _write_next(job, cast("ForecastBundle", bundle))


def _write_forecasts(job: ForecastJob, evaluation: ForecastEvaluation, found: HoldoutForecasts) -> None:
    """The forecasts of the holdout, as a table and drawn; never more of the table than a block is in memory."""
    from lstmgru.data.tables.table_writer import writing_table
    from search.reports.holdout.forecasts import forecasts_html, ranked

    def rows(each: SeriesForecasts) -> pd.DataFrame:
        own = np.flatnonzero(job.data.panel.ids[evaluation.series] == each.series)
        return each.rows(_table(job, evaluation, found, own))

    with writing_table(job.report / FORECASTS_TABLE) as file:

        def written() -> Iterator[pd.DataFrame]:
            for windows in blocks_of_series(evaluation.series, _BLOCK_STEPS // job.data.forecast.horizon):
                frame = _table(job, evaluation, found, windows)
                file.write(frame)
                yield frame

        every = ranked(written())
    page = forecasts_html(every, rows, title=f"{job.provenance['study']}: forecasts of the holdout")
    write_text(job.report / FORECASTS_PAGE, page)


def _table(job: ForecastJob, evaluation: ForecastEvaluation, found: HoldoutForecasts, windows: Rows) -> pd.DataFrame:
    """The forecasts of some windows, which are all windows of their series."""
    from search.reports.holdout.forecast_table import forecast_table

    part, blend = evaluation.some(windows), found.blend.some(windows)
    return forecast_table(
        job.data.panel,
        part.cutoffs,
        part.target,
        blend.point,
        blend.lower,
        blend.upper,
        job.data.forecast.levels if len(blend.lower) else (),
        baseline=None if found.baseline is None else (found.baseline[0], found.baseline[1][windows]),
    )


def blocks_of_series(series: Rows, most: int) -> Iterator[Rows]:
    """The windows of some series after the other, all windows of each of them.

    Args:
        series: (windows,) number of the window's series.
        most: Number of windows in a block, as far as whole series allow; at least a series if it is less.
    """
    order = np.argsort(series, kind="stable")
    starts = np.flatnonzero(np.diff(series[order], prepend=-1))
    blocks = starts // max(1, most)
    yield from np.split(order, starts[np.diff(blocks, prepend=0) > 0])


def _write_series_scores(job: ForecastJob, evaluation: ForecastEvaluation, found: HoldoutForecasts) -> None:
    """Write the scores of each series if there are several; the table of an earlier model is removed."""
    path = job.report / SERIES_TABLE
    path.unlink(missing_ok=True)
    if len(job.data.panel.ids) > 1:
        write_csv(_series_scores(job, evaluation, found), path)


def _series_scores(job: ForecastJob, evaluation: ForecastEvaluation, found: HoldoutForecasts) -> pd.DataFrame:
    """The study's metric of each series, of the model and of the best baseline; NaN where it is undefined."""
    import pandas as pd

    metric, baseline = job.data.metric, None if found.baseline is None else found.baseline[1]
    with_quantiles = find_metric(metric).of_quantiles
    rows = []
    for windows in blocks_of_series(evaluation.series, 1):
        part = evaluation.some(windows)
        quantiles = None if found.blend.quantiles is None else found.blend.quantiles[windows]
        score = part.score(metric, found.blend.point[windows], quantiles)
        # Quantiles of the baseline are not kept.
        other = np.nan if baseline is None or with_quantiles else part.score(metric, baseline[windows])
        rows.append((job.data.panel.ids[part.series[0]], score, other))
    return pd.DataFrame(rows, columns=["series", "score", "baseline"])


def _write_attention(job: ForecastJob, bundle: ForecastBundle) -> None:
    """Write the attention weights of the winner, if it has any; the table of an earlier winner is removed."""
    from search.reports.holdout.attention import attention_table

    path = job.report / ATTENTION_TABLE
    path.unlink(missing_ok=True)
    if not any(member.has_attention for member in bundle.networks):
        return
    with suppress(DataError):  # the last rows may hold values that a model with logarithms refuses
        write_csv(attention_table(bundle), path)


def _write_next(job: ForecastJob, bundle: ForecastBundle) -> None:
    """Write the forecast of the steps after the data and the values before, unless it needs unknown covariates."""
    import pandas as pd

    path = job.report / NEXT_TABLE
    path.unlink(missing_ok=True)
    if bundle.example is None or bundle.schema.future_covariates:
        return
    with suppress(DataError):  # as of the attention
        found = bundle.predict(bundle.example)
        # A column of the data may have one of these names, so columns are identified by position.
        names = [] if bundle.schema.id is None else ["series"]
        found = found.set_axis([*names, "time", "target", *found.columns[len(names) + 2 :]], axis=1)
        before = bundle.example.tail(3 * job.data.forecast.horizon)
        cutoff, series = (
            before[bundle.schema.time].iloc[-1],
            found["series"].iloc[0] if names else job.data.panel.ids[0],
        )
        known = [
            pd.DataFrame({"time": before[bundle.schema.time], "target": target, "actual": before[target]})
            for target in bundle.schema.targets
        ]
        write_csv(pd.concat([*known, found]).assign(series=series, cutoff=cutoff), path)
