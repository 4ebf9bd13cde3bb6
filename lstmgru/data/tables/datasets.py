"""Data sets that ship with packages: real data without a download.

Usually only the file of a package is read, because importing the package would also load its dependencies, such as
statsmodels and scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

import pandas as pd

from lstmgru.errors import DataError, one_of

Table = TypeVar("Table")


@dataclass(frozen=True)
class Dataset(Generic[Table]):
    """A table that ships with a package.

    Attributes:
        name: Name in study files.
        package: The package.
        file: Path of the file in the package.
        license: License of the data.
        description: Content, period and units.
        read: Reads the file as a table.
        extra: The extra that installs the package; ``None`` for a required dependency.
    """

    name: str
    package: str
    file: str
    license: str
    description: str
    read: Callable[[Path], Table]
    extra: str | None = None

    @property
    def install(self) -> str:
        """The command that installs the package."""
        return f"pip install {self.package}" if self.extra is None else f"pip install 'lstmgru-search[{self.extra}]'"


def _read_seattle_weather(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, parse_dates=["date"])


def _read_us_employment(path: Path) -> pd.DataFrame:
    """Convert a column for each series to a row for each series and month."""
    wide = pd.read_csv(path, parse_dates=["month"])
    return wide.melt(id_vars="month", var_name="series", value_name="jobs")[["series", "month", "jobs"]]


def _read_traffic_hourly(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, parse_dates=["datetime"])


def _read_stocks(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, parse_dates=["Date"])
    return frame.rename(columns=lambda name: name.lower().replace(" ", "_"))


DATASETS: dict[str, Dataset[pd.DataFrame]] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="seattle_weather",
            package="vega_datasets",
            file="_data/seattle-weather.csv",
            license="observations of NOAA, United States public domain, as distributed with vega_datasets (MIT)",
            description=(
                "Daily weather in Seattle, 2012 to 2015, 1,461 observations: precipitation (mm), temp_max and temp_min "
                "(°C), wind (m/s), weather (text)"
            ),
            read=_read_seattle_weather,
        ),
        Dataset(
            name="traffic_hourly",
            package="autots",
            file="datasets/data/traffic_hourly.zip",
            license=(
                "Metro Interstate Traffic Volume (J. Hogue, UCI Machine Learning Repository, 2019, "
                "doi:10.24432/C5X60B), CC BY 4.0; its last two years on regular hours, as distributed with autots "
                "(MIT)"
            ),
            description=(
                "Westbound traffic on Interstate 94 between Minneapolis and St Paul and the weather there, October "
                "2016 to September 2018, 17,520 hours of local time, 104 of them empty: traffic_volume (vehicles an "
                "hour), temp (K), rain_1h (mm), snow_1h (mm, 0 throughout), clouds_all (%), weather_main (text)"
            ),
            read=_read_traffic_hourly,
            extra="studies",
        ),
        Dataset(
            name="us_employment",
            package="vega_datasets",
            file="_data/us-employment.csv",
            license=(
                "Current Employment Statistics of the U.S. Bureau of Labor Statistics, United States public domain, as "
                "distributed with vega_datasets (MIT)"
            ),
            description=(
                "Jobs in the United States by sector, January 2006 to December 2015, seasonally adjusted, 23 series of "
                "120 months in long format: series, month, jobs (thousands). 22 of them are the total (nonfarm), its "
                "sectors and sums of sectors, so they overlap; nonfarm_change, the total's change since the month "
                "before, may be negative"
            ),
            read=_read_us_employment,
        ),
        Dataset(
            name="stocks",
            package="bokeh_sampledata",
            file="_data/stocks.csv.gz",
            license=(
                "Quandl WIKI Prices, declared public domain by the publisher, as distributed with bokeh_sampledata "
                "(BSD-3-Clause)"
            ),
            description=(
                "Daily prices of five shares, AAPL, IBM and MSFT from March 2000, GOOG from August 2004 and FB from "
                "May 2012, all to 1 March 2013, 12,154 trading days in long format: ticker, date, open, high, low, "
                "close (USD, not adjusted for splits), volume (shares), adj_close (USD, adjusted for splits and "
                "dividends)"
            ),
            read=_read_stocks,
            extra="studies",
        ),
    )
}


def load_dataset(name: str) -> pd.DataFrame:
    """A data set by name.

    Raises:
        DataError: The name is unknown, or the package is not installed, or in a version without the data.
    """
    dataset = find_dataset(name, DATASETS)
    return dataset.read(locate(dataset))


def find_dataset(name: str, datasets: Mapping[str, Dataset[Table]]) -> Dataset[Table]:
    """One of several data sets by name.

    Raises:
        DataError: The name is unknown.
    """
    one_of("data.dataset", name, list(datasets), DataError)
    return datasets[name]


def locate(dataset: Dataset[Any]) -> Path:
    """The path of a dataset's file.

    Raises:
        DataError: The package is not installed, or its version lacks the file.
    """
    # importlib.resources would import the package to find its folder.
    spec = find_spec(dataset.package)
    if spec is None:
        raise DataError(
            f"data.dataset: {dataset.name!r} comes with the package {dataset.package}, which is not installed; "
            f"{dataset.install}"
        )
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, dataset.file)
        if path.is_file():
            return path
    upgrade = dataset.install.replace("pip install", "pip install --upgrade")
    raise DataError(
        f"data.dataset: {dataset.name!r} is the file {dataset.file} of the package {dataset.package}, which the "
        f"installed version lacks; {upgrade}"
    )
