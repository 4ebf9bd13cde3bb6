"""A network that labels raw sequences and gives labels in original units, so that a server needs nothing else."""

from __future__ import annotations

import torch
from torch import Tensor

from lstmgru.bundle.servable import Distance, Outputs, Servable
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import SequenceTask
from lstmgru.specs.layers import Stack


class SequencePredictor(Servable):
    """Scales its inputs, runs the network, and makes classes with probabilities or numbers of what it gives.

    Args:
        network: Is put in evaluation mode.
        encoding: Of sequences and labels; texts come as codes of its vocabulary.
        task: What a label is.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, network: SequenceNetwork, encoding: Encoding, task: SequenceTask) -> None:
        super().__init__()
        self.network = network
        self.classifies = task == "classification"
        self.label_mean, self.label_scale = encoding.label_mean, encoding.label_scale
        scaler = encoding.scaler
        for name, array in (("mean", scaler and scaler.mean), ("scale", scaler and scaler.scale)):
            self.register_buffer(name, None if array is None else torch.tensor(array, dtype=torch.float32))
        self.eval()

    @property
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of its network."""
        return self.network.spec.branches

    @property
    def reads_texts(self) -> bool:
        """Whether its input is ``tokens`` and not ``values``."""
        return self.network.vocabulary_size > 0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """``values`` in original units or ``tokens`` (int64), and ``lengths`` (int64), after the batch."""
        steps = self.network.spec.max_length
        if self.reads_texts:
            return {"tokens": (steps,), "lengths": ()}
        return {"values": (steps, self.network.n_channels), "lengths": ()}

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """``label`` (int64), the number of the likeliest class, and ``probabilities``; or ``value``."""
        return {"label": (), "probabilities": (self.network.n_outputs,)} if self.classifies else {"value": ()}

    @property
    def unit(self) -> str:
        """The unit of a relative distance."""
        return "of a probability" if self.classifies else "standard deviations of the label"

    def forward(self, lengths: Tensor, values: Tensor | None = None, tokens: Tensor | None = None) -> Outputs:
        """Label. What stands after the end of a sequence changes nothing.

        Args:
            lengths: (B,) ``int64`` steps or tokens of each sequence, from 1.
            values: (B, T', F) sequences in original units, T' at most the network's ``max_length``.
            tokens: (B, T') ``int64`` codes, instead of values.

        Returns:
            (B,) ``int64`` numbers of classes, from 0, and (B, C) probabilities; or (B,) numbers in original units.
        """
        if tokens is not None:
            outputs = self.network(tokens, lengths)
        else:
            assert values is not None  # one of the two is given
            outputs = self.network((values - self.mean) / self.scale, lengths)
        if self.classifies:
            probabilities = outputs.softmax(dim=-1)
            return probabilities.argmax(dim=-1), probabilities
        return (outputs.squeeze(-1) * self.label_scale + self.label_mean,)

    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Values with the mean and deviation of the training data, or any tokens, of any lengths."""
        generator = torch.Generator().manual_seed(seed)
        steps, size = self.network.spec.max_length, self.network.vocabulary_size
        lengths = torch.randint(1, steps + 1, (batch_size,), generator=generator)
        if batch_size > 1:
            lengths[0], lengths[1] = 1, steps
        if self.reads_texts:
            tokens = torch.randint(1, size, (batch_size, steps), generator=generator)
            return {"tokens": tokens, "lengths": lengths}
        noise = torch.randn(batch_size, steps, self.network.n_channels, generator=generator)
        return {"values": self.mean + self.scale * noise, "lengths": lengths}

    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """How far other labels are from its own, see :meth:`Servable.distance`."""
        difference = (found[-1] - expected[-1]).abs().nan_to_num(torch.inf)
        largest = float(difference.max())
        if not self.classifies:
            return Distance(largest, largest / self.label_scale)
        # Another class is as far away as it is less likely: of two with the same probability, either is right.
        own = expected[-1].gather(1, torch.stack([expected[0], found[0]], dim=1))
        largest = max(largest, float((own[:, 0] - own[:, 1]).max()))
        return Distance(largest, largest)
