"""Batches of sequences: gathered rows, padding, buckets of similar lengths, evaluation in order of length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from helpers.lazy import LazyModule

if TYPE_CHECKING:
    from lstmgru.training.sequence_batches import Bucketed

batching = LazyModule("lstmgru.training.sequence_batches")


LENGTHS = np.random.default_rng(0).integers(1, 60, 200)
SEQUENCES = np.arange(10, 190)


def batches_of(chunks: Bucketed, batch_size: int) -> list[torch.Tensor]:
    """As a training step walks them."""
    return [batch for chunk in chunks for batch in torch.split(chunk, batch_size)]


def padding(batches: list[torch.Tensor]) -> float:
    """Steps that are read for each real one."""
    read = sum(len(batch) * LENGTHS[batch.numpy()].max() for batch in batches)
    return float(read / sum(LENGTHS[batch.numpy()].sum() for batch in batches))


def test_a_batch_holds_the_rows_of_its_sequences_and_zeros_after_them() -> None:
    values = np.arange(1, 19, dtype=np.float32).reshape(9, 2)
    data = batching.SequenceTensor(values, np.array([0, 3, 4, 9]), np.array([7, 8, 9]))
    (read, lengths), target = data.gather(torch.tensor([1, 0]))
    assert lengths.tolist() == [1, 3]
    assert target.tolist() == [8, 7]
    assert read.tolist() == [[[7, 8], [0, 0], [0, 0]], [[1, 2], [3, 4], [5, 6]]]


def test_a_batch_of_tokens_holds_codes_and_the_code_of_padding() -> None:
    data = batching.SequenceTensor(np.array([4, 5, 6, 1]), np.array([0, 3, 4]), np.zeros(2, np.int64))
    codes = data.gather(torch.tensor([0, 1])).inputs.values
    assert codes.dtype == torch.int64
    assert codes.tolist() == [[4, 5, 6], [1, 0, 0]]


def test_a_batch_is_as_long_as_its_own_longest_sequence() -> None:
    data = batching.SequenceTensor(np.zeros((100, 1), np.float32), np.array([0, 90, 93, 98, 100]), np.zeros(4))
    assert data.gather(torch.tensor([1, 3])).inputs.values.shape == (2, 3, 1)


def test_every_sequence_comes_once_a_pass_and_only_the_last_batch_is_not_full() -> None:
    chunks = batching.Bucketed(SEQUENCES, LENGTHS, batch_size=16, most=None, seed=0)
    batches = batches_of(chunks, 16)
    assert sorted(torch.cat(batches).tolist()) == SEQUENCES.tolist()
    assert [len(batch) for batch in batches] == [16] * 11 + [4]
    assert chunks.size == 180


def test_a_chunk_is_worth_several_batches() -> None:
    chunks = batching.Bucketed(SEQUENCES, LENGTHS, batch_size=2, most=None, seed=0)
    assert [len(chunk) for chunk in chunks] == [
        2 * batching.CHUNK_BATCHES,
        2 * batching.CHUNK_BATCHES,
        180 - 4 * batching.CHUNK_BATCHES,
    ]
    assert len(chunks) == 3


def test_neighbors_in_length_share_a_batch() -> None:
    bucketed = batches_of(batching.Bucketed(SEQUENCES, LENGTHS, batch_size=16, most=None, seed=0), 16)
    shuffled = list(torch.split(torch.from_numpy(SEQUENCES[np.random.default_rng(0).permutation(180)]), 16))
    assert padding(shuffled) > 1.7
    assert padding(bucketed) < 1.3


def test_the_order_changes_from_pass_to_pass_and_is_the_same_for_the_same_seed() -> None:
    def passes(seed: int) -> list[list[int]]:
        chunks = batching.Bucketed(SEQUENCES, LENGTHS, batch_size=16, most=None, seed=seed)
        return [torch.cat(list(chunks)).tolist() for _ in range(2)]

    first, second = passes(0)
    assert first != second
    assert passes(0) == [first, second]
    assert passes(1)[0] != first


def test_batches_are_not_walked_in_the_order_of_their_lengths() -> None:
    batches = batches_of(batching.Bucketed(SEQUENCES, LENGTHS, batch_size=8, most=None, seed=0), 8)
    longest = [int(LENGTHS[batch.numpy()].max()) for batch in batches]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


def test_the_partners_of_a_sequence_change_from_pass_to_pass() -> None:
    chunks = batching.Bucketed(SEQUENCES, LENGTHS, batch_size=4, most=None, seed=0)
    partners = [next(set(batch.tolist()) for batch in batches_of(chunks, 4) if 17 in batch) for _ in range(10)]
    assert len(set.union(*partners)) > 12


def test_of_too_many_sequences_each_pass_draws_anew() -> None:
    chunks = batching.Bucketed(SEQUENCES, LENGTHS, batch_size=16, most=50, seed=0)
    first, second = (torch.cat(list(chunks)).tolist() for _ in range(2))
    assert chunks.size == len(set(first)) == len(set(second)) == 50
    assert set(first) != set(second)


def test_fewer_sequences_than_a_batch_are_one_batch() -> None:
    chunks = batching.Bucketed(SEQUENCES[:5], LENGTHS, batch_size=16, most=None, seed=0)
    (batch,) = batches_of(chunks, 16)
    assert sorted(batch.tolist()) == SEQUENCES[:5].tolist()


@pytest.mark.parametrize(("most_numbers", "most_sequences"), [(600_000, 1024), (400, 1024), (10**9, 16), (1, 1024)])
def test_evaluation_walks_from_short_to_long_and_puts_everything_back(
    most_numbers: int, most_sequences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstmgru.training.sequence_batches._EVALUATION_NUMBERS", most_numbers)
    monkeypatch.setattr("lstmgru.training.sequence_batches._EVALUATION_SEQUENCES", most_sequences)
    chunks = batching.ByLength(SEQUENCES, LENGTHS, n_features=2)
    batches = [batch.numpy() for batch in chunks]
    assert len(batches) == len(chunks)
    walked = np.concatenate(batches)
    assert np.array_equal(walked[chunks.restore], SEQUENCES)
    assert (np.diff(LENGTHS[walked]) >= 0).all()
    for batch in batches:
        assert len(batch) == 1 or len(batch) * LENGTHS[batch].max() * 2 <= most_numbers
        assert len(batch) <= most_sequences


def test_evaluation_batches_are_as_large_as_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmgru.training.sequence_batches._EVALUATION_NUMBERS", 12)
    chunks = batching.ByLength(np.arange(6), np.array([3, 1, 4, 4, 2, 13]), n_features=1)
    assert [batch.tolist() for batch in chunks] == [[1, 4, 0], [2, 3], [5]]
