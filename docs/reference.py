"""Write the tables of keys, commands and JSON in the pages from the code: python docs/reference.py

A table stands between ``<!-- keys: forecast data -->``, ``<!-- command: run -->`` or ``<!-- json: show -->`` and
``<!-- end -->``.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

from typer.main import get_command

from search.cli.app import app
from search.cli.documents import documents
from search.config.types import MOST
from search.study.json_keys import json_schema
from search.tasks import DEFAULT_TASK, find_task
from search.tasks.study_file import schema

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "studies" / "README.md", ROOT / "docs" / "commands.md", ROOT / "docs" / "json.md")
BLOCK = re.compile(r"^(<!-- (keys|command|json): (\w+) ?(\w*) -->\n).*?^(<!-- end -->)$", re.MULTILINE | re.DOTALL)
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]  # an app of several commands is a group
WORD = re.compile(r"[A-Za-z]\w*")
CODE = re.compile(
    r"(?:\bshow |(?<![\w-]))--[a-z-]+(?: [\w.]+=\w+)?|[^\s,;()]*[<@=/][^\s,;()]*[\w>/]|[^\s,;()]*[\w>]/|\w+:[A-Z]+"
    r"|(?<!\w)\.[a-z]+|\w+_\w+"
)
"""Options, overrides, paths, addresses, endings of files and names with an underscore."""
WIDTH = 120


def filled(page: str) -> str:
    """A page with its tables as the code has them now."""

    def block(found: re.Match[str]) -> str:
        made = {"keys": key_table, "command": command, "json": json_tables}[found[2]]
        lines = made(*filter(None, (found[3], found[4])))
        return "\n".join([found[1], *lines, "", found[5]])

    return BLOCK.sub(block, page)


# --- keys of a study file ---------------------------------------------------------------------------------------------


def key_table(task: str, section: str = "") -> list[str]:
    """The keys of a section; of another task than the first, those that differ. No section: the keys outside of any."""
    rows, usual = key_rows(task), key_rows(DEFAULT_TASK)
    own = [row for key, row in rows.items() if task == DEFAULT_TASK or row != usual.get(key)]
    return table(("key", "type", "default", "meaning"), [row for row in own if prefix(row[0]) == section])


def prefix(key: str) -> str:
    """``data`` of the cell of ``data.path``."""
    return key.strip("`").rpartition(".")[0]


def key_rows(task: str) -> dict[str, tuple[str, ...]]:
    """Key, type, default and meaning of every key of a task, by key."""
    definitions = schema()["$defs"]

    def keys(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
        for name, inner in node["properties"].items():
            described = definitions[inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner
            if "properties" in described:
                yield from keys(described, f"{name}.")
            else:
                default = code(inner["default"]) if "default" in inner else "required"
                given = "the file's name" if name == "name" else default
                yield path + name, (f"`{path}{name}`", types(inner), given, inner["description"])

    return dict(keys(definitions[find_task(task).config.__name__]))


def types(node: dict[str, Any]) -> str:
    """The values that a JSON Schema admits."""
    return ", ".join(dict.fromkeys(each_type(node)))


def each_type(node: dict[str, Any]) -> Iterator[str]:
    """The types of a JSON Schema, ``null`` and words in their notation of YAML."""
    for inner in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from each_type(inner)
    if "$ref" in node:
        yield "range" if node["$ref"].endswith("Range") else "mapping"
    elif "const" in node or "enum" in node:
        yield from map(code, node.get("enum") or [node["const"]])
    elif node.get("type") == "null":
        yield code(None)
    elif node.get("type") == "string":
        yield "duration" if "pattern" in node else "text"
    elif node.get("type") in ("integer", "number"):
        yield " ".join([node["type"], *bounds(node)])
    elif "type" in node:
        yield {"array": "list", "object": "mapping"}.get(node["type"], node["type"])


def bounds(node: dict[str, Any]) -> Iterator[str]:
    """The limits of a number; the largest integer of all is stated once on the page."""
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    given = [f"{word} {node[name]}" for name, word in words.items() if node.get(name, MOST) != MOST]
    if given:
        yield " and ".join(given)


def code(value: Any) -> str:
    """A value as a study file has it."""
    plain = isinstance(value, str) and WORD.fullmatch(value)
    return f"`{value if plain else json.dumps(value)}`"


# --- commands ---------------------------------------------------------------------------------------------------------


def command(name: str) -> list[str]:
    """The example of a command, what it does, its arguments and its options."""
    of_command = COMMANDS[name]
    *paragraphs, example = inspect.cleandoc(of_command.help).split("\n\n")
    text = [line for each in paragraphs for line in ("", *textwrap.wrap(linked(each), WIDTH, break_on_hyphens=False))]
    context = of_command.make_context(name, [], resilient_parsing=True)
    records = [each.get_help_record(context) for each in of_command.params if "--no-color" not in each.opts]
    options = ["", *table(("option", "default", "meaning"), [*map(option_row, records)])] if records else []
    return ["```sh", example.removeprefix("Example: "), "```", *text, *options]


def option_row(record: tuple[str, str]) -> tuple[str, ...]:
    """Name, default and meaning of an argument or option, of its name and help as ``--help`` shows them."""
    help_, _, extra = record[1].partition("  [")
    default = extra.removesuffix("]").removeprefix("default: ").partition("; ")[0]
    name = re.sub(r" <(str|path)>$", "", record[0])
    return f"`{name}`", linked(re.sub(r"^\((.*)\)$", r"\1", default)), linked(help_)


def linked(text: str) -> str:
    """Help as Markdown: what looks like code is marked as code, and pages are links."""

    def marked(found: re.Match[str]) -> str:
        page = found[0].removeprefix("docs/")
        return f"`{found[0]}`" if page == found[0] else f"[{page}]({page})"

    return CODE.sub(marked, text)


# --- JSON -------------------------------------------------------------------------------------------------------------


def json_tables(command: str) -> list[str]:
    """What a command prints, and a table for each kind of object in it that no command before has.

    An object that extends another one is described by its own keys.
    """
    models = documents()
    (kind,) = get_args(models[command]) or (models[command],)
    objects = json_objects(kind)
    name, *_ = objects
    lines = [f"{'The object is a' if kind is models[command] else 'An array of'} {link(name)}."]
    if is_dataclass(kind.__base__):
        own = {key: node for key, node in json_schema(kind)["properties"].items() if key in kind.__annotations__}
        lines = [f"The object has the keys of {link(name)} and these:", "", *key_lines(own)]
    before = {name for each in takewhile(command.__ne__, models) for name in json_objects(models[each])}
    for name, node in objects.items():
        if name not in before:
            lines += ["", f"### {name}", "", node["description"], "", *key_lines(node["properties"])]
    return lines


def json_objects(model: Any) -> dict[str, dict[str, Any]]:
    """The schemas of an object, or of the one that it extends, and of all objects within, by name, first come first."""
    schema = json_schema(list[model])
    found = json_objects(model.__base__) if is_dataclass(model.__base__) else {}

    def visit(node: dict[str, Any]) -> None:
        for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(node)):
            if name not in found:
                found[name] = schema["$defs"][name]
                visit(found[name]["properties"])

    visit(json_schema(model)["properties"] if found else schema["items"])
    return found


def key_lines(keys: dict[str, dict[str, Any]]) -> list[str]:
    """The table of some keys of an object."""
    rows = [
        (f"`{name}`", json_types(key), key["unit"], key["stability"], key["description"]) for name, key in keys.items()
    ]
    return table(("key", "type", "unit", "stability", "meaning"), rows)


def json_types(node: dict[str, Any]) -> str:
    """The JSON types that a schema admits: ``array of number or null``."""
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(map(json_types, node["anyOf"])))
    if "$ref" in node:
        return link(node["$ref"].rpartition("/")[2])
    inner = {"array": node.get("items"), "object": node.get("additionalProperties")}.get(node["type"])
    return f"{node['type']} of {json_types(inner)}" if isinstance(inner, dict) else str(node["type"])


def link(name: str) -> str:
    """A link to the table of an object."""
    return f"[{name}](#{name.lower()})"


# ----------------------------------------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """The lines of a table."""
    lines = [[cell.replace("|", r"\|") for cell in row] for row in (head, *rows)]
    first, *others = (f"| {' | '.join(line)} |" for line in lines)
    return [first, "|" + "---|" * len(head), *others]


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
