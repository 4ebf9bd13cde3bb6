"""The search space: what a study searches, and how a trial is suggested from it.

The space is conditional: the cell and the hidden size of a third layer are parameters of trials with three layers only,
and the number of heads exists with multi-head attention only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, Self, cast

from lstmgru.specs import MERGES, OPTIMIZERS, POOLINGS, SCHEDULES, LayerSpec, RecurrentSpec, Stack, TrainSpec
from search.config.space_values import Choices, FloatRange, IntRange

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

    from search.config.space_config import SpaceConfig


Values = Choices[Any] | IntRange | FloatRange
Model = RecurrentSpec
"""An architecture, of any task."""
Parameters = dict[str, Any]
"""Values by parameter, as a trial has them."""

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


class SearchSpace:
    """The values of every searched key; a single choice is a fixed value and no parameter of a trial.

    The keys follow from the task's section ``space``: those of its architecture (:attr:`SpaceConfig.spec`) and of
    :class:`Settings`; ``n_branches`` is the number of stacks side by side, ``n_layers`` that of the layers of each, and
    ``cell``, ``hidden_size`` and ``bidirectional`` are chosen for each layer. ``space["cell"]`` are a key's values.

    Args:
        kind: The section of a study file that such a space is written in.
        values: Of every key.

    Raises:
        ValueError: A key is missing, or is none of the section.
    """

    def __init__(self, kind: type[SpaceConfig], /, **values: Values) -> None:
        keys = kind.keys()
        if wrong := set(keys) ^ set(values):
            raise ValueError(f"a space must have the keys of {kind.__name__}, but they differ in {sorted(wrong)}")
        self.kind = kind
        self._values: Mapping[str, Values] = {key: values[key] for key in keys}

    def __getitem__(self, key: str) -> Values:
        """The values of a key."""
        return self._values[key]

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same candidates in the same way."""
        return type(self) is type(other) and isinstance(other, SearchSpace) and self._key() == other._key()

    def __hash__(self) -> int:
        """Equal spaces have the same."""
        return hash(self._key())

    def _key(self) -> tuple[type[SpaceConfig], tuple[tuple[str, Values], ...]]:
        return self.kind, tuple(self._values.items())

    def replacing(self, **values: Values) -> Self:
        """The space with other values of some keys."""
        return type(self)(self.kind, **{**self._values, **values})

    def with_every_architecture(self) -> Self:
        """The space with all there is for the networks of any task: stacks, layers, pooling and optimization."""
        return self.replacing(
            n_branches=IntRange(low=1, high=3),
            n_layers=IntRange(low=1, high=4),
            hidden_size=IntRange(low=8, high=256, log=True),
            bidirectional=Choices((False, True)),
            merge=Choices(MERGES),
            residual=Choices((False, True)),
            layer_norm=Choices((False, True)),
            convolution=Choices((0, 3, 5, 7)),
            pooling=Choices(POOLINGS),
            n_heads=Choices((2, 4, 8)),
            recurrent_dropout=FloatRange(low=0.0, high=0.5),
            optimizer=Choices(OPTIMIZERS),
            schedule=Choices(SCHEDULES),
        )

    def suggest(self, trial: BaseTrial) -> tuple[RecurrentSpec, Settings]:
        """Suggest a candidate; with a :class:`optuna.trial.FixedTrial`, the candidate of given parameters."""
        branches = self._suggest_branches(trial)
        pooling = suggest_value(trial, "pooling", self["pooling"])
        absent = absent_keys(branches, pooling)
        chosen = {
            field.name: suggest_value(trial, field.name, self[field.name])
            for field in fields(self.kind.spec)
            if field.name not in ("branches", "pooling", *absent)
        }
        names = [field.name for field in fields(Settings) if field.name in self._values]
        settings = Settings(**{name: suggest_value(trial, name, self[name]) for name in names})
        return self.kind.spec(branches=branches, pooling=pooling, **chosen), settings

    def as_config(self) -> SpaceConfig:
        """The section of a study file that holds every value."""
        return self.kind.model_construct(**dict[str, Any](self._values))

    def _suggest_branches(self, trial: BaseTrial) -> tuple[Stack, ...]:
        n_branches = suggest_value(trial, "n_branches", self["n_branches"])
        return tuple(self._suggest_stack(trial, number) for number in range(1, n_branches + 1))

    def _suggest_stack(self, trial: BaseTrial, branch: int) -> Stack:
        """The layers of a branch; parameters of the first have no prefix, as it is always there."""
        prefix = "" if branch == 1 else f"branch_{branch}_"
        n_layers = suggest_value(trial, f"{prefix}n_layers", self["n_layers"])
        return tuple(
            LayerSpec(*(suggest_value(trial, f"{prefix}{key}_{number}", self[key]) for key in LAYER_KEYS))
            for number in range(1, n_layers + 1)
        )

    @property
    def size(self) -> int | None:
        """Number of candidates; ``None`` where a key takes any number of a range."""
        counts = {name: values.count for name, values in self.items()}
        if any(count is None for count in counts.values()):
            return None
        count = {name: value or 1 for name, value in counts.items()}
        shared = math.prod(number for name, number in count.items() if name not in _OF_STRUCTURE)
        poolings = sum(count["n_heads"] if name == "multihead" else 1 for name in self["pooling"].values or ())
        return shared * poolings * self._structures(count)

    def _structures(self, count: dict[str, int]) -> int:
        """Branches with their layers, merges and residual connections."""
        layer = math.prod(count[key] for key in LAYER_KEYS)
        depths = [int(depth) for depth in self["n_layers"].values or ()]
        stacks = sum(layer**depth for depth in depths)
        shallow = layer if 1 in depths else 0
        total = 0
        for n_branches in map(int, self["n_branches"].values or ()):
            # Residual connections need a second layer somewhere, a merge a second branch.
            deep = stacks**n_branches - shallow**n_branches
            merges = count["merge"] if n_branches > 1 else 1
            total += merges * (shallow**n_branches + deep * count["residual"])
        return total

    def grid(self) -> dict[str, list[Any]]:
        """All values of every parameter of a trial; requires no :func:`search.config.space_config.grid_problems`."""
        n_branches, depth = (int(max(values.values or (1,))) for values in (self["n_branches"], self["n_layers"]))
        absent = {
            "merge": n_branches == 1,
            "residual": depth == 1,
            "n_heads": "multihead" not in (self["pooling"].values or ()),
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
        return list(self._values.items())

    def to_dict(self) -> dict[str, Any]:
        """Every key as a study file would hold it."""
        return self.as_config().model_dump(mode="json", exclude={"preset"})

    def spec_defaults(self) -> dict[str, Any]:
        """The value of every key that has a default as a field: what a candidate has without the key."""
        known = {field.name: field.default for spec in (self.kind.spec, LayerSpec, TrainSpec) for field in fields(spec)}
        return {name: known[name] for name in self._values if known.get(name, MISSING) is not MISSING}

    def describe(self) -> dict[str, str]:
        """Every key in words: ``16, 32, 64`` or ``0.0005 to 0.01 (log)``."""
        return {name: _words(values) for name, values in self.items()}


def absent_keys(branches: tuple[Stack, ...], pooling: str) -> tuple[str, ...]:
    """The keys that an architecture has no use for, so that its trial has no such parameter.

    Args:
        branches: Its layers.
        pooling: How their outputs are pooled.
    """
    absent = {
        "merge": len(branches) == 1,
        "residual": max(map(len, branches)) == 1,
        "n_heads": pooling != "multihead",
    }
    return tuple(key for key, is_absent in absent.items() if is_absent)


def key_of(name: str) -> str:
    """The key of the space that the values of a parameter come from: ``hidden_size`` of ``branch_2_hidden_size_1``."""
    stem = name.split("_", 2)[2] if name.startswith("branch_") else name
    key, _, number = stem.rpartition("_")
    return key if number.isdigit() and key in LAYER_KEYS else stem


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


_CELL = "cell"


class MixedSpace(SearchSpace):
    """A space without the networks whose layers all have the same cell.

    Cells are suggested layer by layer. If all layers but the last have the same cell, the last layer gets a different
    one: a single alternative is no parameter of the trial, several alternatives are the choices of the parameter
    ``cell_2_not_lstm``. No suggestion is rejected, so the sampler learns from all of them and trials are reproducible.
    """

    def suggest(self, trial: BaseTrial) -> tuple[RecurrentSpec, Settings]:
        """Suggest a candidate; with a :class:`optuna.trial.FixedTrial`, the candidate of given parameters."""
        return super().suggest(cast("BaseTrial", _MixingTrial(trial, self)))


def mixed(space: SearchSpace) -> MixedSpace:
    """The part of a space in which every candidate has at least two different cells."""
    return MixedSpace(space.kind, **dict(space.items()))


class _MixingTrial:
    """Passes suggestions on to a trial, except for the cell of the last layer if it has to differ."""

    def __init__(self, trial: BaseTrial, space: SearchSpace) -> None:
        self._trial, self._space = trial, space
        self._known: dict[str, Any] = {}
        self._cells: list[str] = []

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self._known[name] = value = self._trial.suggest_int(name, low, high, step=step, log=log)
        return value

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return self._trial.suggest_float(name, low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        if key_of(name) == _CELL:
            self._cells.append(self._suggest_cell(name, choices))
            return self._cells[-1]
        self._known[name] = value = self._trial.suggest_categorical(name, choices)
        return value

    def _suggest_cell(self, name: str, choices: Sequence[str]) -> str:
        if name != self._last_cell() or len(set(self._cells)) != 1:
            return self._trial.suggest_categorical(name, choices)
        others = [cell for cell in choices if cell != self._cells[0]]
        if len(others) == 1:
            return others[0]
        # Optuna requires the same choices for a parameter in all trials, and these depend on the other layers.
        return self._trial.suggest_categorical(f"{name}_not_{self._cells[0]}", others)

    def _last_cell(self) -> str:
        """Name of the parameter of the last layer's cell, as far as it is known yet."""
        n_branches = self._value("n_branches", self._space["n_branches"])
        prefix = "" if n_branches == 1 else f"branch_{n_branches}_"
        return f"{prefix}{_CELL}_{self._value(f'{prefix}n_layers', self._space['n_layers'])}"

    def _value(self, name: str, values: Any) -> Any:
        return values.values[0] if isinstance(values, Choices) and values.count == 1 else self._known.get(name)
