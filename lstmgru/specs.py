"""What a model is, how it is trained and what it forecasts: frozen, validated, serialisable."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from lstmgru.errors import SpecError, did_you_mean
from lstmgru.registry import cell_names

Merge = Literal["concat", "sum", "gate"]
Pooling = Literal["last", "mean", "max", "additive", "multihead"]
Decoder = Literal["linear", "mlp", "recurrent", "parallel"]
Channels = Literal["joint", "independent"]
Normalization = Literal["fold", "series", "last", "window", "mean"]
Transform = Literal["none", "log", "difference", "log_difference"]
Loss = Literal["mae", "mse", "huber", "quantile"]
Optimizer = Literal["adamw", "adam"]
Schedule = Literal["constant", "cosine", "one_cycle"]
MetricName = Literal["mae", "rmse", "mse", "smape", "mase", "wql", "scaled_mse", "scaled_mae"]

MERGES: tuple[str, ...] = get_args(Merge)
POOLINGS: tuple[str, ...] = get_args(Pooling)
DECODERS: tuple[str, ...] = get_args(Decoder)
CHANNELS: tuple[str, ...] = get_args(Channels)
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)
TRANSFORMS: tuple[str, ...] = get_args(Transform)
LOSSES: tuple[str, ...] = get_args(Loss)
OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)
SCHEDULES: tuple[str, ...] = get_args(Schedule)
METRICS: tuple[str, ...] = get_args(MetricName)

_LAYER = re.compile(r"^\s*(bi-)?([a-z][a-z0-9_]*)\s*\(\s*(\d+)\s*\)\s*$")


def _one_of(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise SpecError(
            f"{name} must be one of {', '.join(valid)} but got {value!r}{did_you_mean(str(value), list(valid))}"
        )


def _at_least(name: str, value: float, minimum: float) -> None:
    if not value >= minimum:
        raise SpecError(f"{name} must be at least {minimum:g} but got {value!r}")


def _probability(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise SpecError(f"{name} must be in [0, 1) but got {value!r}")


@dataclass(frozen=True)
class LayerSpec:
    """One recurrent layer; written ``lstm(64)``, or ``bi-lstm(64)`` where it reads in both directions.

    Attributes:
        cell: ``lstm``, ``gru``, ``fused``, or a registered one.
        hidden_size: Features of its output; of each direction where there are two.
        bidirectional: Whether a second layer reads the sequence backwards (Schuster & Paliwal 1997).
    """

    cell: str
    hidden_size: int
    bidirectional: bool = False

    def __post_init__(self) -> None:
        _one_of("cell", self.cell, cell_names())
        _at_least("hidden_size", self.hidden_size, 1)

    @property
    def n_outputs(self) -> int:
        """Features of its output, both directions together."""
        return self.hidden_size * (1 + self.bidirectional)

    def __str__(self) -> str:
        return f"{'bi-' if self.bidirectional else ''}{self.cell}({self.hidden_size})"


Stack = tuple[LayerSpec, ...]
"""Layers one after the other, first to last."""


@dataclass(frozen=True)
class ModelSpec:
    """The architecture of one network.

    Attributes:
        branches: Stacks of recurrent layers, side by side; one of them is an ordinary sequential network.
        context_length: T, how many past steps the network reads.
        merge: How branches become one: ``concat``; ``sum``; ``gate``: a sum with learned weights for each feature and
            step. Widths that differ are brought to the first one's for ``sum`` and ``gate``.
        residual: Whether a layer's input is added to its output, from the second layer of a stack on (He et al. 2016).
        layer_norm: Whether each layer's output is normalised over its features (Ba et al. 2016).
        segment_length: Steps that are read at once; 1 reads step by step. A context that is no multiple repeats its
            first step at its start.
        pooling: What is made of the encoder's outputs: ``last`` output, ``mean``, ``max``, ``additive`` attention
            (Bahdanau et al. 2015) or ``multihead`` attention (Vaswani et al. 2017).
        n_heads: Heads of multi-head attention.
        decoder: ``linear`` or ``mlp``: all steps at once from the pooled outputs; ``recurrent``: the recurrences go on
            over the horizon and read their own forecasts; ``parallel``: they make one step for each segment of the
            horizon from its position's embedding, all at once (SegRNN, Lin et al. 2023).
        channels: ``joint``: all targets are read and forecast together; ``independent``: each by itself, with the same
            weights and an embedding of its own.
        normalization: ``fold``: values have mean 0 and deviation 1 over the training part; ``series``: over each
            series' training part; ``last``: each series by its deviation, and the last value of a context is subtracted
            from it and added to its forecast; ``window``: each context has mean 0 and deviation 1; ``mean``: each
            context is divided by its mean absolute value (Salinas et al. 2020).
        transform: What is done to the targets first, and undone last: ``log``; ``difference``: the network reads
            changes from step to step and forecasts the change since the cutoff; ``log_difference``: both.
        series_embedding: Size of a learned vector for each series of a panel; 0: none.
        dropout: Probability of dropping a feature between layers and before the head, in [0, 1).
        recurrent_dropout: Probability of dropping a unit of a layer's own state, the same unit at all steps (Gal &
            Ghahramani 2016), drawn once for each batch, in [0, 1).
    """

    branches: tuple[Stack, ...]
    context_length: int
    merge: Merge = "concat"
    residual: bool = False
    layer_norm: bool = False
    segment_length: int = 1
    pooling: Pooling = "last"
    n_heads: int = 1
    decoder: Decoder = "linear"
    channels: Channels = "joint"
    normalization: Normalization = "fold"
    transform: Transform = "none"
    series_embedding: int = 0
    dropout: float = 0.0
    recurrent_dropout: float = 0.0

    def __post_init__(self) -> None:
        if not self.branches or not all(self.branches):
            raise SpecError("branches must hold at least one stack of at least one layer but one is empty")
        _at_least("context_length", self.context_length, 1)
        _at_least("segment_length", self.segment_length, 1)
        if self.segment_length > self.context_length:
            raise SpecError(
                f"segment_length must be at most context_length ({self.context_length}) but got {self.segment_length}"
            )
        _at_least("n_heads", self.n_heads, 1)
        _at_least("series_embedding", self.series_embedding, 0)
        _one_of("merge", self.merge, MERGES)
        _one_of("pooling", self.pooling, POOLINGS)
        _one_of("decoder", self.decoder, DECODERS)
        _one_of("channels", self.channels, CHANNELS)
        _one_of("normalization", self.normalization, NORMALIZATIONS)
        _one_of("transform", self.transform, TRANSFORMS)
        _probability("dropout", self.dropout)
        _probability("recurrent_dropout", self.recurrent_dropout)

    @property
    def log(self) -> bool:
        """Whether logarithms are taken of the targets."""
        return self.transform in ("log", "log_difference")

    @property
    def difference(self) -> bool:
        """Whether differences are taken of the targets."""
        return self.transform in ("difference", "log_difference")

    @property
    def stacks(self) -> str:
        """The recurrent layers: ``lstm(64) > gru(32)``, or ``lstm(64) | gru(64)`` side by side."""
        stacks = " | ".join(" > ".join(map(str, stack)) for stack in self.branches)
        if len(self.branches) == 1:
            return stacks
        return stacks if self.merge == "concat" else f"{self.merge}[{stacks}]"

    @property
    def architecture(self) -> str:
        """The readable form, in the order of the computation; what is as usual is left out.

        ``lstm(64) > gru(32)`` reads step by step and forecasts all steps from its last output;
        ``independent > last > segments(48) > gru(128) > parallel`` is a SegRNN.
        """
        stacks = self.stacks + (" +residual" if self.residual else "") + (" +norm" if self.layer_norm else "")
        before = (
            (f"series({self.series_embedding})", self.series_embedding > 0),
            (self.channels, self.channels != "joint"),
            (self.transform, self.transform != "none"),
            (self.normalization, self.normalization != "fold"),
            (f"segments({self.segment_length})", self.segment_length > 1),
        )
        after = (
            (f"multihead({self.n_heads})" if self.pooling == "multihead" else self.pooling, self.pooling != "last"),
            (self.decoder, self.decoder != "linear"),
        )
        first, last = ([text for text, shown in parts if shown] for parts in (before, after))
        if (first or last) and len(self.branches) > 1 and self.merge == "concat":
            stacks = stacks.replace(self.stacks, f"[{self.stacks}]")
        return " > ".join([*first, stacks, *last])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        branches = " | ".join(" > ".join(map(str, stack)) for stack in self.branches)
        return {**asdict(self), "branches": branches}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The spec that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is not valid.
        """
        return cls(**{**values, "branches": parse_branches(values["branches"])})


