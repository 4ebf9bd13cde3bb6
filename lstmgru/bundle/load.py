"""Read a bundle; nothing in it is executed or unpickled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from lstmgru.bundle.directory import DESCRIPTION, EXAMPLE, VOCABULARY, WEIGHTS, present
from lstmgru.bundle.forecasting.format import build_forecaster
from lstmgru.bundle.format import READABLE_VERSIONS, AnyBundle, BundleTask
from lstmgru.bundle.sequences.format import build_predictor
from lstmgru.errors import BundleError, LstmGruError
from lstmgru.specs.checks import one_of
from lstmgru.specs.registry import cell_names

if TYPE_CHECKING:
    import pandas as pd

_AGAIN = "export the model again"
_RENAMED = {"direct.": "decoder.", "going_on.": "decoder."}
"""Prefixes of weights in files of earlier versions, and their names today."""


def load_bundle(directory: Path | str) -> AnyBundle:
    """The bundle that :func:`~lstmgru.bundle.save_bundle` wrote.

    Raises:
        BundleError: The directory or a file is missing or damaged, the format is another version's, a cell of the
            model is not registered, or the weights do not fit the architecture.
    """
    given = Path(directory)
    folder = present(given)
    if not folder.is_dir():
        what = "is a file, not the directory of a bundle" if folder.exists() else "does not exist"
        raise BundleError(f"{given} {what}: give a directory that an export wrote")
    description = _read_description(folder / DESCRIPTION)
    weights = _read(folder / WEIGHTS)
    try:
        bundle = _build(folder, description)
        digest = description["weights"]["sha256"]
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, LstmGruError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"holds what it cannot ({_one_line(error)})"
        raise BundleError(f"{folder / DESCRIPTION} {what}; {_AGAIN}") from error
    _check_digest(folder / WEIGHTS, weights, digest)
    _load_weights(bundle.network, weights, folder / WEIGHTS)
    return replace(bundle, example=_read_example(folder / EXAMPLE))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{path.parent} is no complete bundle: {path.name} is missing; {_AGAIN}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error


def _check_digest(path: Path, content: bytes, digest: object) -> None:
    if hashlib.sha256(content).hexdigest() != digest:
        raise BundleError(f"{path} is not the file that {DESCRIPTION} describes (SHA-256); {_AGAIN}")


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    """A file's JSON object."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_AGAIN}") from error
    if not isinstance(parsed, dict):
        raise BundleError(f"{path} must hold a JSON object but holds a {type(parsed).__name__}; {_AGAIN}")
    return parsed


def _read_description(path: Path) -> dict[str, Any]:
    description = _parse(path, _read(path))
    version = description.get("format_version")
    if version not in READABLE_VERSIONS:
        raise BundleError(
            f"{path} has the format version {version!r} but this program reads "
            f"{' and '.join(map(str, READABLE_VERSIONS))}; load it with the program's version that wrote it, or export "
            "the model again"
        )
    return {"task": "forecast", **description} if version == 2 else description


def _read_example(path: Path) -> pd.DataFrame | None:
    """The table, or ``None``: a bundle need not have one."""
    import pandas as pd

    if not path.exists():
        return None
    try:
        content = _parse(path, _read(path))
        return pd.DataFrame(content["data"], columns=content["columns"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_AGAIN}") from error


def _build(folder: Path, description: dict[str, Any]) -> AnyBundle:
    """The bundle, its network with random weights."""
    _check_cells(description, folder / DESCRIPTION)
    task = description["task"]
    one_of("task", task, get_args(BundleTask))
    if task == "forecast":
        return build_forecaster(description)
    described = description.get("vocabulary")
    return build_predictor(description, None if described is None else _read_vocabulary(folder, described["sha256"]))


def _read_vocabulary(folder: Path, digest: str) -> dict[str, Any]:
    path = folder / VOCABULARY
    content = _read(path)
    _check_digest(path, content, digest)
    return _parse(path, content)


def _check_cells(description: dict[str, Any], path: Path) -> None:
    """Refuse a model with a cell that is not registered in this process.

    Raises:
        BundleError: Names it, and the class that it was.
    """
    for name, cell in description["registered_cells"].items():
        if name not in cell_names():
            raise BundleError(
                f"{path} has the cell {name!r}, which is not registered here; call "
                f"lstmgru.register_cell({name!r}, …) with its class, which was {cell}, before loading"
            )


def _load_weights(network: torch.nn.Module, content: bytes, path: Path) -> None:
    try:
        weights = {_renamed(name): tensor for name, tensor in load_tensors(content).items()}
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_AGAIN}") from error
    expected = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in network.state_dict().items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in weights.items()}
    if found != expected:
        name = min(key for key in {*expected, *found} if expected.get(key) != found.get(key))
        raise BundleError(
            f"{path} does not fit the architecture: {name} is {_shape(found.get(name))} but must be "
            f"{_shape(expected.get(name))}; {_AGAIN}"
        )
    network.load_state_dict(weights)


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _shape(tensor: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "missing" if tensor is None else f"{str(tensor[1]).removeprefix('torch.')}{list(tensor[0])}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
