"""What was run, on which data, where, and with which versions."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lstmgru.errors import SpecError
from search.config.yaml_file import dump_yaml
from search.executors.devices import cpu_count
from search.reports.diagram.candidate import search_space
from search.reports.formatting import aims, better, counted
from search.reports.page import Line, details, paragraph, preformatted, table
from search.reports.search.timeline import duration
from search.study.records import StudyRecord

_PACKAGES = (
    "lstmgru-search", "optuna", "lightning", "torch", "mlflow", "numpy", "pandas", "scikit-learn", "onnx",
    "onnxruntime", "plotly",
)  # fmt: skip
_DESCRIPTION = "bundle.json"


def origin(study: StudyRecord, attributes: Mapping[str, Any], written: datetime) -> str:
    """The section, as HTML.

    Args:
        study: Names its bundle, where the versions of the export are.
        attributes: Of Optuna's study.
        written: When the page is made.
    """
    config = {name: section for name, section in study.config.items() if name != "tracking"}
    data = {**study.data, "digest": f"{str(study.data.get('digest', 'unknown'))[:16]}…"}
    blocks = [
        "<h3>Study</h3>\n"
        + table(("", ""), [Line(cells) for cells in _settings(study, attributes)])
        + "<h3>Data</h3>\n"
        + table(("", ""), [Line((name, str(value))) for name, value in data.items()]),
        "<h3>Machine and versions</h3>\n" + _versions(study, written),
    ]
    return "".join(
        [
            f'<div class="beside">{"".join(f"<div>{block}</div>" for block in blocks)}</div>\n',
            details("The study file, every default filled in", preformatted(dump_yaml(config))),
            _space(attributes),
        ]
    )


def _settings(study: StudyRecord, attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    config = study.config
    forecast, splits, search, training = (config.get(name, {}) for name in ("forecast", "splits", "search", "training"))
    yield "name", study.study
    yield "score", f"{study.metric}, {better(study)}"
    yield "judged by", aims(study)
    if study.goal.prefer:
        yield "preferred", ", ".join(f"{name} {weight:g}" for name, weight in study.goal.prefer.items())
    if forecast:
        yield "forecast", f"{forecast.get('horizon')} steps, season of {forecast.get('season_length')}"
    if splits:
        yield "splits", _splits(splits) if forecast else _label_splits(splits, config.get("data", {}))
    if search:
        timeout = search.get("timeout")
        limit = f", at most {duration(float(timeout))}" if timeout else ""
        yield "search", f"{search.get('trials')} trials{limit}, seed {search.get('seed')}"
        yield "sampler, pruner", f"{search.get('sampler')}, {search.get('pruner')}"
        yield "trials at the same time", str(search.get("jobs"))
    if training:
        yield "training", f"at most {training.get('max_epochs')} epochs a fold, refit on {training.get('refit')}"
    if "elapsed" in attributes:
        yield "time taken so far", duration(float(attributes["elapsed"]))


def _splits(splits: Mapping[str, Any]) -> str:
    gap = f", {splits['gap']} steps left out before each" if splits.get("gap") else ""
    folds = f"{splits.get('folds')} folds ({splits.get('window')})"
    return f"{folds}, then a holdout of {splits.get('holdout')} steps{gap}"


def _label_splits(splits: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    groups = f", each {data['group']} on one side only" if data.get("group") else ""
    if splits.get("holdout") is not None:
        holdout = f"{splits['holdout']:g} of the data"
    else:
        holdout = "the test part" if data.get("test") else "the test part of the data, or a share if there is none"
    return f"{counted(splits.get('folds', 0), 'fold')}, seed {splits.get('seed')}; the holdout is {holdout}{groups}"


def _space(attributes: Mapping[str, Any]) -> str:
    """The values that are searched."""
    try:
        space = search_space(attributes.get("identity", {}))
    except SpecError as error:
        return paragraph(f"What was searched cannot be listed: {error}.")
    lines = [Line((name, words)) for name, words in space.describe().items()]
    return details("What was searched, presets filled in", table(("key", "values"), lines))


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
    """A time of ISO 8601 in UTC, to the minute; what is none stays as it is."""
    try:
        return f"{datetime.fromisoformat(str(time)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return str(time or "")


def _here() -> dict[str, str]:
    """This machine and its versions."""
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
    """What the exported model says of its origin, and a sentence where it says nothing."""
    if study.bundle is None:
        return {}, "No model is exported yet. This page was written here:"
    path = Path(study.bundle) / _DESCRIPTION
    try:
        provenance = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        return dict(provenance), ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {}, f"What the exported model says of its origin cannot be read ({type(error).__name__} for {path})."
