"""The baselines of sequence classification and regression."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.data.sequences.vocabulary import tokenize
from lstmgru.errors import DataError
from lstmgru.specs import LabelSpec

Array = npt.NDArray[np.float32]
SequencePredictor = Callable[[Indices], Array]
"""(k,) indices of sequences → (k, C) class probabilities, or (k, 1) numbers in original units."""
_Floats = npt.NDArray[np.float64]

# Maximum size of a matrix of features or distances (48 MB in float64).
_MOST_NUMBERS = 6_000_000
_ALPHAS = np.logspace(5, -3, 17)
# Shared equally by all classes, so that no probability of the linear model is 0.
_LEAST_PROBABILITY = 0.01


class SequenceBaseline(Protocol):
    """Fits a simple method to the training part of a split."""

    def __call__(self, sequences: LabeledSequences, train: Indices, task: LabelSpec) -> SequencePredictor:
        """Fit the method.

        Args:
            sequences: The data.
            train: (sequences,) indices of the training sequences; others are only read for prediction.
            task: The labels.

        Raises:
            DataError: The training sequences have no usable features.
        """


def sequence_baselines(sequences: LabeledSequences, task: LabelSpec) -> dict[str, SequenceBaseline]:
    """The baselines for the data by name, simplest first.

    Args:
        sequences: The data.
        task: The labels.
    """
    of_classes = task.task == "classification"
    found: dict[str, SequenceBaseline] = {"majority" if of_classes else "mean": constant}
    if sequences.is_text:
        return {**found, "tfidf_logistic" if of_classes else "tfidf_ridge": tfidf}
    return {**found, "nearest_neighbor": nearest_neighbor, "ridge": ridge}


def constant(sequences: LabeledSequences, train: Indices, task: LabelSpec) -> SequencePredictor:
    """The frequencies of the classes, or the mean label, for every sequence."""
    mean = _targets(sequences, train, task).mean(axis=0, keepdims=True)
    return lambda indices: np.repeat(mean, len(indices), axis=0).astype(np.float32)


def nearest_neighbor(sequences: LabeledSequences, train: Indices, task: LabelSpec) -> SequencePredictor:
    """The label of the nearest training sequence, by Euclidean distance.

    Each channel is scaled to mean 0 and deviation 1 over the training part. Sequences of other lengths are resampled to
    the median length of the training part by linear interpolation.
    """
    steps = int(np.median(sequences.lengths[train]))
    mean, scale = _moments(np.concatenate([_values(sequences, at) for at in train]))

    def read(indices: Indices) -> _Floats:
        stretched = [_stretched((_values(sequences, at) - mean) / scale, steps) for at in indices]
        return np.stack(stretched).reshape(len(indices), -1)

    known, targets = read(train), _targets(sequences, train, task)
    squares = (known**2).sum(axis=1)

    def predict(indices: Indices) -> Array:
        # |x|² is omitted, as it is the same for all neighbors.
        nearest = (squares - 2 * read(indices) @ known.T).argmin(axis=1)
        labels: Array = targets[nearest].astype(np.float32)
        return labels

    return _in_parts(predict, len(train), task)


def ridge(sequences: LabeledSequences, train: Indices, task: LabelSpec) -> SequencePredictor:
    """Ridge regression of all values or of summary statistics, with the penalty chosen by leave-one-out error.

    If all lengths are equal, the features are the values of all steps and channels, unless they are too many; otherwise
    mean, deviation, minimum, maximum, first and last value, and slope of each channel. For classes, the indicators are
    regressed (linear probability model), and the outputs are projected onto the probability simplex.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = np.unique(sequences.lengths)
    flat = len(steps) == 1 and len(train) * steps[0] * sequences.schema.n_channels <= _MOST_NUMBERS
    features = np.ravel if flat else _summary

    def read(indices: Indices) -> _Floats:
        return np.stack([features(_values(sequences, at)) for at in indices])

    model = make_pipeline(StandardScaler(), RidgeCV(_ALPHAS))
    model.fit(read(train), _targets(sequences, train, task))
    return _in_parts(lambda indices: _outputs(model.predict(read(indices)), task), len(train), task)


