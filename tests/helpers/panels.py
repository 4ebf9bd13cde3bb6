"""Panels that many tests share."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstmgru.data.forecasting.series import SeriesPanel, SeriesSchema
from lstmgru.data.forecasting.splits import Rows, Split
from lstmgru.data.forecasting.windows import training_runs


def make_panel(
    lengths: tuple[int, ...] = (200,),
    *,
    targets: int = 1,
    past: int = 0,
    future: int = 0,
    seed: int = 0,
    starts: tuple[int, ...] | None = None,
    static: int = 0,
    categories: dict[str, tuple[str, ...]] | None = None,
) -> SeriesPanel:
    """Daily series with a weekly season and noise; series ``s`` starts ``starts[s]`` days after 2020-01-01.

    The columns in ``categories``, among ``past_0``, ``future_0``, ``static_0`` and so on, hold codes of those names.
    """
    generator = np.random.default_rng(seed)
    starts = starts or (0,) * len(lengths)
    rows = sum(lengths)
    steps = np.concatenate([np.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)])
    season = np.sin(2 * np.pi * steps / 7)[:, None]
    values = 10 + season + 0.1 * generator.standard_normal((rows, targets + past + future))
    schema = SeriesSchema(
        time="day",
        targets=tuple(f"target_{n}" for n in range(targets)),
        id="shop" if len(lengths) > 1 else None,
        past_covariates=tuple(f"past_{n}" for n in range(past)),
        future_covariates=tuple(f"future_{n}" for n in range(future)),
        static_covariates=tuple(f"static_{n}" for n in range(static)),
        categories=categories or {},
    )
    statics = generator.standard_normal((len(lengths), static))
    for array, pairs in ((values, schema.channel_categories), (statics, schema.static_categories)):
        for column, names in pairs:
            array[:, column] = generator.integers(1, names + 1, len(array))
    return SeriesPanel(
        schema=schema,
        frequency="D",
        ids=np.array([f"series {n}" for n in range(len(lengths))], dtype=object),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        times=(np.datetime64("2020-01-01", "ns") + steps * np.timedelta64(86_400_000_000_000, "ns")),
        values=values.astype(np.float32),
        observed=np.ones(rows, bool),
        static=statics.astype(np.float32),
    )


def training_cutoffs(panel: SeriesPanel, split: Split, **options: Any) -> Rows:
    """(windows,) all rows of ``training_runs``."""
    runs = training_runs(panel, split, **options)
    return runs.at(np.arange(len(runs)))
