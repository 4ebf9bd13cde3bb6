"""The section of a study that says how it searches: samplers, pruners, objectives, known configurations, budget."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from search.config.objectives import SCORE, Bound
from search.config.search_values import (
    Blend,
    Bounds,
    Configuration,
    Configurations,
    ExecutorChoice,
    Objectives,
    StorageChoice,
    Weights,
    executor_kind,
)
from search.config.storage import JOURNAL
from search.config.types import CountOrAuto, JobsOrAuto, Seconds, Strict, Text
from search.errors import shown
from search.executors import runs_in_process

SamplerName = Literal["tpe", "random", "grid", "qmc", "gp", "cmaes", "nsga2"]
PrunerName = Literal["screening", "median", "percentile", "hyperband", "successive_halving", "none"]

COMPLETE_ONLY = ("gp", "cmaes", "nsga2")
"""Samplers that use complete trials only and ignore pruned ones."""
LEARNING = ("tpe", "gp")
"""Samplers that draw their first trials at random, and learn from any others in their place."""
RUNGS = ("hyperband", "successive_halving")
"""Pruners that let the best of those pass who have come as far."""
FIRST_RUNG = 3
"""Epochs before a pruner of :data:`RUNGS` decides for the first time."""
PERCENTILE = 25.0
"""What ``search.percentile: null`` stands for."""

USUAL_MEMBERS = 8
"""What ``search.blend: auto`` stands for with one objective."""


class SearchConfig(Strict):
    """How candidates are suggested and pruned, and how much may be spent."""

    sampler: SamplerName = Field(
        "tpe",
        description="Sampler that suggests candidates. `tpe` learns from previous trials (Bergstra et al. 2011), "
        "`random` does not, `grid` tries every combination once. Only for spaces in which all "
        "candidates have the same parameters: `qmc`, an evenly spread quasi-random sequence (Sobol "
        "1967); `gp`, a Gaussian process; `nsga2`, a genetic algorithm (Deb et al. 2002); `cmaes`, an "
        "evolution strategy for numeric ranges (Hansen 2016).",
    )
    pruner: PrunerName = Field(
        "screening",
        description="Pruner that stops trials early. `screening` trains every candidate for 15% of the epochs of the "
        "first fold, the best third of them to the end of that fold, and the best half of those on all folds; a "
        "candidate that turns out to be among them later is promoted as a new trial (after Li et al. 2020). `median` "
        "stops a trial that is worse than the median of the others at the same epoch of the same fold; `percentile`, "
        "a trial that is not among the best `search.percentile` there; `successive_halving` and `hyperband`, a trial "
        "that is not among the best quarter or third of the trials that reached the same epoch, first after 3 epochs "
        "and then after 4 or 3 times as many (Li et al. 2018, 2020). `none` stops no trial.",
        validate_default=True,
    )
    percentile: float | None = Field(
        None,
        gt=0,
        lt=100,
        description="Percentage of the best trials that `search.pruner: percentile` keeps. `null`: 25.",
    )
    trials: CountOrAuto = Field(
        "auto",
        description="Total number of trials of the study, including earlier runs. A smaller grid ends earlier. "
        "`auto`: 30, or as many as fit into `search.timeout`.",
    )
    timeout: Seconds | None = Field(
        None,
        description="Total time of the study, including refit and export: seconds, or a duration such as `90s`, "
        "`5m`, `2h`. `null`: no limit.",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Random seed of the sampler and of all training runs.")
    jobs: JobsOrAuto = Field(
        "auto",
        description="Number of parallel trials. `auto`: one per core, or one per GPU. Trials are "
        "distributed over the GPUs; those that share one are limited to their share of its memory.",
    )
    executor: ExecutorChoice = Field(
        "auto",
        description="Where trials run: `in_process`, one at a time in the process of the search, or `processes`, in "
        "worker processes. `auto`: `processes` with several jobs, or with a time limit, because a trial that hangs "
        "can be terminated only in a worker process; otherwise `in_process`. `{kind: processes, start_method: spawn}` "
        "starts each worker as a new interpreter, as on Windows and macOS, where Linux would fork them. `ray`: in "
        "actors of a Ray cluster, which is started on this machine, or runs at an address: `{kind: ray, address: auto, "
        "cpus_per_trial: 1, gpus_per_trial: 0}`. With `ray`, `search.jobs: auto` follows the size of the cluster, and "
        "trials train on GPUs if they take a part of one.",
    )
    storage: StorageChoice = Field(
        JOURNAL,
        description="Where the trials are stored. `journal`: in a file in `studies/`; "
        "`postgresql://user@host/database`: in a PostgreSQL database, in the tables of Optuna; `env:NAME`: in the "
        "database whose URL is in the environment variable `NAME`. A URL has no password here: put it into "
        "`PGPASSWORD`, `~/.pgpass` or that variable. A study stays where it was begun.",
    )
    objectives: Objectives = Field(
        (SCORE,),
        description="Objectives to optimize, one or a list of at most 3: `score`; `latency`, seconds for one "
        "forecast; `n_parameters`, number of trainable parameters; `train_seconds`, training time on "
        "all folds. The list must contain the score.",
    )
    bounds: Bounds = Field(
        (),
        description="Constraints on the exported model, one or a list: `latency <= 2ms`, `n_parameters <= 50000`, "
        "`train_seconds <= 60`.",
    )
    prefer: Weights | None = Field(
        None,
        description="Weights that select the exported trial from the Pareto front of several objectives, such as "
        "`{score: 0.8, latency: 0.2}`. `null`: the trial with the best score within `search.bounds`.",
        validate_default=True,
    )
    blend: Blend = Field(
        "auto",
        description="Whether the exported model is a blend: the weighted mean of the trials and baselines that "
        "together have the best score on the folds (Caruana et al. 2004). `auto`: at most 8 members; with several "
        "objectives, one trial or, if none can be exported, baselines; `{members: 5}`: at most 5; `off`: the best "
        "trial alone. `search.bounds` hold for the sum of the networks of a blend.",
        validate_default=True,
    )
    try_first: Configurations = Field(
        (),
        description="Configurations to try first, as a list of parameters with their values, such as `[{n_layers: "
        "1, hidden_size_1: 64}]`. Missing parameters are suggested by the sampler.",
    )
    warm_start: Text | None = Field(
        None,
        description="Earlier study, by name or by path of its journal. Its best 5 configurations that fit this "
        "space are tried first; they are retrained and scored again. `null`: none.",
    )
    portfolio: Literal["auto", "off"] = Field(
        "auto",
        description="Whether a new study begins with a portfolio: up to 8 configurations, at most half of the trials, "
        "that complement each other on many data sets. `auto`: with the samplers `tpe` and `gp`, after "
        "`search.try_first` and `search.warm_start`; `off`: the sampler suggests the first trials too.",
    )

    @field_validator("pruner")
    @classmethod
    def _sampler_learns_from_pruned_trials(cls, pruner: str, info: ValidationInfo) -> str:
        sampler = info.data.get("sampler")
        if sampler in COMPLETE_ONLY and pruner != "none":
            raise ValueError(
                f"must be none for search.sampler: {sampler}, which uses complete trials only, but is {pruner}; "
                "set it to none, or the sampler to tpe"
            )
        return pruner

    @field_validator("percentile")
    @classmethod
    def _percentile_is_used(cls, percentile: float | None, info: ValidationInfo) -> float | None:
        pruner = info.data.get("pruner", "percentile")
        if percentile is not None and pruner != "percentile":
            raise ValueError(
                f"is for search.pruner: percentile, but the pruner is {pruner}; set the pruner or leave {percentile:g} "
                "out"
            )
        return percentile

    @field_validator("executor")
    @classmethod
    def _one_process_runs_one_job(cls, executor: Any, info: ValidationInfo) -> Any:
        jobs = info.data.get("jobs")
        if runs_in_process(executor_kind(executor)) and isinstance(jobs, int) and jobs > 1:
            raise ValueError(
                f"is {executor}, which runs one trial at a time, but search.jobs is {jobs}; set search.jobs to 1, or "
                "the executor to processes"
            )
        return executor

    @field_validator("objectives")
    @classmethod
    def _several_objectives_work(cls, objectives: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if len(objectives) > 1:
            if info.data.get("sampler") == "cmaes":
                raise ValueError(
                    f"must be score alone for search.sampler: cmaes but got {shown(list(objectives))}; set the sampler "
                    "to tpe, gp or nsga2"
                )
            if info.data.get("pruner", "none") not in ("screening", "none"):
                raise ValueError(
                    f"must be score alone for search.pruner: {info.data['pruner']}, which ranks trials by one value, "
                    f"but got {shown(list(objectives))}; set the pruner to screening or none"
                )
        return objectives

    @field_validator("bounds")
    @classmethod
    def _bounds_are_learnt(cls, bounds: tuple[Bound, ...], info: ValidationInfo) -> tuple[Bound, ...]:
        if bounds and info.data.get("sampler") == "cmaes":
            raise ValueError(
                f"cannot be learnt by search.sampler: cmaes but got {shown(str(bounds[0]))}; set the sampler to tpe, "
                "gp or nsga2"
            )
        if bounds and info.data.get("pruner") in RUNGS:
            raise ValueError(
                f"cannot be combined with search.pruner: {info.data['pruner']}, which compares trials "
                f"before it is known whether they satisfy {shown(str(bounds[0]))}; set the pruner to median, "
                "percentile or none"
            )
        return bounds

    @field_validator("prefer")
    @classmethod
    def _one_trial_is_preferred(cls, prefer: dict[str, float] | None, info: ValidationInfo) -> dict[str, float] | None:
        objectives, bounds = info.data.get("objectives"), info.data.get("bounds")
        if objectives is None or bounds is None:
            return prefer  # one of them is wrong, which is said already
        if prefer is None:
            if len(objectives) > 1 and not bounds:
                example = ", ".join(f"{name}: {round(1 / len(objectives), 2):g}" for name in objectives)
                raise ValueError(
                    f"is missing: no trial need be best in all {len(objectives)} objectives, so weights must say which "
                    f"one is exported, like {{{example}}}; or set search.bounds, and the best score within them is"
                )
            return prefer
        if len(objectives) == 1:
            raise ValueError("is for several objectives, but search.objectives holds only score; remove it")
        other = next((name for name in prefer if name not in objectives), None)
        if other is not None:
            raise ValueError(
                f"must weigh search.objectives ({', '.join(objectives)}) but got {shown(other)}; add it there"
            )
        return prefer

    @field_validator("blend")
    @classmethod
    def _a_blend_has_one_objective(cls, blend: str | dict[str, int], info: ValidationInfo) -> str | dict[str, int]:
        objectives = info.data.get("objectives", ())
        if isinstance(blend, dict) and len(objectives) > 1:
            raise ValueError(
                f"must be auto or off with several objectives ({', '.join(objectives)}), of which one trial is "
                f"exported, but got {shown(blend)}; set it to off, or search.objectives to score"
            )
        return blend

    @property
    def most_members(self) -> int | None:
        """Most members of a blend; ``None``: the best trial is exported alone."""
        if isinstance(self.blend, dict):
            return self.blend["members"]
        return USUAL_MEMBERS if self.blend == "auto" and self.objectives == (SCORE,) else None

    @field_validator("try_first")
    @classmethod
    def _there_is_room(cls, configurations: tuple[Configuration, ...], info: ValidationInfo) -> tuple[Any, ...]:
        trials = info.data.get("trials", "auto")
        if trials != "auto" and len(configurations) > trials:
            raise ValueError(
                f"must be at most search.trials ({trials}) configurations but got {len(configurations)}; leave some "
                "out or run more trials"
            )
        if configurations and info.data.get("sampler") == "grid":
            raise ValueError("cannot be combined with search.sampler: grid, which tries every combination; remove it")
        return configurations

    @field_validator("warm_start")
    @classmethod
    def _something_can_be_learnt(cls, study: str | None, info: ValidationInfo) -> str | None:
        if study is not None and info.data.get("sampler") == "grid":
            raise ValueError("cannot be combined with search.sampler: grid, which tries every combination; remove it")
        return study