@dataclass(frozen=True)
class TrainSpec:
    """How one network is trained.

    Attributes:
        learning_rate: The optimiser's step size; of a schedule, the largest.
        batch_size: Windows per optimiser step.
        weight_decay: ``adamw``: decoupled (Loshchilov & Hutter 2019); ``adam``: an L2 penalty.
        optimizer: ``adamw`` or ``adam`` (Kingma & Ba 2015).
        schedule: Of the learning rate over ``max_epochs``: ``constant``; ``cosine``, down to 0 (Loshchilov & Hutter
            2017); ``one_cycle``, up first and then down (Smith & Topin 2019).
        max_epochs: Most passes over the training windows.
        epoch_windows: Most windows in an epoch. Where there are more, or more of one series than of another, each epoch
            draws so many anew, the same number from every series. ``None``: all of them, each once.
        patience: Epochs without a better validation score before training stops; ``None`` never stops early.
        gradient_clip: Largest norm of all gradients together; ``None`` leaves them as they are.
        ema_decay: Decay of the moving average of the weights that is scored and kept, per optimiser step;
            ``None``: the weights themselves are.
        loss: What is minimised, on the values that the network forecasts: ``mae``, ``mse``, ``huber`` with its corner
            at 1, or ``quantile``: the mean pinball loss of all quantiles of the forecast (Koenker & Bassett 1978).
        accelerator: Lightning's accelerator: ``auto``, ``cpu``, ``gpu`` or ``mps``.
        seed: Seeds the weights, dropout and the order of the windows.
    """

    learning_rate: float = 1e-3
    batch_size: int = 64
    weight_decay: float = 0.0
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "constant"
    max_epochs: int = 30
    epoch_windows: int | None = None
    patience: int | None = 5
    gradient_clip: float | None = 1.0
    ema_decay: float | None = 0.99
    loss: Loss = "mae"
    accelerator: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise SpecError(f"learning_rate must be positive but got {self.learning_rate!r}")
        _at_least("batch_size", self.batch_size, 1)
        _at_least("weight_decay", self.weight_decay, 0)
        _at_least("max_epochs", self.max_epochs, 1)
        for name in ("patience", "epoch_windows"):
            if getattr(self, name) is not None:
                _at_least(name, getattr(self, name), 1)
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise SpecError(f"gradient_clip must be positive but got {self.gradient_clip!r}")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise SpecError(f"ema_decay must be in (0, 1) but got {self.ema_decay!r}")
        _one_of("optimizer", self.optimizer, OPTIMIZERS)
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("loss", self.loss, LOSSES)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``TrainSpec(**values)`` is the inverse."""
        return asdict(self)


@dataclass(frozen=True)
class ForecastSpec:
    """What is forecast and how a forecast is scored.

    Attributes:
        horizon: H, how many steps ahead.
        season_length: Steps in one season (7 for daily data with a weekly season); 1 means none.
        metric: The score of a model, on values in their original units; smaller is better.
        levels: Shares of true values that prediction intervals shall cover, ascending.
    """

    horizon: int
    season_length: int = 1
    metric: MetricName = "mae"
    levels: tuple[float, ...] = (0.8, 0.95)

    def __post_init__(self) -> None:
        _at_least("horizon", self.horizon, 1)
        _at_least("season_length", self.season_length, 1)
        _one_of("metric", self.metric, METRICS)
        if list(self.levels) != sorted(set(self.levels)) or not all(0 < level < 1 for level in self.levels):
            raise SpecError(f"levels must be ascending numbers between 0 and 1 but got {list(self.levels)!r}")

    @property
    def quantiles(self) -> tuple[float, ...]:
        """(Q,) ascending probabilities: both ends of each interval, and the median between them."""
        lower = [round((1 - level) / 2, 12) for level in reversed(self.levels)]
        return (*lower, 0.5, *(round(1 - probability, 12) for probability in reversed(lower)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {**asdict(self), "levels": list(self.levels)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The spec that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is not valid.
        """
        return cls(**{**values, "levels": tuple(values["levels"])})


