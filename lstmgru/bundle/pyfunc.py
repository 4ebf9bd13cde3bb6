"""The bundle as an MLflow model of the flavor ``python_function``; MLflow itself is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.load import load_bundle
from lstmgru.bundle.sequences.bundle import SequenceBundle
from lstmgru.data.tables.aliases import STEP

if TYPE_CHECKING:
    import pandas as pd

_OFFSET = r":\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)$"


class ForecastModel:
    """What ``mlflow.pyfunc.load_model`` gives for a model that forecasts.

    Args:
        bundle: The model.
    """

    def __init__(self, bundle: ForecastBundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Forecast the steps after the last known value of each series, see :meth:`ForecastBundle.predict`.

        Args:
            model_input: A raw table. What MLflow and JSON make of one is undone: times may be text, with offsets that
                differ over the year where the model has a time zone, and whole numbers may have become floats.
            params: There are none; MLflow passes them.

        Raises:
            DataError: Columns, frequency or length do not fit.
        """
        schema = self.bundle.schema
        frame = _whole(model_input, schema.id) if schema.id else model_input
        frame = _whole(frame, schema.time) if self.bundle.frequency == STEP else frame
        frame = _in_utc(frame, schema.time) if self.bundle.timezone else frame
        return self.bundle.predict(frame, source="model input")


class SequenceModel:
    """What ``mlflow.pyfunc.load_model`` gives for a model that labels.

    Args:
        bundle: The model.
    """

    def __init__(self, bundle: SequenceBundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Label sequences or texts, see :meth:`SequenceBundle.predict`.

        Args:
            model_input: A raw table. What MLflow and JSON make of one is undone, as in :class:`ForecastModel`.
            params: There are none; MLflow passes them.

        Raises:
            DataError: Columns or values do not fit.
        """
        schema = self.bundle.schema
        frame = _whole(model_input, schema.id) if schema.id else model_input
        frame = _in_utc(frame, schema.time) if schema.time else frame
        return self.bundle.predict(frame, source="model input")


def _load_pyfunc(path: str) -> ForecastModel | SequenceModel:
    """MLflow calls this with the directory that was logged."""
    bundle = load_bundle(Path(path))
    return ForecastModel(bundle) if isinstance(bundle, ForecastBundle) else SequenceModel(bundle)


def _whole(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table with a column of floats that are all whole as integers."""
    if column not in frame.columns or frame[column].dtype.kind != "f" or not (frame[column] % 1 == 0).all():
        return frame
    return frame.assign(**{column: frame[column].astype("int64")})


def _in_utc(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table with a column of times as text in UTC, if each has its offset."""
    import pandas as pd

    if column not in frame.columns or not pd.api.types.is_string_dtype(frame[column]):
        return frame
    if not frame[column].str.contains(_OFFSET).all():
        return frame
    times = pd.to_datetime(frame[column], format="ISO8601", utc=True, errors="coerce")
    return frame if times.isna().any() else frame.assign(**{column: times})
