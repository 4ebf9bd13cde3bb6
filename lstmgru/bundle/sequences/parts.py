"""The members of a blended sequence model as modules, with inputs and outputs in original units."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstmgru.bundle.sequences.vocabularies import translation
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.nn.sequence_network import SequenceNetwork


class NetworkLabeler(nn.Module):
    """Scales the inputs or translates the codes, runs the network, and restores the units of its outputs.

    Args:
        network: Is set to evaluation mode.
        encoding: Of sequences and labels.
        vocabulary: Of the blend, for tokens of the network's kind; ``None`` for numbers.
        of_classes: Whether labels are classes.

    Attributes:
        max_length: Steps or tokens that it reads at most.
        tokens: Kind of its tokens; ``None`` for numbers.
    """

    mean: Tensor
    scale: Tensor
    codes: Tensor | None

    def __init__(
        self, network: SequenceNetwork, encoding: Encoding, vocabulary: Vocabulary | None, *, of_classes: bool
    ) -> None:
        super().__init__()
        self.network, self.of_classes = network, of_classes
        self.max_length, self.tokens = network.spec.max_length, network.spec.tokens
        self.label_mean, self.label_scale = encoding.label_mean, encoding.label_scale
        scaler, own = encoding.scaler, encoding.vocabulary
        for name, array in (("mean", scaler and scaler.mean), ("scale", scaler and scaler.scale)):
            self.register_buffer(name, None if array is None else torch.tensor(array, dtype=torch.float32))
        codes = None if own is None or vocabulary is None else translation(own, vocabulary)
        self.register_buffer("codes", codes)
        self.eval()

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Predict. The content of the padding has no effect.

        Args:
            inputs: (B, T', F) sequences in original units, or (B, T') ``int64`` codes of the blend's vocabulary.
            lengths: (B,) ``int64`` number of steps or tokens of each sequence, from 1, at most :attr:`max_length`.

        Returns:
            (B, C) probabilities, or (B, 1) numbers in original units.
        """
        if self.tokens is None:
            outputs = self.network((inputs - self.mean) / self.scale, lengths)
        else:
            outputs = self.network(inputs if self.codes is None else self.codes[inputs], lengths)
        if self.of_classes:
            probabilities: Tensor = outputs.softmax(dim=-1)
            return probabilities
        restored: Tensor = outputs * self.label_scale + self.label_mean
        return restored
