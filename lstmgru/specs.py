"""What a model is, how it is trained and what it forecasts: frozen, validated, serialisable."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from lstmgru.errors import SpecError, did_you_mean

Cell = Literal["lstm", "gru"]
Normalization = Literal["fold", "last"]
Loss = Literal["mae", "mse", "huber"]
MetricName = Literal["mae", "rmse", "mse", "smape", "mase"]

CELLS: tuple[str, ...] = get_args(Cell)
NORMALIZATIONS: tuple[str, ...] = get_args(Normalization)
LOSSES: tuple[str, ...] = get_args(Loss)
METRICS: tuple[str, ...] = get_args(MetricName)

_LAYER = re.compile(r"^\s*([a-z_]+)\s*\(\s*(\d+)\s*\)\s*$")


def _one_of(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise SpecError(f"{name} must be one of {', '.join(valid)} but got {value!r}{did_you_mean(value, list(valid))}")


def _at_least(name: str, value: float, minimum: float) -> None:
    if not value >= minimum:
        raise SpecError(f"{name} must be at least {minimum:g} but got {value!r}")


@dataclass(frozen=True)
class LayerSpec:
    """One recurrent layer: its cell and its hidden size; written ``lstm(64)``."""

    cell: Cell
    hidden_size: int

    def __post_init__(self) -> None:
        _one_of("cell", self.cell, CELLS)
        _at_least("hidden_size", self.hidden_size, 1)

    def __str__(self) -> str:
        return f"{self.cell}({self.hidden_size})"


@dataclass(frozen=True)
class ModelSpec:
    """The architecture of one network.

    Attributes:
        layers: The recurrent layers, first to last.
        context_length: T, how many past steps the network reads.
        dropout: Probability of dropping a feature between layers and before the head, in [0, 1).
        normalization: ``fold``: inputs are scaled by the training part's mean and deviation only; ``last``:
            the last observed value of each target is also subtracted from its context and added to its forecast.
    """

    layers: tuple[LayerSpec, ...]
    context_length: int
    dropout: float = 0.0
    normalization: Normalization = "fold"

    def __post_init__(self) -> None:
        if not self.layers:
            raise SpecError("layers must hold at least one layer but got none")
        _at_least("context_length", self.context_length, 1)
        if not 0 <= self.dropout < 1:
            raise SpecError(f"dropout must be in [0, 1) but got {self.dropout!r}")
        _one_of("normalization", self.normalization, NORMALIZATIONS)

    @property
    def architecture(self) -> str:
        """The readable form of the layers: ``lstm(64) > gru(32)``."""
        return " > ".join(str(layer) for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {**asdict(self), "layers": self.architecture}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The spec that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is not valid.
        """
        return cls(**{**values, "layers": parse_layers(values["layers"])})


@dataclass(frozen=True)
class TrainSpec:
    """How one network is trained.

    Attributes:
        learning_rate: AdamW's step size.
        batch_size: Windows per optimiser step.
        weight_decay: AdamW's decoupled weight decay (Loshchilov & Hutter 2019).
        max_epochs: Most passes over the training windows.
        patience: Epochs without a better validation score before training stops; ``None`` never stops early.
        gradient_clip: Largest norm of all gradients together; ``None`` leaves them as they are.
        ema_decay: Decay of the moving average of the weights that is scored and kept, per optimiser step;
            ``None``: the weights themselves are.
        loss: What is minimised, on scaled values; ``huber`` has its corner at 1.
        accelerator: Lightning's accelerator: ``auto``, ``cpu``, ``gpu`` or ``mps``.
        seed: Seeds the weights, dropout and the order of the windows.
    """

    learning_rate: float = 1e-3
    batch_size: int = 64
    weight_decay: float = 0.0
    max_epochs: int = 30
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
        if self.patience is not None:
            _at_least("patience", self.patience, 1)
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise SpecError(f"gradient_clip must be positive but got {self.gradient_clip!r}")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise SpecError(f"ema_decay must be in (0, 1) but got {self.ema_decay!r}")
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
    """

    horizon: int
    season_length: int = 1
    metric: MetricName = "mae"

    def __post_init__(self) -> None:
        _at_least("horizon", self.horizon, 1)
        _at_least("season_length", self.season_length, 1)
        _one_of("metric", self.metric, METRICS)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``ForecastSpec(**values)`` is the inverse."""
        return asdict(self)


def parse_layers(text: str) -> tuple[LayerSpec, ...]:
    """The layers that ``lstm(64) > gru(32)`` describes.

    Raises:
        SpecError: The text is not of that form, or a cell is unknown.
    """
    layers = []
    for part in text.split(">"):
        match = _LAYER.match(part)
        if match is None:
            raise SpecError(f"a layer must look like lstm(64) but got {part.strip()!r} in {text!r}")
        layers.append(LayerSpec(match[1], int(match[2])))  # type: ignore[arg-type]  # LayerSpec checks the name
    return tuple(layers)
