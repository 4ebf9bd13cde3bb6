"""Tokenization, vocabularies, and pretrained word vectors."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import Indices
from lstmgru.data.tables.readers import check_exists
from lstmgru.errors import DataError, at_least, counted, one_of
from lstmgru.specs import Tokens
from lstmgru.specs.fields import check_types
from lstmgru.specs.sequences import N_SUBWORDS, TOKENS

PADDING = 0
"""Code of padding in a batch."""
UNKNOWN = 1
"""Code of tokens that are not in the vocabulary, and of a text without tokens."""
MOST_TOKENS = 50_000
"""Maximum size of a vocabulary; the most frequent tokens are kept."""

_NGRAMS = (3, 4, 5)
_MOST_NGRAMS = 24

_SPECIAL = 2  # PADDING and UNKNOWN
_PLANES = 0x20000  # upper bound of the code points of combining marks
# Scripts without blanks between words: Thai and Lao, Myanmar, Khmer, kana with their marks, and the ideographs of
# Chinese and Japanese.
_UNSPACED_SCRIPTS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{_UNSPACED_SCRIPTS}]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_BLANKS = re.compile(rf"(?<=[{_UNSPACED_SCRIPTS}])\s+(?=[{_UNSPACED_SCRIPTS}])")
_LONGEST_WORD = 8
"""Mean number of characters from blank to blank above which they are not words; words of Thai have about 5."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens with their own code.

    Attributes:
        kind: Kind of the tokens.
        tokens: By descending frequency, then by code point; the first has the code 2.
    """

    kind: Tokens
    tokens: tuple[str, ...]

    @classmethod
    def fit(cls, texts: Iterable[str], kind: Tokens, *, min_count: int = 1) -> Self:
        """The vocabulary of training texts.

        Args:
            texts: The training texts only.
            kind: Kind of the tokens.
            min_count: Minimum number of occurrences of a token.

        Raises:
            SpecError: ``kind`` or ``min_count`` is not valid.
        """
        at_least("min_count", min_count, 1)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(tokenize(text, kind))
        kept = sorted(((-count, token) for token, count in counts.items() if count >= min_count))[:MOST_TOKENS]
        return cls(kind, tuple(token for _, token in kept))

    @property
    def size(self) -> int:
        """Number of codes, including those of padding and unknown tokens."""
        return len(self.tokens) + _SPECIAL

    def encode(self, texts: Iterable[str], max_length: int) -> tuple[Indices, Indices]:
        """Encode texts as concatenated codes.

        Args:
            texts: (n,) texts.
            max_length: Maximum number of tokens; longer texts are truncated.

        Returns:
            (rows,) codes from 1, and (n + 1,) offsets: text ``i`` has the rows ``offsets[i]:offsets[i + 1]``, at least
            one.
        """
        codes: list[int] = []
        offsets = [0]
        for text in texts:
            tokens = tokenize(text, self.kind)[:max_length]
            codes += [self._codes.get(token, UNKNOWN) for token in tokens] or [UNKNOWN]
            offsets.append(len(codes))
        return np.array(codes, np.int64), np.array(offsets, np.int64)

    def subwords(self) -> Indices:
        """(size, n) numbers of the character n-grams of each token, from 1 to :data:`N_SUBWORDS`; 0 pads a row.

        The n-grams have 3 to 5 characters, with ``<`` before the token and ``>`` after it. Their numbers are hash
        values, so that several n-grams can have the same one. Of long tokens, the first 24 n-grams are read.
        """
        numbers = np.zeros((self.size, _MOST_NGRAMS), np.int64)
        for row, token in zip(numbers[_SPECIAL:], self.tokens, strict=True):
            text = f"<{token}>"
            ngrams = [text[at : at + n] for n in _NGRAMS for at in range(len(text) - n + 1)][:_MOST_NGRAMS]
            row[: len(ngrams)] = [1 + zlib.crc32(ngram.encode()) % N_SUBWORDS for ngram in ngrams]
        return numbers

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {"kind": self.kind, "tokens": list(self.tokens)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The vocabulary that :meth:`to_dict` wrote.

        Raises:
            SpecError: The kind is not valid, or a token is not text.
        """
        one_of("kind", values["kind"], TOKENS)
        check_types(cls, values)
        return cls(values["kind"], tuple(values["tokens"]))

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.tokens, start=_SPECIAL)}


