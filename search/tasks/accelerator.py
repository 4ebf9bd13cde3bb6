"""What a study trains on, and how many trials run at once: from its file, this machine and the cluster."""

from __future__ import annotations

import sys
from importlib.metadata import version

from search.config.search_values import cluster_of, executor_kind
from search.config.study_config import StudyConfig
from search.errors import Problem, StudyFileError
from search.executors import RAY, runs_in_process
from search.executors.base import Cluster
from search.executors.devices import cpu_count, resolve_accelerator, resolve_jobs


def jobs_of(config: StudyConfig) -> int:
    """How many trials run at once; on a Ray cluster whose size is followed, as many as this machine has room for."""
    executor, jobs = config.search.executor, config.search.jobs
    if runs_in_process(executor_kind(executor)):
        return 1
    if executor_kind(executor) == RAY and jobs == "auto":
        return max(1, int(cpu_count() / (cluster_of(executor, follow=True).cpus_per_trial or 1)))
    return resolve_jobs(jobs, config.training.accelerator)


def accelerator_of(config: StudyConfig, file: str) -> str:
    """What a study is trained on.

    Raises:
        StudyFileError: It asks for something that its workers do not have, or for a precision that it does not know.
    """
    wanted, executor = config.training.accelerator, config.search.executor
    if executor_kind(executor) == RAY and wanted != "mps":
        accelerator = _accelerator_on_ray(wanted, cluster_of(executor, follow=False), file)
    else:
        accelerator = _accelerator_here(wanted, file)
    if accelerator == "cpu" and config.training.precision == "16-mixed":
        message = "is 16-mixed, but a CPU trains in 32-true or bf16-mixed; set it to one of them"
        raise StudyFileError(file, [Problem("training.precision", message)])
    return accelerator


def _accelerator_here(wanted: str, file: str) -> str:
    found = resolve_accelerator("auto")
    # AMD's devices are found by torch alone, so a study that names them is believed; on a Mac Lightning's gpu is mps.
    believed = found != "cpu" or "+rocm" in version("torch")
    if wanted not in ("auto", "cpu", found) and not (wanted == "gpu" and believed):
        message = f"is {wanted}, but this machine has only {found} to train on; set it to auto or {found}"
        raise StudyFileError(file, [Problem("training.accelerator", message)])
    return resolve_accelerator(wanted)


def _accelerator_on_ray(wanted: str, cluster: Cluster, file: str) -> str:
    """The accelerator of the nodes, which this machine need not have: what a trial takes of them says what it is."""
    share = cluster.gpus_per_trial
    if wanted == "gpu" and not share:
        message = "is gpu, but a trial takes no GPU of the Ray cluster; set gpus_per_trial in search.executor, like "
        message += "{kind: ray, gpus_per_trial: 1}"
        raise StudyFileError(file, [Problem("training.accelerator", message)])
    if share and cluster.address is None and _accelerator_here("auto", file) != "gpu" and not _ray_runs():
        message = f"has {share:g} as gpus_per_trial, but Ray is started on this machine, which has no GPU; set the "
        message += "address of a cluster, or leave gpus_per_trial out"
        raise StudyFileError(file, [Problem("search.executor", message)])
    return ("gpu" if share else "cpu") if wanted == "auto" else wanted


def _ray_runs() -> bool:
    """Whether this program uses a Ray cluster already, which the search then uses as well."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
