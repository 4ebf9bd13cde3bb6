"""Read a bundle; nothing in it is executed or unpickled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.directory import DESCRIPTION, present
from lstmgru.bundle.format import EXAMPLE, FORMAT_VERSION, WEIGHTS
from lstmgru.data.aliases import parse_frequency
from lstmgru.data.gaps import check_policy
from lstmgru.data.inputs import input_spec
from lstmgru.data.scaling import Scaler
from lstmgru.data.series import SeriesSchema, check_short_series
from lstmgru.errors import BundleError, LstmGruError
from lstmgru.intervals import Calibration
from lstmgru.nn.network import MEDIAN, ForecastNetwork
from lstmgru.registry import cell_names
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec

if TYPE_CHECKING:
    import pandas as pd

_AGAIN = "export the model again"


def load_bundle(directory: Path | str) -> Bundle:
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
        bundle = _build(description, folder / DESCRIPTION)
        digest = str(description["weights"]["sha256"])
    except BundleError:
        raise
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


def _build(description: dict[str, Any], path: Path) -> Bundle:
    """The bundle, its network with random weights."""
    _check_cells(description, path)
    data = description["data"]
    schema, ids = SeriesSchema.from_dict(data["schema"]), list(data["ids"])
    model, train = ModelSpec.from_dict(description["model"]), TrainSpec(**description["training"])
    forecast = ForecastSpec.from_dict(description["forecast"])
    parse_frequency(data["frequency"], step=data["step"])
    check_policy(data["gaps"])
    check_short_series(data["short_series"])
    inputs = input_spec(schema, n_series=len(ids), short_series=data["short_series"])
    quantiles = forecast.quantiles if train.loss == "quantile" else MEDIAN
    calibration = description["calibration"]
    with torch.random.fork_rng(devices=[]):
        network = ForecastNetwork(model, inputs, horizon=forecast.horizon, quantiles=quantiles)
    return Bundle(
        network=network,
        scaler=Scaler.from_dict(description["scaler"]),
        model_spec=model,
        train_spec=train,
        forecast=forecast,
        schema=schema,
        frequency=data["frequency"],
        step=data["step"],
        timezone=data["timezone"],
        ids=ids,
        metrics=dict(description["metrics"]),
        provenance=dict(description["provenance"]),
        gaps=data["gaps"],
        short_series=data["short_series"],
        calibration=None if calibration is None else Calibration.from_dict(calibration),
    )


def _check_cells(description: dict[str, Any], path: Path) -> None:
    """Refuse a model with a cell that is not registered in this process.

    Raises:
        BundleError: Names it, and the class that it was.
    """
    for name, cell in description["registered_cells"].items():
        if name not in cell_names():
            raise BundleError(
                f"{path} has the cell {name!r}, which is not registered here; call "
                f"lstmgru.registry.register_cell({name!r}, …) with its class, which was {cell}, before loading"
            )


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
