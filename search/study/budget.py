"""The budget of a study in trials and seconds, both totals over all of its runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# Scoring of the holdout and registration of the model, imports for its ONNX graph, and the graph of each network, in
# units of the startup time of a worker: they depend on the speed of the machine in the same way.
EXPORT_STARTUPS, ONNX_STARTUPS, NETWORK_STARTUPS = 0.5, 0.4, 0.15
# The startup time of a worker before it is known, and the least: a process that has already imported everything needs
# none, but the export does.
USUAL_STARTUP, LEAST_STARTUP = 6.0, 4.0
# Most of the time limit that is reserved for the refits of a blend.
REFIT_SHARE = 0.2
# The least: running trials stop, a blend is selected, and its quick baselines are fitted again.
LEAST_REFIT_SECONDS = 3.0


def expected_export(startup_seconds: float | None, networks: int) -> float:
    """Expected seconds from the last refit to the end of the run.

    Args:
        startup_seconds: Startup time of a worker; ``None``: unknown yet.
        networks: Networks of the blend, which are exported to ONNX.
    """
    startup = USUAL_STARTUP if startup_seconds is None else max(LEAST_STARTUP, startup_seconds)
    onnx = ONNX_STARTUPS + NETWORK_STARTUPS * networks if networks else 0.0
    return startup * (EXPORT_STARTUPS + onnx)


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
        export_seconds: Expected duration of the export, see :func:`expected_export`.
    """

    trials: int | None = field(kw_only=True)
    export_seconds: float = field(default=expected_export(None, 1), kw_only=True)

    def search_seconds_left(self, scored: Sequence[float], exported: Sequence[float] = (), *, jobs: int = 1) -> float:
        """Seconds until the search must stop to leave time for refits and export.

        All refits together get a share of the time limit at most, because those that matter least are left out if they
        do not fit; but enough for the longest one that must be scored, and some seconds.

        Args:
            scored: Expected seconds of each refit before the holdout.
            exported: Likewise of those on everything, without which the scored models are exported.
            jobs: How many run at once.
        """
        longest, several = max(scored, default=0.0), (sum(scored) + sum(exported)) / jobs
        if self.timeout is not None:
            several = min(several, REFIT_SHARE * self.timeout)
        return self.left - self.export_seconds - max(longest, several, LEAST_REFIT_SECONDS)

    def refit_seconds_left(self) -> float:
        """Seconds that a refit may take to leave time for the export."""
        return self.left - self.export_seconds
