"""Sequences as a baseline reads them."""

from __future__ import annotations

import numpy as np
from helpers.sequences import make_sequences, make_texts

from lstmgru.data.sequences.raw import RawSequences

DATA = make_sequences(5)


def test_sequences_are_taken_in_any_order() -> None:
    raw = RawSequences.of(DATA, np.array([3, 0, 3]))
    expected = [DATA.values[DATA.offsets[n] : DATA.offsets[n + 1]] for n in (3, 0, 3)]
    assert [array.tolist() for array in raw.arrays()] == [each.tolist() for each in expected]
    assert len(raw) == 3


def test_a_part_is_that_of_all() -> None:
    whole = RawSequences.of(DATA)
    assert [array.tolist() for array in whole.part(1, 3).arrays()] == [each.tolist() for each in whole.arrays()[1:3]]
    assert len(whole.part(3, 9)) == 2
    assert len(whole.part(5, 5)) == 0


def test_texts_are_taken_without_rows() -> None:
    data = make_texts(5)
    raw = RawSequences.of(data, np.array([4, 1]))
    assert raw.texts.tolist() == [data.texts[4], data.texts[1]]
    assert raw.part(1, 2).texts.tolist() == [data.texts[1]]
    assert raw.lengths.tolist() == [0, 0]


def test_padding_is_left_out() -> None:
    whole = RawSequences.of(DATA)
    padded = np.full((5, whole.lengths.max(), 2), np.nan, np.float32)
    for number, array in enumerate(whole.arrays()):
        padded[number, : len(array)] = array
    found = RawSequences.from_padded(padded, whole.lengths)
    assert np.array_equal(found.values, whole.values)
    assert np.array_equal(found.offsets, whole.offsets)
