"""The interfaces of trained models: :class:`Bundle`, and :class:`Servable`, the module in it that is exported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from torch import Tensor, nn

from lstmgru.bundle.card import Card
from lstmgru.bundle.members import Member, NetworkMember
from lstmgru.runtime.predictor import Predictor
from lstmgru.specs import Stack

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

Outputs = tuple[Tensor, ...]


class Distance(NamedTuple):
    """The difference between two results for the same inputs.

    Attributes:
        absolute: Largest difference in original units, or of a probability.
        relative: Largest difference relative to a typical size, see :attr:`Servable.unit`.
    """

    absolute: float
    relative: float


@dataclass(frozen=True)
class BatchParity:
    """The difference between two implementations on one batch.

    Attributes:
        batch_size: Number of windows or sequences.
        absolute: As of :class:`Distance`.
        relative: Likewise.
    """

    batch_size: int
    absolute: float
    relative: float


@dataclass(frozen=True)
class Parity:
    """The difference between two implementations for each batch size; none if they are the same."""

    batches: tuple[BatchParity, ...] = ()

    def to_list(self) -> list[dict[str, Any]]:
        """Plain values for JSON."""
        return [asdict(batch) for batch in self.batches]


class Servable(nn.Module, ABC):
    """A module from named raw inputs to named results, each with the batch as its first axis."""

    @property
    @abstractmethod
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of its networks."""

    @property
    def outside(self) -> tuple[str, ...]:
        """Names of members that are computed outside of torch; with any, the module cannot be exported."""
        return ()

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs of ``forward`` with their shapes, without the batch."""

    @property
    @abstractmethod
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The outputs of ``forward``, in order, with their shapes, without the batch."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of a relative distance, for messages."""

    @abstractmethod
    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Random inputs that resemble the training data."""

    @abstractmethod
    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between the results of another implementation and its own.

        Args:
            found: Results of the other implementation.
            expected: Its own results.
            inputs: The inputs of both.
        """


@dataclass(frozen=True)
class Stored:
    """What a bundle holds beside ``bundle.json``.

    Attributes:
        vocabularies: The content of each vocabulary file.
        arrays: The content of ``weights.safetensors``: for each member, its arrays by name.
    """

    vocabularies: list[dict[str, Any]]
    arrays: list[dict[str, Tensor]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle(Predictor):
    """A trained model with its origin and everything needed to predict from a raw table, computed by PyTorch.

    The class of a new task stands in :data:`lstmgru.specs.tasks.TASKS`.

    Attributes:
        members: What is blended; one network alone is a blend of one member.
        metrics: ``holdout`` (metric → value), ``baselines`` (name → value of the task's metric), ``single`` (``name``
            and ``score`` of the best network alone) and ``verdict``, as far as they are known; for forecasts also
            ``intervals`` (rows of ``level``, ``coverage``, ``width``), for classes ``classes`` (rows such as ``class``,
            ``support``, ``precision``).
        provenance: Data and its digest, study, trial, seed, versions, time, and ``trained_on`` (``everything`` or
            ``before_holdout``), as far as they are known.
        example: A raw table that the model can predict from; in a loaded bundle, its dates are ISO text.
    """

    axes: ClassVar[Mapping[str, str]]
    """The axes of every input and output of the ONNX model, by name: ``batch, step``."""
    integers: ClassVar[tuple[str, ...]]
    """Names of its inputs of integers."""
    renamed_weights: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Prefixes of weights in files of earlier versions → their current names."""

    members: tuple[Member, ...]
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    example: pd.DataFrame | None = None

    @classmethod
    @abstractmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a bundle from its description, its networks with random weights; the inverse of :meth:`describe`.

        Args:
            description: The content of ``bundle.json``, in the form of the current version.
            stored: The content of the other files.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
        """

    @property
    @abstractmethod
    def task_name(self) -> str:
        """The task under which the bundle is registered, such as ``forecast``."""

    @property
    @abstractmethod
    def servable(self) -> Servable:
        """The blend with all scaling inside, in evaluation mode."""

    @property
    @abstractmethod
    def network_share(self) -> Servable | None:
        """The share of the networks in a blend with members outside of torch; ``None`` without networks."""

    @abstractmethod
    def parity(self, model: Any) -> Parity:
        """Compare what PyTorch computes with a model without PyTorch, whose baselines NumPy computes.

        Args:
            model: The same bundle, as :func:`lstmgru.runtime.load_model` loads it.

        Raises:
            BundleError: They differ by more than rounding errors.
        """

    @property
    def networks(self) -> tuple[NetworkMember, ...]:
        """The members that are networks."""
        return tuple(member for member in self.members if isinstance(member, NetworkMember))

    def arrays(self) -> list[dict[str, Tensor]]:
        """What ``weights.safetensors`` holds: for each member, its arrays by name."""
        return [member.arrays() for member in self.members]

    @property
    def extra_arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """What the bundle holds beside the weights, by name, see :meth:`Predictor.with_arrays`."""
        return {}

    @property
    def vocabularies(self) -> list[dict[str, Any]]:
        """The content of each vocabulary file; none for a model that does not read text."""
        return []

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The part of ``bundle.json`` that is specific to the task, as plain values.

        Raises:
            BundleError: A value cannot be represented in JSON.
        """

    @abstractmethod
    def card(self, description: dict[str, Any]) -> Card:
        """The content of the model card.

        Args:
            description: The whole content of ``bundle.json``.
        """
