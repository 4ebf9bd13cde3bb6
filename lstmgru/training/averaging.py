"""A moving average of the weights: what is scored and exported, while training goes on with the weights themselves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_Tensors = tuple[Tensor, ...] | list[Tensor]


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of the network that follows its weights as an exponential moving average (Polyak & Juditsky 1992).

    After n updates the decay is ``min(decay, (1 + n) / (10 + n))``, so that the first weights are soon forgotten.

    Args:
        network: Trained on; call ``update_parameters`` after each optimiser step.
        decay: Weight of the old average, in (0, 1).
    """
    return AveragedModel(network, multi_avg_fn=_moving_average(decay))


def average_of(model: AveragedModel) -> nn.Module:
    """The network that holds the average."""
    return model.module


def _moving_average(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    @torch.no_grad()
    def update(average: _Tensors, current: _Tensors, count: Tensor | int) -> None:
        n = int(count)
        torch._foreach_lerp_(average, current, 1 - min(decay, (1 + n) / (10 + n)))

    return update
