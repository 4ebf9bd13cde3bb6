"""What a network reads of a panel."""

from __future__ import annotations

from lstmgru.data.forecasting.series import SeriesSchema, ShortSeries
from lstmgru.specs import InputSpec


def input_spec(schema: SeriesSchema, *, n_series: int, short_series: ShortSeries) -> InputSpec:
    """The inputs of a network for data of a schema.

    Args:
        schema: The parts that the columns play.
        n_series: Series that it learns from.
        short_series: Whether contexts may be padded.
    """
    return InputSpec(
        n_targets=len(schema.targets),
        n_inputs=len(schema.value_columns) + len(schema.calendar),
        n_future=len(schema.future_covariates) + len(schema.calendar),
        categories=schema.channel_categories,
        n_static=len(schema.static_covariates),
        static_categories=schema.static_categories,
        n_series=n_series,
        padded=short_series == "pad",
    )
