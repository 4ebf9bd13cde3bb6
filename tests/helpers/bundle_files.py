"""Changes of the files of a saved bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


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

    return change


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)


def replace_weights(content: bytes) -> Callable[[Path], None]:
    """Other weights, with their true digest."""

    def change(folder: Path) -> None:
        write("weights.safetensors", content)(folder)
        edit("weights", "sha256", to=hashlib.sha256(content).hexdigest())(folder)

    return change
