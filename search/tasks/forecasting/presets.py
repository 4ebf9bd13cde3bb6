"""The search spaces of forecasts by name, and what of them depends on the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.metrics import find_metric
from lstmgru.specs import (
    CHANNELS,
    DECODERS,
    NORMALIZATIONS,
    TRANSFORMS,
    ForecastSpec,
)
from lstmgru.specs.tasks import NONNEGATIVE_LOSSES, QUANTILE_LOSSES
from search.config.space_config import sampler_problems
from search.config.space_values import Choices, FloatRange, IntRange
from search.errors import Problem, StudyFileError
from search.space.space import SearchSpace
from search.tasks.forecasting.config import ForecastSpaceConfig
from search.tasks.forecasting.facts import DataFacts

if TYPE_CHECKING:
    from search.tasks.forecasting.config import ForecastStudyConfig

_OPEN: Choices[Any] = Choices(())
"""Values that depend on the data, see :func:`defaults`."""
_SHORTEST_BASE = 4
_MOST_SEGMENTS = 96
"""Most steps of a recurrence: a network that reads its context step by step is slow, and seldom better."""
_LOSSES_OF_QUANTILES = (("mae",), ("quantile",))
"""Of metrics that a median or quantiles minimize."""


_STANDARD = SearchSpace(
    ForecastSpaceConfig,
    n_branches=Choices((1, 2)),
    n_layers=IntRange(low=1, high=2),
    cell=Choices(("lstm", "gru", "fused")),
    hidden_size=IntRange(low=16, high=128, log=True),
    bidirectional=Choices((False,)),
    merge=Choices(("concat", "gate")),
    residual=Choices((False,)),
    layer_norm=Choices((False,)),
    convolution=Choices((0,)),
    segment_length=_OPEN,
    pooling=Choices(("last", "additive")),
    n_heads=Choices((4,)),
    decoder=Choices(("linear", "parallel")),
    linear_path=Choices((False, True)),
    channels=_OPEN,
    normalization=_OPEN,
    transform=_OPEN,
    series_embedding=Choices((0,)),
    dropout=FloatRange(low=0.0, high=0.5),
    recurrent_dropout=Choices((0.0,)),
    input_noise=Choices((0.0,)),
    context_length=_OPEN,
    loss=_OPEN,
    optimizer=Choices(("adamw",)),
    learning_rate=FloatRange(low=5e-4, high=1e-2, log=True),
    schedule=Choices(("constant",)),
    batch_size=Choices((32, 64, 128)),
    weight_decay=FloatRange(low=1e-6, high=1e-1, log=True),
)

PRESETS: dict[str, SearchSpace] = {
    "small": _STANDARD.replacing(
        n_branches=Choices((1,)),
        cell=Choices(("lstm", "gru")),
        hidden_size=IntRange(low=8, high=32, log=True),
        pooling=Choices(("last",)),
        linear_path=Choices((False,)),
        transform=Choices(("none",)),
        dropout=FloatRange(low=0.0, high=0.3),
        learning_rate=FloatRange(low=1e-3, high=1e-2, log=True),
        batch_size=Choices((64,)),
        weight_decay=Choices((1e-4,)),
    ),
    "standard": _STANDARD,
    "full": _STANDARD.with_every_architecture().replacing(
        decoder=Choices(DECODERS),
        normalization=Choices(NORMALIZATIONS),
        series_embedding=_OPEN,
        input_noise=FloatRange(low=0.0, high=0.3),
        batch_size=Choices((32, 64, 128, 256)),
    ),
}
"""Spaces by name; what is open in them is filled in by :func:`resolve_space`."""


def defaults(preset: str, forecast: ForecastSpec, data: DataFacts) -> dict[str, Choices[Any]]:
    """The values of the open keys of a preset.

    Contexts and segments follow the data, see :func:`context_lengths` and :func:`segment_lengths`. The loss matches the
    metric.

    Args:
        preset: Its name.
        forecast: Horizon, season, metric.
        data: What is to be forecast.
    """
    season = _season(forecast, data)
    contexts = context_lengths(forecast.horizon, season, data.room, data.longest)
    panel = data.n_series > 1
    return {
        "context_length": Choices(contexts),
        "segment_length": Choices(segment_lengths(contexts, forecast.horizon, season)),
        "channels": Choices(CHANNELS if data.n_targets > 1 else ("joint",)),
        "normalization": Choices(("last", "window") if panel else ("fold", "last")),
        "transform": Choices(_transforms(preset, data)),
        "series_embedding": Choices((0, 4, 16) if panel else (0,)),
        "loss": Choices(find_metric(forecast.metric).losses["forecast"]),
    }


def _season(forecast: ForecastSpec, data: DataFacts) -> int:
    """The season of the study or, if it has none, of the calendar."""
    return forecast.season_length if forecast.season_length > 1 else data.calendar_season


def shortest_context(horizon: int, season_length: int) -> int:
    """The horizon or the season, whichever is longer: the shortest context that a preset has if the data allow it."""
    return max(horizon, season_length, _SHORTEST_BASE)


def context_lengths(
    horizon: int, season_length: int, room: int | None = None, possible: int | None = None
) -> tuple[int, ...]:
    """The contexts of a preset, ascending.

    They are two, four and eight times the horizon or the season, whichever is longer, up to twelve seasons or eight
    horizons, and no longer than the data have room for; if all are longer, the horizon or the season alone or, if not
    even that is possible, what there is room for.

    Args:
        horizon: H.
        season_length: Steps in a season; 1: there is none.
        room: The longest context with enough training windows; ``None``: no limit, or none is.
        possible: The longest context with a training window; ``None``: no limit.
    """
    base = shortest_context(horizon, season_length)
    longest = max(12 * season_length, 8 * horizon, 2 * base)
    contexts = sorted({min(times * base, longest) for times in (2, 4, 8)})
    if room is None and possible is None:
        return tuple(contexts)
    fitting = [context for context in contexts if room is not None and context <= room]
    return tuple(fitting or [base if possible is None or base <= possible else room or 1])


def segment_lengths(contexts: Sequence[int], horizon: int, season_length: int) -> tuple[int, ...]:
    """The segments of a preset, ascending.

    They are a quarter, half, one and two seasons, and single steps; of these, the ones that divide the longest context
    into at most 96 segments and the shortest into at least two.

    Args:
        contexts: Ascending.
        horizon: H, in place of a season that is too short to be divided.
        season_length: Steps in a season.
    """
    unit = season_length if season_length > 3 else max(horizon, _SHORTEST_BASE)
    lengths = {1, unit // 4, unit // 2, unit, 2 * unit} - {0}
    fitting = [length for length in sorted(lengths) if 2 * length <= contexts[0]]
    short = [length for length in fitting if contexts[-1] <= _MOST_SEGMENTS * length]
    return tuple(short or fitting[-1:] or [1])


def _transforms(preset: str, data: DataFacts) -> tuple[str, ...]:
    """``full`` has all that exist, the others logarithms."""
    if preset == "full":
        return TRANSFORMS if data.positive else ("none", "difference")
    return ("none", "log") if data.positive else ("none",)


def resolve_space(config: ForecastStudyConfig, forecast: ForecastSpec, data: DataFacts) -> SearchSpace:
    """The preset of a study with what the study overrides.

    Losses of counts are the default for intermittent counts, and determine the normalization and the transform.

    Raises:
        StudyFileError: The sampler cannot search the space, or values do not fit each other or the data.
    """
    preset = PRESETS[config.space.preset]
    filled = {
        name: values for name, values in defaults(config.space.preset, forecast, data).items() if preset[name] is _OPEN
    }
    given = {name: values for name, _ in preset.items() if (values := getattr(config.space, name)) is not None}
    if not {"loss", "normalization", "transform"} & given.keys() and _are_sparse_counts(forecast, data):
        filled["loss"] = Choices(("negative_binomial",))
    if set({**filled, **given}["loss"].values or ()) & set(NONNEGATIVE_LOSSES):
        filled |= {"normalization": Choices(("mean",)), "transform": Choices(("none",))}
    space = preset.replacing(**{**filled, **given})
    if "segment_length" not in given:
        contexts = space["context_length"]
        lengths = segment_lengths((int(contexts.low), int(contexts.high)), forecast.horizon, _season(forecast, data))
        space = space.replacing(segment_length=Choices(lengths))
    problems = {f"space.{key}": text for key, text in _problems(space, forecast, data).items()}
    problems |= sampler_problems(config.search.sampler, space.as_config())
    if problems:
        raise StudyFileError(config.name or "study", [Problem(key, text) for key, text in problems.items()])
    return space


def _are_sparse_counts(forecast: ForecastSpec, data: DataFacts) -> bool:
    """Whether a likelihood of counts is the best loss: for intermittent ones whose median or quantiles are scored."""
    losses = find_metric(forecast.metric).losses["forecast"]
    return data.intermittent and losses in _LOSSES_OF_QUANTILES and bool(forecast.levels)


def _problems(space: SearchSpace, forecast: ForecastSpec, data: DataFacts) -> dict[str, str]:
    """What does not fit, by key: message as the predicate of the key."""
    problems = {}
    longest, shortest = space["segment_length"].high, space["context_length"].low
    if longest > shortest:
        problems["segment_length"] = (
            f"must be at most the shortest space.context_length ({shortest}) but reaches {longest}; shorten the "
            "segments or lengthen the contexts"
        )
    transforms = space["transform"].values or ()
    if not data.positive and any("log" in str(name) for name in transforms):
        problems["transform"] = (
            "holds a logarithm, but a target has values of 0 or below; leave log and log_difference out"
        )
    losses = space["loss"].values or ()
    from_zero = [name for name in losses if name in NONNEGATIVE_LOSSES]
    for key, only in (("normalization", "mean"), ("transform", "none")):
        if from_zero and set(space[key].values or ()) != {only}:
            problems[key] = f"must be {only} for space.loss: {from_zero[0]}, which needs 0 to stay 0; leave it out"
    of_quantiles = [name for name in losses if name in QUANTILE_LOSSES]
    if of_quantiles and not forecast.levels:
        problems["loss"] = f"is {of_quantiles[0]}, but forecast.levels is empty, so there are no quantiles; name levels"
    if find_metric(forecast.metric).of_quantiles and len(of_quantiles) < len(losses):
        problems["loss"] = (
            f"must be {' or '.join(QUANTILE_LOSSES)} for forecast.metric: {forecast.metric}, which scores quantiles, "
            f"but holds {', '.join(map(str, losses))}"
        )
    return problems
