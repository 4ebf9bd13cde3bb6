"""The workers of a study: the executor, and what a worker prepares before its first job."""

from __future__ import annotations

import pickle
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from search.config.search_values import cluster_of, executor_kind, is_spawned
from search.errors import SearchError
from search.executors import RAY, executor_name, make_executor, runs_in_process
from search.executors.base import WorkerSettings
from search.executors.devices import gpu_share, visible_gpus
from search.tasks import task_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstmgru.evaluation.metrics import Metric
    from search.executors.base import Executor
    from search.tasks.plan import Plan


def warm_up(
    modules: Sequence[str], cells: Mapping[str, type[Any]], metrics: Mapping[str, Metric], *, worker: bool = False
) -> None:
    """Import what every job needs, register cells and metrics, and limit torch to one thread.

    Args:
        modules: Those of the task, see :attr:`search.tasks.base.Task.modules`.
        cells: Those that a user registered in the driver's process, by name.
        metrics: Likewise.
        worker: Whether this is a worker process, which does nothing else.
    """
    import torch

    from lstmgru.evaluation.metrics import add_metric
    from lstmgru.specs.cells import register_cell
    from lstmgru.training.training import look_for_plugins_once

    for module in modules:
        import_module(module)
    if worker:
        look_for_plugins_once()
    for name, cell in cells.items():
        register_cell(name, cell)
    for metric in metrics.values():
        add_metric(metric)
    torch.set_num_threads(1)


def make_study_executor(plan: Plan, *, separate: bool = False) -> Executor:
    """Where the jobs of a study run.

    Args:
        plan: Says which executor it wants, and how many jobs run at once.
        separate: Use a worker even for one job at a time, and no more workers than ``plan.jobs`` on any cluster.
    """
    name, search, modules = _executor_name(plan, separate=separate), plan.config.search, task_of(plan).modules
    gpus = visible_gpus() if plan.accelerator == "gpu" and name != RAY else ()
    forked = plan.accelerator == "cpu" and sys.platform == "linux" and not is_spawned(search.executor)
    settings = WorkerSettings(
        warm_up=partial(
            warm_up, modules, plan.registered_cells(), plan.registered_metrics(), worker=not runs_in_process(name)
        ),
        jobs=plan.jobs,
        # The state of CUDA, and of the libraries of other systems, does not survive a fork.
        preload=modules if forked else (),
        gpus=gpus,
        gpu_share=gpu_share(plan.accelerator, plan.jobs, len(gpus)),
        cluster=cluster_of(search.executor, follow=search.jobs == "auto" and not separate) if name == RAY else None,
        registered=plan.registered_code(),
    )
    return make_executor(name, settings)


def _executor_name(plan: Plan, *, separate: bool) -> str:
    search = plan.config.search
    return executor_name(
        executor_kind(search.executor), plan.jobs, separate=separate, limited=search.timeout is not None
    )


def check_executor(plan: Plan, *, separate: bool = False) -> None:
    """Reject a cluster that cannot be used, and registered cells and metrics that workers could not import.

    Args:
        plan: Of the study.
        separate: Some jobs need a worker even if they run one at a time.

    Raises:
        SearchError: It names the cell, or the address of the cluster.
    """
    executor = plan.config.search.executor
    if executor_kind(executor) == RAY:
        from search.executors.ray_connection import check_cluster

        check_cluster(cluster_of(executor, follow=False))
    own: list[tuple[str, str, str, Any]] = [
        ("cell", name, "class", cell) for name, cell in plan.registered_cells().items()
    ]
    own += [("metric", name, "function", metric.function) for name, metric in plan.registered_metrics().items()]
    if runs_in_process(_executor_name(plan, separate=separate)):
        return
    for kind, name, what, value in own:
        try:
            pickle.dumps(value)
        except (pickle.PicklingError, AttributeError) as error:
            raise SearchError(
                f"the {kind} {name!r} cannot be sent to worker processes: its {what} {value.__qualname__} must be "
                "defined at the top level of a module; move it there, or search in this process (search.jobs: 1, "
                "search.executor: in_process)"
            ) from error
