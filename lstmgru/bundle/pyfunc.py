"""The bundle as an MLflow model of the flavor ``python_function``; MLflow itself is not needed, and PyTorch seldom.

Exported models name this module as their loader, so its path and ``_load_pyfunc`` must stay.
"""

from __future__ import annotations

import sys
import warnings
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgru.bundle.engines import open_model
from lstmgru.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.runtime.predictor import Predictor

_OFFSET = r":\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)$"


class PyfuncModel:
    """The model that ``mlflow.pyfunc.load_model`` wraps.

    Args:
        model: The model.
    """

    def __init__(self, model: Predictor) -> None:
        self.model = model

    def get_raw_model(self) -> Predictor:
        """The model itself, which reads any table that holds the columns, whatever their types.

        The wrapper of MLflow refuses types other than those of the signature, for example integers for numbers.
        """
        return self.model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict from a raw table: for all series or sequences, or for none, see :meth:`Predictor.predict`.

        Args:
            model_input: A raw table. Changes by MLflow and JSON are undone: timestamps may be text, with UTC offsets
                that differ over the year if the model has a time zone, and integers may have become floats.
            params: ``levels`` and ``horizon`` of forecasts, see :meth:`Predictor.predict`. With ``strict: False``,
                series or sequences that break a rule are left out, see :meth:`Predictor.predict_available`; a
                :class:`UserWarning` for each says why.

        Raises:
            DataError: The table does not fit the model. If MLflow calls, it is one of MLflow's errors as well, which
                its server answers with the message and the status 400.
        """
        try:
            return self._predict(model_input, params or {})
        except DataError as error:
            refused = _refused(error)
            if refused is None:
                raise
            raise refused from error

    def _predict(self, frame: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        for column in self.model.integer_columns:
            frame = _integers(frame, column)
        for column in self.model.timestamp_columns:
            frame = _in_utc(frame, column)
        options = {name: params[name] for name in ("levels", "horizon") if params.get(name) is not None}
        if params.get("strict", True):
            return self.model.predict(frame, source="model input", **options)
        table, left_out = self.model.predict_available(frame, source="model input", **options)
        for reason in left_out.values():
            warnings.warn(f"left out: {reason}", UserWarning, stacklevel=2)
        return table


def _load_pyfunc(path: str) -> PyfuncModel:
    """Load the model; MLflow calls this with the directory that was logged."""
    _answer_without_stack_traces()
    return PyfuncModel(open_model(Path(path)))


def _answer_without_stack_traces() -> None:
    """Let MLflow's scoring server, if it loads the model, answer a file that it cannot read with the reason alone.

    The server parses CSV and Parquet before it calls the model. Its answer would contain the stack trace, with paths of
    the server. The function has a parameter for that, but no setting.
    """
    server: Any = sys.modules.get("mlflow.pyfunc.scoring_server")
    if "mlflow.pyfunc.scoring_server.app" not in sys.modules or not hasattr(server, "_handle_serving_error"):
        return
    handle = server._handle_serving_error
    if "include_traceback" in signature(handle).parameters:
        server._handle_serving_error = partial(handle, include_traceback=False)


def _refused(error: DataError) -> Exception | None:
    """The same error as one that MLflow knows as a mistake of the caller; ``None`` where MLflow does not call."""
    exceptions = sys.modules.get("mlflow.exceptions")
    if exceptions is None:
        return None
    kind: Any = type("InvalidInput", (exceptions.MlflowException, DataError), {})
    refused: Exception = kind.invalid_parameter_value(str(error))
    return refused


def _integers(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table with a column of floats as integers, if all of them are whole numbers."""
    if column not in frame.columns or frame[column].dtype.kind != "f" or not (frame[column] % 1 == 0).all():
        return frame
    return frame.assign(**{column: frame[column].astype("int64")})


def _in_utc(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table with a column of text as timestamps in UTC, if each has its offset."""
    import pandas as pd

    if column not in frame.columns or not pd.api.types.is_string_dtype(frame[column]):
        return frame
    if not frame[column].str.contains(_OFFSET).all():
        return frame
    times = pd.to_datetime(frame[column], format="ISO8601", utc=True, errors="coerce")
    return frame if times.isna().any() else frame.assign(**{column: times})
