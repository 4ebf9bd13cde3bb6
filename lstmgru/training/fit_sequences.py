"""Fit one sequence network on one split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lstmgru.data.sequences.encoding import Encoding
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.data.sequences.splits import SequenceSplit
from lstmgru.data.sequences.vocabulary import WordVectors
from lstmgru.errors import SpecError
from lstmgru.evaluation.metrics import find_metric
from lstmgru.evaluation.sequences import Array, SequenceEvaluation
from lstmgru.nn.sequence_network import SequenceNetwork
from lstmgru.specs import LabelSpec, SequenceModelSpec, TrainSpec
from lstmgru.training.checkpoints import Checkpoints
from lstmgru.training.chunks import ChunksDataModule
from lstmgru.training.epoch_outputs import EpochOutputs
from lstmgru.training.module import Validation
from lstmgru.training.sequence_batches import Bucketed, ByLength, SequenceTensor
from lstmgru.training.training import Observer, Trained, train_network


@dataclass(frozen=True)
class SequenceFitResult(Trained[SequenceNetwork]):
    """A trained sequence network; its outputs are those of :func:`predict_sequences` for the scored sequences.

    Attributes:
        encoding: Fitted on the training part.
    """

    encoding: Encoding


def fit_sequences(
    sequences: LabeledSequences,
    split: SequenceSplit,
    model: SequenceModelSpec,
    train: TrainSpec,
    task: LabelSpec,
    *,
    validate: bool = True,
    observer: Observer | None = None,
    vectors: WordVectors | None = None,
    checkpoints: Checkpoints | None = None,
    epoch_outputs: EpochOutputs | None = None,
) -> SequenceFitResult:
    """Train a network on the training part of a split.

    Args:
        sequences: The data; only the training part of ``split`` is used for training.
        split: The split.
        model: The architecture.
        train: The training settings.
        task: The labels and the metric.
        validate: Whether the evaluation part is scored after each epoch, for early stopping and the best weights; if
            not, ``train.max_epochs`` epochs are trained and the last weights kept.
        observer: Follows the training and may stop it.
        vectors: Initial vectors of words; ``None``: random ones.
        checkpoints: Where the checkpoints of the training go, and the one from which it resumes; ``None`` for none.
        epoch_outputs: Receives the validation outputs of every epoch.

    Raises:
        DataError: The metric is undefined on the evaluation part.
        SpecError: The loss or the architecture does not fit the labels.
        TrainingDiverged: The loss or the score is not finite.
    """
    _check_loss(train, task)
    evaluation = SequenceEvaluation.of(sequences, split.evaluation, task) if validate else None
    if evaluation is not None:
        evaluation.check(task.metric)
    encoding = Encoding.fit(sequences, split.train, model, task)
    data = _resident(sequences, encoding, model)
    order = _by_length(split.evaluation, data, model) if validate else None
    weights = balanced_weights(sequences.labels[split.train], task) if train.class_weights == "balanced" else None
    trained = train_network(
        lambda: SequenceNetwork(
            model,
            n_channels=sequences.schema.n_channels,
            n_outputs=task.n_outputs,
            vocabulary_size=encoding.vocabulary_size,
            subwords=encoding.subwords(model),
            vectors=None if vectors is None else _first_vectors(vectors, encoding, model),
        ),
        lambda network, inputs, target: network.loss(inputs, target, train, weights),
        data,
        ChunksDataModule(
            Bucketed(
                split.train,
                data.lengths.numpy(),
                batch_size=train.batch_size,
                most=train.epoch_windows,
                seed=train.seed,
            ),
            order,
            batch_size=train.batch_size,
        ),
        train,
        validation=None if evaluation is None or order is None else _validation(evaluation, order, encoding),
        observer=observer,
        checkpoints=checkpoints,
        epoch_outputs=epoch_outputs,
    )
    return SequenceFitResult(**vars(trained), encoding=encoding)


def predict_sequences(
    network: SequenceNetwork, encoding: Encoding, sequences: LabeledSequences, indices: Indices, task: LabelSpec
) -> Array:
    """The predictions of a network for some sequences.

    Args:
        network: Trained, in evaluation mode.
        encoding: The encoding that it was trained with.
        sequences: The data.
        indices: (k,) numbers of sequences.
        task: The labels.

    Returns:
        (k, O) probabilities of the classes, or numbers in original units.
    """
    if len(indices) == 0:
        return np.zeros((0, task.n_outputs), np.float32)
    data = _resident(sequences, encoding, network.spec)
    order = _by_length(indices, data, network.spec)
    with torch.no_grad():
        outputs = torch.cat([network(*data.read(part)) for part in order])
    return _restored(outputs.numpy(), order, encoding, task)


def balanced_weights(labels: Indices, task: LabelSpec) -> Tensor:
    """(C,) weights inverse to the class frequencies, with mean 1 over the labels; 0 for a class without labels.

    Args:
        labels: (k,) codes of the classes.
        task: Their names.
    """
    counts = np.bincount(labels, minlength=len(task.classes))
    weights = np.divide(len(labels), counts * (counts > 0).sum(), out=np.zeros(len(counts)), where=counts > 0)
    return torch.from_numpy(weights.astype(np.float32))


def _first_vectors(vectors: WordVectors, encoding: Encoding, model: SequenceModelSpec) -> Tensor:
    """(vocabulary size, embedding size) vectors of words, NaN for words without one.

    Raises:
        SpecError: The network does not read words, or its vectors have another size.
    """
    if model.tokens != "word" or encoding.vocabulary is None:
        raise SpecError(f"vectors of words need tokens of word but got {model.tokens!r}")
    if model.embedding_size != vectors.size:
        raise SpecError(f"embedding_size must be that of the vectors ({vectors.size}) but got {model.embedding_size!r}")
    table, known = vectors.of(encoding.vocabulary.tokens)
    rows = torch.full((encoding.vocabulary_size, vectors.size), torch.nan)
    rows[-len(table) or len(rows) :][torch.from_numpy(known)] = torch.from_numpy(table[known])
    return rows


def _resident(sequences: LabeledSequences, encoding: Encoding, model: SequenceModelSpec) -> SequenceTensor:
    """The encoded sequences; without labels, there are no targets."""
    encoded = encoding.inputs(sequences, model.max_length)
    labels = sequences.labels
    target = encoding.scale_labels(labels) if labels.dtype.kind == "f" else labels
    return SequenceTensor(encoded.values, encoded.offsets, target)


def _by_length(indices: Indices, data: SequenceTensor, model: SequenceModelSpec) -> ByLength:
    n_features = data.values[0].numel() if model.tokens is None else model.embedding_size
    return ByLength(indices, data.lengths.numpy(), n_features)


def _validation(evaluation: SequenceEvaluation, order: ByLength, encoding: Encoding) -> Validation:
    task = evaluation.task
    return Validation(
        restore=lambda outputs: _restored(outputs, order, encoding, task),
        score=lambda outputs: evaluation.score(task.metric, outputs),
        larger_is_better=find_metric(task.metric).larger_is_better,
        tie_break=(lambda outputs: evaluation.score("log_loss", outputs)) if task.classes else None,
    )


def _restored(outputs: Array, order: ByLength, encoding: Encoding, task: LabelSpec) -> Array:
    """(k, O) outputs in the order of a pass → the results of :func:`predict_sequences`."""
    outputs = outputs[order.restore]
    if task.task == "regression":
        return encoding.restore_labels(outputs)
    logits = outputs.astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def _check_loss(train: TrainSpec, task: LabelSpec) -> None:
    if (train.loss == "cross_entropy") != (task.task == "classification"):
        valid = "cross_entropy" if task.task == "classification" else "mae, mse or huber"
        raise SpecError(f"the loss of a {task.task} must be {valid} but got {train.loss!r}")
