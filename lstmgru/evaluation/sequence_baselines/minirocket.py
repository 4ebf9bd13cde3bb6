"""Ridge regression of MiniRocket's features."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.scaling import moments
from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.errors import DataError
from lstmgru.evaluation.sequence_baselines.base import Array, FittedSequenceBaseline, Floats, State, targets
from lstmgru.evaluation.sequence_baselines.convolutions import KERNEL_LENGTH, ConvolutionFeatures, PaddedSequences
from lstmgru.evaluation.sequence_baselines.linear import Linear, softmax
from lstmgru.evaluation.sequence_baselines.loo_ridge import fit_loo_ridge
from lstmgru.evaluation.sequence_baselines.nearest_neighbor import stretched
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit
from lstmgru.specs import LabelSpec

N_FEATURES = 10_000
"""Features of a sequence."""
MOST_FEATURES = 40_000_000
"""Features of all training sequences; if there are more than 4,000, each has fewer. Fitting takes up to 600 MB."""

_COLUMNS_AT_ONCE = 1024
_ALPHAS = np.logspace(-3, 5, 13)
_TEMPERATURES = np.logspace(-2.5, 1, 71)


@dataclass(frozen=True)
class Reader:
    """Reads sequences as the features of convolutions do.

    Each channel is scaled to mean 0 and deviation 1 over the training part. If all training sequences have the same
    length, sequences of other lengths are resampled to it by linear interpolation.

    Attributes:
        steps: Length of all training sequences; 0 if they differ.
        mean: (F,) of the training steps.
        scale: (F,) likewise, never 0.
    """

    steps: int
    mean: Floats
    scale: Floats

    @classmethod
    def fit(cls, sequences: RawSequences) -> Self:
        """The reader for training sequences."""
        lengths = np.unique(sequences.lengths)
        steps = int(lengths[0]) if len(lengths) == 1 else 0
        return cls(steps, *moments(sequences.values.astype(np.float64)))

    def __call__(self, sequences: RawSequences) -> PaddedSequences:
        """The scaled sequences."""
        lengths, values = sequences.lengths, (sequences.values - self.mean) / self.scale
        if self.steps and (lengths != self.steps).any():
            parts = np.split(values, sequences.offsets[1:-1])
            values = np.concatenate([stretched(part, self.steps) for part in parts])
            lengths = np.full(len(lengths), self.steps)
        padded = np.zeros((len(lengths), lengths.max(), len(self.mean)), np.float32)
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = values
        return PaddedSequences(np.ascontiguousarray(padded.transpose(0, 2, 1)), lengths)


@dataclass(frozen=True)
class Temperature:
    """Probabilities from the outputs of a linear model, calibrated on leave-one-out outputs.

    A softmax of ``outputs / scale``, mixed with equal probabilities, whose weight is the error rate to expect from a
    training part without errors (rule of succession).

    Attributes:
        scale: Minimizes the log loss.
        mixed: Weight of the equal probabilities.
    """

    scale: float
    mixed: float

    @classmethod
    def fit(cls, left_out: Floats, labels: Indices) -> Self:
        """Fit the scale.

        Args:
            left_out: (n, C) output for each training sequence of a model that is fitted to the others.
            labels: (n,) codes of the classes.
        """
        candidates = [cls(float(scale), 1 / (len(labels) + 2)) for scale in _TEMPERATURES]
        places = np.arange(len(labels))
        losses = [-np.log(each(left_out)[places, labels]).mean() for each in candidates]
        return candidates[int(np.argmin(losses))]

    def __call__(self, outputs: Floats) -> Floats:
        """(n, C) outputs → probabilities."""
        probabilities: Floats = (1 - self.mixed) * softmax(outputs / self.scale) + self.mixed / outputs.shape[1]
        return probabilities


class MiniRocket(FittedSequenceBaseline):
    """Ridge regression of MiniRocket's features, with the penalty chosen by leave-one-out error.

    For classes, the indicators are regressed, see :class:`Temperature` for their probabilities.

    Args:
        reader: Of sequences.
        features: Of the read sequences.
        linear: Of the features.
        temperature: For probabilities; ``None`` for numbers.
    """

    name = "minirocket"
    slow = True

    def __init__(
        self, reader: Reader, features: ConvolutionFeatures, linear: Linear, temperature: Temperature | None
    ) -> None:
        self.reader, self.features, self.linear, self.temperature = reader, features, linear, temperature
        self.n_outputs = linear.n_outputs

    @classmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, task: LabelSpec, limit: TimeLimit = UNLIMITED) -> Self:
        """See :meth:`FittedSequenceBaseline.fit`.

        Raises:
            DataError: All training sequences are shorter than a kernel.
            BaselineTooSlow: The time limit is exceeded.
        """
        raw = RawSequences.of(sequences, train)
        if raw.lengths.max() < KERNEL_LENGTH:
            raise DataError(
                f"minirocket needs sequences of at least {KERNEL_LENGTH} steps, but the longest training sequence has "
                f"{raw.lengths.max()}"
            )
        reader = Reader.fit(raw)
        read = reader(raw)
        features = ConvolutionFeatures.fit(read, min(N_FEATURES, MOST_FEATURES // len(train)))
        shares = features.transform(read, limit)
        mean, scale = _standardize(shares)
        ridge = fit_loo_ridge(shares, targets(sequences, train, task), _ALPHAS.tolist(), limit)
        coefficients = np.ascontiguousarray(ridge.coefficients / scale)
        linear = Linear(coefficients, ridge.intercept - coefficients @ mean)
        classifies = task.task == "classification"
        temperature = Temperature.fit(ridge.left_out, sequences.labels[train]) if classifies else None
        return cls(reader, features, linear, temperature)

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedSequenceBaseline.from_state`."""
        names = ("dilations", "counts", "channels", "thresholds")
        temperature = values["temperature"]
        return cls(
            Reader(values["steps"], arrays["mean"], arrays["scale"]),
            ConvolutionFeatures(bool(values["steps"]), *(arrays[name] for name in names)),
            Linear(arrays["coefficients"], arrays["intercept"]),
            None if temperature is None else Temperature(**temperature),
        )

    def state(self) -> State:
        """See :meth:`FittedSequenceBaseline.state`."""
        temperature = None if self.temperature is None else asdict(self.temperature)
        return {"steps": self.reader.steps, "temperature": temperature}, {
            "mean": self.reader.mean,
            "scale": self.reader.scale,
            "dilations": self.features.dilations,
            "counts": self.features.counts,
            "channels": self.features.channels,
            "thresholds": self.features.thresholds,
            "coefficients": self.linear.coefficients,
            "intercept": self.linear.intercept,
        }

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedSequenceBaseline.n_parameters`."""
        return self.linear.n_parameters + len(self.features.thresholds) + 2 * len(self.reader.mean)

    @property
    def numbers_per_sequence(self) -> int:
        """See :attr:`FittedSequenceBaseline.numbers_per_sequence`."""
        return len(self.features.thresholds)

    def predict_batch(self, sequences: RawSequences) -> Array:
        """See :meth:`FittedSequenceBaseline.predict_batch`."""
        outputs = self.linear(self.features.transform(self.reader(sequences)))
        return (outputs if self.temperature is None else self.temperature(outputs)).astype(np.float32)


def _standardize(features: Array) -> tuple[Floats, Floats]:
    """Standardize (n, features) in place; returns the (features,) means and deviations that they had."""
    means, scales = [], []
    for start in range(0, features.shape[1], _COLUMNS_AT_ONCE):
        block = features[:, start : start + _COLUMNS_AT_ONCE]
        mean, scale = moments(block.astype(np.float64))
        block -= mean
        block /= scale
        means.append(mean)
        scales.append(scale)
    return np.concatenate(means), np.concatenate(scales)
