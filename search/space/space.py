"""The search space: what a study searches, and how a trial is suggested from it.

The space is conditional: the cell and the hidden size of a third layer are parameters of trials with three layers only,
and the number of heads exists with multi-head attention only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from lstmgru.specs import LayerSpec, ModelSpec, SequenceModelSpec, Stack
from search.config.values import Choices, FloatRange, IntRange

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

    from search.config.space_config import SpaceConfig
    from search.tasks.forecasting.config import ForecastSpaceConfig
    from search.tasks.sequences.config import SequenceSpaceConfig

Values = Choices[Any] | IntRange | FloatRange
Model = ModelSpec | SequenceModelSpec
"""An architecture, of either kind."""

LAYER_KEYS = ("cell", "hidden_size", "bidirectional")
"""Keys that are chosen for each layer."""
_OF_STRUCTURE = (*LAYER_KEYS, "n_branches", "n_layers", "merge", "residual", "pooling", "n_heads")


@dataclass(frozen=True)
class Settings:
    """The suggested training settings of a trial, as in :class:`lstmgru.specs.TrainSpec`."""

    learning_rate: float
    batch_size: int
    weight_decay: float
    optimizer: str
    schedule: str
    loss: str
    label_smoothing: float = 0.0
    class_weights: str = "none"


@dataclass(frozen=True)
class SearchSpace(ABC):
    """The values of every searched key; a single choice is a fixed value and no parameter of a trial.

    The keys are those of the architecture and of :class:`lstmgru.specs.TrainSpec`; ``n_branches`` is the number of
    stacks side by side, ``n_layers`` that of the layers of each, and ``cell``, ``hidden_size`` and ``bidirectional``
    are chosen for each layer. What a task adds stands in the classes derived from this one.
    """

    n_branches: Values
    n_layers: Values
    cell: Values
    hidden_size: Values
    bidirectional: Values
    merge: Values
    residual: Values
    layer_norm: Values
    segment_length: Values
    pooling: Values
    n_heads: Values
    dropout: Values
    recurrent_dropout: Values
    optimizer: Values
    learning_rate: Values
    schedule: Values
    batch_size: Values
    weight_decay: Values

    @abstractmethod
    def suggest(self, trial: BaseTrial) -> tuple[Model, Settings]:
        """Suggest a candidate; with a :class:`optuna.trial.FixedTrial`, the candidate of given parameters."""

    @abstractmethod
    def as_config(self) -> SpaceConfig:
        """The section of a study file that holds every value."""

    def _suggest_branches(self, trial: BaseTrial) -> tuple[Stack, ...]:
        n_branches = suggest_value(trial, "n_branches", self.n_branches)
        return tuple(self._suggest_stack(trial, number) for number in range(1, n_branches + 1))

    def _suggest_stack(self, trial: BaseTrial, branch: int) -> Stack:
        """The layers of a branch; parameters of the first have no prefix, as it is always there."""
        prefix = "" if branch == 1 else f"branch_{branch}_"
        n_layers = suggest_value(trial, f"{prefix}n_layers", self.n_layers)
        return tuple(
            LayerSpec(*(suggest_value(trial, f"{prefix}{key}_{number}", getattr(self, key)) for key in LAYER_KEYS))
            for number in range(1, n_layers + 1)
        )

    def _suggest_settings(self, trial: BaseTrial, *more: str) -> Settings:
        """The training settings: those of every task, and the keys ``more``."""
        names = ("learning_rate", "batch_size", "weight_decay", "optimizer", "schedule", *more)
        return Settings(**{name: suggest_value(trial, name, getattr(self, name)) for name in names})

    @property
    def size(self) -> int | None:
        """Number of candidates; ``None`` where a key takes any number of a range."""
        counts = {name: values.count for name, values in self.items()}
        if any(count is None for count in counts.values()):
            return None
        count = {name: value or 1 for name, value in counts.items()}
        shared = math.prod(number for name, number in count.items() if name not in _OF_STRUCTURE)
        poolings = sum(count["n_heads"] if name == "multihead" else 1 for name in self.pooling.values or ())
        return shared * poolings * self._structures(count)

    def _structures(self, count: dict[str, int]) -> int:
        """Branches with their layers, merges and residual connections."""
        layer = math.prod(count[key] for key in LAYER_KEYS)
        depths = [int(depth) for depth in self.n_layers.values or ()]
        stacks = sum(layer**depth for depth in depths)
        shallow = layer if 1 in depths else 0
        total = 0
        for n_branches in map(int, self.n_branches.values or ()):
            # Residual connections need a second layer somewhere, a merge a second branch.
            deep = stacks**n_branches - shallow**n_branches
            merges = count["merge"] if n_branches > 1 else 1
            total += merges * (shallow**n_branches + deep * count["residual"])
        return total

    def grid(self) -> dict[str, list[Any]]:
        """All values of every parameter of a trial; requires no :func:`search.config.searchable.grid_problems`."""
        n_branches, depth = (int(max(values.values or (1,))) for values in (self.n_branches, self.n_layers))
        absent = {
            "merge": n_branches == 1,
            "residual": depth == 1,
            "n_heads": "multihead" not in (self.pooling.values or ()),
        }
        grid: dict[str, list[Any]] = {}
        for name, values in self.items():
            listed = list(values.values or ())
            if len(listed) > 1 and not absent.get(name, False):
                prefixes = ["", *(f"branch_{branch}_" for branch in range(2, n_branches + 1))]
                layers = [f"{prefix}{name}_{number}" for prefix in prefixes for number in range(1, depth + 1)]
                grid |= dict.fromkeys(layers if name in LAYER_KEYS else [name], listed)
        return grid

    def items(self) -> list[tuple[str, Values]]:
        """Every key with its values."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    def to_dict(self) -> dict[str, Any]:
        """Every key as a study file would hold it."""
        return self.as_config().model_dump(mode="json", exclude={"preset"})

    def describe(self) -> dict[str, str]:
        """Every key in words: ``16, 32, 64`` or ``0.0005 to 0.01 (log)``."""
        return {name: _words(values) for name, values in self.items()}


