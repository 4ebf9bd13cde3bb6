"""The members of a blend: what a bundle computes and adds up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstmgru.errors import SpecError
from lstmgru.nn.costs import count_parameters
from lstmgru.runtime.members import NETWORK, FittedMethod, described_array
from lstmgru.specs import RecurrentSpec, TrainSpec


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
        arrays = {name: described_array(tensor.numpy()) for name, tensor in self.arrays().items()}
        return {**super().describe(), "state": self.baseline.state()[0], "arrays": arrays}


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
