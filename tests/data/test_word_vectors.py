"""Word vectors are read from a text file, only those that are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.combinations import each_row

from lstmgru.data.sequences.vocabulary import read_vectors
from lstmgru.errors import DataError

PLAIN = "the 0.5 -1 2e-1\nsun 1 2 3\n. . 7 8 9\nété 4 5 6\nsun 0 0 0\n"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "vectors.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [PLAIN, "5 3\n" + PLAIN, PLAIN.replace("\n", "\r\n"), PLAIN.replace("\n", " \n"), PLAIN + "\n"],
    ids=["plain", "with a header", "line ends", "blanks at the end", "an empty line"],
)
def test_the_words_that_are_asked_for_are_read(tmp_path: Path, content: str) -> None:
    found = read_vectors(write(tmp_path, content), ["sun", "été", ". .", "moon"])

    assert found.size == 3
    assert {word: vector.tolist() for word, vector in found.vectors.items()} == {
        "sun": [1, 2, 3],
        ". .": [7, 8, 9],
        "été": [4, 5, 6],
    }
    assert found.vectors["sun"].dtype == np.float32


def test_a_word_without_a_vector_has_zeros(tmp_path: Path) -> None:
    found = read_vectors(write(tmp_path, PLAIN), {"sun", "the"})

    table, known = found.of(["moon", "sun", "the"])

    np.testing.assert_array_equal(table, np.array([[0, 0, 0], [1, 2, 3], [0.5, -1, 0.2]], np.float32))
    assert known.tolist() == [False, True, True]
    assert found.of([])[0].shape == (0, 3)


@each_row(
    ("content", "message"),
    [
        ("a 1 2\nsun 1\n", "line 2 has 1 number after the word but the first one has 2; each line must be"),
        ("a\n", "line 1 has 0 numbers after the word; each line must be a word and its numbers, separated by"),
        ("a\t1\t2\n", "line 1 has 0 numbers after the word;"),
        ("a 1 2\nsun 1 x\n", "line 2 must hold numbers after the word but one is 'x'; correct the line$"),
        ("a 1 2\nsun 1 nan\n", "line 2 must hold numbers after the word but one is 'nan'"),
        ("a 1 2\nsun 1 1e39\n", "line 2 must hold numbers after the word but one is '1e39'"),
        (b"a 1 2\n\xe9t\xe9 1 2\n", "line 2 is not UTF-8 text; convert the file$"),
        ("a 1 2\nb 1 2\n", "vectors.txt has vectors for none of the 1 word of the texts; name a file of their language,"
         " or remove data.vectors$"),
        ("", "is empty"),
    ],
)  # fmt: skip
def test_another_kind_of_file_is_refused_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_vectors(write(tmp_path, content), ["sun"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path, PLAIN)

    with pytest.raises(DataError, match=r"vector.txt does not exist; did you mean 'vectors.txt'\?"):
        read_vectors(tmp_path / "vector.txt", ["sun"])
