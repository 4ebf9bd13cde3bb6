"""The fully convolutional branch of a sequence network (Wang et al. 2017), as in LSTM-FCN (Karim et al. 2017)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_KERNEL_SIZES = (8, 5, 3)
# Weight of a batch in the running statistics.
_MOMENTUM = 0.1


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalization whose statistics ignore padding (Ioffe & Szegedy 2015)."""

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Normalize (B, features, T); ``real`` (B, 1, T) is 0 in the padding and 1 elsewhere.

        Of these steps, a batch in training has its own mean and variance, and the running ones follow them. The results
        in the padding are meaningless.
        """
        if not self.training or real is None:
            return super().forward(x)
        count = real.sum()
        mean = (x * real).sum((0, 2), keepdim=True) / count
        variance = (((x - mean) * real) ** 2).sum((0, 2), keepdim=True) / count
        self._follow(mean.detach().flatten(), variance.detach().flatten())
        scale = self.weight[:, None] * torch.rsqrt(variance + self.eps)
        return (x - mean) * scale + self.bias[:, None]

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics."""
        assert self.running_mean is not None
        assert self.running_var is not None
        self.running_mean.lerp_(mean, _MOMENTUM)
        self.running_var.lerp_(variance, _MOMENTUM)


class FullyConvolutional(nn.Module):
    """Three convolutions over time, each with batch normalization and ReLU, and the mean over time.

    Args:
        n_inputs: Features of a step.
        n_filters: Filters of the first and the last convolution; the second one has twice as many.
    """

    def __init__(self, n_inputs: int, n_filters: int) -> None:
        super().__init__()
        sizes = pairwise((n_inputs, n_filters, 2 * n_filters, n_filters))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size, bias=False)
            for (before, after), kernel_size in zip(sizes, _KERNEL_SIZES, strict=True)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(size) for size in (n_filters, 2 * n_filters, n_filters))
        self.n_outputs = n_filters

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """(B, T, inputs) → (B, filters).

        Args:
            x: Steps; 0 in the padding.
            real: (B, T) False in the padding.
        """
        mask = real.unsqueeze(1).to(x.dtype)
        x = x.transpose(1, 2)
        for convolution, norm, kernel_size in zip(self.convolutions, self.norms, _KERNEL_SIZES, strict=True):
            around = ((kernel_size - 1) // 2, kernel_size // 2)
            x = F.relu(norm(convolution(F.pad(x, around)), mask)) * mask
        return x.sum(-1) / mask.sum(-1)
