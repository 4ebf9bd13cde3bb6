"""A moving average of the weights: what is scored and exported, while training goes on with the weights themselves."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage(nn.Module):
    """A copy of a network that follows its weights as an exponential moving average (Polyak & Juditsky 1992).

    Its buffers are those of the network. After n updates the decay is ``min(decay, (1 + n) / (10 + n))``, so that the
    first weights are soon forgotten; the first update takes the weights as they are.

    Args:
        network: Copied.
        decay: Weight of the old average, in (0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay, self._updates = decay, 0
        self._weights: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._followed: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Bring the average one step further; to be called after each optimizer step.

        Args:
            network: Followed, always the same one.
        """
        if not self._updates:  # later than at the start, when both are on the device that trains
            self._weights = list(self.network.parameters()), list(network.parameters())
            self._followed = list(zip(self.network.buffers(), network.buffers(), strict=True))
        n, (averages, weights) = self._updates, self._weights
        decay = min(self._decay, (1 + n) / (10 + n)) if n else 0.0
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for kept, buffer in self._followed:  # such as the running statistics of a cell of the user's own
            kept.copy_(buffer)
        self._updates += 1
