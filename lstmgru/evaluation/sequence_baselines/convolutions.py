"""Features of sequences from fixed convolution kernels: MiniRocket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import Indices
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

Array = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

KERNEL_LENGTH = 9
KERNELS = tuple(combinations(range(KERNEL_LENGTH), 3))
"""The 84 kernels: the positions of the weight 2; the other six weights are -1."""

_MOST_DILATIONS = 32
_MOST_CHANNELS = 9  # that a kernel reads
_GOLDEN = (np.sqrt(5) + 1) / 2
_NUMBERS_AT_ONCE = 65_536  # fits into the cache of a core


@dataclass(frozen=True)
class PaddedSequences:
    """Sequences of one length, padded at the end.

    Attributes:
        values: (n, F, T); 0 after the end of a sequence.
        lengths: (n,) steps of each, from 1.
    """

    values: Array
    lengths: Indices

    def part(self, indices: Indices) -> Self:
        """The sequences at some indices, without padding that all of them have."""
        lengths = self.lengths[indices]
        return type(self)(self.values[indices, :, : lengths.max()], lengths)


@dataclass(frozen=True)
class ConvolutionFeatures:
    """For kernels, dilations and thresholds: the share of steps at which the convolution exceeds the threshold.

    MiniRocket (Dempster, Schmidt & Webb 2021, doi:10.1145/3447548.3467231), with several channels as in its authors'
    multivariate version. A kernel reads the sum of some channels. If all sequences have the same length, every other
    kernel is applied only where it does not exceed the sequence; otherwise all are applied at all steps, with 0 before
    and after the sequence.

    Attributes:
        equal: Whether the training sequences have the same length.
        dilations: (D,) ascending.
        counts: (D,) features of each kernel with that dilation.
        channels: (D, 84, F) True for the channels that a kernel reads.
        thresholds: (features,) by dilation, then kernel.
    """

    equal: bool
    dilations: Indices
    counts: Indices
    channels: Flags
    thresholds: Array

    @classmethod
    def fit(cls, sequences: PaddedSequences, n_features: int, seed: int = 0) -> Self:
        """Draw channels, and take thresholds from the convolutions of training sequences.

        Args:
            sequences: Training sequences; the longest has at least 9 steps.
            n_features: Rounded down to a multiple of 84.
            seed: Of the channels and of the sequences that thresholds are taken from.
        """
        generator = np.random.default_rng(seed)
        count, n_channels, steps = sequences.values.shape
        dilations, counts = fit_dilations(steps, n_features)
        channels = _draw_channels(generator, len(dilations), n_channels)
        quantiles = np.split(_quantiles(len(KERNELS) * int(counts.sum())), len(KERNELS) * np.cumsum(counts))
        thresholds = []
        for number, dilation in enumerate(dilations.tolist()):
            examples = generator.integers(count, size=len(KERNELS))  # one for each kernel
            signals = np.where(channels[number, :, :, None], sequences.values[examples], 0).sum(axis=1)[:, None]
            convolved = convolve(_padded(signals, dilation), dilation, KERNELS)[:, 0]
            wanted = quantiles[number].reshape(len(KERNELS), -1)
            thresholds.append(_quantiles_of(convolved, sequences.lengths[examples], wanted).ravel())
        equal = bool((sequences.lengths == sequences.lengths[0]).all())
        return cls(equal, dilations, counts, channels, np.concatenate(thresholds))

    def transform(self, sequences: PaddedSequences, limit: TimeLimit = UNLIMITED) -> Array:
        """(n, features) shares in [0, 1].

        Args:
            sequences: With the channels of the training sequences, and if those have the same length, with that length.
            limit: Of the time.

        Raises:
            BaselineTooSlow: The time limit is exceeded.
        """
        count, n_channels, steps = sequences.values.shape
        features = np.empty((count, len(self.thresholds)), np.float32)
        size = max(1, _NUMBERS_AT_ONCE // (n_channels * steps))
        order = np.argsort(sequences.lengths, kind="stable")
        limit = limit.next_part()
        for start in range(0, count, size):
            chosen = order[start : start + size]
            features[chosen] = self._transform(sequences.part(chosen))
            limit.check(min(start + size, count), count)
        return features

    def _transform(self, batch: PaddedSequences) -> Array:
        """The features of a batch."""
        lengths, places = batch.lengths, np.arange(batch.values.shape[2])
        padding = places >= lengths[:, None] if (lengths < len(places)).any() else None
        first = np.concatenate([[0], len(KERNELS) * np.cumsum(self.counts)])
        features = np.empty((len(lengths), len(self.thresholds)), np.float32)
        for number, dilation in enumerate(self.dilations.tolist()):
            padded, margin = _padded(batch.values, dilation), KERNEL_LENGTH // 2 * dilation
            columns = slice(first[number], first[number + 1])
            thresholds = self.thresholds[columns].reshape(len(KERNELS), -1)
            shares = features[:, columns].reshape(len(lengths), *thresholds.shape)
            for inner, kernels in self._groups(number, batch.values[:, 0].size):
                signals = _signals(padded, self.channels[number, kernels])
                convolved = convolve(signals, dilation, [KERNELS[kernel] for kernel in kernels])
                if padding is not None:
                    convolved[:, padding] = -np.inf
                inside = convolved[..., margin : len(places) - margin] if inner else convolved
                count = lengths - 2 * margin if inner else lengths
                shares[:, kernels] = _shares(inside, count, thresholds[kernels]).transpose(1, 0, 2)
            features[:, columns] = shares.reshape(len(lengths), -1)
        return features

    def _groups(self, dilation: int, size: int) -> Iterator[tuple[bool, Indices]]:
        """Groups of kernels that are computed together.

        Args:
            dilation: Number of the dilation.
            size: Numbers of a convolution.

        Yields:
            Whether they are applied only inside the sequence, and their numbers.
        """
        numbers, together = np.arange(len(KERNELS)), max(1, _NUMBERS_AT_ONCE // size)
        inner = (numbers + dilation) % 2 == 1 if self.equal else np.zeros(len(KERNELS), bool)
        for kind in (False, True):
            chosen = numbers[inner == kind]
            for start in range(0, len(chosen), together):
                yield kind, chosen[start : start + together]


def convolve(signals: Array, dilation: int, kernels: Sequence[tuple[int, ...]]) -> Array:
    """Signals convolved with kernels.

    Args:
        signals: (k or 1, n, T + 8 · dilation), padded; a single one is for all kernels.
        dilation: Distance of the weights.
        kernels: (k,) positions of the weight 2.

    Returns:
        (k, n, T).
    """
    steps = signals.shape[-1] - (KERNEL_LENGTH - 1) * dilation
    shifted = [signals[..., place * dilation : place * dilation + steps] for place in range(KERNEL_LENGTH)]
    total = shifted[0].copy()
    for each in shifted[1:]:
        total += each
    convolved = np.empty((len(kernels), *total.shape[1:]), np.float32)
    for row, places in enumerate(kernels):
        one, two, three = (shifted[place][row if len(signals) > 1 else 0] for place in places)
        np.add(one, two, out=convolved[row])
        convolved[row] += three
    convolved *= 3
    convolved -= total
    return convolved


def _padded(values: Array, dilation: int) -> Array:
    """(…, T) with 0 before and after, as a kernel reads it: (…, T + 8 · dilation)."""
    margin = KERNEL_LENGTH // 2 * dilation
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(margin, margin)])


def _signals(values: Array, channels: Flags) -> Array:
    """(k or 1, n, T) sums of the channels that kernels read.

    Args:
        values: (n, F, T).
        channels: (k, F) True for those of a kernel.
    """
    if values.shape[1] == 1:
        return values[None, :, 0]
    return np.stack([values[:, chosen].sum(axis=1) for chosen in channels])


def fit_dilations(steps: int, n_features: int) -> tuple[Indices, Indices]:
    """Dilations of kernels and the number of features of a kernel for each of them.

    Args:
        steps: Length of the sequences, from 9; the longest kernel covers it.
        n_features: At least 84.
    """
    per_kernel = max(1, n_features // len(KERNELS))
    wanted = min(per_kernel, _MOST_DILATIONS)
    largest = np.log2((steps - 1) / (KERNEL_LENGTH - 1))
    drawn = np.logspace(0, largest, wanted, base=2).astype(np.int64)
    dilations, counts = np.unique(drawn, return_counts=True)
    counts = (counts * (per_kernel / wanted)).astype(np.int64)
    rest = per_kernel - int(counts.sum())
    counts += rest // len(counts)
    counts[: rest % len(counts)] += 1
    return dilations, counts


def _draw_channels(generator: np.random.Generator, n_dilations: int, n_channels: int) -> Flags:
    """(D, 84, F) channels of each kernel; their number is uniform on a logarithmic scale."""
    most = np.log2(min(n_channels, _MOST_CHANNELS) + 1)
    sizes = (2 ** generator.uniform(0, most, (n_dilations, len(KERNELS)))).astype(np.int64)
    ranks = generator.random((*sizes.shape, n_channels)).argsort(axis=-1)
    return ranks < sizes[..., None]


def _quantiles(count: int) -> npt.NDArray[np.float64]:
    """(count,) low-discrepancy sequence in [0, 1)."""
    quantiles: npt.NDArray[np.float64] = np.arange(1, count + 1) * _GOLDEN % 1
    return quantiles


def _quantiles_of(values: Array, lengths: Indices, wanted: npt.NDArray[np.float64]) -> Array:
    """(k, q) quantiles of the first steps of rows, by linear interpolation.

    Args:
        values: (k, T).
        lengths: (k,) number of steps that count.
        wanted: (k, q) in [0, 1).
    """
    ordered = np.sort(np.where(np.arange(values.shape[1]) < lengths[:, None], values, np.inf), axis=1)
    place = wanted * (lengths[:, None] - 1)
    before = place.astype(np.int64)
    low = np.take_along_axis(ordered, before, axis=1)
    high = np.take_along_axis(ordered, np.minimum(before + 1, lengths[:, None] - 1), axis=1)
    quantiles: Array = (low + (place - before) * (high - low)).astype(np.float32)
    return quantiles


def _shares(convolved: Array, lengths: Indices, thresholds: Array) -> Array:
    """(k, n, q) share of steps above each threshold.

    Args:
        convolved: (k, n, T), -inf at steps that do not count.
        lengths: (n,) number of steps that count.
        thresholds: (k, q).
    """
    # Sorting takes a tenth of the time of a comparison of each threshold with all steps.
    n_kernels, count, steps = convolved.shape
    size = 1 << steps.bit_length()
    ordered = np.full((n_kernels, count, size), np.inf, np.float32)
    ordered[..., :steps] = np.sort(convolved, axis=-1)
    # A binary search in all rows at once: the number of values up to each threshold, added to the start of the row.
    starts = np.arange(0, ordered.size, size).reshape(n_kernels, count, 1)
    places = np.repeat(starts, thresholds.shape[1], axis=2)
    for step in 1 << np.arange(steps.bit_length())[::-1]:
        places += step * (ordered.take(places + (step - 1)) <= thresholds[:, None])
    shares: Array = ((steps - (places - starts)) / lengths[:, None]).astype(np.float32)
    return shares
