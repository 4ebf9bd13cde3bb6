"""Time limits of baselines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from lstmgru.errors import BaselineTooSlow


@dataclass(frozen=True)
class TimeLimit:
    """Stops a baseline that would take too long.

    Attributes:
        seconds: Time limit, from the moment at which this object is made.
        should_stop: Asks whether to stop for another reason, such as Ctrl-C.
        started: When the limit began, on the monotonic clock.
        part_started: When the current part of the work began; ``None``: with the limit.
    """

    seconds: float = float("inf")
    should_stop: Callable[[], bool] = lambda: False
    started: float = field(default_factory=time.monotonic)
    part_started: float | None = None

    def next_part(self) -> Self:
        """The same limit, for another part of the work that begins now."""
        return replace(self, part_started=time.monotonic())

    def check(self, done: int = 0, total: int = 0) -> None:
        """Stop if the time is up, or will be before the work is done.

        Args:
            done: Finished steps of the current part of the work; 0: unknown.
            total: All steps of it.

        Raises:
            BaselineTooSlow: The limit is exceeded, or will be.
            InterruptedError: It should stop for another reason.
        """
        if self.should_stop():
            raise InterruptedError("the baseline was interrupted")
        now, began = time.monotonic(), self.started if self.part_started is None else self.part_started
        ahead = (now - began) * max(0.0, total / done - 1) if done else 0.0
        expected = now - self.started + ahead
        if expected > self.seconds:
            raise BaselineTooSlow(f"it would take {expected:.0f} s, longer than its limit of {self.seconds:.0f} s")


UNLIMITED = TimeLimit()
