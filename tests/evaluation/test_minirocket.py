"""MiniRocket's features and the model of them, against direct calculations, scikit-learn and sktime."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.sequences import CLASSES, NUMBERS, make_sequences, sequences_of

from lstmgru.data.sequences.raw import RawSequences
from lstmgru.data.sequences.sequences import LabeledSequences
from lstmgru.errors import BaselineTooSlow, DataError
from lstmgru.evaluation.sequence_baselines import fit_sequence_baseline, minirocket
from lstmgru.evaluation.sequence_baselines.convolutions import ConvolutionFeatures, PaddedSequences, fit_dilations
from lstmgru.evaluation.sequence_baselines.minirocket import MiniRocket, Temperature
from lstmgru.evaluation.time_limit import TimeLimit
from lstmgru.specs import LabelSpec


def make_padded(lengths: list[int], channels: int = 1, seed: int = 0) -> PaddedSequences:
    """Noise of some lengths."""
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((len(lengths), channels, max(lengths))).astype(np.float32)
    for row, length in enumerate(lengths):
        values[row, :, length:] = 0
    return PaddedSequences(values, np.array(lengths))


def make_waves(count: int = 60, *, channels: int = 1, n_classes: int = 3, unequal: bool = False) -> LabeledSequences:
    """Noisy waves with random phases; the frequency tells the class, or is the label where there are no classes."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % n_classes if n_classes else generator.uniform(1, 3, count)
    values = []
    for label in labels:
        steps = np.arange(generator.integers(20, 40) if unequal else 30)
        waves = np.sin((label + 1) * 0.3 * steps[:, None] + generator.uniform(0, 6, channels))
        values.append(waves + 0.2 * generator.standard_normal(waves.shape))
    names = tuple(f"class {number}" for number in range(n_classes))
    return sequences_of(values, labels, classes=names)


def direct_features(features: ConvolutionFeatures, sequence: np.ndarray, tolerance: float) -> np.ndarray:
    """The features of one (F, T) sequence, step by step from the definition, with higher thresholds."""
    found: list[float] = []
    steps, first = sequence.shape[1], 0
    for number, (dilation, count) in enumerate(zip(features.dilations, features.counts, strict=True)):
        for kernel, twos in enumerate(combinations(range(9), 3)):
            signal = sequence[features.channels[number, kernel]].astype(np.float64).sum(axis=0)
            weights = [2 if place in twos else -1 for place in range(9)]
            places = [[step + (place - 4) * dilation for place in range(9)] for step in range(steps)]
            inside = [all(0 <= place < steps for place in row) for row in places]
            values = [
                sum(weight * signal[place] for weight, place in zip(weights, row, strict=True) if 0 <= place < steps)
                for row in places
            ]
            if features.equal and (number + kernel) % 2:
                values = [value for value, complete in zip(values, inside, strict=True) if complete]
            for threshold in features.thresholds[first : first + count]:
                found.append(float(np.mean(np.array(values) > threshold + tolerance)))
            first += count
    return np.array(found, np.float32)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("lengths", [[23, 23, 23], [23, 9, 3]])
def test_features_are_shares_of_steps_above_thresholds(lengths: list[int], channels: int) -> None:
    data = make_padded(lengths, channels)
    features = ConvolutionFeatures.fit(data, 400)
    assert features.equal == (lengths[1] == 23)
    found = features.transform(data)
    for row, length in enumerate(lengths):
        # A threshold may be the convolution at some step, which rounding moves to its other side.
        least, most = (direct_features(features, data.values[row, :, :length], each) for each in (1e-5, -1e-5))
        assert (least <= found[row]).all()
        assert (found[row] <= most).all()
        assert (least == most).mean() > 0.9


def test_features_do_not_depend_on_the_batch() -> None:
    data = make_padded([30, 12, 25, 30, 9], 3)
    features = ConvolutionFeatures.fit(data, 1000)
    together = features.transform(data)
    alone = [features.transform(data.part(np.array([row]))) for row in range(5)]
    assert np.array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("steps", [9, 10, 24, 150, 2000])
