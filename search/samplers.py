"""Samplers by name, seeded so that a trial's suggestion depends on the seed, its number and the history alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def make_sampler(
    name: Literal["tpe", "random", "grid"],
    *,
    seed: int,
    number: int,
    grid: dict[str, list[Any]] | None = None,
) -> BaseSampler:
    """The sampler that suggests trial ``number``.

    A sampler's own random state is lost when a study is interrupted. One that is made anew for each trial, from the
    study's seed and the trial's number, suggests the same after a resume as without the interruption.

    Args:
        name: ``tpe`` (Bergstra et al. 2011; multivariate, constant liar), ``random`` or ``grid``.
        seed: Of the study.
        number: Of the trial.
        grid: Values by parameter, for ``grid``.
    """
    from optuna.samplers import RandomSampler, TPESampler

    if name == "grid":
        assert grid is not None  # SearchSpace.grid() gives it
        return _ask_tell_grid(grid, seed)
    trial_seed = derive_seed(seed, number)
    return TPESampler(seed=trial_seed) if name == "tpe" else RandomSampler(seed=trial_seed)


def derive_seed(seed: int, number: int) -> int:
    """A seed for trial ``number`` of a study, independent of those of the other trials."""
    import numpy as np

    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _ask_tell_grid(grid: dict[str, list[Any]], seed: int) -> BaseSampler:
    """Optuna's grid, without its request to stop after the last point: that is an error outside ``optimize``."""
    from optuna.samplers import GridSampler

    class AskTellGridSampler(GridSampler):
        def after_trial(self, *_: object) -> None:
            """The driver knows the size of the grid and stops by itself."""

    return AskTellGridSampler(grid, seed=seed)
