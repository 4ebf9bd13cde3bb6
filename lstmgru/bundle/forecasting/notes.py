"""What the arrays of a model that forecasts hold, for its card."""

from __future__ import annotations

from collections.abc import Iterator

from lstmgru.bundle.directory import DESCRIPTION
from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.markdown import code, codes
from lstmgru.data.forecasting.series import SeriesSchema


def array_notes(bundle: ForecastBundle, inputs: list[str]) -> Iterator[str]:
    """A sentence or two for each.

    Args:
        bundle: The model.
        inputs: Names of the arrays that it reads.
    """
    schema = bundle.schema
    yield f"The channels of `past` are {codes(list(bundle.channels), most=50)}" + (
        f"; those of `future` are the last {bundle.n_future} of them." if bundle.n_future else "."
    )
    if schema.calendar:
        yield _calendar(schema)
    if schema.categories:
        yield (
            "A name is its code: its place in `data.schema.categories` of "
            f"`{DESCRIPTION}`, from 1. Any other name has the code 0."
        )
    if "static" in inputs:
        yield f"`static` holds {codes(list(schema.static_covariates), most=50)}."
    if "series" in inputs:
        yield (
            f"`series` (int64) is the place of the series in `data.ids` of `{DESCRIPTION}`, from 1. Any other series "
            "has the code 0, and no forecast but NaN."
        )
    if "lengths" in inputs:
        yield "`lengths` (int64) says how many rows of each context are real, its last; the rows before them hold 0."
    if bundle.calibration is not None:
        missing = "; NaN where there is no interval" if len(bundle.levels) < len(bundle.forecast.levels) else ""
        probabilities = ", ".join(f"{probability:g}" for probability in bundle.forecast.quantiles)
        yield f"`quantiles` are those of the probabilities {probabilities}{missing}."


def _calendar(schema: SeriesSchema) -> str:
    pairs = [channel.removesuffix("_sin") for channel in schema.calendar if channel.endswith("_sin")]
    explained = [
        f"A pair such as {code(pairs[0] + '_sin')}, {code(pairs[0] + '_cos')} is the sine and cosine of 2π times the "
        "fraction of the period that has passed, by the clock of the time column."
    ] if pairs else []  # fmt: skip
    if "year" in schema.calendar:
        explained.append("`year` counts the years since the start of 2000, with their fraction.")
    return " ".join(explained)
