"""The search space: presets, what a study overrides of them, and how a trial is suggested from it.

The space is conditional: the cell and the hidden size of a third layer are parameters of trials with three layers only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from lstmgru.specs import CELLS, NORMALIZATIONS, ForecastSpec, LayerSpec, ModelSpec
from search.errors import Problem, StudyFileError
from search.values import Choices, FloatRange, IntRange

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

    from search.config import SpaceConfig, StudyConfig

Values = Choices[Any] | IntRange | FloatRange


@dataclass(frozen=True)
class Settings:
    """The suggested training settings of a trial, as in :class:`lstmgru.specs.TrainSpec`."""

    learning_rate: float
    batch_size: int
    weight_decay: float


@dataclass(frozen=True)
class SearchSpace:
    """The values of every searched key; a single choice is a fixed value and no parameter of a trial.

    Attributes:
        n_layers: Number of recurrent layers.
        cell: Cell of each layer.
        hidden_size: Hidden size of each layer.
        dropout: Probability, between layers and before the head.
        context_length: T.
        normalization: ``fold`` or ``last``.
        learning_rate: Of AdamW.
        batch_size: Windows in an optimiser step.
        weight_decay: Of AdamW.
    """

    n_layers: Values
    cell: Values
    hidden_size: Values
    dropout: Values
    context_length: Values
    normalization: Values
    learning_rate: Values
    batch_size: Values
    weight_decay: Values

    def suggest(self, trial: BaseTrial) -> tuple[ModelSpec, Settings]:
        """Suggest a candidate; with a :class:`optuna.trial.FixedTrial`, the candidate of given parameters."""
        n_layers = _suggest(trial, "n_layers", self.n_layers)
        layers = tuple(
            LayerSpec(
                _suggest(trial, f"cell_{number}", self.cell),
                _suggest(trial, f"hidden_size_{number}", self.hidden_size),
            )
            for number in range(1, n_layers + 1)
        )
        model = ModelSpec(
            layers=layers,
            context_length=_suggest(trial, "context_length", self.context_length),
            dropout=_suggest(trial, "dropout", self.dropout),
            normalization=_suggest(trial, "normalization", self.normalization),
        )
        settings = Settings(
            learning_rate=_suggest(trial, "learning_rate", self.learning_rate),
            batch_size=_suggest(trial, "batch_size", self.batch_size),
            weight_decay=_suggest(trial, "weight_decay", self.weight_decay),
        )
        return model, settings

    @property
    def longest_context(self) -> int:
        """The longest context of any candidate."""
        values = self.context_length
        return int(max(values.values) if isinstance(values, Choices) else values.high)

    @property
    def size(self) -> int | None:
        """Number of candidates; ``None`` where a key takes any number of a range."""
        shared = [values.count for name, values in self.items() if name not in ("n_layers", "cell", "hidden_size")]
        per_layer = (self.cell.count, self.hidden_size.count)
        depths = self.n_layers.values
        if depths is None or any(count is None for count in (*shared, *per_layer)):
            return None
        layer = math.prod(count or 1 for count in per_layer)
        stacks = sum(int(layer ** int(depth)) for depth in depths)
        return stacks * math.prod(count or 1 for count in shared)

    def grid(self) -> dict[str, list[Any]]:
        """All values of every parameter of a trial, for a space that :func:`check_grid` found to be a grid."""
        depth = max(self.n_layers.values or (0,))
        grid: dict[str, list[Any]] = {}
        for name, values in self.items():
            listed = list(values.values or ())
            if len(listed) > 1:
                per_layer = name in ("cell", "hidden_size")
                names = [f"{name}_{number}" for number in range(1, int(depth) + 1)] if per_layer else [name]
                grid |= dict.fromkeys(names, listed)
        return grid

    def items(self) -> list[tuple[str, Values]]:
        """Every key with its values."""
        return [(field.name, getattr(self, field.name)) for field in fields(self)]

    def to_dict(self) -> dict[str, Any]:
        """Every key as a study file would hold it."""
        return self.as_config().model_dump(mode="json", exclude={"preset"})

    def as_config(self) -> SpaceConfig:
        """The section of a study file that holds every value."""
        from search.config import SpaceConfig

        values: dict[str, Any] = dict(self.items())
        return SpaceConfig.model_construct(**values)

    def describe(self) -> dict[str, str]:
        """Every key in words: ``16, 32, 64`` or ``0.0005 to 0.01 (log)``."""
        return {name: _words(values) for name, values in self.items()}


PRESETS: dict[str, SearchSpace] = {
    "small": SearchSpace(
        n_layers=IntRange(low=1, high=2),
        cell=Choices(CELLS),
        hidden_size=IntRange(low=8, high=32, log=True),
        dropout=FloatRange(low=0.0, high=0.3),
        context_length=Choices(()),
        normalization=Choices(NORMALIZATIONS),
        learning_rate=FloatRange(low=1e-3, high=1e-2, log=True),
        batch_size=Choices((64,)),
        weight_decay=Choices((1e-4,)),
    ),
    "standard": SearchSpace(
        n_layers=IntRange(low=1, high=3),
        cell=Choices(CELLS),
        hidden_size=IntRange(low=16, high=128, log=True),
        dropout=FloatRange(low=0.0, high=0.5),
        context_length=Choices(()),
        normalization=Choices(NORMALIZATIONS),
        learning_rate=FloatRange(low=5e-4, high=1e-2, log=True),
        batch_size=Choices((32, 64, 128)),
        weight_decay=FloatRange(low=1e-6, high=1e-1, log=True),
    ),
}
"""Spaces by name; their context lengths depend on the forecast, see :func:`default_contexts`."""


def default_contexts(forecast: ForecastSpec) -> Choices[int]:
    """One, two and four times the horizon or the season, whichever is longer."""
    base = max(forecast.horizon, forecast.season_length, 4)
    return Choices((base, 2 * base, 4 * base))


def resolve_space(config: StudyConfig, forecast: ForecastSpec) -> SearchSpace:
    """The preset of a study with what the study overrides.

    Raises:
        StudyFileError: The sampler is ``grid`` and the space is no grid.
    """
    preset = replace(PRESETS[config.space.preset], context_length=default_contexts(forecast))
    given = {name: getattr(config.space, name) for name, _ in preset.items()}
    space = replace(preset, **{name: values for name, values in given.items() if values is not None})
    if config.search.sampler == "grid":
        check_grid(space, config.name or "study")
    return space


def check_grid(space: SearchSpace, study: str) -> None:
    """Make sure that a grid can be laid over a space.

    Raises:
        StudyFileError: A key takes any number of a range, or the number of layers varies.
    """
    from search.config import grid_problems

    problems = grid_problems(space.as_config())
    if problems:
        raise StudyFileError(study, [Problem(f"space.{key}", text) for key, text in problems.items()])


def _suggest(trial: BaseTrial, name: str, values: Values) -> Any:
    if isinstance(values, Choices):
        return values.values[0] if values.count == 1 else trial.suggest_categorical(name, list(values.values))
    if isinstance(values, IntRange):
        return trial.suggest_int(name, values.low, values.high, step=values.step or 1, log=values.log)
    return trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)


def _words(values: Values) -> str:
    if isinstance(values, Choices):
        return ", ".join(map(str, values.values))
    how = " (log)" if values.log else f" in steps of {values.step:g}" if values.step else ""
    return f"{values.low:g} to {values.high:g}{how}"
