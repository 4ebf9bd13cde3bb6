"""A blend of sequence models with inputs and outputs in original units, so that a server needs nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lstmgru.bundle.base import Distance, Outputs, Servable
from lstmgru.bundle.sequences.parts import NetworkLabeler
from lstmgru.runtime.graph import SHARE
from lstmgru.runtime.sequences.predictor import input_names
from lstmgru.specs import Stack


class BlendedLabeler(Servable):
    """The weighted mean of its members' probabilities or numbers.

    A blend of texts may read words and characters; each member reads the first steps of its kind of input.

    Args:
        members: The networks.
        weights: Of the networks; with those of the members outside, their sum is 1.
        n_channels: F for sequences of numbers; 0 for texts.
        n_outputs: O, the number of classes, or 1 for regression.
        vocabularies: Kind of tokens → number of codes; empty for numbers.
        outside: Names of members that are computed by the bundle.
    """

    def __init__(
        self,
        members: Sequence[NetworkLabeler],
        weights: Sequence[float],
        *,
        n_channels: int,
        n_outputs: int,
        vocabularies: dict[str, int],
        outside: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.members, self.weights = nn.ModuleList(members), tuple(weights)
        self.n_channels, self.n_outputs, self.vocabularies = n_channels, n_outputs, vocabularies
        self._outside = outside
        self.eval()

    @property
    def parts(self) -> list[NetworkLabeler]:
        """The members."""
        return cast("list[NetworkLabeler]", list(self.members))

    @property
    def outside(self) -> tuple[str, ...]:
        """Members that are computed outside of torch, by the bundle."""
        return self._outside

    @property
    def label_scale(self) -> float:
        """Deviation of the labels: the weighted mean of the members'; 1 for classes."""
        scales = [weight * member.label_scale for weight, member in zip(self.weights, self.parts, strict=True)]
        return sum(scales) / sum(self.weights)

    @property
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of all networks."""
        return tuple(stack for member in self.parts for stack in member.network.spec.branches)

    @property
    def sources(self) -> dict[str | None, tuple[str, str]]:
        """Names of the input and of its lengths, for each kind of tokens, or for ``None``: numbers."""
        return input_names(tuple(self.vocabularies)) if self.parts else {}

    def max_length(self, kind: str | None) -> int:
        """Steps or tokens of a kind that the longest member reads."""
        return max(member.max_length for member in self.parts if member.tokens == kind)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """``values`` in original units or ``tokens`` (int64), and ``lengths`` (int64), without the batch.

        A blend that reads words and characters also has ``characters`` and ``character_lengths``.
        """
        shapes: dict[str, tuple[int, ...]] = {}
        for kind, (name, lengths) in self.sources.items():
            shapes |= {name: (self.max_length(kind), *([] if kind else [self.n_channels])), lengths: ()}
        return shapes

    def forward(
        self,
        lengths: Tensor,
        values: Tensor | None = None,
        tokens: Tensor | None = None,
        characters: Tensor | None = None,
        character_lengths: Tensor | None = None,
    ) -> Outputs:
        """Predict. The content of the padding has no effect.

        Args:
            lengths: (B,) ``int64`` number of steps or tokens of each sequence, from 1.
            values: (B, T', F) sequences in original units, T' at most :meth:`max_length`.
            tokens: (B, T') ``int64`` codes, instead of values.
            characters: (B, T'') ``int64`` codes, if ``tokens`` are words and there are members that read characters.
            character_lengths: (B,) ``int64`` number of characters, from 1.

        Returns:
            The tensors of :attr:`output_shapes`.
        """
        blended = self.blend(
            lengths=lengths, values=values, tokens=tokens, characters=characters, character_lengths=character_lengths
        )
        return self.decode(blended)

    def blend(self, **given: Tensor | None) -> Tensor:
        """(B, O) the weighted sum of the networks' probabilities or numbers, of the arguments of :meth:`forward`."""
        outputs = []
        for weight, member in zip(self.weights, self.parts, strict=True):
            read, its_lengths = (given[name] for name in self.sources[member.tokens])
            assert read is not None  # given for every source
            assert its_lengths is not None
            steps = member.max_length
            outputs.append(weight * member(read[:, :steps], its_lengths.clamp(max=steps)))
        blended: Tensor = sum(outputs[1:], start=outputs[0])
        return blended

    @abstractmethod
    def decode(self, outputs: Tensor) -> Outputs:
        """Predictions for the (B, O) probabilities or numbers."""

    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between other predictions and its own, see :meth:`Servable.distance`."""
        largest = _largest_difference(found, expected)
        return Distance(largest, largest / self.label_scale)

    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Values with the mean and deviation of the training data, or random tokens, of random lengths."""
        generator = torch.Generator().manual_seed(seed)
        drawn: dict[str, Tensor] = {}
        for kind, (name, lengths_name) in self.sources.items():
            steps = self.max_length(kind)
            lengths = torch.randint(1, steps + 1, (batch_size,), generator=generator)
            if batch_size > 1:
                lengths[0], lengths[1] = 1, steps
            if kind:
                size = self.vocabularies[kind]
                drawn[name] = torch.randint(1, size, (batch_size, steps), generator=generator)
            else:
                noise = torch.randn(batch_size, steps, self.n_channels, generator=generator)
                drawn[name] = self._typical_values(noise)
            drawn[lengths_name] = lengths
        return drawn

    def _typical_values(self, noise: Tensor) -> Tensor:
        """Noise with the mean and deviation of the training data, as far as a member has them."""
        member = max(self.parts, key=lambda each: float(each.mean.abs().sum()))
        return member.mean + member.scale * noise


class LabelShare(BlendedLabeler):
    """The share of the networks in a blend that holds baselines, which NumPy computes.

    Args:
        whole: The blend, with at least one network.
    """

    def __init__(self, whole: BlendedLabeler) -> None:
        super().__init__(
            whole.parts,
            whole.weights,
            n_channels=whole.n_channels,
            n_outputs=whole.n_outputs,
            vocabularies=whole.vocabularies,
        )
        self._unit = whole.unit

    @property
    def unit(self) -> str:
        """The unit of a relative distance."""
        return self._unit

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """``share`` (O,), the weighted sum of probabilities or numbers."""
        return {SHARE: (self.n_outputs,)}

    def decode(self, outputs: Tensor) -> Outputs:
        """The weighted sum itself."""
        return (outputs,)


class BlendedClassifier(BlendedLabeler):
    """Predicts the class of a sequence and the probabilities of all classes."""

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """``label`` (int64), the number of the most probable class, from 0, and ``probabilities``."""
        return {"label": (), "probabilities": (self.n_outputs,)}

    @property
    def unit(self) -> str:
        """The unit of a relative distance."""
        return "of a probability"

    def decode(self, outputs: Tensor) -> Outputs:
        """(B,) numbers of classes and (B, C) probabilities."""
        return outputs.argmax(dim=-1), outputs

    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between other predictions and its own, see :meth:`Servable.distance`."""
        largest = _largest_difference(found, expected)
        # Another class differs by as much as it is less probable: if two are equally probable, either is right.
        own = expected[-1].gather(1, torch.stack([expected[0], found[0]], dim=1))
        largest = max(largest, float((own[:, 0] - own[:, 1]).max()))
        return Distance(largest, largest)


class BlendedRegressor(BlendedLabeler):
    """Predicts a number for a sequence, in original units."""

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
        return (outputs.squeeze(-1),)


def _largest_difference(found: Outputs, expected: Outputs) -> float:
    """Of the last outputs: the probabilities or values."""
    return float((found[-1] - expected[-1]).abs().nan_to_num(torch.inf).max())
