"""Samplers by name. A suggestion depends only on the seed, the number of the trial and the history."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, Trial

    from search.config.search_config import SamplerName
    from search.study.history import History

POPULATION = 10
"""Population size of NSGA-II; most studies have fewer trials than Optuna's default of 50."""


def make_sampler(
    name: SamplerName,
    *,
    seed: int,
    number: int,
    grid: dict[str, list[Any]] | None = None,
    history: History | None = None,
) -> BaseSampler:
    """The sampler that suggests trial ``number``.

    The random state of a sampler is lost when a study is interrupted. A new sampler for each trial, seeded with the
    study's seed and the trial's number, suggests the same with and without an interruption. Other state is stored in
    the study, such as the generation of a trial or the state of CMA-ES.

    Args:
        name: ``tpe`` (Bergstra et al. 2011; multivariate, constant liar), ``random``, ``grid``, ``qmc`` (a scrambled
            Sobol sequence), ``gp`` (a Gaussian process with log expected improvement, Ament et al. 2023), ``cmaes``
            (Hansen 2016) or ``nsga2`` (Deb et al. 2002).
        seed: Seed of the study.
        number: Number of the trial.
        grid: Values by parameter, for ``grid``.
        history: Shared by all trials of a study; ``None``: ``tpe`` reads all trials each time.
    """
    from optuna import samplers

    trial_seed = derive_seed(seed, number)
    match name:
        case "tpe":
            return samplers.TPESampler(seed=trial_seed) if history is None else _remembering_tpe()(trial_seed, history)
        case "random":
            return samplers.RandomSampler(seed=trial_seed)
        case "grid":
            assert grid is not None  # from SearchSpace.grid()
            return _ask_tell_grid(grid, seed)
        case "qmc":
            return _sobol(seed, number, first=samplers.RandomSampler(seed=trial_seed))
        case "gp":
            return samplers.GPSampler(seed=trial_seed, warn_independent_sampling=False)
        case "cmaes":
            return samplers.CmaEsSampler(seed=trial_seed, warn_independent_sampling=False)
        case "nsga2":
            return samplers.NSGAIISampler(seed=trial_seed, population_size=POPULATION)


@cache
def _remembering_tpe() -> Callable[[int, History], BaseSampler]:
    """Optuna's TPE with what the samplers of earlier trials know, and with a part of the trials if there are many."""
    from optuna.samplers import TPESampler

    class RememberingTPESampler(TPESampler):
        def __init__(self, seed: int, history: History) -> None:
            super().__init__(seed=seed)
            self._history = history
            self._seen: Study | None = None

        def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
            if len(study.directions) > 1:  # then parameters are sampled independently
                return super().infer_relative_search_space(study, trial)
            common = self._history.spaces.calculate(study, use_cache=True)
            return {name: distribution for name, distribution in common.items() if not distribution.single()}

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            return super().sample_relative(self._part_of(study), trial, search_space)

        def sample_independent(
            self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
        ) -> Any:
            return super().sample_independent(self._part_of(study), trial, param_name, param_distribution)

        def _part_of(self, study: Study) -> Study:
            """Of one trial's sampler; nothing else changes the study meanwhile."""
            if self._seen is None:
                self._seen = cast("Study", self._history.of(study))
            return self._seen

    return RememberingTPESampler


def discard_params(trial: Trial) -> None:
    """Discard the parameters of a running trial, so that all of them are suggested again.

    A driver that is killed while it asks leaves a trial with some of its parameters. The random state of its successor
    starts over, so it suggests the same candidate only from the first parameter on, and only if a Gaussian process does
    not count the partial trial as another running trial.
    """
    frozen = trial._cached_frozen_trial
    for key in [key for key in frozen.system_attrs if key.startswith("gp:relative_params")]:
        trial.storage.set_trial_system_attr(trial._trial_id, key, "")
    frozen.params, frozen.distributions = {}, {}


def derive_seed(seed: int, number: int) -> int:
    """The seed of trial ``number``, independent of those of other trials."""
    import numpy as np

    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _sobol(seed: int, number: int, *, first: BaseSampler) -> BaseSampler:
    """Optuna's scrambled Sobol sequence with one seed per study; trial 0 is drawn by ``first``."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import QMCSampler

    class NumberedQMCSampler(QMCSampler):
        def _find_sample_id(self, *_: object) -> int:
            """The trial's number is that of the point; Optuna's counter advances when a killed driver asks again."""
            return max(0, number - 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return NumberedQMCSampler(seed=seed, scramble=True, independent_sampler=first, warn_independent_sampling=False)


def _ask_tell_grid(grid: dict[str, list[Any]], seed: int) -> BaseSampler:
    """Optuna's grid sampler without its request to stop, which is an error outside ``optimize``."""
    from optuna.samplers import GridSampler

    class AskTellGridSampler(GridSampler):
        def after_trial(self, *_: object) -> None:
            """Do nothing: the driver knows the size of the grid and stops by itself."""

    return AskTellGridSampler(grid, seed=seed)