@dataclass(frozen=True)
class InputSpec:
    """What a network reads.

    Attributes:
        n_targets: Y, the first channels.
        n_inputs: F, all channels of a context.
        n_future: K, the last channels: known over the horizon too.
        categories: Number of names of each categorical channel: (channel, names) pairs; its values are codes from 1 to
            that number, and 0 for an unknown name.
        n_static: S, values of a series that do not change.
        static_categories: Likewise among them.
        n_series: Series that it learns from; their codes count from 1, and 0 is an unknown one.
        padded: Whether contexts may begin before their series.
    """

    n_targets: int
    n_inputs: int
    n_future: int = 0
    categories: tuple[tuple[int, int], ...] = ()
    n_static: int = 0
    static_categories: tuple[tuple[int, int], ...] = ()
    n_series: int = 1
    padded: bool = False


def parse_branches(text: str) -> tuple[Stack, ...]:
    """The stacks that ``lstm(64) > gru(32) | bi-gru(8)`` describes.

    Raises:
        SpecError: The text is not of that form, or a cell is unknown.
    """
    return tuple(parse_layers(branch) for branch in text.split("|"))


def parse_layers(text: str) -> Stack:
    """The layers that ``lstm(64) > bi-gru(32)`` describes.

    Raises:
        SpecError: The text is not of that form, or a cell is unknown.
    """
    layers = []
    for part in text.split(">"):
        match = _LAYER.match(part)
        if match is None:
            raise SpecError(f"a layer must look like lstm(64) or bi-lstm(64) but got {part.strip()!r} in {text!r}")
        layers.append(LayerSpec(match[2], int(match[3]), match[1] is not None))
    return tuple(layers)
