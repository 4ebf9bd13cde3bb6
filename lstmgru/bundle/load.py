"""Read a bundle; nothing in it is executed or unpickled."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from lstmgru.bundle.base import Bundle, Stored
from lstmgru.bundle.files import DESCRIPTION, EXAMPLE, MANIFEST, WEIGHTS, digest, present, vocabulary_name
from lstmgru.bundle.members import NetworkMember
from lstmgru.bundle.versions import MEMBERS, READABLE_VERSIONS, array_prefix, upgraded, upgraded_arrays
from lstmgru.errors import BundleError, LstmGruError, one_of
from lstmgru.specs.cells import cell_names
from lstmgru.specs.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd

_EXPORT = "export the model again"


def load_bundle(directory: Path | str) -> Bundle:
    """Load a bundle that :func:`~lstmgru.bundle.save_bundle` wrote.

    Raises:
        BundleError: The directory or a file is missing or damaged, its format version is unknown, a custom cell of the
            model is not registered, or the weights do not fit the architecture.
    """
    given = Path(directory)
    folder = present(given)
    if not folder.is_dir():
        what = "is a file, not the directory of a bundle" if folder.exists() else "does not exist"
        raise BundleError(f"{given} {what}; pass the directory of an exported model")
    digests = _read_digests(folder)
    described = _read_description(folder / DESCRIPTION, digests)
    content = _read(folder / WEIGHTS, digests)
    try:
        description = upgraded(described)
        _check_digest(folder / WEIGHTS, content, description["weights"]["sha256"])
        arrays = _member_arrays(folder / WEIGHTS, content, description)
        bundle = _build(folder, description, arrays, digests)
    except BundleError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, LstmGruError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"holds an invalid value ({_one_line(error)})"
        raise BundleError(f"{folder / DESCRIPTION} {what}; {_EXPORT}") from error
    _load_weights(bundle, arrays, folder / WEIGHTS)
    return replace(bundle, example=_read_example(folder / EXAMPLE, digests))


def _read_digests(folder: Path) -> dict[str, Any]:
    """The digest of each file; none in a bundle of an earlier version, which has no manifest."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    found = _parse(path, _read(path, {})).get("sha256")
    if not isinstance(found, dict) or not found:
        raise BundleError(f"{path} is damaged: it has no digests under 'sha256'; {_EXPORT}")
    return found


def _read(path: Path, digests: dict[str, Any]) -> bytes:
    """The content of a file, which is the one of the manifest."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{path.parent} is not a complete bundle: {path.name} is missing; {_EXPORT}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    if digests:
        _check_digest(path, content, digests.get(path.name), MANIFEST)
    return content


def _check_digest(path: Path, content: bytes, expected: object, source: str = DESCRIPTION) -> None:
    if digest(content) != expected:
        raise BundleError(f"{path} is not the file that {source} describes (SHA-256): it was changed; {_EXPORT}")


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_EXPORT}") from error
    if not isinstance(parsed, dict):
        raise BundleError(f"{path} must hold a JSON object but holds a {type(parsed).__name__}; {_EXPORT}")
    return parsed


def _read_description(path: Path, digests: dict[str, Any]) -> dict[str, Any]:
    description = _parse(path, _read(path, digests))
    version = description.get("format_version")
    if version not in READABLE_VERSIONS:
        raise BundleError(
            f"{path} has format version {version!r}, but this version of lstmgru reads "
            f"{', '.join(map(str, READABLE_VERSIONS))}; load it with the version that wrote it, or {_EXPORT}"
        )
    if "manifest" in description and not digests:
        raise BundleError(f"{path.parent} is not a complete bundle: {MANIFEST} is missing; {_EXPORT}")
    return description


def _read_example(path: Path, digests: dict[str, Any]) -> pd.DataFrame | None:
    """The example table; ``None`` if there is no file, as it is optional."""
    import pandas as pd

    if not path.exists():
        return None
    try:
        content = _parse(path, _read(path, digests))
        return pd.DataFrame(content["data"], columns=content["columns"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_EXPORT}") from error


def _build(
    folder: Path, description: dict[str, Any], arrays: list[dict[str, Tensor]], digests: dict[str, Any]
) -> Bundle:
    """The bundle, its networks with random weights."""
    _check_cells(description, folder / DESCRIPTION)
    task = description["task"]
    one_of("task", task, tuple(TASKS))
    bundle_class: type[Bundle] = pkgutil.resolve_name(TASKS[task].bundle)
    vocabularies = [
        _read_vocabulary(folder / vocabulary_name(number), each, digests)
        for number, each in enumerate(description["vocabularies"])
    ]
    with torch.random.fork_rng(devices=[]):
        return bundle_class.from_description(description, Stored(vocabularies, arrays))


def _read_vocabulary(path: Path, described: dict[str, str], digests: dict[str, Any]) -> dict[str, Any]:
    content = _read(path, digests)
    _check_digest(path, content, described["sha256"])
    return _parse(path, content)


def _check_cells(description: dict[str, Any], path: Path) -> None:
    """Refuse a model with a cell that is not registered in this process.

    Raises:
        BundleError: Names the cell and its class.
    """
    for name, cell in description["registered_cells"].items():
        if name not in cell_names():
            raise BundleError(
                f"{path} uses the cell {name!r}, which is not registered; call "
                f"lstmgru.register_cell({name!r}, …) with its class, which was {cell}, before loading"
            )


def _member_arrays(path: Path, content: bytes, description: dict[str, Any]) -> list[dict[str, Tensor]]:
    """The arrays of each member, by name.

    Raises:
        BundleError: The file is damaged, or has an array of no member.
    """
    try:
        tensors = upgraded_arrays(load_tensors(content), description["format_version"])
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_EXPORT}") from error
    parts: list[dict[str, Tensor]] = [{} for _ in description["members"]]
    for name, tensor in tensors.items():
        number, _, inner = name.removeprefix(MEMBERS).partition(".")
        if not (name.startswith(MEMBERS) and number.isdecimal() and int(number) < len(parts)):
            raise BundleError(f"{path} holds {name}, which is of none of the {len(parts)} members; {_EXPORT}")
        parts[int(number)][inner] = tensor
    return parts


def _load_weights(bundle: Bundle, arrays: list[dict[str, Tensor]], path: Path) -> None:
    for number, member in enumerate(bundle.members):
        if isinstance(member, NetworkMember):
            weights = {_renamed(name, bundle.renamed_weights): tensor for name, tensor in arrays[number].items()}
            _check_weights(member.network, weights, path, array_prefix(number))
            member.network.load_state_dict(weights)


def _check_weights(network: nn.Module, weights: dict[str, Tensor], path: Path, prefix: str) -> None:
    """Refuse weights that are not of an architecture, or not finite.

    Raises:
        BundleError: Names the first such array.
    """
    expected = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in network.state_dict().items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in weights.items()}
    if found != expected:
        name = min(key for key in {*expected, *found} if expected.get(key) != found.get(key))
        raise BundleError(
            f"{path} does not fit the architecture: {prefix}{name} is {_shape(found.get(name))} but must be "
            f"{_shape(expected.get(name))}; {_EXPORT}"
        )
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise BundleError(f"{path} holds numbers that are NaN or infinite, in {prefix}{name}; {_EXPORT}")


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    """The current name of a weight."""
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _shape(tensor: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "missing" if tensor is None else f"{str(tensor[1]).removeprefix('torch.')}{list(tensor[0])}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
