"""Word vectors that were learnt elsewhere, from a text file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstmgru.data.formatting import counted
from lstmgru.data.tables.readers import check_exists
from lstmgru.errors import DataError

Array = npt.NDArray[np.float32]

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class WordVectors:
    """The vectors of some words.

    Attributes:
        size: Numbers of a vector.
        vectors: Word → (size,) float32.
    """

    size: int
    vectors: dict[str, Array]

    def of(self, words: Sequence[str]) -> tuple[Array, npt.NDArray[np.bool_]]:
        """(n, size) vectors of words, zeros for one that has none, and (n,) whether it has one."""
        nothing = np.zeros(self.size, np.float32)
        table = np.array([self.vectors.get(word, nothing) for word in words], np.float32).reshape(-1, self.size)
        return table, np.array([word in self.vectors for word in words], bool)


def read_vectors(path: Path, words: Collection[str]) -> WordVectors:
    """The vectors of the words that are asked for; the rest of the file is passed over.

    Args:
        path: UTF-8 text: a word and its numbers in each line, separated by single blanks. A first line of two whole
            numbers, how many words and how many numbers there are, may stand before them.
        words: The words, as the tokens of a vocabulary are written. Of two lines for a word the first counts.

    Raises:
        DataError: The file is missing or no such file, a line has more or fewer numbers than the others or something
            else, or none of the words is in it.
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
            "language, or leave data.vectors out"
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
