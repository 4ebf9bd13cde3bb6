"""Data sets that ship with packages: real data without a download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import pandas as pd

from lstmgru.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Dataset:
    """A table that a package carries.

    Attributes:
        name: What a study calls it.
        package: The module that carries it, imported when it is loaded.
        licence: Of the data.
        description: What it holds, from when to when, in which units.
        load: Reads it, without a network.
    """

    name: str
    package: str
    licence: str
    description: str
    load: Callable[[], pd.DataFrame]


def _seattle_weather() -> pd.DataFrame:
    from vega_datasets import local_data

    frame: pd.DataFrame = local_data.seattle_weather()
    return frame


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="seattle_weather",
            package="vega_datasets",
            licence="observations of NOAA, as distributed with vega_datasets (MIT)",
            description=(
                "Daily weather in Seattle, 2012 to 2015, 1,461 observations: precipitation (mm), "
                "temp_max and temp_min (°C), wind (m/s), weather (text)"
            ),
            load=_seattle_weather,
        ),
    )
}


def load_dataset(name: str) -> pd.DataFrame:
    """A data set by name, as its package holds it.

    Raises:
        DataError: The name is unknown, or the package is not installed.
    """
    if name not in DATASETS:
        valid = list(DATASETS)
        raise DataError(f"data.dataset must be one of {', '.join(valid)} but got {name!r}{did_you_mean(name, valid)}")
    dataset = DATASETS[name]
    if find_spec(dataset.package) is None:
        raise DataError(
            f"data.dataset: {name!r} comes with the package {dataset.package}, which is not installed; "
            f"pip install {dataset.package}"
        )
    return dataset.load()
