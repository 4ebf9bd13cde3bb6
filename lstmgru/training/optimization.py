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
        parameters: The parameters to optimize.
        spec: The training settings.
        n_steps: Total number of steps, for the learning rate schedule.
    """

    def __init__(self, parameters: Iterable[Tensor], spec: TrainSpec, n_steps: int) -> None:
        self._parameters = list(parameters)
        # A fused step takes a fifth of the time of torch's default on a CPU.
        self.optimizer = _OPTIMIZERS[spec.optimizer](
            self._parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True
        )
        self.scaler: torch.amp.GradScaler | None = None
        """Scales the loss, so that gradients in half precision do not vanish."""
        self._gradient_clip = spec.gradient_clip
        self.schedule = _schedule(spec, self.optimizer, n_steps)
        """``None`` if the learning rate is constant."""

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
        if self.schedule is not None:
            self.schedule.step()


@torch.no_grad()
def clip(parameters: Iterable[Tensor], largest: float) -> None:
    """Clip the norm of all gradients together (Pascanu et al. 2013), as ``torch.nn.utils.clip_grad_norm_`` does.

    torch's function spends half of its time here on grouping the gradients by device and type.

    Args:
        parameters: All on one device and of one type.
        largest: Maximum norm.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, torch.clamp(largest / (norm + 1e-6), max=1.0))


def _schedule(spec: TrainSpec, optimizer: torch.optim.Optimizer, n_steps: int) -> LRScheduler | None:
    """The learning rate schedule; ``None`` if it is constant."""
    match spec.schedule:
        case "constant":
            return None
        case "cosine":
            return CosineAnnealingLR(optimizer, n_steps)
        case "one_cycle":
            return OneCycleLR(optimizer, spec.learning_rate, total_steps=n_steps)


class MovingAverage(nn.Module):
    """A copy of a network that follows its weights as an exponential moving average (Polyak & Juditsky 1992).

    Buffers are copied from the network. After n updates the decay is ``min(decay, (1 + n) / (10 + n))``, so that the
    initial weights are quickly forgotten; the first update copies the weights.

    Args:
        network: The network to copy.
        decay: Weight of the old average, in (0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay, self._updates = decay, 0
        self._weights: tuple[list[Tensor], list[Tensor]] | None = None
        self._followed: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Update the average after an optimizer step.

        Args:
            network: The network to follow, always the same one.
        """
        if self._weights is None:  # not earlier, as both must be on the training device
            self._weights = list(self.network.parameters()), list(network.parameters())
            self._followed = list(zip(self.network.buffers(), network.buffers(), strict=True))
        n, (averages, weights) = self._updates, self._weights
        decay = min(self._decay, (1 + n) / (10 + n)) if n else 0.0
        torch._foreach_lerp_(averages, weights, 1 - decay)
        for kept, buffer in self._followed:  # such as running statistics of a registered cell
            kept.copy_(buffer)
        self._updates += 1

    def get_extra_state(self) -> dict[str, int]:
        """The number of updates, for checkpoints."""
        return {"updates": self._updates}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Restore the number of updates."""
        self._updates = state["updates"]
