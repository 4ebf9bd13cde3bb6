"""The last job of a study with planted outputs, and the bundle that it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lstmgru.bundle import load_bundle
from lstmgru.evaluation.time_limit import UNLIMITED
from search.tasks import task_of
from search.tasks.final_job import FinalJob, FinalMember, Refitted

Array = np.ndarray


def final_job(
    plan: Any,
    folder: Path,
    outputs: Callable[[str], Array],
    kept: Callable[[str], tuple[Array, ...]],
    names: tuple[str, ...],
    weights: dict[str, float],
    **more: Any,
) -> FinalJob[Any, Any, Any]:
    """The job of a blend of baselines with planted outputs; the models in it are real ones."""
    task, data = task_of(plan), plan.whole_data()
    fitted = {name: data.fit_baseline(plan.holdout, name, UNLIMITED) for name in names}
    trained = {name: Refitted.of_baseline(model, outputs(name), 0.1) for name, model in fitted.items()}
    split = task.everything(data, plan.holdout)
    again = {name: Refitted.of_baseline(data.fit_baseline(split, name, UNLIMITED), None, 0.1) for name in weights}
    members = tuple(
        FinalMember(name, weight, 1.0, kept(name), scored=trained[name], exported=again[name])
        for name, weight in weights.items()
    )
    values: dict[str, Any] = {
        "members": members,
        "single": None,
        "baselines": trained,
        "baseline_calibrations": {},
        "without_networks": "No network completed",
        "least": None,
        "gaps": plan.config.data.gaps,
        "provenance": {"study": plan.name},
    }
    return FinalJob(
        data=data, holdout=plan.holdout, bundle=folder / "bundle", report=folder / "report", **{**values, **more}
    )


def exported(job: FinalJob[Any, Any, Any]) -> Any:
    """The bundle, whose members are those that were trained on everything."""
    bundle: Any = load_bundle(job.bundle)
    for member, planned in zip(bundle.members, job.members, strict=True):
        assert planned.scored is not None
        assert planned.exported is not None
        states = [member.baseline.state(), planned.exported.unpack().state(), planned.scored.unpack().state()]
        found, everything, before = (
            {**values, **{name: array.tolist() for name, array in arrays.items()}} for values, arrays in states
        )
        assert found == everything
        assert found != before or planned.candidate in ("theta", "majority")  # which learn nothing, or the same
    return bundle
