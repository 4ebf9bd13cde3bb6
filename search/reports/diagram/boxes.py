"""A network as boxes, between :mod:`search.reports.diagram.architecture` and :mod:`search.reports.diagram.diagram`."""

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
        norm: Whether its output is normalized.
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
        after: From the outputs of the layers to the forecast or the label.
    """

    before: tuple[Box, ...]
    branches: tuple[tuple[LayerBox, ...], ...]
    merge: tuple[Box, ...]
    after: tuple[Box, ...]


@dataclass(frozen=True)
class Roles:
    """What a network reads and tells.

    Attributes:
        targets: Columns that it forecasts, or that of the labels.
        past: Covariates that are known up to the cutoff; the channels of labeled sequences, where the study names
            them.
        ahead: Covariates and calendar features that are known over the horizon, too.
        static: Of a series.
        horizon: H.
        levels: Of the intervals.
        channels: Of labeled sequences of numbers; 0: there are none.
        text: Column of labeled texts.
        classes: C; 0: numbers are told.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    horizon: int = 1
    levels: tuple[float, ...] = ()
    channels: int = 0
    text: str | None = None
    classes: int = 0

    @classmethod
    def of_study(cls, config: Mapping[str, Any], found: Mapping[str, Any]) -> Self:
        """Of a study.

        Args:
            config: Its file, every default filled in.
            found: What its record says of the data.
        """
        return cls._of_labels(config["data"], found) if "labels" in config else cls._of_forecasts(config)

    @classmethod
    def _of_labels(cls, data: Mapping[str, Any], found: Mapping[str, Any]) -> Self:
        channels = found.get("channels", 0)
        named = tuple(data["channels"]) if len(data["channels"]) == channels else ()  # of a wide table they are steps
        return cls(
            targets=(data["target"] or "the label",),
            past=named,
            channels=channels,
            text=data["text"],
            classes=found.get("classes", 0),
        )

    @classmethod
    def _of_forecasts(cls, config: Mapping[str, Any]) -> Self:
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
