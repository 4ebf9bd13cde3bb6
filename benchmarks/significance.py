"""False claims and power of the tests of differences, by simulation.

Every setting simulates differences between two methods. Without a true difference, a test should claim one in at most
5% of the simulations ("a baseline is better": 2.5%). Power is the share of claims if there is a true difference that
an ideal test, which knows the variance of the mean, finds with a probability of 90%, and if there is one three times
as large. The last column is the share of simulations without a difference in which the test says that there are too
few data.

    python benchmarks/significance.py --count 1000
    python benchmarks/significance.py --only panel --json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from lstmgru.evaluation.sequences import SequenceEvaluation
from lstmgru.evaluation.significance import Interval, paired_interval
from lstmgru.specs import LabelSpec
from search.tasks.verdict import best_baseline, judge

Floats = npt.NDArray[np.float64]
Simulate = Callable[[np.random.Generator, float], Interval]
"""Generator and true difference, in standard errors of the mean → what the test finds."""

DETECTABLE = 3.24
"""Standard errors of a difference that a z test finds with a probability of 90%."""
CORRELATIONS = (0.0, 0.5, 0.8, 0.9, 0.95)
SERIES = 23


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        kind: Name of the kind of dependence.
        words: The setting in words.
        simulate: Simulates one test.
        one_sided: Whether only a positive difference counts as a claim.
    """

    kind: str
    words: str
    simulate: Simulate
    one_sided: bool = False


@dataclass(frozen=True)
class Rates:
    """Shares of simulations, in percent.

    Attributes:
        kind: Of the setting.
        setting: In words.
        false_claims: Claims without a difference.
        power: Claims with a difference that an ideal test finds in 90%.
        power_large: Claims with three times this difference.
        too_few: Simulations without a difference in which the test has no interval.
    """

    kind: str
    setting: str
    false_claims: float
    power: float
    power_large: float
    too_few: float


