"""Axes of charts: positions of values, rounded ticks, and the text of values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from lstmgru.evaluation.decimals import fixed

Kind = Literal["number", "log", "time", "words"]

_MARGIN = 0.04
"""Share of the range that is added at both ends of an axis."""
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 31_556_952
_CLOCK_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)
_DAY_STEPS = (1, 2, 7, 14)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDE_LOG = 2.5
"""Number of decades from which a logarithmic axis has ticks at powers of ten only."""
_MOST_LOG_TICKS = 6
_PLAIN = (1e-3, 1e7)
"""Absolute values that are written without an exponent on logarithmic axes."""


@dataclass(frozen=True)
class Axis:
    """An axis, before its range is known.

    Attributes:
        title: Quantity and unit; empty if the values explain themselves.
        kind: ``number``, ``log`` for positive numbers, ``time`` for seconds since 1970 (local time without zone), or
            ``words``, whose values are the positions 0, 1, … of ``words``.
        words: Names of the positions.
        span: The drawn range; ``None``: that of the values, with a margin.
        whole: Whether the values are integers.
        zero: Whether the range starts at 0.
        hidden: Whether neither ticks nor grid are drawn.
        decimals: Of the values of a ``number`` axis in texts; ``None``: those that its range needs.
    """

    title: str = ""
    kind: Kind = "number"
    words: tuple[str, ...] = ()
    span: tuple[float, float] | None = None
    whole: bool = False
    zero: bool = False
    hidden: bool = False
    decimals: int | None = None

    def fitted(self, values: Iterable[float]) -> Axis:
        """The axis with the range of the values."""
        if self.kind == "words":
            return replace(self, span=(-0.5, len(self.words) - 0.5))
        known = [value for value in values if math.isfinite(value) and (self.kind != "log" or value > 0)]
        if self.span is not None or not known:
            return self if self.span else replace(self, span=(1.0, 10.0) if self.kind == "log" else (0.0, 1.0))
        low, high = min(known), max(known)
        if self.kind == "log":
            factor = (high / low) ** _MARGIN if high > low else 1.5
            return replace(self, span=(low / factor, high * factor))
        margin = _MARGIN * (high - low) or 0.1 * abs(high) or 1.0
        if self.zero:
            return replace(self, span=(min(0.0, low), max(0.0, high) + margin))
        return replace(self, span=(low - margin, high + margin))

    @property
    def ends(self) -> tuple[float, float]:
        """The range of a fitted axis."""
        assert self.span is not None  # charts fit their axes
        return self.span

    def at(self, value: float) -> float:
        """Position of a value as a share of the axis, 0 at its lower end."""
        low, high = self.ends
        if self.kind == "log":
            if value <= 0:
                return math.nan
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)

    def text(self, value: float) -> str:
        """A value with the decimals that the range of the axis needs."""
        if not math.isfinite(value):
            return ""
        if self.kind == "words":
            return self.words[round(value)] if 0 <= round(value) < len(self.words) else ""
        if self.kind == "time":
            return f"{_date(value):%Y-%m-%d}" + ("" if value % _DAY == 0 else f" {_date(value):%H:%M}")
        if self.whole:
            return f"{round(value):,}"
        if self.kind == "log":
            return f"{value:.4g}" if _PLAIN[0] <= abs(value) < _PLAIN[1] else f"{value:.2e}"
        low, high = self.ends
        needed = max(0, 3 - math.floor(math.log10(high - low)))
        return fixed(value, needed if self.decimals is None else self.decimals)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Values and labels of at most about that many ticks."""
        low, high = self.ends
        if self.kind == "words":
            return list(enumerate(self.words))
        if self.kind == "time":
            return _time_ticks(low, high, most)
        if self.kind == "log" and len(found := _log_ticks(low, high)) > 1:
            return [(tick, self._log_label(tick)) for tick in found]
        step = nice_step((high - low) / most)
        if self.whole:
            step = max(1.0, step)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return [(number * step, fixed(number * step, decimals)) for number in range(first, last + 1)]

    def _log_label(self, tick: float) -> str:
        return f"{tick:,.0f}" if tick >= 1000 else f"{tick:g}"


def nice_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten; on a short axis also their multiples by two and five."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if math.log10(high / low) > _WIDE_LOG else (1, 2, 5)
    ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
    inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
    return inside[:: -(-len(inside) // _MOST_LOG_TICKS) or 1]


def _time_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    least = (high - low) / most
    for step in _CLOCK_STEPS:
        if step >= least:
            return _labelled(_multiples(low, high, step), "%H:%M" if step >= _MINUTE else "%H:%M:%S", "%-d %b", "%j")
    for days in _DAY_STEPS:
        if days * _DAY >= least:
            return _labelled(_multiples(low, high, days * _DAY), "%-d %b", "%-d %b %Y", "%Y")
    months = next((step for step in _MONTH_STEPS if step * _YEAR / 12 >= least), _MONTH_STEPS[-1])
    ticks = _months(low, high, months)
    return _labelled(ticks, *(("%Y", "%Y", "%Y") if months >= 12 else ("%b", "%b %Y", "%Y")))


def _multiples(low: float, high: float, step: int) -> list[float]:
    return [float(number * step) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _months(low: float, high: float, step: int) -> list[float]:
    """The first days of every ``step``-th month, counted from January of year 1."""
    first = _date(low)
    number = (first.year * 12 + first.month - 1) // step * step
    ticks: list[float] = []
    while number // 12 <= datetime.max.year:
        tick = (datetime(max(1, number // 12), number % 12 + 1, 1, tzinfo=UTC) - _EPOCH).total_seconds()
        if tick > high:
            break
        ticks += [tick] if tick >= low else []
        number += step
    return ticks


def _labelled(ticks: Sequence[float], short: str, long: str, unit: str) -> list[tuple[float, str]]:
    """Ticks with short labels, and a long one where a larger unit of time begins."""
    found, before = [], ""
    for tick in ticks:
        date = _date(tick)
        now = f"{date:{unit}}"
        found.append((tick, f"{date:{short if now == before else long}}"))
        before = now
    return found


def _date(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
