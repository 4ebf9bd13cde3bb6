"""Sequences or texts without labels, as a baseline reads them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import Indices, LabeledSequences


@dataclass(frozen=True)
class RawSequences:
    """Sequences of numbers in original units, or texts.

    Attributes:
        values: (rows, F) float32; (0, 0) for texts.
        offsets: (n + 1,) sequence ``i`` has the rows ``offsets[i]:offsets[i + 1]``; all 0 for texts.
        texts: (n,) the texts; (0,) for numbers.
    """

    values: npt.NDArray[np.float32]
    offsets: Indices
    texts: npt.NDArray[np.object_]

    @classmethod
    def of(cls, sequences: LabeledSequences, indices: Indices | None = None) -> Self:
        """The inputs of a table.

        Args:
            sequences: The table; its labels are not read.
            indices: (k,) indices of the sequences to take, in any order; ``None`` for all.
        """
        if indices is None:
            return cls(sequences.values, sequences.offsets, sequences.texts)
        lengths = sequences.lengths[indices]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = np.arange(offsets[-1]) + np.repeat(sequences.offsets[indices] - offsets[:-1], lengths)
        texts = sequences.texts[indices] if sequences.is_text else sequences.texts
        return cls(sequences.values[rows], offsets, texts)

    @classmethod
    def from_padded(cls, values: npt.NDArray[np.float32], lengths: Indices) -> Self:
        """Sequences that are padded at the end.

        Args:
            values: (n, T, F) in original units.
            lengths: (n,) steps of each sequence, at most T.
        """
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(values[np.arange(values.shape[1]) < lengths[:, None]], offsets, np.zeros(0, object))

    def __len__(self) -> int:
        """Number of sequences or texts."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Indices:
        """(n,) steps of each sequence; 0 for texts."""
        return np.diff(self.offsets)

    def part(self, start: int, stop: int) -> Self:
        """The sequences from ``start`` up to, but not including, ``stop``."""
        stop = min(stop, len(self))
        offsets = self.offsets[start : stop + 1]
        return type(self)(self.values[offsets[0] : offsets[-1]], offsets - offsets[0], self.texts[start:stop])

    def arrays(self) -> list[npt.NDArray[np.float64]]:
        """(T, F) each sequence of numbers, in double precision."""
        ends = pairwise(self.offsets)
        return [self.values[start:end].astype(np.float64) for start, end in ends]
