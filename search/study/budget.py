"""The budget of a study in trials and seconds, both totals over all of its runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# ONNX export with parity check, logging and registration of the model, before the speed of the machine is known.
EXPORT_SECONDS = 12.0
# Afterwards in units of the startup time of a worker, because both consist mostly of imports.
EXPORT_STARTUPS = 1.5
# In a process that has already imported everything, the startup takes no time, but the export does.
FEWEST_EXPORT_SECONDS = 6.0
# A refit takes this multiple of the longest fold of the best trial, because it has more data than any fold.
REFIT_FACTOR = 1.5

# Most of the time limit that is reserved for the refits of a blend.
REFIT_SHARE = 0.2


@dataclass
class TimeBudget:
    """A total time over all runs of a study or a comparison.

    Attributes:
        timeout: Total seconds; ``None``: no limit.
        spent: Seconds of earlier runs.
        clock: Monotonic clock, in seconds.
    """

    timeout: float | None
    spent: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds over all runs."""
        return self.spent + self.clock() - self._start

    @property
    def left(self) -> float:
        """Remaining seconds; infinite without a limit."""
        return float("inf") if self.timeout is None else self.timeout - self.elapsed


@dataclass
class Budget(TimeBudget):
    """The remaining budget of a study, including refit and export.

    Attributes:
        trials: Total number of trials; ``None``: no limit.
        export_seconds: Expected duration of the export, see :meth:`calibrate`.
    """

    trials: int | None = field(kw_only=True)
    export_seconds: float = field(default=EXPORT_SECONDS, kw_only=True)

    def calibrate(self, startup_seconds: float) -> None:
        """Adapt the expected duration of the export to the speed of this machine.

        Args:
            startup_seconds: Startup time of a worker.
        """
        self.export_seconds = max(FEWEST_EXPORT_SECONDS, EXPORT_STARTUPS * startup_seconds)

    def search_seconds_left(self, refit_seconds: float, *, rounds: int = 1) -> float:
        """Seconds until the search must stop to leave time for refits and export.

        Args:
            refit_seconds: Seconds of the longest fold of the best trial so far.
            rounds: How many networks are trained one after the other; more than one get a share of the time limit at
                most, because the refits that matter least are left out if they do not fit.
        """
        one = REFIT_FACTOR * refit_seconds
        several = rounds * one if self.timeout is None else min(rounds * one, REFIT_SHARE * self.timeout)
        return self.left - self.export_seconds - max(one, several)

    def refit_seconds_left(self) -> float:
        """Seconds that a refit may take to leave time for the export."""
        return self.left - self.export_seconds
