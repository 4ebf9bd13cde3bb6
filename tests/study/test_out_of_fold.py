"""The files of out-of-fold outputs: written whole, and read with whatever may have become of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.damages import seem_encrypted

from search.study.out_of_fold import Outputs, Predictions
from search.tasks.data import kept_cases


def outputs_of(seed: int, folds: int = 2) -> Outputs:
    generator = np.random.default_rng(seed)
    return tuple(generator.normal(size=(4 + fold, 3, 2)).astype(np.float32) for fold in range(folds))


def assert_same(found: Outputs | None, wanted: Outputs) -> None:
    assert found is not None
    assert [values.dtype for values in found] == [np.float32] * len(wanted)
    assert [values.tolist() for values in found] == [values.tolist() for values in wanted]


def test_trials_and_baselines_are_read_as_they_were_written(tmp_path: Path) -> None:
    kept = Predictions(tmp_path / "x.predictions", "uid")
    for number, candidate in enumerate((0, 12, "naive", "seasonal_naive")):
        kept.write(candidate, outputs_of(number, folds=1 + number))
    for number, candidate in enumerate((0, 12, "naive", "seasonal_naive")):
        assert_same(kept.read(candidate), outputs_of(number, folds=1 + number))
    names = sorted(path.name for path in (tmp_path / "x.predictions").iterdir())
    assert names == ["baseline-naive.npz", "baseline-seasonal_naive.npz", "trial-00000.npz", "trial-00012.npz"]


def test_a_later_attempt_replaces_an_earlier_one(tmp_path: Path) -> None:
    kept = Predictions(tmp_path, "uid")
    kept.write(3, outputs_of(0))
    kept.write(3, outputs_of(1))
    assert_same(kept.read(3), outputs_of(1))


def test_a_file_that_cannot_be_written_whole_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Predictions(tmp_path, "uid")
    kept.write(3, outputs_of(0))

    def full(file: object, **arrays: object) -> None:
        file.write(b"PK")  # type: ignore[attr-defined]
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        kept.write(3, outputs_of(1))
    assert_same(kept.read(3), outputs_of(0))
    assert [path.name for path in tmp_path.iterdir()] == ["trial-00003.npz"]


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(outputs_of(0)[0].tobytes()) + 5] ^= 1
    path.write_bytes(content)


def _pickled(path: Path) -> None:
    np.savez(path, study_uid=np.array("uid"), fold_1=np.array([{"a": 1}], dtype=object))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("trial,score\n3,0.1\n"),
        _torn,
        _flipped,
        seem_encrypted,
        _pickled,
        lambda path: np.savez(path, fold_1=np.zeros(3)),
        lambda path: np.savez(path, study_uid=np.array("uid"), fold_2=np.zeros(3)),
        lambda path: Predictions(path.parent, "another").write(3, outputs_of(0)),
    ],
    ids=[
        "missing",
        "empty",
        "text",
        "torn",
        "flipped bit",
        "encrypted",
        "pickled",
        "no study",
        "no first fold",
        "another study",
    ],
)
def test_what_is_missing_damaged_or_foreign_is_no_candidate(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    kept = Predictions(tmp_path, "uid")
    kept.write(3, outputs_of(0))
    kept.write(4, outputs_of(1))
    damage(tmp_path / "trial-00003.npz")
    assert kept.read(3) is None
    assert_same(kept.read(4), outputs_of(1))


@pytest.mark.parametrize(
    ("counts", "width", "most", "kept"),
    [
        ([3, 2], 1, 5, [[0, 1, 2], [0, 1]]),
        ([3, 2], 10, 50, [[0, 1, 2], [0, 1]]),
        ([11, 11], 1, 6, [[0, 5, 10], [0, 5, 10]]),
        ([9, 3], 10, 40, [[0, 4, 8], [0]]),
        ([5], 100, 1, [[0]]),
    ],
)
def test_the_kept_cases_are_evenly_spaced_and_few_enough(
    counts: list[int], width: int, most: int, kept: list[list[int]]
) -> None:
    assert [each.tolist() for each in kept_cases(counts, width, most=most)] == kept


def test_a_million_numbers_are_kept_of_large_data() -> None:
    kept = kept_cases([400_000, 123_456], 5 * 48)
    assert 900_000 < sum(map(len, kept)) * 5 * 48 <= 1_000_000
    for positions, count in zip(kept, [400_000, 123_456], strict=True):
        assert positions[0] == 0
        assert positions[-1] == count - 1
        assert len(set(np.diff(positions))) <= 2
