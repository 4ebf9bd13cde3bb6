"""A forecasting model that ONNX Runtime computes, and NumPy where a member cannot stand in ONNX."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import input_spec
from lstmgru.data.forecasting.windows import window_scale
from lstmgru.errors import SpecError
from lstmgru.runtime.forecasting.baselines import WeightedBaseline, stored_baselines
from lstmgru.runtime.forecasting.conformal import quantile_forecast
from lstmgru.runtime.forecasting.description import described_values
from lstmgru.runtime.forecasting.predictor import ForecastPredictor
from lstmgru.runtime.forecasting.signature import ForecastSignature
from lstmgru.runtime.forecasting.validation import Array
from lstmgru.runtime.graph import SHARE, OnnxGraph, Stored
from lstmgru.runtime.members import NETWORK
from lstmgru.specs import ModelSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class OnnxForecaster(ForecastPredictor):
    """A forecasting model without PyTorch.

    Attributes:
        graph: The whole model with scaling and calibration, in original units; with ``baselines``, the weighted sum of
            the networks, ``None`` if there are none.
        networks: Architectures of the networks; their layers do not matter here.
        baselines: All baselines of a blend, if one of them cannot stand in ONNX.

    Raises:
        SpecError: The graph is that of another model.
    """

    graph: OnnxGraph | None
    networks: tuple[ModelSpec, ...]
    baselines: tuple[WeightedBaseline, ...] = ()

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
        # The graph has the layers. Their cell may be a custom one, which need not be registered here.
        specs = [
            ModelSpec.from_dict({**values["model"], "branches": "lstm(1)"})
            for values in members
            if values["kind"] == NETWORK
        ]
        baselines: tuple[WeightedBaseline, ...] = ()
        if stored.arrays is not None:
            inputs = input_spec(known["schema"], n_series=len(known["ids"]), short_series=known["short_series"])
            baselines = stored_baselines(members, stored.arrays, inputs, known["forecast"])
        return cls(**known, graph=stored.graph, networks=tuple(specs), baselines=baselines)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.graph is None) != (not self.networks and bool(self.baselines)):
            raise SpecError("mixture.networks must be the file of the networks, and null without networks")
        if self.graph is None:
            return
        shapes, outputs = self.signature.shapes, self.output_shapes
        if self.baselines:
            share = self.graph.output_shapes.get(SHARE, ())
            quantiles = share[-1] if share[-1:] == (len(self.forecast.quantiles),) else 1
            shapes, outputs = self._of_graph.shapes, {SHARE: (*outputs["forecast"], quantiles)}
        self.graph.check(shapes, outputs)

    @cached_property
    def signature(self) -> ForecastSignature:
        """The arrays that the members read."""
        rows = max([self._rows_of_graph, *(each.baseline.context_length for each in self.baselines)])
        return ForecastSignature(self.inputs, self.forecast.horizon, rows, self.networks)

    def compute(self, inputs: dict[str, npt.NDArray[Any]]) -> list[Array]:
        """Run the model, see :meth:`ForecastPredictor.compute`."""
        if self.graph is not None and not self.baselines:
            return self.graph.run(inputs, list(self.output_shapes))
        shares = [each.share(inputs, self.forecast)[..., None] for each in self.baselines]
        if self.graph is not None:
            shares += self.graph.run(self._read_by_graph(inputs), [SHARE])
        return self._finished(sum(shares[1:], start=shares[0]), inputs)

    def _finished(self, blended: Array, inputs: dict[str, npt.NDArray[Any]]) -> list[Array]:
        """Forecasts and quantiles from the (B, H, Y, Q) weighted sum of all members."""
        forecast: Array = blended[..., blended.shape[-1] // 2]
        calibration, past = self.calibration, inputs["past"]
        if calibration is None:
            return [forecast]
        scale = np.ones((len(past), len(self.schema.targets)), np.float32)
        if calibration.scaled:
            targets = past[..., : len(self.schema.targets)]
            scale = window_scale(targets, calibration.season_length, inputs.get("lengths"))
        quantiles = quantile_forecast(calibration, blended if blended.shape[-1] > 1 else forecast, scale)
        return [forecast, self.forecast.clip(quantiles, axis=-2)]

    @property
    def _rows_of_graph(self) -> int:
        """Rows of history that the graph reads."""
        if self.graph is None:
            return 0
        (rows, _) = self.graph.shapes.get("past", (0, 0))
        return int(rows)

    @cached_property
    def _of_graph(self) -> ForecastSignature:
        """The inputs of the graph."""
        return ForecastSignature(self.inputs, self.forecast.horizon, self._rows_of_graph, self.networks)

    def _read_by_graph(self, inputs: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Those of the arrays that the networks read, and the last rows of contexts."""
        rows, past = self._rows_of_graph, inputs["past"]
        read = {name: inputs[name] for name in self._of_graph.shapes}
        read["past"] = np.ascontiguousarray(past[:, past.shape[1] - rows :])
        if "lengths" in read:
            read["lengths"] = np.minimum(read["lengths"], rows)
        return read

    def _for_each(self, compute: Callable[[Any], None], batches: Iterable[Any]) -> None:
        if self.graph is None:
            super()._for_each(compute, batches)
        else:
            self.graph.for_each(compute, batches)
