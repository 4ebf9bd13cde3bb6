"""A panel of a new table in the form of the panel that a model was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.build_panel import complete_series
from lstmgru.data.forecasting.calendar import calendar_values, channel_features
from lstmgru.data.forecasting.context import last_known
from lstmgru.data.forecasting.model_times import conforming_steps, conforming_zone
from lstmgru.data.forecasting.series import GapPolicy, SeriesPanel, SeriesSchema, check_policy
from lstmgru.data.forecasting.series_table import keep_rows
from lstmgru.data.forecasting.table import read_table_of_series
from lstmgru.data.tables.frequency import parse_frequency


def conforming_panel(
    frame: pd.DataFrame,
    *,
    schema: SeriesSchema,
    frequency: str,
    step: int,
    timezone: str | None,
    local_times: bool = False,
    gaps: GapPolicy = "error",
    source: str,
) -> SeriesPanel:
    """The series of a table that contains the actual values, with the channels and codes of a trained model.

    Each series ends at its last row with a target value. Names that are unknown to the schema have the code 0.

    Args:
        frame: The table; it is not changed. Columns that the schema does not name are ignored.
        schema: Schema of the training panel.
        frequency: Frequency of the training panel.
        step: Step of the training panel.
        timezone: Time zone of the training panel; tables with another zone are converted to it.
        local_times: Whether times without a time zone are read as local times of ``timezone``.
        gaps: How missing rows and cells are handled, as in :func:`~lstmgru.data.forecasting.build_panel.build_panel`.
        source: File or data set, for messages.

    Raises:
        DataError: Columns, rows or cells are missing, or the times do not fit those of the training panel.
    """
    check_policy(gaps)
    table = read_table_of_series(frame, schema, source, timezone=timezone if local_times else None)
    table = replace(table, timezone=conforming_zone(table, timezone))
    grid = parse_frequency(frequency, step=step)
    conforming_steps(table, grid)
    table = keep_rows(table, np.arange(len(table.times)) <= np.repeat(last_known(table), np.diff(table.offsets)))
    filled, finite, trimmed = complete_series(table, grid, gaps, of_study=False)
    observed: npt.NDArray[np.bool_] = np.all(finite, axis=1)
    calendar = calendar_values(filled.times, channel_features(schema.calendar), timezone)
    return SeriesPanel(
        schema=schema,
        frequency=frequency,
        ids=filled.ids,
        offsets=filled.offsets,
        times=filled.times,
        values=np.concatenate([filled.values, calendar], axis=1).astype(np.float32),
        observed=observed,
        static=filled.static.astype(np.float32),
        timezone=timezone,
        step=step,
        local_times=local_times,
        known=None if observed.all() else finite[:, : len(schema.targets)],
        trimmed=trimmed,
    )


def with_codes_of(panel: SeriesPanel, schema: SeriesSchema) -> SeriesPanel:
    """A panel with the codes that another schema has for the names in categorical columns; 0 for unknown names."""
    if panel.schema.categories == schema.categories:
        return panel

    def recoded(values: npt.NDArray[np.float32], columns: tuple[str, ...]) -> npt.NDArray[np.float32]:
        values = values.copy()
        for place, column in enumerate(columns):
            if column in panel.schema.categories:
                known = {name: code for code, name in enumerate(schema.categories[column], start=1)}
                codes = np.array([0, *(known.get(name, 0) for name in panel.schema.categories[column])], np.float32)
                values[:, place] = codes[values[:, place].astype(np.int64)]
        return values

    return replace(
        panel,
        schema=schema,
        values=recoded(panel.values, panel.schema.value_columns),
        static=recoded(panel.static, panel.schema.static_covariates),
    )