def main() -> None:
    """Simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="simulations of each setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="KIND", help="series, overlap, panel, groups or choice")
    parser.add_argument("--json", action="store_true", help="print one JSON object a setting")
    options = parser.parse_args()
    for setting in settings():
        if options.only in (None, setting.kind):
            found = rates(setting, options.count, options.seed)
            print(json.dumps(asdict(found)) if options.json else row(found), flush=True)


def settings() -> Iterator[Setting]:
    """All settings."""
    for count in (6, 10, 20, 40, 80, 160):
        for correlation in CORRELATIONS:
            words = f"{count} cutoffs, AR {correlation:g}"
            yield Setting("series", words, partial(one_series, count, correlation))
    for count, overlap in ((36, 3), (174, 7), (480, 24), (960, 24)):
        for correlation in (0.0, 0.8):
            words = f"{count} cutoffs that overlap by {overlap}, steps AR {correlation:g}"
            yield Setting("overlap", words, partial(overlapping, count, overlap, correlation))
    for count in (4, 12, 24, 60):
        for between, correlation in ((0.2, 0.0), (0.5, 0.0), (0.5, 0.8)):
            words = f"{SERIES} series correlated {between:g}, {count} cutoffs, AR {correlation:g}"
            yield Setting("panel", words, partial(panel, count, between, correlation))
    for groups in (4, 5, 8, 10, 20):
        for uneven in (False, True):
            words = f"{groups} groups of labels, {'5 to 40 each' if uneven else '20 each'}"
            yield Setting("groups", words, partial(labels, groups, uneven))
    for baselines in (1, 3, 8):
        for correlation in (0.0, 0.8):
            words = f"the best of {baselines} is better, 60 cutoffs, AR {correlation:g}"
            simulate = partial(best_of, baselines, 60, correlation)
            yield Setting("choice", words, simulate, one_sided=True)


def rates(setting: Setting, count: int, seed: int) -> Rates:
    """Simulate a setting without a difference, and with two sizes of it."""
    shares = []
    for shift in (0.0, DETECTABLE, 3 * DETECTABLE):
        generator = np.random.default_rng(seed)
        found = [setting.simulate(generator, shift) for _ in range(count)]
        claims = [each.low > 0 or (each.high < 0 and not setting.one_sided) for each in found]
        shares.append((100 * float(np.mean(claims)), 100 * float(np.mean([bool(each.lacking) for each in found]))))
    (false_claims, too_few), (power, _), (power_large, _) = shares
    return Rates(setting.kind, setting.words, false_claims, power, power_large, too_few)


def row(found: Rates) -> str:
    """A row of a Markdown table."""
    numbers = (found.false_claims, found.power, found.power_large, found.too_few)
    return f"| {found.setting} | {' | '.join(f'{value:.1f}' for value in numbers)} |"


def one_series(count: int, correlation: float, generator: np.random.Generator, shift: float) -> Interval:
    """Windows of one series that do not overlap."""
    difference = autoregressive(generator, count, correlation) + shift * error_of_mean(count, correlation)
    return paired_interval(difference, np.arange(count), overlap=1)


def overlapping(count: int, overlap: int, correlation: float, generator: np.random.Generator, shift: float) -> Interval:
    """Windows of one series, each the mean of some steps, that begin at every step."""
    steps = autoregressive(generator, count + overlap - 1, correlation)
    weights = np.convolve(np.full(count, 1 / count), np.full(overlap, 1 / overlap))
    error = np.sqrt(weights @ correlations(len(steps), correlation) @ weights)
    difference = np.convolve(steps, np.full(overlap, 1 / overlap), "valid") + shift * error
    return paired_interval(difference, np.arange(count), overlap=overlap)


def panel(count: int, between: float, correlation: float, generator: np.random.Generator, shift: float) -> Interval:
    """Series whose differences are correlated at each cutoff."""
    common = autoregressive(generator, count, correlation)
    own = np.array([autoregressive(generator, count, correlation) for _ in range(SERIES)])
    difference = np.sqrt(between) * common + np.sqrt(1 - between) * own
    error = error_of_mean(count, correlation) * np.sqrt(between + (1 - between) / SERIES)
    return paired_interval((difference + shift * error).ravel(), np.tile(np.arange(count), SERIES), overlap=1)


def labels(groups: int, uneven: bool, generator: np.random.Generator, shift: float) -> Interval:
    """Accuracy of two classifiers whose successes depend on the group."""
    sizes = generator.integers(5, 41, size=groups) if uneven else np.full(groups, 20)
    group = np.repeat(np.arange(groups), sizes)
    spread, share = 0.15, sizes / sizes.sum()
    within = np.sum(share**2 / sizes) * (2 * 0.7 * 0.3 - 2 * spread**2)
    error = np.sqrt(2 * spread**2 * np.sum(share**2) + within)
    middle = np.array([[0.7 + shift * error / 2], [0.7 - shift * error / 2]])
    chances = np.clip(middle + spread * generator.choice((-1.0, 1.0), size=(2, groups)), 0, 1)[:, group]
    right = generator.random(chances.shape) < chances
    outputs = np.stack([~right, right], axis=2).astype(np.float32)
    evaluation = SequenceEvaluation(
        np.ones(len(group), np.int64), LabelSpec("classification", "accuracy", ("no", "yes")), group
    )
    return evaluation.difference("accuracy", outputs[1], outputs[0])


def best_of(baselines: int, count: int, correlation: float, generator: np.random.Generator, shift: float) -> Interval:
    """A winner and the best of several baselines; a claim of the verdict that the baseline is better has low > 0."""
    winner = autoregressive(generator, count, correlation) + 10
    error = np.sqrt(2) * error_of_mean(count, correlation)
    errors = {f"baseline {n}": autoregressive(generator, count, correlation) + 10 for n in range(baselines)}
    errors["baseline 0"] -= shift * error
    scores = {name: float(each.mean()) for name, each in errors.items()}
    best = best_baseline("mae", scores)
    found = paired_interval(winner - errors[best], np.arange(count), overlap=1)
    sentence, _ = judge("mae", float(winner.mean()), best, scores[best], found, choices=baselines)
    claimed = sentence.startswith("A simple baseline is better")
    return found if claimed else Interval(found.mean, -np.inf, np.inf, 1.0, found.lacking)


def autoregressive(generator: np.random.Generator, count: int, correlation: float) -> Floats:
    """(count,) values with mean 0 and variance 1."""
    from scipy.signal import lfilter

    noise = generator.normal(size=count)
    noise[1:] *= np.sqrt(1 - correlation**2)
    values: Floats = lfilter([1.0], [1.0, -correlation], noise)
    return values


def correlations(count: int, correlation: float) -> Floats:
    """(count, count) correlation matrix of autoregressive values."""
    matrix: Floats = correlation ** np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    return matrix


def error_of_mean(count: int, correlation: float) -> float:
    """Standard error of the mean of autoregressive values."""
    return float(np.sqrt(correlations(count, correlation).sum()) / count)


if __name__ == "__main__":
    main()
