"""What trials are judged by: objectives and bounds, the Pareto front, and the one trial that a study exports."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lstmgru.errors import did_you_mean, listed
from search.errors import shown

ObjectiveName = Literal["score", "latency", "n_parameters", "train_seconds"]

SCORE = "score"
OBJECTIVES: tuple[str, ...] = get_args(ObjectiveName)
BOUNDED = OBJECTIVES[1:]
"""What can have a bound: everything but the score."""
MOST_OBJECTIVES = 3

_SECONDS = ("latency", "train_seconds")
_BOUND = re.compile(r"^\s*(\w+)\s*(<=|<|>=|>|==|=|≤)\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)\s*$")
_FORM = "must look like 'latency <= 2ms', 'n_parameters <= 50000' or 'train_seconds <= 60'"


@dataclass(frozen=True)
class Bound:
    """An upper limit of what a trial measures.

    Attributes:
        name: ``latency``, ``n_parameters`` or ``train_seconds``.
        limit: The largest value that keeps it, in seconds or parameters.
    """

    name: str
    limit: float

    def violation(self, value: float) -> float:
        """By what share a value is above the limit, ``value / limit - 1``; 0 or less keeps the bound."""
        return value / self.limit - 1

    def __str__(self) -> str:
        return f"{self.name} <= {measure_text(self.name, self.limit, digits=12)}"


def measure_text(name: str, value: float, *, digits: int = 4) -> str:
    """A measured value with its unit: ``2.5ms``, ``60s``, ``50000``.

    Args:
        name: ``latency``, ``n_parameters`` or ``train_seconds``.
        value: In seconds or parameters.
        digits: Significant ones.
    """
    if name == "n_parameters":
        return f"{value:.12g}"
    return f"{value * 1000:.{digits}g}ms" if name == "latency" else f"{value:.{digits}g}s"


def parse_bound(text: str) -> Bound:
    """The bound of ``latency <= 2ms``; times without a unit are seconds.

    Raises:
        ValueError: It is none; the message is the predicate of a key.
    """
    found = _BOUND.match(text)
    if found is None:
        raise ValueError(f"{_FORM} but got {shown(text)}")
    name, sign, number, unit = found.groups()
    if name not in BOUNDED:
        hint = did_you_mean(name, list(BOUNDED))
        raise ValueError(f"must bound {', '.join(BOUNDED)} but got {shown(text)}{hint}")
    if sign not in ("<=", "≤"):
        raise ValueError(f"{_FORM}, with '<=', but got {shown(text)}")
    scales = {"": 1.0, "s": 1.0, "ms": 1e-3} if name in _SECONDS else {"": 1.0}
    if unit not in scales:
        rule = "in s or ms" if name in _SECONDS else "a number without a unit"
        raise ValueError(f"must be {rule} for {name} but got {shown(text)}")
    limit = float(number) * scales[unit]
    if not 0 < limit < math.inf:
        raise ValueError(f"must have a limit above 0 but got {shown(text)}")
    return Bound(name, limit)


Measures = Mapping[str, float]
"""What is known about a trial, by objective."""


@dataclass(frozen=True)
class Goal:
    """What makes a trial the best one.

    Attributes:
        objectives: What is minimized; a score that is better the larger comes in with its sign changed.
        bounds: What a winner must keep.
        prefer: Weights of several objectives, see :meth:`best`; empty: the score alone decides.
    """

    objectives: tuple[str, ...] = (SCORE,)
    bounds: tuple[Bound, ...] = ()
    prefer: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_study(cls, config: Mapping[str, Any]) -> Goal:
        """The goal of a study whose file has these values."""
        search = config.get("search", {})
        return cls(
            tuple(search.get("objectives") or (SCORE,)),
            tuple(parse_bound(text) for text in search.get("bounds", ())),
            dict(search.get("prefer") or {}),
        )

    @property
    def single(self) -> bool:
        """Whether there is one objective only, so that trials are ranked and can be pruned."""
        return len(self.objectives) == 1

    def broken(self, measures: Measures) -> tuple[Bound, ...]:
        """The bounds that a trial is known to break."""
        return tuple(
            bound for bound in self.bounds if bound.name in measures and bound.violation(measures[bound.name]) > 0
        )

    def front(self, trials: Mapping[int, Measures]) -> list[int]:
        """The Pareto front: numbers of the trials within the bounds that no other such trial dominates.

        One trial dominates another if it is as good in every objective and better in one.

        Args:
            trials: Every objective of complete trials, by number.
        """
        points = sorted(
            (tuple(measures[name] for name in self.objectives), number)
            for number, measures in trials.items()
            if not self.broken(measures)
        )
        front: list[tuple[tuple[float, ...], int]] = []
        # In this order a trial can be dominated only by one that comes before it.
        for point, number in points:
            if not any(_dominates(other, point) for other, _ in front):
                front.append((point, number))
        return sorted(number for _, number in front)

    def best(self, trials: Mapping[int, Measures]) -> int | None:
        r"""The number of the trial to export; ``None`` if none keeps the bounds.

        Without weights it is the one with the best score. With weights :math:`w_o` it is the trial :math:`t` of the
        front with the smallest

        .. math:: \sum_o w_o \, \frac{v_o(t) - \min_o}{\max_o - \min_o},

        where the extremes are those of the front; an objective in which the front does not differ counts nothing.

        Args:
            trials: Every objective of complete trials, by number.
        """
        front = self.front(trials)

        def rank(number: int) -> tuple[float, float, int]:
            costs = (weight * _place(name, number) for name, weight in self.prefer.items() if weight > 0)
            return sum(costs), trials[number][SCORE], number

        def _place(name: str, number: int) -> float:
            values = [trials[other][name] for other in front]
            low, high = min(values), max(values)
            return (trials[number][name] - low) / (high - low) if high > low else 0.0

        return min(front, key=rank, default=None)

    def describe(self) -> str:
        """In words: ``score and latency, with n_parameters <= 50000``."""
        what = listed(self.objectives)
        return what + (f", with {listed([str(bound) for bound in self.bounds])}" if self.bounds else "")


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
