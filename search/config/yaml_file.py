"""YAML 1.2 with line numbers: ``1e-3`` is a number, ``no`` is text, and a key that stands twice is an error.

PyYAML follows YAML 1.1, in which ``1e-3`` is text, ``no`` is false, ``1:30`` is ninety and the last of two equal
keys wins. Its scanner and parser are kept; plain values are resolved by the core schema of YAML 1.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from search.errors import Problem, StudyFileError, shown


@dataclass(frozen=True)
class Document:
    """A parsed file.

    Attributes:
        values: The mapping at its top.
        problems: Keys that stand twice.
        root: Its node, for the lines; ``None`` for values that are in no file.
    """

    values: dict[str, Any]
    problems: list[Problem]
    root: yaml.Node | None

    def line(self, keys: Sequence[str | int]) -> int | None:
        """Line of the key or list item, from 1; where it is not in the file, of the nearest one above it."""
        found = self._nodes(keys)
        return found[-1].start_mark.line + 1 if found else None

    def holds(self, keys: Sequence[str | int]) -> bool:
        """Whether the key or list item is in the file."""
        return len(self._nodes(keys)) == len(keys)

    def _nodes(self, keys: Sequence[str | int]) -> list[yaml.Node]:
        """The nodes that name the keys, as far as they are in the file."""
        node, named = self.root, list[yaml.Node]()
        for key in keys:
            child = None if node is None else _child(node, key)
            if child is None:
                break
            named.append(child[0])
            node = child[1]
        return named


def read_yaml(path: Path) -> Document:
    """Read a file whose top is a mapping.

    Raises:
        StudyFileError: The file cannot be read, is empty, is no YAML, or holds something else than a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            message = "the file has more than 1 MB, but a study file is shorter; is it the table, and not the study?"
            raise StudyFileError(str(path), [Problem("", message)])
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"the file is not UTF-8 text (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        raise StudyFileError(str(path), [Problem("", message, line)]) from error
    except OSError as error:
        raise StudyFileError(str(path), [Problem("", f"the file cannot be read: {error.strerror}")]) from error
    try:
        root, values, problems = _parse(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise StudyFileError(str(path), [_syntax_problem(error)]) from error
    if root is None or values is None:
        raise StudyFileError(str(path), [Problem("", "the file is empty; a study needs data, forecast and splits")])
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else f"the single value {shown(values)}"
        message = f"the file must hold sections such as data: and forecast: but holds {kind}"
        raise StudyFileError(str(path), [Problem("", message, root.start_mark.line + 1)])
    return Document(values, problems, root)


def parse_value(text: str) -> Any:
    """The value that a piece of YAML holds, as on the right of ``--set key=value``.

    Raises:
        ValueError: It is no YAML; the message is one line.
    """
    try:
        _, value, problems = _parse(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(_reason(error)) from error
    if problems:
        raise ValueError(f"{problems[0].key} is set twice")
    return value


def dump_yaml(values: dict[str, Any]) -> str:
    """The text from which :func:`read_yaml` gives the same values."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's registry, filled below


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # not in every build
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's registry, filled below


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would read as something else."""


# What no rule of a study could reckon with: a float ends at 10**308, and Python shows no integer of 4300 digits.
_MOST_DIGITS = 100


def _construct_int(_: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    if len(node.value) > _MOST_DIGITS:
        raise ValueError("a number has too many digits")
    return int(node.value, {"0x": 16, "0o": 8}.get(node.value[:2], 10))


_CORE_SCHEMA = {
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "null": (r"~|null|Null|NULL|", [*"~nN", ""]),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
    "merge": (r"<<", ["<"]),
}
for _class in (_Loader, _FastLoader, _Dumper):
    for _tag, (_pattern, _first) in _CORE_SCHEMA.items():
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
for _class in (_Loader, _FastLoader):
    _class.add_constructor("tag:yaml.org,2002:int", _construct_int)


# A study has a hundred values; more than this is an alias of an alias of an alias.
_MOST_NODES = 10_000
_MOST_BYTES = 1_000_000
# The parser in Python takes a second for so many characters, but says better what is wrong.
_SHORT = 50_000


def _parse(text: str) -> tuple[yaml.Node | None, Any, list[Problem]]:
    try:
        return _parse_with(_FastLoader, text)
    except yaml.YAMLError:
        if len(text) > _SHORT:
            raise
        return _parse_with(_Loader, text)


def _parse_with(loader_class: Any, text: str) -> tuple[yaml.Node | None, Any, list[Problem]]:
    loader = loader_class(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None, []
        # Before construction, which copies the keys of a merge (<<) among the mapping's own.
        problems = list(_repeated_keys(root))
        return root, loader.construct_document(root), problems
    finally:
        loader.dispose()


def _child(node: yaml.Node, key: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that names a key or item, and its value."""
    if isinstance(node, yaml.MappingNode):
        # Reversed: what a merge (<<) brought in stands before the mapping's own keys.
        return next((pair for pair in reversed(node.value) if pair[0].value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    return None


def _repeated_keys(root: yaml.Node) -> Iterator[Problem]:
    for number, (path, node) in enumerate(_walk(root, ())):
        if number > _MOST_NODES:
            raise ValueError(f"with its aliases (*) it holds more than {_MOST_NODES} values")
        first: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            name, line = str(key.value), key.start_mark.line + 1
            if name in first and name != "<<":
                yield Problem(".".join((*path, name)), f"is set twice, first in line {first[name]}; remove one", line)
            first.setdefault(name, line)


def _walk(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], yaml.Node]]:
    """Every node with the keys that lead to it, aliases followed."""
    yield path, node
    for inner in node.value if isinstance(node, yaml.CollectionNode) else ():
        key, value = inner if isinstance(inner, tuple) else (None, inner)
        yield from _walk(value, path if key is None else (*path, str(key.value)))


def _syntax_problem(error: Exception) -> Problem:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    place = f" at column {mark.column + 1}" if mark else ""
    return Problem("", f"the file is not valid YAML{place}: {_reason(error)}", mark.line + 1 if mark else None)


_REASONS = {
    r"'\t'": "a tab cannot indent; use spaces",
    "another document": "a second document begins here (---); keep one",
    "unhashable": "a key must be plain text, not a list or mapping; quote text that holds braces",
    "constructor for the tag": "a tag (!) is not allowed",
}


def _reason(error: Exception) -> str:
    if isinstance(error, ReaderError):
        return f"the character #x{int(error.character):04x} is not allowed"
    if isinstance(error, RecursionError):
        return "it is nested too deeply, or an alias (*) holds itself"
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else None
    text = problem or str(error).splitlines()[0]
    return next((reason for part, reason in _REASONS.items() if part in text), text)
