"""Recurrent layers one after the other, in any order and mix."""

from __future__ import annotations

from torch import Tensor, nn

from lstmgru.specs import LayerSpec

_CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentStack(nn.Module):
    """Layer after layer, with dropout between two layers.

    Args:
        layers: First to last.
        n_inputs: F, channels of the input.
        dropout: Probability of dropping a feature between two layers.
    """

    def __init__(self, layers: tuple[LayerSpec, ...], *, n_inputs: int, dropout: float) -> None:
        super().__init__()
        sizes = [n_inputs, *(layer.hidden_size for layer in layers)]
        self.layers = nn.ModuleList(
            _CELLS[layer.cell](size, layer.hidden_size, batch_first=True)
            for layer, size in zip(layers, sizes, strict=False)
        )
        self.dropout = nn.Dropout(dropout)
        self.n_outputs = sizes[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, T, F) → (batch, T, hidden size of the last layer)."""
        for index, layer in enumerate(self.layers):
            x, _ = layer(x if index == 0 else self.dropout(x))
        return x