@dataclass(frozen=True)
class ForecastSpace(SearchSpace):
    """What is searched for forecasts; see :class:`lstmgru.specs.ModelSpec`."""

    decoder: Values
    channels: Values
    normalization: Values
    transform: Values
    series_embedding: Values
    context_length: Values
    loss: Values

    def suggest(self, trial: BaseTrial) -> tuple[ModelSpec, Settings]:
        """Suggest a candidate; with a :class:`optuna.trial.FixedTrial`, the candidate of given parameters."""

        def suggest(name: str) -> Any:
            return suggest_value(trial, name, getattr(self, name))

        branches = self._suggest_branches(trial)
        pooling = suggest("pooling")
        model = ModelSpec(
            branches=branches,
            context_length=suggest("context_length"),
            merge=suggest("merge") if len(branches) > 1 else "concat",
            residual=suggest("residual") if max(map(len, branches)) > 1 else False,
            layer_norm=suggest("layer_norm"),
            segment_length=suggest("segment_length"),
            pooling=pooling,
            n_heads=suggest("n_heads") if pooling == "multihead" else 1,
            decoder=suggest("decoder"),
            channels=suggest("channels"),
            normalization=suggest("normalization"),
            transform=suggest("transform"),
            series_embedding=suggest("series_embedding"),
            dropout=suggest("dropout"),
            recurrent_dropout=suggest("recurrent_dropout"),
        )
        return model, self._suggest_settings(trial, "loss")

    @property
    def longest_context(self) -> int:
        """The longest context of any candidate."""
        values = self.context_length
        return int(max(values.values) if isinstance(values, Choices) else values.high)

    def as_config(self) -> ForecastSpaceConfig:
        """The section of a study file that holds every value."""
        from search.tasks.forecasting.config import ForecastSpaceConfig

        values: dict[str, Any] = dict(self.items())
        return ForecastSpaceConfig.model_construct(**values)


@dataclass(frozen=True)
class SequenceSpace(SearchSpace):
    """What is searched for labels; see :class:`lstmgru.specs.SequenceModelSpec`.

    Of sequences of numbers ``tokens`` is ``None`` and the other keys of texts are fixed to what they do not use.
    """

    head: Values
    max_length: Values
    normalization: Values
    tokens: Values
    embedding_size: Values
    min_count: Values
    token_dropout: Values
    loss: Values
    label_smoothing: Values
    class_weights: Values

    def suggest(self, trial: BaseTrial) -> tuple[SequenceModelSpec, Settings]:
        """Suggest a candidate; with a :class:`optuna.trial.FixedTrial`, the candidate of given parameters."""

        def suggest(name: str) -> Any:
            return suggest_value(trial, name, getattr(self, name))

        branches = self._suggest_branches(trial)
        pooling = suggest("pooling")
        model = SequenceModelSpec(
            branches=branches,
            max_length=suggest("max_length"),
            merge=suggest("merge") if len(branches) > 1 else "concat",
            residual=suggest("residual") if max(map(len, branches)) > 1 else False,
            layer_norm=suggest("layer_norm"),
            segment_length=suggest("segment_length"),
            pooling=pooling,
            n_heads=suggest("n_heads") if pooling == "multihead" else 1,
            head=suggest("head"),
            normalization=suggest("normalization"),
            tokens=suggest("tokens"),
            embedding_size=suggest("embedding_size"),
            min_count=suggest("min_count"),
            token_dropout=suggest("token_dropout"),
            dropout=suggest("dropout"),
            recurrent_dropout=suggest("recurrent_dropout"),
        )
        return model, self._suggest_settings(trial, "loss", "label_smoothing", "class_weights")

    def as_config(self) -> SequenceSpaceConfig:
        """The section of a study file that holds every value."""
        from search.tasks.sequences.config import SequenceSpaceConfig

        values: dict[str, Any] = dict(self.items())
        return SequenceSpaceConfig.model_construct(**values)


def suggest_value(trial: BaseTrial, name: str, values: Values) -> Any:
    """A parameter of a trial; a fixed value is none."""
    if isinstance(values, Choices):
        return values.values[0] if values.count == 1 else trial.suggest_categorical(name, list(values.values))
    if isinstance(values, IntRange):
        return trial.suggest_int(name, values.low, values.high, step=values.step or 1, log=values.log)
    return trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)


def _words(values: Values) -> str:
    if isinstance(values, Choices):
        return ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values.values)
    how = " (log)" if values.log else f" in steps of {values.step:g}" if values.step else ""
    return f"{values.low:g} to {values.high:g}{how}"
