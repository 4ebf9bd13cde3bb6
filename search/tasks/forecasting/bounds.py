"""Bounds of forecasts: whether they fit the data, and what a user should know about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.errors import listed
from search.errors import Problem, StudyFileError
from search.tasks.forecasting.facts import target_values

if TYPE_CHECKING:
    from lstmgru.data.forecasting.series import SeriesPanel
    from lstmgru.data.forecasting.splits import Splits
    from lstmgru.specs import ForecastSpec
    from search.space.space import SearchSpace
    from search.tasks.forecasting.config import ForecastStudyConfig


def check_bounds(config: ForecastStudyConfig, panel: SeriesPanel, forecast: ForecastSpec, file: str) -> None:
    """Refuse bounds of the study that the targets exceed.

    Raises:
        StudyFileError: Names the bound, the target and its value.
    """
    lowest = () if config.forecast.minimum == "auto" else forecast.minimum
    problems = []
    rules: tuple[Any, ...] = (
        ("minimum", lowest, np.min, np.less, "below"), ("maximum", forecast.maximum, np.max, np.greater, "above"),
    )  # fmt: skip
    for key, bounds, extreme, exceeds, rule in rules:
        for target, bound, values in zip(panel.schema.targets, bounds, target_values(panel), strict=False):
            # In single precision, as the values are.
            if bound is not None and len(values) and exceeds(worst := extreme(values), np.float32(bound)):
                message = f"is {bound:g}, but target {target!r} has {worst:g} {rule} it; change it, or set it to null"
                problems.append(Problem(f"forecast.{key}", message))
    if problems:
        raise StudyFileError(file, problems)


def counts_note(config: ForecastStudyConfig, panel: SeriesPanel, forecast: ForecastSpec) -> tuple[str, ...]:
    """That counts have a bound by default."""
    bounds = zip(panel.schema.targets, forecast.minimum, strict=False)
    names = [target for target, bound in bounds if bound is not None]
    if config.forecast.minimum != "auto" or not names:
        return ()
    note = (
        f"{listed(names)} {_are(names)} counted in whole numbers from 0: forecasts and intervals are at least 0; "
        "forecast.minimum: null removes the bound"
    )
    return (note,)


def logarithms_note(panel: SeriesPanel, space: SearchSpace, positive: bool) -> tuple[str, ...]:
    """That targets have values without a logarithm in the holdout only, where models take logarithms.

    Args:
        panel: The data.
        space: The search space.
        positive: Whether all targets are above 0 before the holdout.
    """
    transforms = space["transform"].values or ()
    if not positive or not any("log" in str(name) for name in transforms):
        return ()
    every = zip(panel.schema.targets, target_values(panel), strict=True)
    names = [target for target, values in every if (values <= 0).any()]
    if not names:
        return ()
    note = (
        f"{listed(names)} {_are(names)} above 0 before the holdout, but not in it: models with logarithms count such "
        "values as the smallest before, and predict leaves out series with them; space.transform: none avoids it"
    )
    return (note,)


def suggested_bound(
    config: ForecastStudyConfig, panel: SeriesPanel, splits: Splits, forecast: ForecastSpec
) -> list[tuple[str, str]]:
    """A bound of targets that are never below 0, unless they are so far from it that no forecast would be."""
    if config.forecast.minimum != "auto":
        return []
    bounds = forecast.minimum or (None,) * panel.n_targets
    near = [
        target
        for target, bound, values in zip(panel.schema.targets, bounds, target_values(panel, splits), strict=True)
        if bound is None and len(values) and 0 <= values.min() < values.std()
    ]
    if not near:
        return []
    bounded = [target for target, bound in zip(panel.schema.targets, bounds, strict=True) if bound is not None]
    every = {*near, *bounded} == {*panel.schema.targets}
    value = "0" if every else f"{{{', '.join(f'{target}: 0' for target in (*bounded, *near))}}}"
    return [
        ("bound", f"{listed(near)} {_are(near)} never below 0; forecast.minimum: {value} keeps forecasts there, too")
    ]


def _are(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"
