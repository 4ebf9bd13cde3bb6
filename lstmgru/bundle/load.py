"""Read a bundle; nothing in it is executed or unpickled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.directory import DESCRIPTION, present
from lstmgru.bundle.format import EXAMPLE, FORMAT_VERSION, WEIGHTS
from lstmgru.data.aliases import parse_frequency
from lstmgru.data.gaps import check_policy
from lstmgru.data.scaling import StandardScaler
from lstmgru.data.series import SeriesSchema
from lstmgru.errors import BundleError, LstmGruError
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec

if TYPE_CHECKING:
    import pandas as pd

_AGAIN = "export the model again"


def load_bundle(directory: Path | str) -> Bundle:
    """The bundle that :func:`~lstmgru.bundle.save_bundle` wrote.

    Raises:
        BundleError: The directory or a file is missing or damaged, the format is another version's, or the weights do
            not fit the architecture.
    """
    given = Path(directory)
    folder = present(given)
    if not folder.is_dir():
        what = "is a file, not the directory of a bundle" if folder.exists() else "does not exist"
        raise BundleError(f"{given} {what}: give a directory that an export wrote")
    description = _read_description(folder / DESCRIPTION)
    weights = _read(folder / WEIGHTS)
    try:
        bundle = _build(description)
        digest = str(description["weights"]["sha256"])
    except (KeyError, TypeError, ValueError, AttributeError, LstmGruError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"holds what it cannot ({_one_line(error)})"
        raise BundleError(f"{folder / DESCRIPTION} {what}; {_AGAIN}") from error
    if hashlib.sha256(weights).hexdigest() != digest:
        raise BundleError(f"{folder / WEIGHTS} is not the file that {DESCRIPTION} describes (SHA-256); {_AGAIN}")
    _load_weights(bundle.network, weights, folder / WEIGHTS)
    return replace(bundle, example=_read_example(folder / EXAMPLE))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{path.parent} is no complete bundle: {path.name} is missing; {_AGAIN}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_AGAIN}") from error
    if not isinstance(description, dict):
        raise BundleError(f"{path} must hold a JSON object but holds a {type(description).__name__}; {_AGAIN}")
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"{path} has the format version {version!r} but this program reads {FORMAT_VERSION}; "
            "load it with the program's version that wrote it, or export the model again"
        )
    return description


def _read_example(path: Path) -> pd.DataFrame | None:
    """The table, or ``None``: a bundle need not have one."""
    import pandas as pd

    if not path.exists():
        return None
    try:
        content = json.loads(_read(path))
        return pd.DataFrame(content["data"], columns=content["columns"])
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged: {_one_line(error)}; {_AGAIN}") from error


def _build(description: dict[str, Any]) -> Bundle:
    """The bundle, its network with random weights."""
    data = description["data"]
    schema = SeriesSchema.from_dict(data["schema"])
    model, forecast = ModelSpec.from_dict(description["model"]), ForecastSpec(**description["forecast"])
    parse_frequency(data["frequency"], step=data["step"])
    check_policy(data["gaps"])
    n_inputs = len(schema.value_columns) + len(schema.calendar)
    with torch.random.fork_rng(devices=[]):
        network = ForecastNetwork(
            model,
            n_inputs=n_inputs,
            n_future=len(schema.future_covariates) + len(schema.calendar),
            n_targets=len(schema.targets),
            horizon=forecast.horizon,
        )
    return Bundle(
        network=network,
        scaler=_scaler(description["scaler"], n_inputs),
        model_spec=model,
        train_spec=TrainSpec(**description["training"]),
        forecast=forecast,
        schema=schema,
        frequency=data["frequency"],
        step=data["step"],
        timezone=data["timezone"],
        ids=list(data["ids"]),
        metrics=dict(description["metrics"]),
        provenance=dict(description["provenance"]),
        gaps=data["gaps"],
    )


def _scaler(values: dict[str, Any], n_inputs: int) -> StandardScaler:
    scaler = StandardScaler.from_dict(values)
    if scaler.mean.shape != (n_inputs,) or scaler.scale.shape != (n_inputs,):
        raise ValueError(f"a scaler of {scaler.mean.size} channels for {n_inputs} inputs")
    if not (np.isfinite(scaler.mean).all() and np.isfinite(scaler.scale).all() and (scaler.scale > 0).all()):
        raise ValueError("a scaler with a value that is not finite or not positive")
    return scaler


def _load_weights(network: torch.nn.Module, content: bytes, path: Path) -> None:
    try:
        weights = load_tensors(content)
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


def _shape(tensor: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "missing" if tensor is None else f"{str(tensor[1]).removeprefix('torch.')}{list(tensor[0])}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