def test_the_longest_kernel_covers_a_sequence_and_no_feature_is_lost(steps: int) -> None:
    dilations, counts = fit_dilations(steps, 10_000)
    assert dilations[0] == 1
    assert 8 * dilations[-1] < steps <= 8 * (dilations[-1] + 1) + 1
    assert counts.sum() == 10_000 // 84
    assert (counts > 0).all()


def test_thresholds_are_quantiles_of_the_convolutions_of_training_sequences() -> None:
    data = make_padded([40])
    features = ConvolutionFeatures.fit(data, 5000)
    shares = features.transform(data)[0]
    golden = (1 + 5**0.5) / 2
    padded = np.concatenate(
        [np.full(84 * count, bool(0)) for count in features.counts]
    )  # which kernels are applied at all steps
    first = 0
    for number, count in enumerate(features.counts):
        for kernel in range(84):
            padded[first : first + count] = (number + kernel) % 2 == 0
            first += count
    expected = 1 - (np.arange(1, len(shares) + 1) * golden) % 1
    assert shares[padded] == pytest.approx(expected[padded], abs=1.5 / 40)


def test_channels_of_a_kernel_are_drawn_on_a_logarithmic_scale() -> None:
    features = ConvolutionFeatures.fit(make_padded([50, 50], 20), 10_000)
    sizes = features.channels.sum(axis=2)
    assert sizes.min() == 1
    assert sizes.max() == 9
    assert (sizes == 1).mean() == pytest.approx(np.log(2) / np.log(10), abs=0.05)
    assert features.channels.mean(axis=(0, 1)) == pytest.approx(sizes.mean() / 20, abs=0.06)


@pytest.mark.slow  # sktime compiles its functions when it is imported
@pytest.mark.parametrize(("lengths", "channels"), [([60] * 8, 3), ([60, 31, 9, 44], 5)])
def test_features_are_those_of_sktime(lengths: list[int], channels: int) -> None:
    from sktime.transformations.rocket._minirocket_multi_numba import _fit_multi, _transform_multi
    from sktime.transformations.rocket._minirocket_multi_var_numba import _fit_multi_var, _transform_multi_var

    data = make_padded(lengths, channels)
    if len(set(lengths)) == 1:
        parameters = _fit_multi(data.values, 10_000, 32, np.int32(0))
        expected = _transform_multi(data.values, parameters)
    else:
        rows = np.hstack([row[:, :length] for row, length in zip(data.values, lengths, strict=True)])
        steps = np.array(lengths, np.int32)
        parameters = _fit_multi_var(rows, steps, max(lengths), 10_000, 32, np.int32(0))
        expected = _transform_multi_var(rows, steps, parameters)
    sizes, indices, dilations, counts, thresholds = parameters
    own = fit_dilations(max(lengths), 10_000)
    assert np.array_equal(own[0], dilations)
    assert np.array_equal(own[1], counts)
    flags = np.zeros((len(sizes), channels), bool)
    for kernel, chosen in enumerate(np.split(indices, np.cumsum(sizes)[:-1])):
        flags[kernel, chosen] = True
    flags = flags.reshape(len(dilations), 84, channels)
    features = ConvolutionFeatures(len(set(lengths)) == 1, *own, flags, thresholds)
    found = features.transform(data)
    # The others have a threshold that is the convolution at some step: rounding decides.
    assert (np.abs(found - expected) < 1e-6).mean() > 0.999


@each_row("channels", [1, 2])
@each_row("unequal", [False, True])
@each_row("n_classes", [2, 5])
def test_it_tells_frequencies_apart(n_classes: int, unequal: bool, channels: int) -> None:
    data = make_waves(channels=channels, n_classes=n_classes, unequal=unequal)
    task = LabelSpec("classification", "accuracy", data.classes)
    fitted = fit_sequence_baseline("minirocket", data, np.arange(40), task)
    outputs = fitted.predict(RawSequences.of(data, np.arange(40, 60)))
    assert (outputs.argmax(axis=1) == data.labels[40:]).mean() >= 0.9
    assert outputs.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-6)
    assert outputs.min() > 0


@pytest.mark.parametrize("unequal", [False, True])
def test_it_predicts_numbers(unequal: bool) -> None:
    data = make_waves(n_classes=0, unequal=unequal)
    fitted = fit_sequence_baseline("minirocket", data, np.arange(40), NUMBERS)
    outputs = fitted.predict(RawSequences.of(data, np.arange(40, 60)))[:, 0]
    assert np.sqrt(np.mean((outputs - data.labels[40:]) ** 2)) < 0.35 * data.labels.std()


