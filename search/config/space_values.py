"""The values that a key of the search space may take: choices or a range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from lstmgru.errors import did_you_mean
from lstmgru.specs.cells import CELLS, cell_names
from lstmgru.specs.forecast import Channels, Decoder, Normalization, Transform
from lstmgru.specs.layers import Merge, Pooling
from lstmgru.specs.sequences import Head, SequenceNormalization, Tokens
from lstmgru.specs.tasks import ForecastLoss, SequenceLoss
from lstmgru.specs.training import ClassWeights, Optimizer, Schedule
from search.config.types import MOST, ByShape, Strict, each_once
from search.errors import shown

MOST_LAYERS = 16
"""Most layers of a network; deeper recurrent stacks are not trained in practice."""
MOST_BRANCHES = 8
"""Most stacks side by side."""
MOST_FEATURES = 16_384
"""Largest hidden size; two such layers have billions of weights."""

T = TypeVar("T")


@dataclass(frozen=True)
class Choices(Generic[T]):
    """A list of values to choose from; a single one is a fixed value.

    Attributes:
        values: All of them, each once, in the order they were written.
    """

    values: tuple[T, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def low(self) -> Any:
        """The smallest, of numbers."""
        return min(self.values)  # type: ignore[type-var]  # names are never compared

    @property
    def high(self) -> Any:
        """The largest, of numbers."""
        return max(self.values)  # type: ignore[type-var]


class _Range(Strict):
    low: float
    high: float
    log: bool = Field(False, description="Whether to sample on a logarithmic scale.")
    step: float | None = Field(None, description="Step between neighboring values; `null`: 1, or any number.")

    @field_validator("high")
    @classmethod
    def _high_is_not_below_low(cls, high: float, info: ValidationInfo) -> float:
        low = info.data.get("low", high)
        if high < low:
            raise ValueError(f"must be at least low ({low:g}) but got {high:g}")
        return high

    @field_validator("log")
    @classmethod
    def _logarithms_need_positive_numbers(cls, log: bool, info: ValidationInfo) -> bool:
        if log and info.data.get("low", 1) <= 0:
            raise ValueError("must be false where low is 0, which has no logarithm; raise low or remove log")
        return log

    @field_validator("step")
    @classmethod
    def _steps_reach_high(cls, step: float | None, info: ValidationInfo) -> float | None:
        if step is None:
            return step
        if info.data.get("log"):
            raise ValueError("cannot be combined with log: true; set only one of them")
        if {"low", "high"} <= info.data.keys():
            low, high = info.data["low"], info.data["high"]
            steps = (high - low) / step
            if steps > MOST:
                raise ValueError(f"must be larger: {step:g} makes more than {MOST} values from {low:g} to {high:g}")
            if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
                last = low + math.floor(steps) * step
                raise ValueError(
                    f"must lead from low to high, but steps of {step:g} from {low:g} stop at {last:g}, "
                    f"short of {high:g}"
                )
        return step


class IntRange(_Range):
    """Whole numbers from ``low`` to ``high``, both included."""

    low: Annotated[int, Field(ge=1, le=MOST, description="Smallest value.")]
    high: Annotated[int, Field(ge=1, le=MOST, description="Largest value, included.")]
    step: Annotated[int, Field(ge=1, le=MOST)] | None = Field(
        None, description="Step between neighboring values; `null`: 1."
    )

    @property
    def values(self) -> tuple[int, ...]:
        """All values, ascending."""
        return tuple(range(self.low, self.high + 1, self.step or 1))

    @property
    def count(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // (self.step or 1) + 1


class DepthRange(IntRange):
    """Numbers of layers."""

    high: Annotated[int, Field(ge=1, le=MOST_LAYERS, description="Largest value, included.")]


class BranchRange(IntRange):
    """Numbers of branches."""

    high: Annotated[int, Field(ge=1, le=MOST_BRANCHES, description="Largest value, included.")]


class WidthRange(IntRange):
    """Hidden sizes."""

    high: Annotated[int, Field(ge=1, le=MOST_FEATURES, description="Largest value, included.")]


class FloatRange(_Range):
    """Numbers from ``low`` to ``high``, both included."""

    low: Annotated[float, Field(ge=0, description="Smallest value.")]
    high: Annotated[float, Field(ge=0, description="Largest value, included.")]
    step: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Step between neighboring values; `null`: any number between low and high."
    )

    @property
    def values(self) -> tuple[float, ...] | None:
        """All values, ascending; ``None`` where they cannot be counted."""
        if self.count is None or self.step is None:
            return None
        # Twelve digits: 0.1 + 2 * 0.1 is to be 0.3.
        return tuple(float(f"{self.low + index * self.step:.12g}") for index in range(self.count))

    @property
    def count(self) -> int | None:
        """How many values there are; ``None`` where they cannot be counted."""
        return None if self.step is None else round((self.high - self.low) / self.step) + 1


class PositiveRange(FloatRange):
    """Numbers above 0."""

    low: Annotated[float, Field(gt=0, description="Smallest value, above 0.")]


class ProbabilityRange(FloatRange):
    """Numbers from 0 to below 1."""

    high: Annotated[float, Field(ge=0, lt=1, description="Largest value, included, below 1.")]


def _as_space_value(value: Any) -> Choices[Any] | IntRange | FloatRange:
    if isinstance(value, IntRange | FloatRange):
        return value if value.low < value.high else Choices((value.low,))
    return Choices(each_once(value))


def _to_plain(value: Choices[Any] | IntRange | FloatRange) -> Any:
    if isinstance(value, Choices):
        return value.values[0] if value.count == 1 else list(value.values)
    return value.model_dump(exclude_defaults=True)


_HELD = (Choices, IntRange, FloatRange)


def _shapes(item: Any, mapping: type[IntRange | FloatRange]) -> ByShape:
    return ByShape(item, item, mapping, then=_as_space_value, plain=_to_plain, held=_HELD)


def choices_of(names: Any) -> ByShape:
    """The rule of a key whose values are names.

    Args:
        names: A ``Literal`` of them.
    """
    expected = f"{', '.join(get_args(names))} or a list of them"
    return ByShape(names, names, then=_as_space_value, plain=_to_plain, held=_HELD, expected=expected)


def _known_cell(value: Any) -> Any:
    if isinstance(value, str) and value not in cell_names():
        names = ", ".join(cell_names())
        raise ValueError(f"must be one of {names} but got {shown(value)}{did_you_mean(value, list(cell_names()))}")
    return value


_LIST = "a value or a list of values"
_SIZE = Annotated[int, Field(ge=0, le=MOST_FEATURES)]


def _whole(most: int, mapping: type[IntRange]) -> ByShape:
    return _shapes(Annotated[int, Field(ge=1, le=most)], mapping)


Whole = Annotated[Choices[int] | IntRange, _whole(MOST, IntRange)]
Depth = Annotated[Choices[int] | IntRange, _whole(MOST_LAYERS, DepthRange)]
Width = Annotated[Choices[int] | IntRange, _whole(MOST_FEATURES, WidthRange)]
Positive = Annotated[Choices[float] | FloatRange, _shapes(Annotated[float, Field(gt=0)], PositiveRange)]
NotNegative = Annotated[Choices[float] | FloatRange, _shapes(Annotated[float, Field(ge=0)], FloatRange)]
Probability = Annotated[Choices[float] | FloatRange, _shapes(Annotated[float, Field(ge=0, lt=1)], ProbabilityRange)]
Branches = Annotated[Choices[int] | IntRange, _whole(MOST_BRANCHES, BranchRange)]
Sizes = Annotated[
    Choices[int], ByShape(_SIZE, _SIZE, then=_as_space_value, plain=_to_plain, held=_HELD, expected=_LIST)
]
Flags = Annotated[Choices[bool], ByShape(bool, bool, then=_as_space_value, plain=_to_plain, held=_HELD, expected=_LIST)]
CellName = Annotated[
    str,
    BeforeValidator(_known_cell),
    # Editors complete the built-in cells, and accept registered ones.
    WithJsonSchema({"anyOf": [{"enum": list(CELLS)}, {"type": "string"}]}),
]
Cells = Annotated[
    Choices[str],
    ByShape(
        CellName, CellName, then=_as_space_value, plain=_to_plain, held=_HELD, expected="a cell or a list of cells"
    ),
]
Merges = Annotated[Choices[str], choices_of(Merge)]
Poolings = Annotated[Choices[str], choices_of(Pooling)]
Decoders = Annotated[Choices[str], choices_of(Decoder)]
ChannelModes = Annotated[Choices[str], choices_of(Channels)]
Normalizations = Annotated[Choices[str], choices_of(Normalization)]
Transforms = Annotated[Choices[str], choices_of(Transform)]
Losses = Annotated[Choices[str], choices_of(ForecastLoss)]
SequenceLosses = Annotated[Choices[str], choices_of(SequenceLoss)]
Heads = Annotated[Choices[str], choices_of(Head)]
SequenceNormalizations = Annotated[Choices[str], choices_of(SequenceNormalization)]
TokenKinds = Annotated[Choices[str], choices_of(Tokens)]
ClassWeightings = Annotated[Choices[str], choices_of(ClassWeights)]
Optimizers = Annotated[Choices[str], choices_of(Optimizer)]
Schedules = Annotated[Choices[str], choices_of(Schedule)]
