"""Blends of networks that were never trained and baselines."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers import sequence_bundles
from helpers.forecast_bundles import FORECAST, bundle_of, member_of, model_of
from lstmgru.bundle import ForecastBaselineMember, ForecastBundle, SequenceBaselineMember, SequenceBundle
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
from lstmgru.data.forecasting.splits import Split
from lstmgru.data.sequences.sequences import LabeledSequences
from lstmgru.evaluation.forecast_baselines import fit_baseline
from lstmgru.evaluation.sequence_baselines import fit_sequence_baseline
from lstmgru.specs import ForecastSpec, TrainSpec


def baseline_member(
    panel: SeriesPanel,
    name: str,
    *,
    weight: float,
    context_length: int = 8,
    short_series: ShortSeries = "error",
    forecast: ForecastSpec = FORECAST,
) -> ForecastBaselineMember:
    """A baseline, fitted to all rows of a panel."""
    rows = np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1)
    fitted = fit_baseline(name, panel, Split("everything", rows, rows), forecast, context_length, short_series)
    return ForecastBaselineMember(baseline=fitted, weight=weight)


def blend_of(
    panel: SeriesPanel,
    *,
    baselines: dict[str, float] | None = None,
    short_series: ShortSeries = "error",
    **settings: Any,
) -> ForecastBundle:
    """Two networks, one with logarithms and one with quantiles, and baselines, each with its weight.

    Without networks if the weights of the baselines leave nothing for them.
    """
    baselines = {"linear": 0.2, "seasonal_naive": 0.1} if baselines is None else baselines
    others = [
        baseline_member(panel, name, weight=weight, short_series=short_series) for name, weight in baselines.items()
    ]
    rest = 1 - sum(baselines.values())
    if not rest:
        return bundle_of(panel, members=tuple(others), short_series=short_series, **settings)
    networks = [
        member_of(panel, model_of(transform="log"), weight=rest * 0.625, short_series=short_series, trial=7, score=1.5),
        member_of(
            panel,
            model_of("gru(3)", 4, normalization="fold", pooling="additive"),
            seed=1,
            weight=rest * 0.375,
            short_series=short_series,
            train_spec=TrainSpec(loss="quantile"),
        ),
    ]
    return bundle_of(panel, members=(*networks, *others), short_series=short_series, **settings)


def label_blend_of(sequences: LabeledSequences, baselines: dict[str, float]) -> SequenceBundle:
    """A network and baselines, each with its weight; without a network if they leave nothing for it."""
    task, everything = sequence_bundles.task_of(sequences), np.arange(len(sequences))
    others = [
        SequenceBaselineMember(baseline=fit_sequence_baseline(name, sequences, everything, task), weight=weight)
        for name, weight in baselines.items()
    ]
    rest = 1 - sum(baselines.values())
    networks = [sequence_bundles.member_of(sequences, weight=rest)] if rest else []
    return sequence_bundles.label_bundle_of(sequences, members=(*networks, *others))
