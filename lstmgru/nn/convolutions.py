"""A convolution over time before the recurrence (CNN-LSTM, Sainath et al. 2015)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Convolution(nn.Module):
    """A convolution over time and ReLU; steps before the first and after the last one are 0.

    Args:
        n_inputs: Features of a step.
        n_filters: Features of a step of the output.
        kernel_size: Neighboring steps that are read at once.
        causal: Whether a step reads itself and earlier steps only, instead of as many later ones as earlier ones.
    """

    def __init__(self, n_inputs: int, n_filters: int, kernel_size: int, *, causal: bool) -> None:
        super().__init__()
        later = 0 if causal else kernel_size // 2
        self.around = (kernel_size - 1 - later, later)
        self.filters = nn.Conv1d(n_inputs, n_filters, kernel_size)

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        """(B, T, inputs) → (B, T, filters).

        Args:
            x: Steps; 0 in the padding.
            real: (B, T) False in the padding, where the output is 0 as well; ``None`` if nothing is padded.
        """
        features = F.relu(self.filters(F.pad(x.transpose(1, 2), self.around))).transpose(1, 2)
        return features if real is None else features * real.unsqueeze(-1)
