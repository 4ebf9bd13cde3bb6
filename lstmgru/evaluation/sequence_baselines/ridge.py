"""Ridge regression of values or summary statistics."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.evaluation.sequence_baselines import base
from lstmgru.evaluation.sequence_baselines.base import Array, FittedSequenceBaseline, Floats, State, targets
from lstmgru.evaluation.sequence_baselines.linear import ALPHAS, Linear, simplex
from lstmgru.evaluation.sequence_baselines.nearest_neighbor import stretched
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit
from lstmgru.specs import LabelSpec


class Ridge(FittedSequenceBaseline):
    """Ridge regression of all values or of summary statistics, with the penalty chosen by leave-one-out error.

    If all lengths are equal, the features are the values of all steps and channels, unless they are too many; otherwise
    mean, deviation, minimum, maximum, first and last value, and slope of each channel. If the lengths of the data are
    equal, sequences of other lengths are resampled by linear interpolation in prediction. For classes, the indicators
    are regressed (linear probability model), and the outputs are projected onto the probability simplex.

    Args:
        linear: Of standardized features.
        steps: Length of the sequences whose values are the features; 0 for summary statistics.
        classifies: Whether the outputs are probabilities.
        mean: (features,) of the training features.
        scale: (features,) likewise, never 0.
    """

    name = "ridge"

    def __init__(self, linear: Linear, steps: int, classifies: bool, mean: Floats, scale: Floats) -> None:
        self.linear, self.steps, self.classifies = linear, steps, classifies
        self.mean, self.scale = mean, scale
        self.n_outputs = linear.n_outputs

    @classmethod
    def fit(cls, sequences: LabeledSequences, train: Indices, task: LabelSpec, limit: TimeLimit = UNLIMITED) -> Self:
        """See :meth:`FittedSequenceBaseline.fit`."""
        from sklearn.linear_model import RidgeCV
        from sklearn.preprocessing import StandardScaler

        lengths = np.unique(sequences.lengths)
        flat = len(lengths) == 1 and len(train) * lengths[0] * sequences.schema.n_channels <= base.MOST_NUMBERS
        steps = int(lengths[0]) if flat else 0
        features = _features(RawSequences.of(sequences, train), steps)
        scaler = StandardScaler().fit(features)
        model = RidgeCV(ALPHAS).fit(scaler.transform(features), targets(sequences, train, task))
        linear = Linear.of(model)
        return cls(linear, steps, task.task == "classification", scaler.mean_, scaler.scale_)

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        """See :meth:`FittedSequenceBaseline.from_state`."""
        linear = Linear(arrays["coefficients"], arrays["intercept"])
        return cls(linear, values["steps"], values["classifies"], arrays["mean"], arrays["scale"])

    def state(self) -> State:
        """See :meth:`FittedSequenceBaseline.state`."""
        arrays = {"coefficients": self.linear.coefficients, "intercept": self.linear.intercept}
        return {"steps": self.steps, "classifies": self.classifies}, {**arrays, "mean": self.mean, "scale": self.scale}

    @property
    def n_parameters(self) -> int:
        """See :attr:`FittedSequenceBaseline.n_parameters`."""
        return self.linear.n_parameters + 2 * len(self.mean)

    @property
    def numbers_per_sequence(self) -> int:
        """See :attr:`FittedSequenceBaseline.numbers_per_sequence`."""
        return len(self.mean)

    def predict_batch(self, sequences: RawSequences) -> Array:
        """See :meth:`FittedSequenceBaseline.predict_batch`."""
        outputs = self.linear((_features(sequences, self.steps) - self.mean) / self.scale)
        return simplex(outputs) if self.classifies else outputs.astype(np.float32)


def _features(sequences: RawSequences, steps: int) -> Floats:
    """(n, steps · F) values of sequences at ``steps`` steps, or (n, 7 · F) summary statistics for 0 steps."""
    arrays = sequences.arrays()
    return np.stack([stretched(array, steps).ravel() if steps else summary(array) for array in arrays])


def summary(values: Floats) -> Floats:
    """(7 · F,) mean, deviation, minimum, maximum, first and last value and slope of each channel of (T, F)."""
    mean = values.mean(axis=0)
    place = np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
    slope = place @ (values - mean) / max(float(place @ place), 1e-12)
    parts = (mean, values.std(axis=0), values.min(axis=0), values.max(axis=0), values[0], values[-1], slope)
    return np.concatenate(parts)
