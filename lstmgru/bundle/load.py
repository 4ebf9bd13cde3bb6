"""Read a bundle; nothing in it is executed or unpickled."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from lstmgru.bundle.base import Bundle, Stored
from lstmgru.bundle.members import NetworkMember
from lstmgru.errors import BundleError, one_of
from lstmgru.runtime.files import DESCRIPTION, EXPORT_AGAIN, WEIGHTS, BundleFiles, one_line
from lstmgru.runtime.versions import array_prefix, upgraded_arrays
from lstmgru.runtime.weights import by_member
from lstmgru.specs.cells import cell_names
from lstmgru.specs.tasks import TASKS


def load_bundle(directory: Path | str) -> Bundle:
    """Load a bundle that :func:`~lstmgru.bundle.save_bundle` wrote.

    Raises:
        BundleError: The directory or a file is missing or damaged, its format version is unknown, a custom cell of the
            model is not registered, or the weights do not fit the architecture.
    """
    files = BundleFiles.of(directory)
    description, content = files.description(), files.read(WEIGHTS)
    path = files.folder / WEIGHTS
    with files.described():
        files.check_digest(WEIGHTS, content, description["weights"]["sha256"])
        arrays = _member_arrays(path, content, description)
        bundle = _build(files, description, arrays)
    _load_weights(bundle, arrays, path)
    return replace(bundle, example=files.example())


def _build(files: BundleFiles, description: dict[str, Any], arrays: list[dict[str, Tensor]]) -> Bundle:
    """The bundle, its networks with random weights."""
    _check_cells(description, files.folder / DESCRIPTION)
    task = description["task"]
    one_of("task", task, tuple(TASKS))
    bundle_class: type[Bundle] = pkgutil.resolve_name(TASKS[task].bundle)
    stored = Stored(files.vocabularies(description), arrays)
    with torch.random.fork_rng(devices=[]):
        return bundle_class.from_description(description, stored).with_arrays(files.arrays(description))


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
        raise BundleError(f"{path} is damaged: {one_line(error)}; {EXPORT_AGAIN}") from error
    return by_member(tensors, len(description["members"]), path)


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
            f"{_shape(expected.get(name))}; {EXPORT_AGAIN}"
        )
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise BundleError(f"{path} holds numbers that are NaN or infinite, in {prefix}{name}; {EXPORT_AGAIN}")


def _renamed(name: str, prefixes: Mapping[str, str]) -> str:
    """The current name of a weight."""
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _shape(tensor: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "missing" if tensor is None else f"{str(tensor[1]).removeprefix('torch.')}{list(tensor[0])}"
