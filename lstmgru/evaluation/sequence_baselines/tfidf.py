"""Linear models of words and parts of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.data.sequences.vocabulary import tokenize
from lstmgru.errors import DataError
from lstmgru.evaluation.sequence_baselines.base import Array, FittedSequenceBaseline, Floats, State
from lstmgru.evaluation.sequence_baselines.linear import ALPHAS, Linear, softmax
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit
from lstmgru.specs import LabelSpec

_SPARSE_NUMBERS = 2000  # a guess at the terms of a text
_LONGEST_PART = 4


class Terms:
    """The TF-IDF of a text's words, word pairs and parts of words.

    Parts of words have up to four characters; for names and other short texts they are more informative than words.
    Weights are those of ``TfidfVectorizer(sublinear_tf=True)`` of scikit-learn: (1 + ln count) (1 + ln((1 + n) / (1 +
    texts with the term))), with the Euclidean norm 1 for the words and for the parts of a text.

    Args:
        words: The terms of words, by column.
        parts: The parts of words, by column.
        weights: (words + parts,) inverse document frequency of each.
    """

    def __init__(self, words: Sequence[str], parts: Sequence[str], weights: Floats) -> None:
        self.words, self.parts, self.weights = words, parts, weights
        self._words = {term: column for column, term in enumerate(words)}
        self._parts = {term: column for column, term in enumerate(parts, start=len(words))}

    @classmethod
    def fit(cls, texts: npt.NDArray[np.object_]) -> Self:
        """Collect the terms of training texts.

        Raises:
            DataError: No text contains a word.
        """
        words, of_words = _collect(texts, _words_of)
        parts, of_parts = _collect(texts, _parts_of)
        if not words:
            raise DataError(f"none of the {len(texts)} training texts contains a word, so TF-IDF has no features")
        return cls(words, parts, np.concatenate([of_words, of_parts]))

    def row(self, text: str) -> tuple[Indices, Floats]:
        """Columns of the known terms of a text, and their weights."""
        words = self._weighted(_words_of(text), self._words)
        parts = self._weighted(_parts_of(text), self._parts)
        return np.concatenate([words[0], parts[0]]), np.concatenate([words[1], parts[1]])

    def matrix(self, texts: npt.NDArray[np.object_]) -> Any:
        """(n, terms) sparse weights of the terms of texts."""
        from scipy.sparse import csr_matrix

        columns, weights = zip(*map(self.row, texts), strict=True)
        starts = np.concatenate([[0], np.cumsum([len(each) for each in columns])])
        shape = (len(texts), len(self.weights))
        return csr_matrix((np.concatenate(weights), np.concatenate(columns), starts), shape=shape)

    def _weighted(self, terms: list[str], known: dict[str, int]) -> tuple[Indices, Floats]:
        counts = Counter(known[term] for term in terms if term in known)
        columns, often = np.array([*counts], np.int64), np.array([*counts.values()], np.float64)
        weights = (1 + np.log(often)) * self.weights[columns]
        return columns, weights / np.sqrt((weights**2).sum()) if len(weights) else weights


class Tfidf(FittedSequenceBaseline):
    """A linear model of the terms of a text.

    Args:
        terms: Of the training texts.
        linear: Of the weights of the terms.
        classes: (k,) codes of the classes in the training part, ascending; empty for numbers.
        n_outputs: Number of all classes; 1 for numbers.
    """

    def __init__(self, terms: Terms, linear: Linear, classes: Indices, n_outputs: int) -> None:
        self.terms, self.linear, self.classes, self.n_outputs = terms, linear, classes, n_outputs

    @classmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, task: LabelSpec, limit: TimeLimit = UNLIMITED) -> Self:
        """See :meth:`FittedSequenceBaseline.fit`."""
        from sklearn.linear_model import LogisticRegression, RidgeCV

        texts, labels = sequences.texts[train], sequences.labels[train]
        terms = Terms.fit(texts)
        classifies = task.task == "classification"
        model = LogisticRegression(C=10, max_iter=1000) if classifies else RidgeCV(ALPHAS)
        model.fit(terms.matrix(texts), labels)
        linear = Linear.of(model)
        classes = model.classes_.astype(np.int64) if classifies else np.zeros(0, np.int64)
        return cls(terms, linear, classes, task.n_outputs)

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedSequenceBaseline.from_state`."""
        terms = Terms(_unpacked(arrays, "words"), _unpacked(arrays, "parts"), arrays["weights"])
        linear = Linear(arrays["coefficients"], arrays["intercept"])
        return cls(terms, linear, arrays["classes"], values["n_outputs"])

    def state(self) -> State:
        """See :meth:`FittedSequenceBaseline.state`."""
        return {"n_outputs": self.n_outputs}, {
            **_packed("words", self.terms.words),
            **_packed("parts", self.terms.parts),
            "weights": self.terms.weights,
            "coefficients": self.linear.coefficients,
            "intercept": self.linear.intercept,
            "classes": self.classes,
        }

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedSequenceBaseline.n_parameters`."""
        return self.linear.n_parameters + len(self.terms.weights)

    @property
    def numbers_per_sequence(self) -> int:
        """See :attr:`FittedSequenceBaseline.numbers_per_sequence`."""
        return _SPARSE_NUMBERS

    def predict_batch(self, sequences: RawSequences) -> Array:
        """See :meth:`FittedSequenceBaseline.predict_batch`."""
        rows = map(self.terms.row, sequences.texts)
        weighted = [self.linear.coefficients[:, columns] @ weights for columns, weights in rows]
        outputs = np.stack(weighted) + self.linear.intercept
        if not len(self.classes):
            return outputs.astype(np.float32)
        if len(self.classes) == 2:  # a single logit, of the second class
            outputs = np.hstack([np.zeros_like(outputs), outputs])
        probabilities = np.zeros((len(outputs), self.n_outputs), np.float32)
        probabilities[:, self.classes] = softmax(outputs)
        return probabilities


class TfidfLogistic(Tfidf):
    """Logistic regression of the terms of a text."""

    name = "tfidf_logistic"


class TfidfRidge(Tfidf):
    """Ridge regression of the terms of a text."""

    name = "tfidf_ridge"


def _words_of(text: str) -> list[str]:
    """Words and pairs of words."""
    words = tokenize(text, "word")
    return words + [" ".join(pair) for pair in pairwise(words)]


def _parts_of(text: str) -> list[str]:
    """Parts of words, with a blank before and after each word."""
    return [
        word[start : start + length]
        for word in (f" {each} " for each in text.lower().split())
        for length in range(1, min(_LONGEST_PART, len(word)) + 1)
        for start in range(len(word) - length + 1)
    ]


def _collect(texts: npt.NDArray[np.object_], terms_of: Callable[[str], list[str]]) -> tuple[list[str], Floats]:
    """All terms of texts in ascending order, and their inverse document frequencies."""
    counts = Counter(term for text in texts for term in set(terms_of(text)))
    terms = sorted(counts)
    n_texts = np.array([counts[term] for term in terms], np.float64)
    return terms, 1 + np.log((1 + len(texts)) / (1 + n_texts))


def _packed(name: str, terms: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Terms as arrays: their UTF-8 bytes, concatenated, and the (terms + 1,) offsets."""
    parts = [term.encode() for term in terms]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return {name: np.frombuffer(b"".join(parts), np.uint8), f"{name}_offsets": offsets}


def _unpacked(arrays: dict[str, npt.NDArray[Any]], name: str) -> list[str]:
    """The terms that :func:`_packed` wrote."""
    data, offsets = arrays[name].tobytes(), arrays[f"{name}_offsets"].tolist()
    return [data[start:end].decode() for start, end in pairwise(offsets)]
