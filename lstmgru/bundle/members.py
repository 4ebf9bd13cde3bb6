"""The members of a blend: what a bundle computes and adds up."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lstmgru.errors import SpecError
from lstmgru.nn.network import count_parameters
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
    def reads(self) -> int:
        """Rows of context, or steps of a sequence, that it reads at most."""

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
    """

    network: nn.Module
    model_spec: RecurrentSpec
    train_spec: TrainSpec

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