def tokenize(text: str, kind: Tokens) -> list[str]:
    """Split a text into tokens.

    ``word``: casefolded words, numbers (``1,000.5`` is one), and every other symbol by itself, without white space.
    ``character``: all characters, including white space. Texts are normalized to Unicode NFC.

    Raises:
        SpecError: There is no such kind.
    """
    one_of("tokens", kind, TOKENS)
    if kind == "character":
        return list(unicodedata.normalize("NFC", text))
    return _words().findall(unicodedata.normalize("NFC", text.casefold()))


@cache
def _words() -> re.Pattern[str]:
    r"""The pattern of a number, a word, or a symbol.

    Combining marks, such as the vowel signs of Hindi, belong to words but are not matched by ``\w``.
    """
    marks = "".join(chr(code) for code in range(_PLANES) if unicodedata.category(chr(code)).startswith("M"))
    return re.compile(rf"\d+(?:[.,]\d+)*|[^\W\d_][^\W_]*(?:[{marks}][^\W_]*)*|[^\w\s]|_")


def lacks_blanks(texts: Iterable[str]) -> bool:
    """Whether texts are mostly in scripts without blanks between words, such as Chinese, Japanese and Thai.

    Texts whose words have been separated by blanks are not.

    Args:
        texts: The texts.
    """
    unspaced = letters = blanks = 0
    for text in texts:
        unspaced += _n_matches(_UNSPACED, text)
        letters += _n_matches(_LETTERS, text)
        blanks += len(_BLANKS.findall(text))
    return 2 * unspaced > letters and unspaced > _LONGEST_WORD * blanks


def _n_matches(pattern: re.Pattern[str], text: str) -> int:
    return sum(map(len, pattern.findall(text)))


Array = npt.NDArray[np.float32]

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class WordVectors:
    """Pretrained vectors of words.

    Attributes:
        size: Size of a vector.
        vectors: Word → (size,) float32.
    """

    size: int
    vectors: dict[str, Array]

    def of(self, words: Sequence[str]) -> tuple[Array, npt.NDArray[np.bool_]]:
        """(n, size) vectors of words, 0 for words without one, and (n,) True for words with one."""
        nothing = np.zeros(self.size, np.float32)
        table = np.array([self.vectors.get(word, nothing) for word in words], np.float32).reshape(-1, self.size)
        return table, np.array([word in self.vectors for word in words], bool)


def read_vectors(path: Path, words: Collection[str]) -> WordVectors:
    """Read the vectors of some words from a file.

    Args:
        path: UTF-8 text with a word and its numbers in each line, separated by single spaces, optionally after a header
            with the number of words and the size of a vector.
        words: The words, written like tokens of a vocabulary. The first of several lines for a word is used.

    Raises:
        DataError: The file is missing or invalid, the number of values differs between lines, or the file has none of
            the words.
    """
    check_exists(path)
    wanted = set(words)
    vectors: dict[str, Array] = {}
    size = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            fields = line.rstrip()
            if not fields or (number == 1 and _is_header(fields)):
                continue
            size = size or fields.count(b" ")
            word, numbers = _split(fields, size, f"{path}: line {number}")
            if word in wanted and word not in vectors:
                vectors[word] = _vector(numbers, f"{path}: line {number}")
    if not vectors:
        raise DataError(
            f"{path} has vectors for none of the {counted(len(wanted), 'word')} of the texts; name a file of their "
            "language, or remove data.vectors"
        )
    return WordVectors(size, vectors)


def _is_header(fields: bytes) -> bool:
    parts = fields.split(b" ")
    return len(parts) == 2 and all(part.isdigit() for part in parts)


def _split(fields: bytes, size: int, where: str) -> tuple[str, bytes]:
    """A line's word and its numbers; a word may hold blanks."""
    found = fields.count(b" ")
    if size == 0 or found < size:
        raise DataError(
            f"{where} has {counted(found, 'number')} after the word{f' but the first one has {size}' if size else ''}; "
            "each line must be a word and its numbers, separated by single blanks"
        )
    word, *_ = fields.split(b" ", 1) if found == size else fields.rsplit(b" ", size)
    try:
        return word.decode(), fields[len(word) + 1 :]
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is not UTF-8 text; convert the file") from error


def _vector(numbers: bytes, where: str) -> Array:
    fields = numbers.split(b" ")
    for field in fields:
        try:
            value = float(field)
        except ValueError:
            value = float("nan")
        if not abs(value) <= _LARGEST:
            text = field.decode(errors="replace")
            raise DataError(f"{where} must hold numbers after the word but one is {text!r}; correct the line")
    return np.array(fields, np.float64).astype(np.float32)
