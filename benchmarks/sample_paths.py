"""How well sample paths reproduce the sum over the horizon, by the way in which they couple its steps.

Every method knows the true distribution of the error of each step, and n windows of errors from which to learn the
dependence between the steps. Printed are the median ratio of the standard deviation of the sums to the true one, the
root mean square of its logarithm, and the share of true sums within the central 80% and 95% of the sampled ones.

    python benchmarks/sample_paths.py [--draws 200]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

Array = npt.NDArray[np.float64]
HORIZON, PATHS, FUTURES = 24, 500, 200
WINDOWS = (3, 10, 30, 100)


def autoregressive(generator: np.random.Generator, n: int) -> Array:
    """Errors of a process AR(1) with the coefficient 0.8."""
    errors = generator.standard_normal((n, HORIZON))
    for step in range(1, HORIZON):
        errors[:, step] = 0.8 * errors[:, step - 1] + 0.6 * errors[:, step]
    return errors


def walk(generator: np.random.Generator, n: int) -> Array:
    """Errors that grow as those of a random walk."""
    return np.cumsum(generator.standard_normal((n, HORIZON)), axis=1)


def volatile(generator: np.random.Generator, n: int) -> Array:
    """Errors without correlation, but large in all steps of some windows."""
    return generator.standard_normal((n, HORIZON)) * np.exp(0.7 * generator.standard_normal((n, 1)))


def volatile_autoregressive(generator: np.random.Generator, n: int) -> Array:
    """Both."""
    return autoregressive(generator, n) * np.exp(0.7 * generator.standard_normal((n, 1)))


def independent(scores: Array, generator: np.random.Generator) -> Array:
    """Steps without dependence."""
    return generator.standard_normal((PATHS, scores.shape[1]))


def gaussian(scores: Array, generator: np.random.Generator) -> Array:
    """A Gaussian copula with the correlations of the scores as they are."""
    return _drawn(_correlation(scores), generator)


def gaussian_to_identity(scores: Array, generator: np.random.Generator) -> Array:
    """Shrunk to no correlation, with the intensity of Schäfer & Strimmer (2005)."""
    found = _correlation(scores)
    return _drawn(_shrunk(found, np.eye(len(found)), scores), generator)


def gaussian_to_lags(scores: Array, generator: np.random.Generator) -> Array:
    """Shrunk to the mean correlation of each lag, likewise."""
    found = _correlation(scores)
    lags = np.abs(np.subtract.outer(np.arange(HORIZON), np.arange(HORIZON)))
    means = np.array([found[lags == lag].mean() for lag in range(HORIZON)])
    return _drawn(_shrunk(found, means[lags], scores), generator)


def shuffled(scores: Array, generator: np.random.Generator) -> Array:
    """The ranks of the windows themselves (Schaake shuffle, Clark et al. 2004), blurred within a rank."""
    ranks = rankdata(scores, axis=0)
    chosen = ranks[generator.integers(0, len(scores), PATHS)]
    return np.asarray(norm.ppf((chosen - generator.random(chosen.shape)) / len(scores)))


METHODS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "independent": independent,
    "gaussian": gaussian,
    "gaussian, to identity": gaussian_to_identity,
    "gaussian, to lags": gaussian_to_lags,
    "shuffled": shuffled,
}
PROCESSES = (autoregressive, walk, volatile, volatile_autoregressive)


def _correlation(scores: Array) -> Array:
    clipped = scores.clip(-3, 3)
    size = np.linalg.norm(clipped, axis=0)
    return np.asarray(clipped.T @ clipped / np.outer(size, size))


def _shrunk(found: Array, target: Array, scores: Array) -> Array:
    n = len(scores)
    clipped = scores.clip(-3, 3)
    standard = clipped / np.linalg.norm(clipped, axis=0) * np.sqrt(n)
    products = standard[:, :, None] * standard[:, None, :]
    variance = n / (n - 1) ** 3 * np.square(products - products.mean(axis=0)).sum(axis=0)
    off = ~np.eye(len(found), dtype=bool)
    distance = np.square(found - target)[off].sum()
    share = min(1.0, variance[off].sum() / distance) if distance else 1.0
    return (1 - share) * found + share * target


def _drawn(correlation: Array, generator: np.random.Generator) -> Array:
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(values.clip(0))
    root /= np.linalg.norm(root, axis=1, keepdims=True)
    return np.asarray(generator.standard_normal((PATHS, len(correlation))) @ root.T)


def main() -> None:
    """Print a row for each process, number of windows and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args().draws
    generator = np.random.default_rng(0)
    print(f"{'errors':26}{'windows':>8}  {'method':24}{'ratio':>8}{'rms log':>9}{'in 80%':>9}{'in 95%':>9}")
    for process in PROCESSES:
        population = np.sort(process(generator, 200_000), axis=0)
        true = process(generator, 200_000).sum(axis=1).std()
        grid = (np.arange(len(population)) + 0.5) / len(population)
        for n in WINDOWS:
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in METHODS}
            for _ in range(draws):
                errors, futures = process(generator, n), process(generator, FUTURES).sum(axis=1)
                places = np.stack([np.interp(errors[:, h], population[:, h], grid) for h in range(HORIZON)], 1)
                scores = norm.ppf(places)
                for name, method in METHODS.items():
                    shares = norm.cdf(method(scores, generator))
                    paths = np.stack([np.interp(shares[:, h], grid, population[:, h]) for h in range(HORIZON)], 1)
                    sums = paths.sum(axis=1)
                    inside = [
                        np.mean(
                            (np.quantile(sums, (1 - x) / 2) <= futures) & (futures <= np.quantile(sums, (1 + x) / 2))
                        )
                        for x in (0.8, 0.95)
                    ]
                    found[name].append((sums.std() / true, *inside))
            for name, values in found.items():
                ratio, in_80, in_95 = np.array(values).T
                rms = np.sqrt(np.mean(np.log(ratio) ** 2))
                print(
                    f"{process.__name__:26}{n:8}  {name:24}{np.median(ratio):8.2f}{rms:9.2f}{in_80.mean():9.1%}"
                    f"{in_95.mean():9.1%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
