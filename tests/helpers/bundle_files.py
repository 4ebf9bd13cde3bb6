"""Changes of the files of a saved bundle."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lstmgru.bundle import load_bundle
from lstmgru.bundle.files import write_manifest
from lstmgru.errors import BundleError, LstmGruError


def edit(*path: str | int, to: Any) -> Callable[[Path], None]:
    """A change of one key of ``bundle.json``."""

    def change(folder: Path) -> None:
        document = json.loads((folder / "bundle.json").read_text())
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        if to is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = to
        (folder / "bundle.json").write_text(json.dumps(document))
        renew_manifest(folder)

    return change


def problem_of(predict: Callable[[], object]) -> str | None:
    """What is wrong with how a changed bundle was refused, if it was; nothing is left to a warning of numpy."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            predict()
    except LstmGruError as error:
        return "more than one line" if "\n" in str(error) else None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def check_that_it_is_refused(saved: Path, folder: Path, damage: Callable[[Path], None], match: str) -> None:
    """In one line, after a change of a copy in that folder."""
    copy = Path(shutil.copytree(saved, folder / saved.name))
    damage(copy)
    with pytest.raises(BundleError, match=match) as caught:
        load_bundle(copy)
    assert "\n" not in str(caught.value)


def renew_manifest(folder: Path) -> None:
    """Let the manifest describe the files as they are now, so that other checks are reached."""
    if (folder / "manifest.json").exists():
        write_manifest(folder)


def remove_manifest(folder: Path) -> None:
    """Make it a bundle as before there were manifests."""
    (folder / "manifest.json").unlink()
    document = json.loads((folder / "bundle.json").read_text())
    del document["manifest"]
    (folder / "bundle.json").write_text(json.dumps(document))


def write(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)
        renew_manifest(folder)

    return change


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)


def wrong_values(document: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Keys of a document of JSON, and a value of another type for each; of a list, for its first two items."""
    items = document.items() if isinstance(document, dict) else enumerate(document[:2])
    for key, value in items:
        for wrong in (None, "x", [], {}, 10**40, float("nan"), -1, True, 0.5, ["x"], {"x": 1}):
            if type(wrong) is not type(value) or isinstance(value, int | float):
                yield (*keys, key), wrong
        if isinstance(value, dict | list):
            yield from wrong_values(value, (*keys, key))


def replaced(document: Any, keys: tuple[str | int, ...], value: Any) -> Any:
    """The document with another value at the keys."""
    key, *rest = keys
    changed = list(document) if isinstance(document, list) else dict(document)
    changed[key] = replaced(changed[key], tuple(rest), value) if rest else value
    return changed


def replace_weights(content: bytes) -> Callable[[Path], None]:
    """Other weights, with their true digest."""

    def change(folder: Path) -> None:
        write("weights.safetensors", content)(folder)
        edit("weights", "sha256", to=hashlib.sha256(content).hexdigest())(folder)

    return change
