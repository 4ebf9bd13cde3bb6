"""A model of sequences or texts that ONNX Runtime computes."""

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
from lstmgru.runtime.graph import OnnxGraph, Stored
from lstmgru.runtime.sequences.predictor import Array, SequencePredictor, described_values, input_names


@dataclass(frozen=True, eq=False, kw_only=True)
class OnnxLabeler(SequencePredictor):
    """A model of sequences or texts whose graph includes scaling.

    Attributes:
        graph: Its inputs are in original units or codes of tokens.
        vocabularies: Of each kind of tokens, words first; none for numbers.

    Raises:
        SpecError: The graph is that of another model.
    """

    graph: OnnxGraph
    vocabularies: tuple[Vocabulary, ...] = ()

    @classmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a model from the content of a bundle.

        Args:
            description: The content of ``bundle.json``.
            stored: The content of the other files.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
        """
        if stored.graph is None or stored.arrays is not None:
            raise SpecError("mixture must be null for a model of sequences or texts")
        whole = tuple(Vocabulary.from_dict(content) for content in stored.vocabularies)
        return cls(**described_values(description), graph=stored.graph, vocabularies=whole)

    def __post_init__(self) -> None:
        expected: dict[str, tuple[int, ...]] = {}
        rest = () if self.vocabularies else (self.schema.n_channels,)
        for name, lengths in self.sources.values():
            expected |= {name: (*self.graph.shapes.get(name, ())[:1], *rest), lengths: ()}
        classes = {"label": (), "probabilities": (self.task.n_outputs,)}
        self.graph.check(expected, classes if self.task.classes else {"value": ()})

    @cached_property
    def sources(self) -> dict[str | None, tuple[str, str]]:
        """Names of the input and of its lengths, for each kind of tokens, or for ``None``: numbers."""
        return input_names(tuple(self.merged_vocabularies))

    @cached_property
    def merged_vocabularies(self) -> dict[str, Vocabulary]:
        """The vocabulary of each kind of tokens; none for numbers."""
        return {vocabulary.kind: vocabulary for vocabulary in self.vocabularies}

    def max_length(self, kind: str | None) -> int:
        """Steps or tokens of a kind, which every input of the graph has."""
        (steps, *_) = self.graph.shapes[self.sources[kind][0]]
        return int(steps)

    def _steps(self, lengths: Indices) -> Indices:
        return np.full_like(lengths, self.max_length(next(iter(self.sources))))

    def _for_each(self, compute: Callable[[Any], None], batches: Iterable[Any]) -> None:
        self.graph.for_each(compute, batches)

    def compute(self, inputs: dict[str, npt.NDArray[Any]]) -> Array:
        """Run the model, see :meth:`SequencePredictor.compute`."""
        whole = {name: _padded_to(array, self.graph.shapes[name]) for name, array in inputs.items()}
        (outputs,) = self.graph.run(whole, ["probabilities" if self.task.classes else "value"])
        return outputs.reshape(len(outputs), -1)


def _padded_to(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Sequences (B, T', …) with as many steps as a shape (T, …) has; lengths (B,) are returned unchanged."""
    if not shape:
        return array
    whole = np.zeros((len(array), *shape), array.dtype)
    whole[:, : array.shape[1]] = array
    return whole
