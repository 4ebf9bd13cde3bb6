"""A trained sequence model: its parts, and whether they fit together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lstmgru.bundle.base import Bundle, Parity
from lstmgru.bundle.sequences.members import SequenceBaselineMember, SequenceMember, SequenceNetworkMember, check_member
from lstmgru.bundle.sequences.parts import NetworkLabeler
from lstmgru.bundle.sequences.servable import BlendedClassifier, BlendedLabeler, BlendedRegressor, LabelShare
from lstmgru.bundle.sequences.vocabularies import merged
from lstmgru.data.sequences.vocabulary import Vocabulary
from lstmgru.runtime.members import check_weights
from lstmgru.runtime.sequences.baselines import WeightedBaseline
from lstmgru.runtime.sequences.predictor import SequencePredictor


@dataclass(frozen=True, eq=False, kw_only=True)
class SequenceModel(SequencePredictor, Bundle):
    """The parts of a :class:`~lstmgru.bundle.SequenceBundle`, as far as the model card needs them.

    Attributes:
        members: What is blended.
        task: Classes or numbers, and the metric.
        schema: The roles of a table's columns.
        gaps: How missing cells within a sequence are handled, as in training.
        integer_ids: Whether the names of the training sequences were whole numbers.
        integer_times: Whether the times of their steps were.

    Raises:
        SpecError: Members, their weights, schema and task do not fit together.
    """

    integers = ("lengths", "tokens", "characters", "character_lengths")
    axes = {  # noqa: RUF012 as it is never changed
        "values": "batch, step, channel",
        "tokens": "batch, step",
        "lengths": "batch",
        "characters": "batch, step",
        "character_lengths": "batch",
        "label": "batch",
        "probabilities": "batch, class",
        "value": "batch",
    }

    members: tuple[SequenceMember, ...]

    def __post_init__(self) -> None:
        check_weights([member.weight for member in self.members])
        for member in self.networks:
            check_member(member, self.task, self.schema)

    @property
    def task_name(self) -> str:
        """``classification`` or ``regression``."""
        return self.task.task

    @property
    def networks(self) -> tuple[SequenceNetworkMember, ...]:
        """The members that are networks."""
        return tuple(member for member in self.members if isinstance(member, SequenceNetworkMember))

    @cached_property
    def servable(self) -> BlendedLabeler:
        """The blend of the networks with the encodings inside, in evaluation mode.

        Baselines are no modules: :meth:`predict` adds their share.
        """
        of_classes, merged = bool(self.task.classes), self.merged_vocabularies
        members = [
            NetworkLabeler(
                member.network, member.encoding, merged.get(member.model_spec.tokens or ""), of_classes=of_classes
            )
            for member in self.networks
        ]
        return (BlendedClassifier if of_classes else BlendedRegressor)(
            members,
            [member.weight for member in self.networks],
            n_channels=self.schema.n_channels,
            n_outputs=self.task.n_outputs,
            vocabularies={kind: each.size for kind, each in merged.items()},
            outside=tuple(member.kind for member in self.baselines),
        )

    @property
    def network_share(self) -> LabelShare | None:
        """See :attr:`Bundle.network_share`."""
        return LabelShare(self.servable) if self.networks else None

    def parity(self, model: Any) -> Parity:
        """Compare the networks, as the baselines are computed by the same code, see :meth:`Bundle.parity`."""
        from lstmgru.bundle.onnx.export import compare_results

        share = self.network_share
        if share is None:
            return Parity()
        return compare_results(share, lambda inputs: [model.compute(inputs)])

    @property
    def baselines(self) -> tuple[SequenceBaselineMember, ...]:
        """The members that are baselines."""
        return tuple(member for member in self.members if isinstance(member, SequenceBaselineMember))

    @property
    def weighted_baselines(self) -> tuple[WeightedBaseline, ...]:
        """See :attr:`SequencePredictor.weighted_baselines`."""
        return tuple(WeightedBaseline(member.weight, member.baseline) for member in self.baselines)

    @property
    def sources(self) -> dict[str | None, tuple[str, str]]:
        """Names of the input and of its lengths, for each kind of tokens; none without networks."""
        return self.servable.sources

    def max_length(self, kind: str | None) -> int:
        """Steps or tokens of a kind that the longest network reads."""
        return self.servable.max_length(kind)

    @cached_property
    def merged_vocabularies(self) -> dict[str, Vocabulary]:
        """The vocabulary of each kind of tokens, with those of all members; none for numbers."""
        found = (member.encoding.vocabulary for member in self.networks)
        return merged(vocabulary for vocabulary in found if vocabulary is not None)

    @property
    def vocabularies(self) -> list[dict[str, Any]]:
        """The content of each vocabulary file; none for a model that does not read text."""
        return [vocabulary.to_dict() for vocabulary in self.merged_vocabularies.values()]
