"""What a network costs: memory, and the time of a forecast; in a fresh process, while nothing else runs here."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lstmgru.specs import ModelSpec, TrainSpec
from search.comparing.again import Candidate

if TYPE_CHECKING:
    from lstmgru.metrics import Evaluation
    from lstmgru.nn.network import ForecastNetwork
    from search.executors.base import Channel

BATCH = 64
"""Windows that are forecast at once, beside a single one."""


@dataclass(frozen=True)
class Costs:
    """What was measured of a family's best candidate.

    Attributes:
        latency: Seconds of a forecast of one window.
        batch_latency: Seconds of a forecast of :data:`BATCH` windows at once.
        memory: Bytes that an epoch of training, with its validation, added to the largest resident size of the process;
            ``None``: the system does not tell.
    """

    latency: float
    batch_latency: float
    memory: int | None


def measure(candidate: Candidate, channel: Channel) -> Costs:
    """Train one epoch on the last fold and measure. Run it in a process that has done nothing else.

    The largest resident size never shrinks, so what came before has to be small. The same network with layers of one
    unit is trained on one window first, so that every import, compiled kernels and the data are there before the first
    look.
    """
    from lstmgru.nn.latency import network_latency

    del channel  # it takes seconds, and is not stopped
    one_epoch = replace(candidate.train, max_epochs=1)
    _train(candidate, _narrow(candidate.model), replace(one_epoch, epoch_windows=1), None)
    before = peak_memory()
    last_fold = candidate.data.evaluation(candidate.data.folds[-1])
    network = _train(candidate, candidate.model, one_epoch, last_fold)
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


def _narrow(model: ModelSpec) -> ModelSpec:
    """The same architecture with the smallest layers."""
    branches = tuple(tuple(replace(layer, hidden_size=1) for layer in stack) for stack in model.branches)
    return replace(model, branches=branches)


def _train(candidate: Candidate, model: ModelSpec, train: TrainSpec, evaluation: Evaluation | None) -> ForecastNetwork:
    from lstmgru.training.fit import fit

    data = candidate.data
    fitted = fit(
        data.panel,
        data.folds[-1],
        model,
        train,
        data.forecast,
        evaluation=evaluation,
        short_series=data.short_series,
    )
    return fitted.network
