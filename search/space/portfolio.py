"""Configurations that complement each other on many data sets: the first candidates of a study.

The configurations were selected by ``benchmarks/portfolio.py`` and stand in the folder of their task. They are relative
to the data, because contexts, segments and batch sizes follow from it: those are positions among the values of a space,
from 0 for the smallest to 1 for the largest. Other values are absolute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from search.space.space import LAYER_KEYS, Parameters, SearchSpace, key_of

if TYPE_CHECKING:
    from pathlib import Path

    from optuna.trial import BaseTrial

POSITIONS = ("context_length", "segment_length", "batch_size")
"""Keys whose values in a portfolio are positions."""


@cache
def load_portfolio(file: Path) -> tuple[Mapping[str, Any], ...]:
    """The configurations of a portfolio, those that train fast first.

    Args:
        file: JSON, in the folder of the task: a list of objects.
    """
    return tuple(json.loads(file.read_text(encoding="utf-8")))


def first_candidates(space: SearchSpace, configurations: Sequence[Mapping[str, Any]]) -> tuple[Parameters, ...]:
    """The distinct candidates of a space that are nearest to configurations of a portfolio.

    Args:
        space: What they must be part of.
        configurations: Of a portfolio.
    """
    found: list[Parameters] = []
    for configuration in configurations:
        if (parameters := nearest(space, configuration)) and parameters not in found:
            found.append(parameters)
    return tuple(found)


def nearest(space: SearchSpace, configuration: Mapping[str, Any]) -> Parameters:
    """The candidate of a space that is nearest to a configuration of a portfolio, as a trial has it.

    A number that the space does not hold becomes the nearest one that it does, and a name the first of the space's
    values. A key that the configuration does not have gets its first or smallest value, and a layer the values of the
    first layer.

    Args:
        space: What it must be part of.
        configuration: Values by parameter, relative to the data.
    """
    trial = _NearestTrial(configuration)
    space.suggest(cast("BaseTrial", trial))
    return trial.params


class _NearestTrial:
    """Suggests what is nearest to a configuration.

    Args:
        configuration: Values by parameter, relative to the data.
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self.params: Parameters = {}
        self._configuration = configuration

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        wanted = self._wanted(name)
        numbers = sorted(choice for choice in choices if _is_number(choice))
        if numbers and key_of(name) in POSITIONS and wanted is not None:
            chosen = numbers[round(wanted * (len(numbers) - 1))]
        elif numbers and _is_number(wanted):
            chosen = min(numbers, key=lambda number: abs(number - wanted))
        else:
            chosen = wanted if wanted in choices else choices[0]
        self.params[name] = chosen
        return chosen

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        chosen = round(self._number(name, low, high, step, log=log))
        self.params[name] = chosen
        return chosen

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        chosen = float(self._number(name, low, high, step, log=log))
        self.params[name] = chosen
        return chosen

    def _number(self, name: str, low: float, high: float, step: float | None, *, log: bool) -> float:
        """The nearest number of a range."""
        wanted = self._wanted(name)
        if not _is_number(wanted):
            return low
        if key_of(name) in POSITIONS:
            wanted = low * (high / low) ** wanted if log else low + wanted * (high - low)
        within: float = min(max(wanted, low), high)
        return within if step is None else min(high, low + round((within - low) / step) * step)

    def _wanted(self, name: str) -> Any:
        """The value of the configuration; of a layer that it does not have, that of the first layer."""
        key = key_of(name)
        return self._configuration.get(name, self._configuration.get(f"{key}_1") if key in LAYER_KEYS else None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