def test_the_model_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import StandardScaler

    data, train, asked = make_waves(n_classes=0), np.arange(40), np.arange(40, 60)
    fitted = fit_sequence_baseline("minirocket", data, train, NUMBERS)
    assert isinstance(fitted, MiniRocket)
    known, new = (
        fitted.features.transform(fitted.reader(RawSequences.of(data, part))).astype(np.float64)
        for part in (train, asked)
    )
    scaler = StandardScaler().fit(known)
    reference = RidgeCV(minirocket._ALPHAS).fit(scaler.transform(known), data.labels[train])
    expected = reference.predict(scaler.transform(new))
    assert fitted.predict(RawSequences.of(data, asked))[:, 0] == pytest.approx(expected, abs=1e-4)


def test_a_constant_channel_changes_nothing() -> None:
    data = make_waves()
    both = replace(
        data,
        values=np.hstack([data.values, np.full_like(data.values, 0.1)]),
        schema=replace(data.schema, channels=("channel_0", "channel_1")),
    )
    task = LabelSpec("classification", "accuracy", data.classes)
    fitted = fit_sequence_baseline("minirocket", both, np.arange(40), task)
    outputs = fitted.predict(RawSequences.of(both, np.arange(40, 60)))
    assert (outputs.argmax(axis=1) == data.labels[40:]).mean() >= 0.9


def test_the_unit_of_a_channel_has_no_effect() -> None:
    data = make_waves(channels=2)
    other = replace(data, values=data.values * np.array([64, 1 / 64], np.float32))
    task = LabelSpec("classification", "accuracy", data.classes)
    one, two = (
        fit_sequence_baseline("minirocket", each, np.arange(40), task).predict(RawSequences.of(each, np.arange(40, 60)))
        for each in (data, other)
    )
    assert one == pytest.approx(two, abs=0.02)


def test_sequences_of_another_length_than_all_it_has_seen_are_resampled() -> None:
    data = make_waves()
    task = LabelSpec("classification", "accuracy", data.classes)
    fitted = fit_sequence_baseline("minirocket", data, np.arange(60), task)
    slow = [np.repeat(array, 2, axis=0)[1:] for array in RawSequences.of(data).arrays()[:9]]
    outputs = fitted.predict(RawSequences.of(sequences_of(slow, data.labels[:9])))
    assert outputs.argmax(axis=1).tolist() == data.labels[:9].tolist()


def test_large_data_have_fewer_features(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_waves()
    monkeypatch.setattr(minirocket, "MOST_FEATURES", 40 * 300)
    fitted = fit_sequence_baseline("minirocket", data, np.arange(40), CLASSES)
    assert fitted.numbers_per_sequence == 84 * 3


def test_short_sequences_are_an_error() -> None:
    data = make_sequences(shortest=3, longest=8)
    with pytest.raises(DataError, match="needs sequences of at least 9 steps, but the longest training sequence has 8"):
        fit_sequence_baseline("minirocket", data, np.arange(60), CLASSES)


def test_it_stops_when_the_time_is_up() -> None:
    data = make_waves()
    with pytest.raises(BaselineTooSlow):
        fit_sequence_baseline("minirocket", data, np.arange(40), CLASSES, TimeLimit(1e-9))
    fitted = fit_sequence_baseline("minirocket", data, np.arange(40), CLASSES)
    with pytest.raises(BaselineTooSlow):
        fitted.predict(RawSequences.of(data), TimeLimit(1e-9))


def test_probabilities_are_as_certain_as_left_out_outputs_are_right() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 2000)
    right = generator.random(2000) < 0.8
    signs = np.where(right == (labels == 1), 1.0, -1.0)
    calibrated = Temperature.fit(np.stack([-signs, signs], axis=1), labels)
    assert calibrated(np.array([[-1.0, 1.0]]))[0, 1] == pytest.approx(right.mean(), abs=0.01)
    certain = Temperature.fit(np.eye(2)[labels[:8]], labels[:8])
    assert certain(np.array([[0.0, 1.0]]))[0, 1] == pytest.approx(1 - 0.05)
