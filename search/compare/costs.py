"""Memory and latency of a network, measured in a new process while no other job runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from search.compare.results import Costs
from search.tasks.compare import BATCH

if TYPE_CHECKING:
    from search.executors.base import JobContext
    from search.tasks.final_steps import RefitCandidate


def measure(candidate: RefitCandidate, context: JobContext) -> Costs:
    """Train one epoch on the last fold and measure; a job for a new process.

    The peak resident size never shrinks, so nothing large may have run before. The same network with layers of one unit
    is trained on one example first, so that imports, compiled kernels and the data are loaded before the first reading.
    """
    from lstmgru.nn.costs import network_latency

    del context  # it takes seconds, and is not stopped
    one_epoch = replace(candidate.train, max_epochs=1)
    small, tiny = candidate.smallest(), replace(one_epoch, epoch_windows=1, min_epoch_windows=1)
    small.task.fit(small.data, small.data.folds[-1], small.model, tiny, validate=False)
    before, data = peak_memory(), candidate.data
    network = candidate.task.fit(data, data.folds[-1], candidate.model, one_epoch).network
    after = peak_memory()
    return Costs(
        latency=network_latency(network, 1),
        batch_latency=network_latency(network, BATCH),
        memory=None if before is None or after is None else after - before,
    )


def peak_memory() -> int | None:
    """Peak resident size of this process in bytes; ``None`` where the system does not report it (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
