"""The latency of a trained network."""

from __future__ import annotations

import statistics
import time
from typing import Any, Protocol

import torch

WARM_UP = 3
"""Passes that are not counted: the first ones allocate memory and choose kernels."""
FEWEST, MOST = 7, 200
"""Passes that are counted."""
ENOUGH_SECONDS = 0.005
"""Seconds after which no further pass starts, once there are :data:`FEWEST`."""


class Measurable(Protocol):
    """A network with example inputs."""

    def example_input(self, batch_size: int) -> tuple[Any, ...]:
        """Arguments of a call."""

    def eval(self) -> Any:
        """Switch to evaluation mode."""

    def __call__(self, *inputs: Any) -> Any:
        """The outputs."""


def network_latency(network: Measurable, batch_size: int = 1) -> float:
    """Seconds of a forward pass: the median of several, after a warm-up.

    It uses the threads of the caller. The median is robust to single interruptions, but not to a machine that is busy
    all the time.

    Args:
        network: Where it is measured; left in evaluation mode.
        batch_size: B, windows or sequences that are read at once.
    """
    network.eval()
    inputs = network.example_input(batch_size)
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(WARM_UP):
            network(*inputs)
        while len(seconds) < FEWEST or (sum(seconds) < ENOUGH_SECONDS and len(seconds) < MOST):
            start = time.perf_counter()
            network(*inputs)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
