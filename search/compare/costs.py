"""What a network costs: memory, and the time of its outputs; in a fresh process, while nothing else runs here."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from search.tasks.retrain import Candidate

if TYPE_CHECKING:
    from search.executors.base import JobContext

BATCH = 64
"""Windows or sequences that are read at once, beside a single one."""


@dataclass(frozen=True)
class Costs:
    """What was measured of a family's best candidate.

    Attributes:
        latency: Seconds of the output for one window or sequence.
        batch_latency: Seconds of the outputs for :data:`BATCH` of them at once.
        memory: Bytes that an epoch of training, with its validation, added to the largest resident size of the process;
            ``None``: the system does not tell.
    """

    latency: float
    batch_latency: float
    memory: int | None


def measure(candidate: Candidate, channel: JobContext) -> Costs:
    """Train one epoch on the last fold and measure. Run it in a process that has done nothing else.

    The largest resident size never shrinks, so what came before has to be small. The same network with layers of one
    unit is trained on one example first, so that every import, compiled kernels and the data are there before the first
    look.
    """
    from lstmgru.nn.latency import network_latency
    from lstmgru.training.callbacks import SilentObserver

    del channel  # it takes seconds, and is not stopped
    one_epoch = replace(candidate.train, max_epochs=1)
    candidate.narrow().fit(candidate.last_fold, replace(one_epoch, epoch_windows=1, min_epoch_windows=1))
    before = peak_memory()
    network = candidate.data.fit(candidate.data.n_folds - 1, candidate.model, one_epoch, SilentObserver()).network
    after = peak_memory()
    return Costs(
        latency=network_latency(network, 1),
        batch_latency=network_latency(network, BATCH),
        memory=None if before is None or after is None else after - before,
    )


def peak_memory() -> int | None:
    """Bytes of this process's largest resident size so far; ``None`` where the system does not tell (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
