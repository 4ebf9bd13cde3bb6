"""The members of a blend: what a bundle computes and adds up."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstmgru.errors import LstmGruError, SpecError, one_of
from lstmgru.nn.costs import count_parameters
from lstmgru.specs import RecurrentSpec, TrainSpec

NETWORK = "network"
"""The kind of a member that is a network; other kinds are names of baselines."""

# The weights are decimal fractions, so their sum is 1 only up to rounding.
_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class Member(ABC):
    """A part of a blend.

    Attributes:
        weight: Its share of every prediction, in (0, 1]; the weights of a blend have the sum 1.
        trial: Number of its trial; ``None`` for a baseline, or if unknown.
        score: Mean score of the folds by the metric of the task; ``None`` if unknown.
    """

    weight: float = 1.0
    trial: int | None = None
    score: float | None = None

    @property
    @abstractmethod
    def kind(self) -> str:
        """``network``, or the name of a baseline."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The architecture, or the name of a baseline."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Numbers that were fitted."""

    @property
    @abstractmethod
    def reads(self) -> int | None:
        """Rows of context, or steps of a sequence, that it reads at most; ``None`` for all."""

    @abstractmethod
    def arrays(self) -> dict[str, Tensor]:
        """What ``weights.safetensors`` holds of it, by name."""

    def describe(self) -> dict[str, Any]:
        """Its entry in ``bundle.json``, as plain values."""
        return {"kind": self.kind, "weight": self.weight, "trial": self.trial, "score": self.score}


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkMember(Member):
    """A trained network.

    Attributes:
        network: On the CPU.
        model_spec: The architecture.
        train_spec: How it was trained.

    Raises:
        SpecError: Network and architecture do not fit together.
    """

    network: nn.Module
    model_spec: RecurrentSpec
    train_spec: TrainSpec

    def __post_init__(self) -> None:
        spec: Any = self.network.spec
        if spec != self.model_spec:
            raise SpecError(f"the network must be {self.model_spec.architecture} but is {spec.architecture}")

    @property
    def kind(self) -> str:
        """``network``."""
        return NETWORK

    @property
    def title(self) -> str:
        """The architecture."""
        return self.model_spec.architecture

    @property
    def n_parameters(self) -> int:
        """Number of trainable parameters."""
        return count_parameters(self.network)

    def arrays(self) -> dict[str, Tensor]:
        """The weights of the network."""
        return self.network.state_dict()

    def describe(self) -> dict[str, Any]:
        """Its entry in ``bundle.json``, as plain values."""
        return {**super().describe(), "model": self.model_spec.to_dict(), "training": self.train_spec.to_dict()}


class FittedMethod(Protocol):
    """A fitted baseline of any task."""

    name: ClassVar[str]

    @property
    def n_parameters(self) -> int:
        """Numbers that it stores."""

    def state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Everything that was learned, as plain values and arrays."""

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """The baseline whose :meth:`state` this is."""


_Method = TypeVar("_Method", bound=FittedMethod)


@dataclass(frozen=True, eq=False, kw_only=True)
class BaselineMember(Member):
    """A fitted baseline.

    Attributes:
        baseline: Fitted to the training data.
    """

    baseline: FittedMethod

    @property
    def kind(self) -> str:
        """The name of the baseline."""
        return self.baseline.name

    @property
    def title(self) -> str:
        """The name of the baseline."""
        return self.baseline.name

    @property
    def n_parameters(self) -> int:
        """Numbers that the baseline stores."""
        return self.baseline.n_parameters

    def arrays(self) -> dict[str, Tensor]:
        """The arrays of the baseline."""
        return {name: torch.tensor(np.ascontiguousarray(array)) for name, array in self.baseline.state()[1].items()}

    def describe(self) -> dict[str, Any]:
        """Its entry in ``bundle.json``, as plain values."""
        arrays = {name: _described(tensor) for name, tensor in self.arrays().items()}
        return {**super().describe(), "state": self.baseline.state()[0], "arrays": arrays}


def stored_baseline(
    kinds: Mapping[str, type[_Method]],
    values: dict[str, Any],
    arrays: dict[str, Tensor],
    probe: Callable[[_Method], tuple[npt.NDArray[Any], tuple[int, ...]]],
) -> _Method:
    """The baseline of a member.

    Args:
        kinds: The baselines of the task by name.
        values: The entry of the member in ``bundle.json``.
        arrays: Of the member.
        probe: Runs the baseline on an example; gives its outputs and the shape that they must have.

    Raises:
        KeyError: The entry is incomplete.
        SpecError: The kind is unknown, or state and arrays do not fit together or the bundle.
    """
    kind, described = values["kind"], values["arrays"]
    one_of("kind of a member", kind, (NETWORK, *kinds))
    found = {name: _described(tensor) for name, tensor in arrays.items()}
    if found != described:
        name = min(key for key in {*found, *described} if found.get(key) != described.get(key))
        raise SpecError(
            f"the array {name} of the member {kind} must be {described.get(name, 'missing')} in weights.safetensors "
            f"but is {found.get(name, 'missing')}"
        )
    try:
        baseline = kinds[kind].from_state(values["state"], {name: tensor.numpy() for name, tensor in arrays.items()})
        outputs, expected = probe(baseline)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, LstmGruError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise SpecError(f"the state of the member {kind} is invalid: {what}") from error
    if outputs.shape != expected or not np.isfinite(outputs).all():
        raise SpecError(
            f"the member {kind} must predict {list(expected)} finite numbers but predicts {list(outputs.shape)}, "
            f"{int(np.isfinite(outputs).sum())} of them finite"
        )
    return baseline


def _described(tensor: Tensor) -> str:
    """``float64[12, 3]``."""
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def common_values(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments that all members have, from an entry of ``bundle.json``.

    Raises:
        KeyError: There is no weight.
        SpecError: A value is not a number.
    """
    found = {"weight": values["weight"]}
    found |= {key: values[key] for key in ("trial", "score") if values.get(key) is not None}
    for key, value in found.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SpecError(f"the {key} of a member must be a number but is {value!r}")
    return found


def check_scaler(scaler: object, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a scaler whose numbers are not of a model.

    Args:
        scaler: It holds means and scales.
        shapes: The shape of each array, by name; scales end in ``scale``.

    Raises:
        SpecError: A shape is another one, a number is not finite, or a scale is not positive.
    """
    for name, shape in shapes.items():
        array = getattr(scaler, name)
        if array.shape != shape:
            raise SpecError(f"{name} of the scaler must have the shape {shape} but has {array.shape}")
        if not np.isfinite(array).all():
            raise SpecError(f"{name} of the scaler must be finite numbers")
        if name.endswith("scale") and not (array > 0).all():
            raise SpecError("the scales of the scaler must be positive")


def check_weights(members: Sequence[Member]) -> None:
    """Refuse members that are no blend.

    Raises:
        SpecError: There is none, or their weights are not positive with the sum 1.
    """
    weights = [member.weight for member in members]
    if not weights:
        raise SpecError("a bundle must have at least one member but has none")
    if not (all(weight > 0 for weight in weights) and abs(math.fsum(weights) - 1) <= _SUM_TOLERANCE):
        raise SpecError(f"the weights of the members must be positive and have the sum 1 but are {weights}")
