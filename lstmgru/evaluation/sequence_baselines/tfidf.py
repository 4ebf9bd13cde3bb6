"""Linear models of words and parts of words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

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

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

_SPARSE_NUMBERS = 2000  # a guess at the terms of a text


class Terms:
    """The TF-IDF of a text's words, word pairs and parts of words.

    Parts of words have up to four characters; for names and other short texts they are more informative than words.

    Args:
        words: The terms of words, by column.
        parts: The parts of words, by column.
        weights: (words + parts,) inverse document frequency of each.
    """

    def __init__(self, words: Sequence[str], parts: Sequence[str], weights: Floats) -> None:
        self.words, self.parts, self.weights = words, parts, weights
        of_words, of_parts = np.split(weights, [len(words)])
        self._vectorizers = [_fixed(_words, words, of_words), _fixed(_parts, parts, of_parts)]

    @classmethod
    def fit(cls, texts: npt.NDArray[np.object_]) -> Self:
        """Collect the terms of training texts.

        Raises:
            DataError: No text contains a word.
        """
        words, parts = _words(), _parts()
        try:
            words.fit(texts)
            parts.fit(texts)
        except ValueError as error:
            if "empty vocabulary" not in str(error):
                raise
            message = f"none of the {len(texts)} training texts contains a word, so TF-IDF has no features"
            raise DataError(message) from None
        found = [each.get_feature_names_out().tolist() for each in (words, parts)]
        return cls(found[0], found[1], np.concatenate([words.idf_, parts.idf_]))

    def __call__(self, texts: npt.NDArray[np.object_]) -> Any:
        """(n, terms) sparse weights of the terms of texts."""
        from scipy.sparse import hstack

        return hstack([each.transform(texts) for each in self._vectorizers]).tocsr()


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
        model.fit(terms(texts), labels)
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
        outputs = self.linear(self.terms(sequences.texts))
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


def _words(**kwargs: Any) -> TfidfVectorizer:
    """Words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    tokenizer = partial(tokenize, kind="word")
    return TfidfVectorizer(
        tokenizer=tokenizer, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True, **kwargs
    )


def _parts(**kwargs: Any) -> TfidfVectorizer:
    """Parts of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, **kwargs)


def _fixed(make: Any, terms: Sequence[str], weights: Floats) -> TfidfVectorizer:
    """A vectorizer with known terms and weights."""
    vectorizer = make(vocabulary={term: column for column, term in enumerate(terms)})
    vectorizer.idf_ = weights
    return vectorizer


def _packed(name: str, terms: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Terms as arrays: their UTF-8 bytes, concatenated, and the (terms + 1,) offsets."""
    parts = [term.encode() for term in terms]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return {name: np.frombuffer(b"".join(parts), np.uint8), f"{name}_offsets": offsets}


def _unpacked(arrays: dict[str, npt.NDArray[Any]], name: str) -> list[str]:
    """The terms that :func:`_packed` wrote."""
    data, offsets = arrays[name].tobytes(), arrays[f"{name}_offsets"].tolist()
    return [data[start:end].decode() for start, end in pairwise(offsets)]
