"""A model of sequences or texts that ONNX Runtime computes, and NumPy its baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import Indices
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.errors import SpecError
from lstmgru.runtime.graph import SHARE, OnnxGraph, Stored
from lstmgru.runtime.members import NETWORK
from lstmgru.runtime.sequences.baselines import WeightedBaseline, stored_baselines
from lstmgru.runtime.sequences.predictor import Array, SequencePredictor, described_values, input_names


@dataclass(frozen=True, eq=False, kw_only=True)
class OnnxLabeler(SequencePredictor):
    """A model of sequences or texts without PyTorch.

    Attributes:
        graph: The networks with scaling, whose inputs are in original units or codes of tokens; ``None`` if there are
            none.
        vocabularies: Of each kind of tokens, words first; none for numbers.
        weighted_baselines: The other members of a blend.

    Raises:
        SpecError: The graph is that of another model.
    """

    graph: OnnxGraph | None
    vocabularies: tuple[Vocabulary, ...] = ()
    weighted_baselines: tuple[WeightedBaseline, ...] = ()

    @classmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a model from the content of a bundle.

        Args:
            description: The content of ``bundle.json``.
            stored: The content of the other files.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
        """
        known, members = described_values(description), description["members"]
        if (stored.graph is None) != all(values["kind"] != NETWORK for values in members):
            raise SpecError("mixture.networks must be the file of the networks, and null without networks")
        whole = tuple(Vocabulary.from_dict(content) for content in stored.vocabularies)
        baselines: tuple[WeightedBaseline, ...] = ()
        if stored.arrays is not None:
            baselines = stored_baselines(members, stored.arrays, known["schema"], known["task"])
        return cls(**known, graph=stored.graph, vocabularies=whole, weighted_baselines=baselines)

    def __post_init__(self) -> None:
        if self.graph is None:
            return
        expected: dict[str, tuple[int, ...]] = {}
        rest = () if self.vocabularies else (self.schema.n_channels,)
        for name, lengths in self.sources.values():
            expected |= {name: (*self.graph.shapes.get(name, ())[:1], *rest), lengths: ()}
        self.graph.check(expected, self._outputs_of_graph)

    @property
    def _outputs_of_graph(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes; the outputs that are computed for a table are the last."""
        if self.weighted_baselines:
            return {SHARE: (self.task.n_outputs,)}
        return {"label": (), "probabilities": (self.task.n_outputs,)} if self.task.classes else {"value": ()}

    @cached_property
    def sources(self) -> dict[str | None, tuple[str, str]]:
        """Names of the input and of its lengths, for each kind of tokens, or for ``None``: numbers."""
        return {} if self.graph is None else input_names(tuple(self.merged_vocabularies))

    @cached_property
    def merged_vocabularies(self) -> dict[str, Vocabulary]:
        """The vocabulary of each kind of tokens; none for numbers."""
        return {vocabulary.kind: vocabulary for vocabulary in self.vocabularies}

    def max_length(self, kind: str | None) -> int:
        """Steps or tokens of a kind, which every input of the graph has."""
        (steps, *_) = self._graph.shapes[self.sources[kind][0]]
        return int(steps)

    def _steps(self, lengths: Indices) -> Indices:
        return np.full_like(lengths, self.max_length(next(iter(self.sources))))

    def _for_each(self, compute: Callable[[Any], None], batches: Iterable[Any]) -> None:
        self._graph.for_each(compute, batches)

    def compute(self, inputs: dict[str, npt.NDArray[Any]]) -> Array:
        """Run the graph, see :meth:`SequencePredictor.compute`."""
        whole = {name: _padded_to(array, self._graph.shapes[name]) for name, array in inputs.items()}
        (outputs,) = self._graph.run(whole, [*self._outputs_of_graph][-1:])
        return outputs.reshape(len(outputs), -1)

    @property
    def _graph(self) -> OnnxGraph:
        assert self.graph is not None  # without it, there are no inputs
        return self.graph


def _padded_to(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Sequences (B, T', …) with as many steps as a shape (T, …) has; lengths (B,) are returned unchanged."""
    if not shape:
        return array
    whole = np.zeros((len(array), *shape), array.dtype)
    whole[:, : array.shape[1]] = array
    return whole
