"""What a network costs: its parameters, and the seconds of a forward pass."""

from __future__ import annotations

import statistics
import time
from typing import Any, Protocol

import torch
from torch import nn


def count_parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


WARM_UP = 3
"""Passes that are not counted: the first ones allocate memory and select kernels."""
FEWEST, MOST = 7, 200
"""Minimum and maximum number of timed passes."""
ENOUGH_SECONDS = 0.005
"""Total seconds after which no further pass starts, once :data:`FEWEST` are done."""


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

    Uses torch's current number of threads. The median is robust to single interruptions, but not to a busy machine.

    Args:
        network: The network, on its device; is set to evaluation mode.
        batch_size: B, windows or sequences per pass.
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
