"""From a path or a name to a checked study: find the file, read it, apply overrides, report every problem at once."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, cast

from lstmgru.errors import did_you_mean
from search.config.storage import checked_storage
from search.config.study_config import StudyConfig
from search.config.validation import Keys, dotted, find_problems
from search.config.yaml_file import Document, parse_value, read_yaml
from search.errors import Problem, StudyFileError, StudyNotFound, shown
from search.tasks import DEFAULT_TASK, TASKS, find_task

DEFAULT_STUDY = "weather"
_SUFFIXES = (".yaml", ".yml")
_MOST_SHOWN = 60
"""Characters of an override that messages show."""

Reference = str | os.PathLike[str] | None


@dataclass(frozen=True)
class LoadedStudy:
    """A study and where it was read from.

    Attributes:
        config: The study, overrides applied.
        path: Its file.
    """

    config: StudyConfig
    path: Path


def read_study_file(
    reference: Reference = None,
    *,
    overrides: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
    data_path: str | None = None,
    stored: Callable[[str], tuple[Path, dict[str, Any]] | None] = lambda name: None,
    values: dict[str, Any] | None = None,
    folder: Path = Path(),
) -> LoadedStudy:
    """Find, read and check a study.

    Args:
        reference: Path of a study file, or name of one in ``studies/``; ``None``: the weather study.
        overrides: ``key=value`` with a dotted key of the study and a value in YAML:
            ``space.hidden_size=[16, 32]``, ``search.timeout=5m``. The last one of a key counts.
        options: Keys of the section ``search`` with their values, set by options of the same names: ``--trials``.
        data_path: A table to read instead of the study's.
        stored: The journal of a study of a name and the values it was last run with, if it was run but has no file.
        values: What the study was last run with, in place of the content of its file.
        folder: The working folder.

    Raises:
        StudyNotFound: There is no such file, and no such study that was run.
        StudyFileError: The file or an override breaks a rule; all problems are reported together.
    """
    path, document = _read(reference, stored, folder)
    if values is not None:
        document = Document(values, [], None)
    given = [(f"--set {_cut(shlex.quote(text))}", text) for text in overrides]
    # An empty value, perhaps of an unset shell variable, is an error and not YAML's null.
    given += [
        (f"--{name} {shlex.quote(str(value))}", f"search.{name}={value if value != '' else repr(value)}")
        for name, value in (options or {}).items()
        if value is not None
    ]
    values, overridden, problems = _override(document.values, given, data_path)
    values.setdefault("name", path.stem)
    config, found = _check(values)
    problems += document.problems
    problems += [_locate(keys, message, document, overridden) for keys, message in found]
    if config is None or problems:
        raise StudyFileError(_relative(path), sorted(problems, key=lambda problem: problem.line or 10**9))
    return LoadedStudy(config, path)


def _read(
    reference: Reference, stored: Callable[[str], tuple[Path, dict[str, Any]] | None], folder: Path
) -> tuple[Path, Document]:
    """A study's file, or its journal if it has no file."""
    try:
        path = find_study(reference, folder)
    except StudyNotFound:
        found = stored(str(reference)) if is_name(reference) else None
        if found is None:
            raise
        return found[0], Document(found[1], [], None)
    return path, read_yaml(path)


def study_name(reference: Reference, was_run: Callable[[str], bool], folder: Path = Path()) -> str:
    """The name of a study, whose other keys need not be valid.

    Args:
        reference: Path of a study file, name of one in ``studies/``, or name of a study that was run under another
            name than its file's; ``None``: the weather study.
        was_run: Whether there is a study of a name, also of one that studies can no longer have.
        folder: The working folder.

    Raises:
        StudyNotFound: There is neither such a file nor such a study.
        StudyFileError: The file is no YAML, or its name is none that a study can have.
    """
    try:
        path = find_study(reference, folder)
    except StudyNotFound:
        if not is_name(reference) or not was_run(str(reference)):
            raise
        return str(reference)
    document = read_yaml(path)
    values = {"name": path.stem, **_copy(document.values)}
    problems = [_locate(keys, text, document, {}) for keys, text in _check(values)[1] if keys == ("name",)]
    name = str(values["name"])
    if problems and not (is_name(name) and was_run(name)):
        raise StudyFileError(_relative(path), problems)
    return name


def study_storage(reference: Reference, folder: Path = Path()) -> str | None:
    """The value of ``search.storage`` in the file of a study; ``None``: it has no file, or leaves the key out.

    Raises:
        StudyFileError: The file is no YAML, or its value is none that a study can have.
    """
    try:
        path = find_study(reference, folder)
    except StudyNotFound:
        return None
    document = read_yaml(path)
    section = document.values.get("search")
    if not isinstance(section, dict) or "storage" not in section:
        return None
    try:
        return str(checked_storage(section["storage"]))
    except ValueError as error:
        raise StudyFileError(_relative(path), [_locate(("search", "storage"), str(error), document, {})]) from error


