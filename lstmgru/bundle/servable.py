"""What a bundle serves: a network that takes raw values and gives results in original units, and can be exported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from lstmgru.specs.layers import Stack

Outputs = tuple[Tensor, ...]


class Distance(NamedTuple):
    """How far two results of the same inputs are from one another.

    Attributes:
        absolute: Largest difference in original units, or of a probability.
        relative: Largest difference in units of what is typical, see :attr:`Servable.unit`.
    """

    absolute: float
    relative: float


class Servable(nn.Module, ABC):
    """A module that maps named raw inputs to named results, each with the batch as its first axis."""

    @property
    @abstractmethod
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of its network."""

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs that ``forward`` needs, with their shapes after the batch."""

    @property
    @abstractmethod
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """What ``forward`` gives, in that order, with the shapes after the batch."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of a relative distance, for messages."""

    @abstractmethod
    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Inputs like those that it learnt from."""

    @abstractmethod
    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """How far the results of another implementation are from its own.

        Args:
            found: Of the other one.
            expected: Its own.
            inputs: What both are the results of.
        """
