"""The last section of a report: study, data, machine and versions."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgru.errors import SpecError
from search.config.yaml_file import dump_yaml
from search.executors.devices import cpu_count
from search.reports.formatting import aims, better, duration, metric_label
from search.reports.page import Line, details, paragraph, preformatted, table
from search.study.records import StudyRecord

if TYPE_CHECKING:
    from search.reports.task_pages import TaskPages

_PACKAGES = (
    "lstmgru-search", "optuna", "lightning", "torch", "mlflow", "numpy", "pandas", "scikit-learn", "onnx",
    "onnxruntime",
)  # fmt: skip
_DESCRIPTION = "bundle.json"


def origin_html(study: StudyRecord, attributes: Mapping[str, Any], written: datetime, pages: TaskPages) -> str:
    """The section as HTML.

    Args:
        study: The study; its bundle records the versions of the export.
        attributes: The user attributes of Optuna's study.
        written: Time at which the page is written.
        pages: The task's parts of the report.
    """
    config = {name: section for name, section in study.config.items() if name != "tracking"}
    data = {**study.data, "digest": f"{str(study.data.get('digest', 'unknown'))[:16]}…"}
    blocks = [
        "<h3>Study</h3>\n"
        + table(("", ""), [Line(cells) for cells in _settings(study, attributes, pages)])
        + "<h3>Data</h3>\n"
        + table(("", ""), [Line((name, str(value))) for name, value in data.items()]),
        "<h3>Machine and versions</h3>\n" + _versions(study, written),
    ]
    return "".join(
        [
            f'<div class="beside">{"".join(f"<div>{block}</div>" for block in blocks)}</div>\n',
            details("The study file, defaults filled in", preformatted(dump_yaml(config))),
            _space(attributes.get("identity", {}), pages),
        ]
    )


def _settings(study: StudyRecord, attributes: Mapping[str, Any], pages: TaskPages) -> Iterator[tuple[str, str]]:
    search, training = (study.config.get(name, {}) for name in ("search", "training"))
    yield "name", study.study
    yield "score", f"{metric_label(study.metric)}, {better(study)}"
    yield "objectives", aims(study)
    if study.goal.prefer:
        yield "preference", ", ".join(f"{name} {weight:g}" for name, weight in study.goal.prefer.items())
    yield from pages.settings(study.config)
    if search:
        timeout = search.get("timeout")
        limit = f", at most {duration(float(timeout))}" if timeout else ""
        yield "search", f"{search.get('trials')} trials{limit}, seed {search.get('seed')}"
        yield "sampler, pruner", f"{search.get('sampler')}, {search.get('pruner')}"
        yield "parallel trials", str(search.get("jobs"))
    if training:
        yield "training", f"at most {training.get('max_epochs')} epochs per fold, refit on {training.get('refit')}"
    if "elapsed" in attributes:
        yield "elapsed time", duration(float(attributes["elapsed"]))


def _space(identity: Mapping[str, Any], pages: TaskPages) -> str:
    """The search space."""
    try:
        space = pages.search_space(identity)
    except SpecError as error:
        return paragraph(f"The search space cannot be listed: {error}.")
    lines = [Line((name, words)) for name, words in space.describe().items()]
    return details("The search space, presets filled in", table(("key", "values"), lines))


def _versions(study: StudyRecord, written: datetime) -> str:
    exported, note = _provenance(study)
    then: dict[str, str] = exported.get("versions", {})
    then = {"time": _minutes(exported.get("created")), "device": str(exported.get("accelerator", "")), **then}
    here = {"time": _minutes(written.isoformat()), **_here()}
    rows = [(name, then.get(name, ""), here.get(name, "")) for name in dict.fromkeys(["time", *here, *then])]
    if not exported:
        return paragraph(note) + table(("", "this page"), [Line((name, now)) for name, _, now in rows if now])
    return table(("", "exported model", "this page"), [Line(row) for row in rows if any(row[1:])])


def _minutes(time: object) -> str:
    """An ISO 8601 time in UTC, to the minute; other values are returned as text."""
    try:
        return f"{datetime.fromisoformat(str(time)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return str(time or "")


def _here() -> dict[str, str]:
    """This machine and the versions of its packages."""
    found = {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "cores": _cores(),
        "python": platform.python_version(),
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cores() -> str:
    usable, all_ = cpu_count(), os.cpu_count()
    return str(usable) if all_ in (None, usable) else f"{usable} of {all_}"


def _provenance(study: StudyRecord) -> tuple[dict[str, Any], str]:
    """The provenance of the exported model, and a sentence if there is none."""
    if study.bundle is None:
        return {}, "No model has been exported yet. This page was written here:"
    path = Path(study.bundle) / _DESCRIPTION
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        return dict(provenance), ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {}, f"The provenance of the exported model cannot be read ({type(error).__name__} for {path})."
