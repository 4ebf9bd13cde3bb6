"""A sequence network with inputs and outputs in original units, so that a server needs nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstmgru.bundle.base import Distance, Outputs, Servable
from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.sequences import Indices
from lstmgru.errors import DataError
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import Stack


class UnscaledSequenceNetwork(Servable):
    """Scales the inputs, runs the network, and turns its outputs into predictions.

    Args:
        network: Is set to evaluation mode.
        encoding: Of sequences and labels; text is given as codes of its vocabulary.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, network: SequenceNetwork, encoding: Encoding) -> None:
        super().__init__()
        self.network = network
        scaler = encoding.scaler
        for name, array in (("mean", scaler and scaler.mean), ("scale", scaler and scaler.scale)):
            self.register_buffer(name, None if array is None else torch.tensor(array, dtype=torch.float32))
        self.eval()

    @property
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of its network."""
        return self.network.spec.branches

    @property
    def reads_text(self) -> bool:
        """Whether its input is ``tokens`` and not ``values``."""
        return self.network.vocabulary_size > 0

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """``values`` in original units or ``tokens`` (int64), and ``lengths`` (int64), without the batch."""
        steps = self.network.spec.max_length
        if self.reads_text:
            return {"tokens": (steps,), "lengths": ()}
        return {"values": (steps, self.network.n_channels), "lengths": ()}

    def forward(self, lengths: Tensor, values: Tensor | None = None, tokens: Tensor | None = None) -> Outputs:
        """Predict. The content of the padding has no effect.

        Args:
            lengths: (B,) ``int64`` number of steps or tokens of each sequence, from 1.
            values: (B, T', F) sequences in original units, T' at most the network's ``max_length``.
            tokens: (B, T') ``int64`` codes, instead of values.

        Returns:
            The tensors of :attr:`output_shapes`.
        """
        if tokens is not None:
            return self.decode(self.network(tokens, lengths))
        assert values is not None  # one of the two is given
        return self.decode(self.network((values - self.mean) / self.scale, lengths))

    @abstractmethod
    def decode(self, outputs: Tensor) -> Outputs:
        """Predictions for the (B, O) outputs of the network."""

    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Values with the mean and deviation of the training data, or random tokens, of random lengths."""
        generator = torch.Generator().manual_seed(seed)
        steps, size = self.network.spec.max_length, self.network.vocabulary_size
        lengths = torch.randint(1, steps + 1, (batch_size,), generator=generator)
        if batch_size > 1:
            lengths[0], lengths[1] = 1, steps
        if self.reads_text:
            tokens = torch.randint(1, size, (batch_size, steps), generator=generator)
            return {"tokens": tokens, "lengths": lengths}
        noise = torch.randn(batch_size, steps, self.network.n_channels, generator=generator)
        return {"values": self.mean + self.scale * noise, "lengths": lengths}


class SequenceClassifier(UnscaledSequenceNetwork):
    """Predicts the class of a sequence and the probabilities of all classes."""

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """``label`` (int64), the number of the most probable class, from 0, and ``probabilities``."""
        return {"label": (), "probabilities": (self.network.n_outputs,)}

    @property
    def unit(self) -> str:
        """The unit of a relative distance."""
        return "of a probability"

    def decode(self, outputs: Tensor) -> Outputs:
        """(B,) numbers of classes and (B, C) probabilities."""
        probabilities = outputs.softmax(dim=-1)
        return probabilities.argmax(dim=-1), probabilities

    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between other predictions and its own, see :meth:`Servable.distance`."""
        largest = _largest_difference(found, expected)
        # Another class differs by as much as it is less probable: if two are equally probable, either is right.
        own = expected[-1].gather(1, torch.stack([expected[0], found[0]], dim=1))
        largest = max(largest, float((own[:, 0] - own[:, 1]).max()))
        return Distance(largest, largest)


class SequenceRegressor(UnscaledSequenceNetwork):
    """Predicts a number for a sequence, in original units."""

    def __init__(self, network: SequenceNetwork, encoding: Encoding) -> None:
        super().__init__(network, encoding)
        self.label_mean, self.label_scale = encoding.label_mean, encoding.label_scale

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """``value``."""
        return {"value": ()}

    @property
    def unit(self) -> str:
        """The unit of a relative distance."""
        return "standard deviations of the label"

    def decode(self, outputs: Tensor) -> Outputs:
        """(B,) numbers in original units."""
        return (outputs.squeeze(-1) * self.label_scale + self.label_mean,)

    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between other predictions and its own, see :meth:`Servable.distance`."""
        largest = _largest_difference(found, expected)
        return Distance(largest, largest / self.label_scale)


def _largest_difference(found: Outputs, expected: Outputs) -> float:
    """Of the last outputs: the probabilities or values."""
    return float((found[-1] - expected[-1]).abs().nan_to_num(torch.inf).max())


# Most sequences in a batch, and most steps, including padding.
_BATCH_SIZE, _BATCH_STEPS = 1024, 65536


def padded(rows: npt.NDArray[Any], starts: Indices, lengths: Indices) -> npt.NDArray[Any]:
    """Concatenated sequences as one padded array, with 0 after the end of the shorter ones.

    Args:
        rows: (rows, …) of all sequences.
        starts: (B,) first row of each.
        lengths: (B,) number of rows of each, from 1.

    Returns:
        (B, longest, …).
    """
    steps = np.arange(lengths.max())
    real = steps < lengths[:, None]
    array: npt.NDArray[Any] = rows[np.where(real, starts[:, None] + steps, 0)]
    array[~real] = 0
    return array


def batches(lengths: Indices) -> Iterator[Indices]:
    """Indices of sequences, grouped by similar length, so that little is padded.

    Args:
        lengths: (n,) number of steps of each.
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        # The last one is the longest, and the others are padded to its length.
        sorted_lengths = lengths[order[start : start + _BATCH_SIZE]]
        sizes = sorted_lengths * np.arange(1, len(sorted_lengths) + 1)
        stop = start + max(1, int(np.searchsorted(sizes, _BATCH_STEPS, side="right")))
        yield order[start:stop]
        start = stop


def check_sequences(
    servable: UnscaledSequenceNetwork, inputs: npt.NDArray[Any], lengths: npt.NDArray[Any] | None
) -> tuple[npt.NDArray[Any], Indices]:
    """Arrays as the network reads them: float32 values or int64 codes, and int64 lengths.

    Args:
        servable: The network.
        inputs: (n, T', F) values in original units or (n, T') codes.
        lengths: (n,) number of steps of each sequence; ``None`` if all have T'.

    Raises:
        DataError: A shape or a value is invalid.
    """
    name, (most, *rest) = next(iter(servable.shapes.items()))
    if inputs.ndim != 2 + len(rest) or list(inputs.shape[2:]) != rest or not 1 <= inputs.shape[1] <= most:
        shape = ", ".join(["n", f"1 to {most}", *map(str, rest)])
        raise DataError(f"{name} must have the shape ({shape}) but has {inputs.shape}")
    count, steps = inputs.shape[:2]
    lengths = np.full(count, steps) if lengths is None else lengths
    if lengths.shape != (count,):
        raise DataError(f"lengths must have the shape ({count},) but has {lengths.shape}")
    _check_range("lengths", lengths, 1, steps, "numbers of steps")
    real = np.arange(steps) < lengths[:, None]
    if servable.reads_text:
        _check_range("tokens", inputs[real], 1, servable.network.vocabulary_size - 1, "codes of tokens")
        return inputs.astype(np.int64), lengths.astype(np.int64)
    values = inputs.astype(np.float32)
    if not np.isfinite(values[real]).all():
        raise DataError(
            f"values must be finite in single precision but {int((~np.isfinite(values[real])).sum())} are not"
        )
    return values, lengths.astype(np.int64)


def _check_range(name: str, values: npt.NDArray[Any], lowest: int, highest: int, what: str) -> None:
    wrong = (values < lowest) | (values > highest) | (values % 1 != 0)
    if wrong.any():
        raise DataError(f"{name} must hold {what}, {lowest} to {highest}, but holds {values[wrong][0]}")
