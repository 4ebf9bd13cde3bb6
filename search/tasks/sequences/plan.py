"""The plan of a study of labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.sequences.splits import SequenceSplits, SequenceSplitSpec, make_sequence_splits
from lstmgru.specs import LabelSpec
from search.errors import StudyFileError
from search.space.space import SearchSpace
from search.study.table_rows import TableRows
from search.tasks.accelerator import accelerator_of
from search.tasks.plan import Plan, shared
from search.tasks.sequences.config import SequenceSpaceConfig, SequenceStudyConfig
from search.tasks.sequences.data import SequenceData
from search.tasks.sequences.leaks import leaks
from search.tasks.sequences.presets import SequenceFacts, resolve_sequence_space

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.data.sequences.datasets import LabeledData
    from lstmgru.data.sequences.sequences import Indices, LabeledSequences
    from lstmgru.data.sequences.vocabulary import WordVectors
    from search.config.search_config import SearchConfig
    from search.config.space_config import SpaceConfig

PORTFOLIOS = {kind: Path(__file__).with_name(f"portfolio_{kind}.json") for kind in ("numbers", "texts")}
"""Files of first candidates, by what is labeled."""
_USUAL_HOLDOUT = 0.2
_READ_SEQUENCES, _FEWEST_EPOCHS, _MOST_EPOCHS = 50_000, {"texts": 10, "numbers": 20}, 60
"""Sequences that a training reads where a study leaves it open, within these numbers of epochs."""
_FEWEST_PATIENCE = 3
_MOST_COLUMNS = 50
"""Columns that the data are described with: a wide table has one for each step."""


@dataclass(frozen=True, kw_only=True)
class SequencePlan(Plan):
    """A validated study of labels with its data.

    Attributes:
        sequences: All of them, the holdout too.
        splits: Folds and holdout.
        labels: The task, its metric and classes.
        vectors: Word vectors to begin with, if any.
        has_test_part: Whether the holdout is one that came with the data.
    """

    config: SequenceStudyConfig
    sequences: LabeledSequences
    splits: SequenceSplits
    labels: LabelSpec
    vectors: WordVectors | None = None
    has_test_part: bool = False

    @property
    def metric(self) -> str:
        """Name of the score."""
        return self.labels.metric

    @property
    def max_epochs(self) -> int:
        """Most epochs of a fold."""
        wanted = self.config.training.max_epochs
        if wanted != "auto":
            return int(wanted)
        fewest = _FEWEST_EPOCHS["texts" if self.sequences.is_text else "numbers"]
        return max(fewest, min(_MOST_EPOCHS, round(_READ_SEQUENCES / len(self.splits.folds[0].train))))

    @property
    def patience(self) -> int | None:
        """Epochs without a better score before the training of a fold stops."""
        wanted = self.config.training.patience
        return max(_FEWEST_PATIENCE, self.max_epochs // 3) if wanted == "auto" else wanted

    @property
    def large_data(self) -> tuple[LabeledSequences, ...]:
        """The sequences, and the sequences that trials see."""
        return self.sequences, self._masked

    def search_data(self) -> SequenceData:
        """What trials see: the sequences of the holdout are hidden."""
        return replace(self.whole_data(), sequences=self._masked)

    @cached_property
    def _masked(self) -> LabeledSequences:
        return self.sequences.hiding(self.splits.holdout.evaluation)

    def whole_data(self) -> SequenceData:
        """What the end of the study sees: the sequences of the holdout, too."""
        return SequenceData(self.sequences, self.splits.folds, self.labels, self.vectors)

    def digest(self) -> str:
        """Two studies with the same digest have the same data."""
        return self.sequences.digest()

    def rows(self) -> TableRows:
        """The sequences or texts in the order of their tables, the test part of the data by itself."""
        sequences = self.sequences
        given = len(self.splits.holdout.evaluation) if self.has_test_part else 0
        ends = (len(sequences) - given, *((len(sequences),) if given else ()))
        return TableRows(
            parts=("data", "test")[: len(ends)],
            offsets=np.array([0, *ends]),
            columns=(sequences.digests(),),
            order=np.arange(len(sequences)),
            label=lambda row: str(sequences.ids[row]),
            noun="text" if sequences.is_text else "sequence",
        )

    def describe_data(self) -> dict[str, Any]:
        """The data in a few words, for people and for MLflow."""
        sequences = self.sequences
        known: dict[str, Any] = {"source": self.source, "digest": sequences.digest(), "sequences": len(sequences)}
        if not sequences.is_text:
            known |= {"rows": len(sequences.values), "channels": sequences.schema.n_channels}
        known["columns"] = [*sequences.schema.inputs[:_MOST_COLUMNS], sequences.schema.target]
        if sequences.classes:
            known["classes"] = len(sequences.classes)
        known["holdout"] = "the test part of the data" if self.has_test_part else "drawn"
        if sequences.groups is not None:
            known["groups"] = int(sequences.groups.max()) + 1
        return known

    @property
    def space_config(self) -> SequenceSpaceConfig:
        """The section ``space`` as the study gives it: some keys must not be given for some data."""
        return self.config.space

    def resolved(self, space: SpaceConfig, search: SearchConfig) -> SearchSpace:
        """The space that the study would search with another section ``space`` and ``search``.

        Raises:
            StudyFileError: Its values do not fit each other or the data.
        """
        config = self.config.model_copy(update={"space": space, "search": search})
        facts = facts_of(self.sequences, self.splits.holdout.train, self.vectors)
        return resolve_sequence_space(config, self.labels, facts)


def sequence_plan(config: SequenceStudyConfig, *, study_file: Path | None = None) -> SequencePlan:
    """Read the data of a study of labels and work out everything else, see :func:`search.tasks.make_plan`."""
    file = str(study_file or config.name)
    accelerator = accelerator_of(config, file)
    sequences, test, source = _read_data(config, study_file)
    labels = LabelSpec(config.task, config.metric, sequences.classes)
    splits = make_sequence_splits(sequences, _split_spec(config, test), test)
    vectors = _read_vectors(config, study_file, sequences, splits.holdout.train)
    try:
        space = resolve_sequence_space(config, labels, facts_of(sequences, splits.holdout.train, vectors))
    except StudyFileError as error:
        raise StudyFileError(file, error.problems) from error
    return SequencePlan(
        **shared(config, space, accelerator, file, portfolio=PORTFOLIOS["texts" if sequences.is_text else "numbers"]),
        config=config,
        space=space,
        source=source,
        sequences=sequences,
        splits=splits,
        labels=labels,
        vectors=vectors,
        has_test_part=test is not None,
        notes=leaks(sequences, splits, has_test_part=test is not None),
    )


def facts_of(sequences: LabeledSequences, train: Indices, vectors: WordVectors | None) -> SequenceFacts:
    """What a space depends on; the holdout is not looked at.

    Args:
        sequences: All of them.
        train: (sequences,) numbers of those outside the holdout.
        vectors: Word vectors, if any.
    """
    rarest = 1.0
    if sequences.classes:
        counts = np.bincount(sequences.labels[train], minlength=len(sequences.classes))
        rarest = float(counts.min() / counts.mean())
    if not sequences.is_text:
        return SequenceFacts(
            is_text=False, longest=int(sequences.lengths[train].max()), n_train=len(train), rarest=rarest
        )
    from lstmgru.data.sequences.vocabulary import lacks_blanks, tokenize

    texts = sequences.texts[train]
    words = [len(tokenize(text, "word")) for text in texts]
    return SequenceFacts(
        is_text=True,
        longest=max(1, *words),
        n_train=len(train),
        characters=max(1, *(len(tokenize(text, "character")) for text in texts)),
        words=float(np.median(words)),
        rarest=rarest,
        vector_size=vectors.size if vectors else 0,
        lacks_blanks=lacks_blanks(texts),
    )


def _split_spec(config: SequenceStudyConfig, test: npt.NDArray[np.bool_] | None) -> SequenceSplitSpec:
    """How the sequences are cut; a share of the holdout stands for itself, unless the data have a test part."""
    holdout = config.splits.holdout
    if test is None and holdout is None:
        holdout = _USUAL_HOLDOUT
    return SequenceSplitSpec(holdout=holdout, folds=config.splits.folds, seed=config.splits.seed)


def _read_data(config: SequenceStudyConfig, study_file: Path | None) -> LabeledData:
    """The sequences, which of them are the test part of the data, and where they came from."""
    from lstmgru.data.sequences.datasets import load_labeled_data

    data = config.data
    return load_labeled_data(
        path=data.resolve_path(study_file) if data.path is not None else None,
        test=data.resolve_path(study_file, "test") if data.test is not None else None,
        dataset=data.dataset,
        task=config.task,
        layout=data.layout,
        target=data.target,
        channels=data.channels,
        id=data.id,
        time=data.time,
        text=data.text,
        group=data.group,
        gaps=data.gaps,
        delimiter=data.delimiter,
        decimal=data.decimal,
        encoding=data.encoding,
        columns=data.columns,
    )


def _read_vectors(
    config: SequenceStudyConfig, study_file: Path | None, sequences: LabeledSequences, train: Indices
) -> WordVectors | None:
    """The vectors of the words that stand outside the holdout."""
    if config.data.vectors is None:
        return None
    from lstmgru.data.sequences.vocabulary import read_vectors, tokenize

    words = Counter(word for text in sequences.texts[train] for word in tokenize(text, "word"))
    return read_vectors(config.data.resolve_path(study_file, "vectors"), words)