def find_study(reference: Reference = None, folder: Path = Path()) -> Path:
    """The file of a study.

    A path is taken as it is. A name is looked for in ``studies/`` of the working folder and of the current one, then
    among the studies that come with the package.

    Raises:
        StudyNotFound: There is none; the message lists those that there are.
    """
    path = Path(reference if reference is not None else DEFAULT_STUDY)
    if path.is_file():
        return path
    known = known_studies(folder)
    if is_name(path):
        if str(path) in known:
            return known[str(path)]
        hint = did_you_mean(str(path), list(known))
        raise StudyNotFound(f"there is no study '{path}'{hint}; known studies: {', '.join(known)}")
    kind = "a folder" if path.is_dir() else "not a file"
    near = did_you_mean(path.stem, list(known)) if path.stem not in known else f"; did you mean '{path.stem}'?"
    raise StudyNotFound(f"{path} is {kind}, so it is not a study{near}; known studies: {', '.join(known)}")


def known_studies(folder: Path = Path()) -> dict[str, Path]:
    """Files of studies by name: in ``studies/`` of the working folder, then of the current one, then of the package."""
    files = [
        path
        for place in (folder / "studies", Path("studies"), _shipped())
        if place.is_dir()
        for path in sorted(place.iterdir())
        if path.suffix in _SUFFIXES and path.is_file()
    ]
    return dict(sorted({path.stem: path for path in reversed(files)}.items()))


def schema() -> dict[str, Any]:
    """The JSON Schema of a study file, for editors."""
    from pydantic import TypeAdapter

    kinds = tuple(dict.fromkeys(find_task(name).config for name in TASKS))
    described: dict[str, Any] = TypeAdapter(cast("Any", Union[kinds])).json_schema()  # noqa: UP007
    for name in (kind.__name__ for kind in kinds):
        # A file need not name itself: its own name serves.
        study = described["$defs"][name]
        study["required"] = [key for key in study["required"] if key != "name"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def _check(values: Mapping[str, Any]) -> tuple[StudyConfig | None, list[tuple[Keys, str]]]:
    """The study that the values describe, or ``None``, and every problem."""
    task = values.get("task", DEFAULT_TASK)
    if isinstance(task, str) and task in TASKS:
        return find_problems(values, find_task(task).config)
    hint = did_you_mean(task, list(TASKS)) if isinstance(task, str) else ""
    return None, [(("task",), f"must be one of {', '.join(TASKS)} but got {shown(task)}{hint}")]


def _shipped() -> Path:
    installed = Path(__file__).parents[1] / "builtin_studies"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "studies"


def is_name(reference: Reference) -> bool:
    """Whether it is a name and not a path."""
    path = Path(reference or "")
    return len(path.parts) == 1 and path.suffix not in _SUFFIXES and str(path) not in (".", "..")


def _relative(path: Path) -> str:
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _override(
    values: dict[str, Any], given: Sequence[tuple[str, str]], data_path: str | None
) -> tuple[dict[str, Any], dict[Keys, str], list[Problem]]:
    """A copy of the values with the overrides in place, what set which path, and what is wrong with overrides.

    Args:
        values: Of the file.
        given: What the user typed, and the override it stands for.
        data_path: A table to read instead of the study's.
    """
    values = _copy(values)
    overridden: dict[Keys, str] = {}
    problems: list[Problem] = []
    for typed, text in given:
        try:
            keys, value = _parse_override(text)
            _set(values, keys, _copy(value))
        except ValueError as error:
            problems.append(Problem("", str(error), given=typed))
        else:
            overridden[keys] = typed
    if data_path is not None and isinstance(values.setdefault("data", {}), dict):
        values["data"] |= {"path": data_path, "dataset": None}
        overridden["data", "path"] = f"--data {data_path}"
    return values, overridden, problems


_TEXT = ("%", ",", "@", "`")
"""No unquoted value in YAML begins with these, and shells remove quotes: a format of times, a decimal comma."""


def _parse_override(text: str) -> tuple[Keys, Any]:
    key, equals, value = text.partition("=")
    keys = tuple(part.strip() for part in key.split("."))
    if not equals or not all(keys):
        raise ValueError(f"must look like key=value, as in training.max_epochs=10, but got {shown(text)}")
    if value.startswith(_TEXT):
        return keys, value
    try:
        return keys, parse_value(value)
    except ValueError as error:
        raise ValueError(f"{dotted(keys)} must be valid YAML but got {shown(value)}: {error}") from error


def _set(values: dict[str, Any], keys: Keys, value: Any) -> None:
    *parents, last = map(str, keys)
    for depth, parent in enumerate(parents, start=1):
        if values.get(parent) is None:
            values[parent] = {}
        if not isinstance(values[parent], dict):
            where, what = dotted(keys[:depth]), shown(values[parent])
            raise ValueError(f"{dotted(keys)} cannot be set, because {where} is {what}, which has no keys")
        values = values[parent]
    values[last] = value


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _copy(value: Any) -> Any:
    """Copy mappings, with text for keys, so that an override does not change an alias of the same mapping."""
    return {str(key): _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _locate(keys: Keys, message: str, document: Document, overridden: Mapping[Keys, str]) -> Problem:
    # An override may also have brought in a section of its own: serch.trials=3.
    given = [
        typed
        for path, typed in overridden.items()
        if keys[: len(path)] == path or (path[: len(keys)] == keys and not document.holds(keys))
    ]
    return Problem(dotted(keys), message, None if given else document.line(keys), given[-1] if given else "")