def tfidf(sequences: LabeledSequences, train: Indices, task: LabelSpec) -> SequencePredictor:
    """A linear model of a text's words, word pairs and parts of words, weighted by TF-IDF.

    Logistic regression for classes, ridge regression for numbers. Parts of words have up to four characters; for names
    and other short texts they are more informative than words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline, make_union

    classifies = task.task == "classification"
    words = TfidfVectorizer(
        tokenizer=partial(tokenize, kind="word"),
        token_pattern=None,
        lowercase=False,
        ngram_range=(1, 2),
        sublinear_tf=True,
    )
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    linear = LogisticRegression(C=10, max_iter=1000) if classifies else RidgeCV(_ALPHAS)
    model = make_pipeline(make_union(words, parts), linear)
    labels = sequences.labels[train]
    try:
        model.fit(sequences.texts[train], labels)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        raise DataError(f"none of the {len(train)} training texts contains a word, so TF-IDF has no features") from None

    def predict(indices: Indices) -> Array:
        texts = sequences.texts[indices]
        if not classifies:
            return np.asarray(model.predict(texts), np.float32)[:, None]
        probabilities = np.zeros((len(indices), len(task.classes)), np.float32)
        probabilities[:, model.classes_] = model.predict_proba(texts)
        return probabilities

    return _in_parts(predict, len(train), task)


def _targets(sequences: LabeledSequences, indices: Indices, task: LabelSpec) -> _Floats:
    """(k, C) indicators of the classes, or (k, 1) numbers."""
    labels = sequences.labels[indices]
    if task.task == "regression":
        return labels.astype(np.float64)[:, None]
    indicators: _Floats = np.eye(len(task.classes))[labels]
    return indicators


def _values(sequences: LabeledSequences, index: int) -> _Floats:
    """(T, F) one sequence."""
    start, end = sequences.offsets[index : index + 2]
    return sequences.values[start:end].astype(np.float64)


def _moments(values: _Floats) -> tuple[_Floats, _Floats]:
    """(F,) mean and standard deviation of (rows, F); constant features have a deviation of 1."""
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def _stretched(values: _Floats, steps: int) -> _Floats:
    """(T, F) → (steps, F) by linear interpolation; first and last step are kept."""
    if len(values) == steps:
        return values
    place = np.linspace(0, len(values) - 1, steps)
    before = np.minimum(place.astype(np.int64), len(values) - 1)
    after = np.minimum(before + 1, len(values) - 1)
    share = (place - before)[:, None]
    stretched: _Floats = (1 - share) * values[before] + share * values[after]
    return stretched


def _summary(values: _Floats) -> _Floats:
    """(7 · F,) mean, deviation, minimum, maximum, first and last value and slope of each channel of (T, F)."""
    mean = values.mean(axis=0)
    place = np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
    slope = place @ (values - mean) / max(float(place @ place), 1e-12)
    parts = (mean, values.std(axis=0), values.min(axis=0), values.max(axis=0), values[0], values[-1], slope)
    return np.concatenate(parts)


def _outputs(predicted: _Floats, task: LabelSpec) -> Array:
    """Outputs of a linear model → numbers, or the nearest probabilities, none of which is 0."""
    if task.task == "regression":
        return predicted.reshape(-1, 1).astype(np.float32)
    n_classes = predicted.shape[1]
    falling = -np.sort(-predicted, axis=1)
    # Projection onto the probabilities (Duchi et al. 2008): subtract what makes the positive parts sum to 1.
    excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, n_classes + 1)
    kept = (falling > excess).sum(axis=1, keepdims=True)
    nearest = np.maximum(predicted - np.take_along_axis(excess, kept - 1, axis=1), 0)
    least = _LEAST_PROBABILITY / n_classes
    probabilities: Array = ((1 - _LEAST_PROBABILITY) * nearest + least).astype(np.float32)
    return probabilities


def _in_parts(predict: SequencePredictor, n_train: int, task: LabelSpec) -> SequencePredictor:
    """The same method in batches, to limit the size of matrices against the training sequences."""
    at_once = max(1, _MOST_NUMBERS // n_train)

    def predict_all(indices: Indices) -> Array:
        parts = [predict(indices[start : start + at_once]) for start in range(0, len(indices), at_once)]
        return np.concatenate(parts) if parts else np.zeros((0, task.n_outputs), np.float32)

    return predict_all
