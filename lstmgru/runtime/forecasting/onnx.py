"""A forecasting model that ONNX Runtime computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy.typing as npt

from lstmgru.runtime.forecasting.description import described_values
from lstmgru.runtime.forecasting.predictor import ForecastPredictor
from lstmgru.runtime.forecasting.signature import ForecastSignature
from lstmgru.runtime.forecasting.validation import Array
from lstmgru.runtime.graph import OnnxGraph
from lstmgru.specs import ModelSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class OnnxForecaster(ForecastPredictor):
    """A forecasting model whose graph includes scaling and calibration.

    Attributes:
        graph: Its inputs and outputs are in original units.
        networks: Architectures of the networks in it; their layers do not matter here.

    Raises:
        SpecError: The graph is that of another model.
    """

    graph: OnnxGraph
    networks: tuple[ModelSpec, ...]

    @classmethod
    def from_description(
        cls, description: dict[str, Any], vocabularies: Sequence[dict[str, Any]], graph: OnnxGraph
    ) -> Self:
        """Build a model from the content of a bundle.

        Args:
            description: The content of ``bundle.json``.
            vocabularies: Of the vocabulary files; there are none.
            graph: The content of ``model.onnx``.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
        """
        del vocabularies
        # The graph has the layers. Their cell may be a custom one, which need not be registered here.
        specs = [
            ModelSpec.from_dict({**values["model"], "branches": "lstm(1)"})
            for values in description["members"]
            if values["kind"] == "network"
        ]
        return cls(**described_values(description), graph=graph, networks=tuple(specs))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.graph.check(self.signature.shapes, self.output_shapes)

    @cached_property
    def signature(self) -> ForecastSignature:
        """The inputs of the graph."""
        (rows, _) = self.graph.shapes.get("past", (0, 0))
        return ForecastSignature(self.inputs, self.forecast.horizon, rows, self.networks)

    def _for_each(self, compute: Callable[[Any], None], batches: Iterable[Any]) -> None:
        self.graph.for_each(compute, batches)

    def _compute(self, inputs: dict[str, npt.NDArray[Any]]) -> list[Array]:
        return self.graph.run(inputs, list(self.output_shapes))
