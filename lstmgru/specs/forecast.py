"""Specifications of forecasting: the architecture, the inputs and the task."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from lstmgru.errors import SpecError, at_least, one_of
from lstmgru.specs.fields import check_types
from lstmgru.specs.layers import Merge, Pooling, RecurrentSpec, Stack

Decoder = Literal["linear", "mlp", "recurrent", "parallel"]
Channels = Literal["joint", "independent"]
Normalization = Literal["fold", "series", "last", "window", "mean"]
Transform = Literal["none", "log", "difference", "log_difference"]

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]

DECODERS: tuple[str, ...] = get_args(Decoder)
CHANNELS: tuple[str, ...] = get_args(Channels)
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)
TRANSFORMS: tuple[str, ...] = get_args(Transform)


@dataclass(frozen=True)
class ModelSpec(RecurrentSpec):
    """The architecture of one forecasting network.

    Attributes:
        branches: Parallel stacks of recurrent layers; a single stack is an ordinary sequential network.
        context_length: T, number of past steps that the network reads.
        merge: How branches are merged: ``concat``; ``sum``; ``gate``, a sum with learned weights for each feature and
            step. For ``sum`` and ``gate``, different widths are mapped to the first one.
        residual: Whether each layer's input is added to its output, from the second layer of a stack (He et al. 2016).
        layer_norm: Whether each layer's output is normalized over its features (Ba et al. 2016).
        convolution: Neighboring steps that a convolution before the recurrence reads at once, its kernel size; 0 for
            none. It is causal.
        segment_length: Steps that are read at once; 1 reads step by step. A context that is not a multiple is padded
            by repeating its first step.
        pooling: Pooling of the encoder's outputs: ``last`` output, ``mean``, ``max``, ``additive`` attention
            (Bahdanau et al. 2015) or ``multihead`` attention (Vaswani et al. 2017).
        n_heads: Heads of multi-head attention.
        decoder: ``linear`` or ``mlp``: all steps at once from the pooled outputs; ``recurrent``: the recurrence
            continues over the horizon and reads its own forecasts; ``parallel``: one recurrent step for each segment
            of the horizon from a position embedding, all at once (SegRNN, Lin et al. 2023).
        linear_path: Whether a linear map from the normalized targets of the context to the horizon, the same for all
            targets, is added to the forecast of the recurrence and trained with it (the autoregressive part of LSTNet,
            Lai et al. 2018).
        channels: ``joint``: all targets are read and forecast together; ``independent``: each one separately, with
            shared weights and its own embedding.
        normalization: ``fold``: values have mean 0 and deviation 1 over the training part; ``series``: over each
            series' training part; ``last``: each series by its deviation, and the last value of a context is subtracted
            from it and added to its forecast; ``window``: each context has mean 0 and deviation 1; ``mean``: each
            context is divided by its mean absolute value (Salinas et al. 2020).
        transform: Transform of the targets before everything else, undone at the end: ``log``; ``difference``: the
            network reads changes from step to step and forecasts the change since the cutoff; ``log_difference``: both.
        series_embedding: Size of a learned vector for each series of a panel; 0 for none.
        dropout: Probability of dropping a feature between layers and before the head, in [0, 1).
        recurrent_dropout: Probability of dropping a unit of a layer's own state, the same unit at all steps (Gal &
            Ghahramani 2016), drawn once for each batch, in [0, 1).
        input_noise: Standard deviation of Gaussian noise that is added in training to the numbers of a context, targets
            and covariates, after their normalization (Bishop 1995); at least 0.
    """

    branches: tuple[Stack, ...]
    context_length: int
    merge: Merge = "concat"
    residual: bool = False
    layer_norm: bool = False
    convolution: int = 0
    segment_length: int = 1
    pooling: Pooling = "last"
    n_heads: int = 1
    decoder: Decoder = "linear"
    linear_path: bool = False
    channels: Channels = "joint"
    normalization: Normalization = "fold"
    transform: Transform = "none"
    series_embedding: int = 0
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    input_noise: float = 0.0

    def __post_init__(self) -> None:
        self._check("context_length", self.context_length)
        at_least("series_embedding", self.series_embedding, 0)
        one_of("decoder", self.decoder, DECODERS)
        one_of("channels", self.channels, CHANNELS)
        one_of("normalization", self.normalization, NORMALIZATIONS)
        one_of("transform", self.transform, TRANSFORMS)

    @property
    def longest_input(self) -> int:
        """Steps of a context."""
        return self.context_length

    @property
    def log(self) -> bool:
        """Whether logarithms are taken of the targets."""
        return self.transform in ("log", "log_difference")

    @property
    def difference(self) -> bool:
        """Whether differences are taken of the targets."""
        return self.transform in ("difference", "log_difference")

    def tells_series(self, n_series: int) -> bool:
        """Whether it has parameters for each of some training series: an embedding, or a scale."""
        return self.series_embedding > 0 or (self.normalization in ("series", "last") and n_series > 1)

    @property
    def architecture(self) -> str:
        """The readable form, in the order of the computation, without defaults.

        ``lstm(64) > gru(32)`` reads step by step and forecasts all steps from its last output;
        ``independent > last > segments(48) > gru(128) > parallel`` is a SegRNN; ``gru(64) > linear +linear`` has a
        linear path as well.
        """
        before = (
            (f"series({self.series_embedding})", self.series_embedding > 0),
            (self.channels, self.channels != "joint"),
            (self.transform, self.transform != "none"),
            (self.normalization, self.normalization != "fold"),
            (f"conv({self.convolution})", self.convolution > 0),
            (f"segments({self.segment_length})", self.segment_length > 1),
        )
        after = [self.decoder] if self.decoder != "linear" or self.linear_path else []
        text = self._architecture([text for text, shown in before if shown], after)
        return f"{text} +linear" if self.linear_path else text


@dataclass(frozen=True)
class ForecastSpec:
    """The task: the forecast and its score.

    Attributes:
        horizon: H, number of steps to forecast.
        season_length: Steps in one season (7 for daily data with a weekly season); 1 means none.
        metric: Name of a metric in :mod:`lstmgru.evaluation.metrics`, the score of a model.
        levels: Coverage of the prediction intervals, ascending.
        minimum: (Y,) lower bounds of the targets, ``None`` for a target without one; empty if none has one. Forecasts
            and the ends of their intervals are clipped.
        maximum: Upper bounds, likewise.
    """

    horizon: int
    season_length: int = 1
    metric: str = "mae"
    levels: tuple[float, ...] = (0.8, 0.95)
    minimum: tuple[float | None, ...] = ()
    maximum: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        at_least("horizon", self.horizon, 1)
        at_least("season_length", self.season_length, 1)
        if list(self.levels) != sorted(set(self.levels)) or not all(0 < level < 1 for level in self.levels):
            raise SpecError(f"levels must be ascending numbers between 0 and 1 but got {list(self.levels)!r}")
        for name in ("minimum", "maximum"):
            bounds = getattr(self, name)
            if not all(bound is None or math.isfinite(bound) for bound in bounds):
                raise SpecError(f"{name} must hold finite numbers or None but got {list(bounds)!r}")

    @property
    def bounds(self) -> tuple[Array, Array] | None:
        """Lower and upper bounds, each (Y,) or (1,), infinite for a target without one; ``None`` if there are none."""
        import numpy as np

        if not (self.minimum or self.maximum):
            return None
        lowest = [-np.inf if bound is None else bound for bound in self.minimum or (None,)]
        highest = [np.inf if bound is None else bound for bound in self.maximum or (None,)]
        return np.array(lowest, np.float32), np.array(highest, np.float32)

    def clip(self, values: Array, *, axis: int = -1) -> Array:
        """Forecasts or ends of intervals within the bounds.

        Args:
            values: In original units.
            axis: Of the targets, from the end.
        """
        import numpy as np

        if self.bounds is None:
            return values
        lowest, highest = (bound.reshape(-1, *(1,) * (-axis - 1)) for bound in self.bounds)
        return np.clip(values, lowest, highest)

    @property
    def quantiles(self) -> tuple[float, ...]:
        """(Q,) ascending probabilities: both ends of each interval, and the median between them."""
        lower = [round((1 - level) / 2, 12) for level in reversed(self.levels)]
        return (*lower, 0.5, *(round(1 - probability, 12) for probability in reversed(lower)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        bounds = {name: list(its) for name in ("minimum", "maximum") if (its := getattr(self, name))}
        plain = {name: value for name, value in asdict(self).items() if name not in ("minimum", "maximum")}
        return {**plain, "levels": list(self.levels), **bounds}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The spec that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is not valid.
        """
        check_types(cls, values)
        lists = {name: tuple(values.get(name, ())) for name in ("levels", "minimum", "maximum")}
        return cls(**{**values, **lists})


@dataclass(frozen=True)
class InputSpec:
    """The inputs of a network.

    Attributes:
        n_targets: Y, the first channels.
        n_inputs: F, all channels of a context.
        n_future: K, the last channels: known over the horizon too.
        categories: (channel, number of names) of each categorical channel; its values are codes from 1, and 0 for an
            unknown name.
        n_static: S, number of static covariates.
        static_categories: Likewise for the static covariates.
        n_series: Number of training series; their codes start at 1, and 0 is an unknown series.
        padded: Whether contexts may be padded.
    """

    n_targets: int
    n_inputs: int
    n_future: int = 0
    categories: tuple[tuple[int, int], ...] = ()
    n_static: int = 0
    static_categories: tuple[tuple[int, int], ...] = ()
    n_series: int = 1
    padded: bool = False
