"""A network as boxes: what :mod:`search.reports.architecture` describes and :mod:`search.reports.diagram` draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from lstmgru.specs import LayerSpec

Skip = Literal["", "same", "linear"]
"""What goes around a layer: nothing, its input as it is, or its input through a linear map."""


@dataclass(frozen=True)
class Box:
    """A step of the computation.

    Attributes:
        title: Its name.
        lines: What it does.
        kind: ``data`` or ``step``.
        arrow: What stands at the arrow that leads to it.
        recalls: Whether it reads the outputs of the recurrent layers again, past the box before it.
    """

    title: str
    lines: tuple[str, ...] = ()
    kind: Literal["data", "step"] = "step"
    arrow: str = ""
    recalls: bool = False


@dataclass(frozen=True)
class LayerBox:
    """A recurrent layer.

    Attributes:
        spec: Its cell, width and directions.
        skip: What is added to its output.
        norm: Whether its output is normalised.
        dropout: Probability with which features of its input are dropped.
    """

    spec: LayerSpec
    skip: Skip
    norm: bool
    dropout: float


@dataclass(frozen=True)
class Network:
    """Everything that a diagram shows.

    Attributes:
        before: From the data to what the first layers read.
        branches: Stacks of layers, side by side.
        merge: How several become one; nothing where there is one.
        after: From the outputs of the layers to the forecast.
    """

    before: tuple[Box, ...]
    branches: tuple[tuple[LayerBox, ...], ...]
    merge: tuple[Box, ...]
    after: tuple[Box, ...]


@dataclass(frozen=True)
class Roles:
    """What a network reads and forecasts.

    Attributes:
        targets: Columns.
        past: Covariates that are known up to the cutoff.
        ahead: Covariates and calendar features that are known over the horizon, too.
        static: Of a series.
        horizon: H.
        levels: Of the intervals.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    horizon: int = 1
    levels: tuple[float, ...] = ()

    @classmethod
    def of_study(cls, config: Mapping[str, Any]) -> Self:
        """Of a study file with every default filled in."""
        data, forecast = config["data"], config["forecast"]
        calendar = data.get("calendar", "none")
        features = {"none": (), "auto": ("the calendar",)}[calendar] if isinstance(calendar, str) else calendar
        return cls(
            targets=tuple(data["target"]),
            past=tuple(data.get("past_covariates", ())),
            ahead=(*data.get("future_covariates", ()), *features),
            static=tuple(data.get("static_covariates", ())),
            horizon=forecast["horizon"],
            levels=tuple(forecast.get("levels", ())),
        )
