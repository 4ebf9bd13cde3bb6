"""How much a study may still spend: trials and seconds, both totals over all of its runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# ONNX export with its parity check, MLflow's model and its registration, before the machine's speed is known…
EXPORT_SECONDS = 12.0
# … and then in units of the time that a worker took to start, which is importing, as most of an export is.
EXPORT_STARTUPS = 1.5
# In a process that has imported everything before, starting takes no time, but exporting does.
FEWEST_EXPORT_SECONDS = 6.0
# A refit sees more data than any fold; the longest fold of the best trial, and this much more.
REFIT_FACTOR = 1.5


@dataclass
class Budget:
    """What is left of a study's budget.

    Attributes:
        trials: Trials of the study in total.
        timeout: Seconds of the study in total, refit and export included; ``None``: no limit.
        spent: Seconds that earlier runs of the study took.
        export_seconds: What the export is expected to take, see :meth:`calibrate`.
        clock: Seconds; monotonic.
    """

    trials: int
    timeout: float | None
    spent: float = 0.0
    clock: Callable[[], float] = time.monotonic
    export_seconds: float = EXPORT_SECONDS
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds over all runs of the study."""
        return self.spent + self.clock() - self._start

    def calibrate(self, startup_seconds: float) -> None:
        """Expect the export to take as long as this machine lets it.

        Args:
            startup_seconds: What a worker took to start.
        """
        self.export_seconds = max(FEWEST_EXPORT_SECONDS, EXPORT_STARTUPS * startup_seconds)

    def search_seconds_left(self, refit_seconds: float) -> float:
        """Seconds until the search must stop so that refit and export still fit.

        Args:
            refit_seconds: The longest fold of the best trial so far.
        """
        if self.timeout is None:
            return float("inf")
        return self.timeout - self.elapsed - self.export_seconds - REFIT_FACTOR * refit_seconds

    def refit_seconds_left(self) -> float:
        """Seconds that a refit may take so that the export still fits."""
        return float("inf") if self.timeout is None else self.timeout - self.elapsed - self.export_seconds
