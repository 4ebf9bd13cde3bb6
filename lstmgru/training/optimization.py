"""Optimizer steps in full or mixed precision, with clipped gradients, and the moving average of the weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from lstmgru.specs import Optimizer, TrainSpec

_OPTIMIZERS: dict[Optimizer, type[torch.optim.Adam]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


class Optimization:
    """The optimizer, the learning rate schedule, gradient clipping and loss scaling.

    Args:
        parameters: What is optimized.
        spec: How.
        n_steps: Steps of the whole training, over which the learning rate follows its schedule.
    """

    def __init__(self, parameters: Iterable[Tensor], spec: TrainSpec, n_steps: int) -> None:
        self._parameters = list(parameters)
        # One pass over all numbers of a parameter: a fifth of the time of torch's default on a CPU.
        self.optimizer = _OPTIMIZERS[spec.optimizer](
            self._parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True
        )
        self.scaler: torch.amp.GradScaler | None = None
        """Scales the loss, where gradients in half precision would vanish without it."""
        self._gradient_clip = spec.gradient_clip
        self._schedule = _schedule(spec, self.optimizer, n_steps)

    def step(self, loss: Tensor) -> None:
        """Take an optimizer step."""
        for parameter in self._parameters:
            parameter.grad = None
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]
        if self._gradient_clip is not None:
            if self.scaler is not None:
                self.scaler.unscale_(self.optimizer)
            clip(self._parameters, self._gradient_clip)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        if self._schedule is not None:
            self._schedule.step()


@torch.no_grad()
def clip(parameters: Iterable[Tensor], largest: float) -> None:
    """Clip the norm of all gradients together (Pascanu et al. 2013), as ``torch.nn.utils.clip_grad_norm_`` does.

    That sorts the gradients by device and type first, several times in each step: half of its time here.

    Args:
        parameters: All on one device, of one type.
        largest: The norm that is left at most.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, torch.clamp(largest / (norm + 1e-6), max=1.0))


def _schedule(spec: TrainSpec, optimizer: torch.optim.Optimizer, n_steps: int) -> LRScheduler | None:
    """The learning rate schedule over a number of steps; ``None`` if it is constant."""
    match spec.schedule:
        case "constant":
            return None
        case "cosine":
            return CosineAnnealingLR(optimizer, n_steps)
        case "one_cycle":
            return OneCycleLR(optimizer, spec.learning_rate, total_steps=n_steps)


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
