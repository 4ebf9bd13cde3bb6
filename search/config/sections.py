"""The sections ``data``, ``splits``, ``training``, ``export`` and ``tracking``, as far as all tasks share them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator

from lstmgru.errors import DataError
from lstmgru.specs import Precision
from search.config.types import Character, ColumnsOrNone, Strict, Text
from search.errors import shown


class TableConfig(Strict):
    """Where a table is, and how its numbers are written; each task declares the roles of its columns."""

    if TYPE_CHECKING:
        gaps: str

    path: Text | None = Field(None, description="Table to read. `null`: read `data.dataset`.")
    dataset: str | None = Field(None, description="Built-in data set to read instead of a file.", validate_default=True)
    delimiter: Character = Field(",", description="Delimiter of a text file; for `.tsv`, a tab unless set.")
    decimal: Literal[".", ","] = Field(".", description="Decimal mark of a text file.", validate_default=True)

    encoding: Text = Field(
        "utf-8", description="Encoding of a text file, such as `utf-8`, `cp1252`, `gb18030` or `shift_jis`."
    )
    columns: ColumnsOrNone = Field(
        (),
        description="Names of the columns of a text file without a header, in order. `[]`: the names in its first "
        "line.",
    )

    @field_validator("encoding")
    @classmethod
    def _is_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"must be the name of a text encoding, such as utf-8, cp1252 or gb18030, but got {shown(encoding)}"
            ) from error
        return encoding

    @field_validator("columns")
    @classmethod
    def _of_a_file(cls, columns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if columns and info.data.get("dataset") is not None:
            raise ValueError(f"is for data.path, but data.dataset is {info.data['dataset']!r}; remove it")
        return columns

    @field_validator("dataset")
    @classmethod
    def _one_source(cls, dataset: str | None, info: ValidationInfo) -> str | None:
        if "path" in info.data:
            path = info.data["path"]
            if path is None and dataset is None:
                raise ValueError("is missing, and so is data.path: name a built-in data set or a file")
            if path is not None and dataset is not None:
                raise ValueError(f"cannot be combined with data.path ({path!r}); set only one of them")
        return dataset

    @field_validator("decimal")
    @classmethod
    def _differs_from_delimiter(cls, decimal: str, info: ValidationInfo) -> str:
        if decimal == info.data.get("delimiter"):
            raise ValueError(
                f"must differ from data.delimiter, but both are {decimal!r}; set data.delimiter to ';' if that "
                "is what separates the columns, otherwise write the numbers with points"
            )
        return decimal

    def resolve_path(self, study_file: Path | None, key: str = "path") -> Path:
        """Where a file is: a relative path counts from the current folder, else from the study file's.

        Args:
            study_file: Where the study was read from.
            key: Which of the keys that name a file; it must be set.

        Raises:
            DataError: It is in neither, or begins with the home folder of nobody (``~name``).
        """
        given = str(getattr(self, key))
        try:
            path = Path(given).expanduser()
        except RuntimeError as error:
            home = Path(given).parts[0]
            raise DataError(f"data.{key} is {given!r} but {home} is not a home directory; correct the path") from error
        folders = [Path()] if path.is_absolute() or study_file is None else [Path(), study_file.parent]
        found = [folder / path for folder in folders if (folder / path).exists()]
        if not found and len(folders) > 1:
            places = " nor in ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
            raise DataError(f"data.{key} is {given!r} but there is no such file in {places}; correct the path")
        return found[0] if found else path


def one_part(value: object, info: ValidationInfo, parts: tuple[str, ...]) -> object:
    """Check that no column of a key is named by another key of the section.

    Args:
        value: A column, a tuple of columns or ``None``.
        info: The keys that are validated already.
        parts: The keys that name columns.

    Raises:
        ValueError: A column is named twice.
    """
    columns = value if isinstance(value, tuple) else (value,)
    for part in parts:
        taken = info.data.get(part)
        taken = taken if isinstance(taken, tuple) else (taken,)
        both = [column for column in columns if column is not None and column in taken]
        if both:
            raise ValueError(f"names {both[0]!r}, which is already data.{part}; a column has one role")
    return value


class SplitsConfig(Strict):
    """How the data are cut into folds and a holdout; each task declares the fields."""

    if TYPE_CHECKING:
        folds: int


class TrainingConfig(Strict):
    """How every candidate is trained, whatever the task; each task declares epochs and patience with its defaults."""

    if TYPE_CHECKING:
        max_epochs: int | Literal["auto"]
        patience: int | Literal["auto"] | None

    gradient_clip: float | None = Field(1.0, gt=0, description="Maximum norm of the gradients. `null`: no clipping.")
    ema_decay: float | None = Field(
        0.99,
        gt=0,
        lt=1,
        description="Decay of the exponential moving average of the weights, per optimizer step. The average is "
        "scored and exported. `null`: no averaging.",
    )
    refit: Literal["all", "last_fold"] = Field(
        "all",
        description="Training data of the model that is scored on the holdout: `all`, everything before the holdout, "
        "for the best number of epochs found on the folds; `last_fold`, the training part of the last fold, up to its "
        "best epoch.",
    )
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field(
        "auto", description="Device for training. `auto`: a GPU if available, else the CPU."
    )
    precision: Precision = Field(
        "32-true",
        description="Numeric precision of training. `bf16-mixed` and `16-mixed` (GPU only) use half precision for "
        "matrix products, which speeds up wide layers on a GPU; on a CPU, mixed precision disables the "
        "compiled kernels. The exported model is in single precision.",
    )


class ExportConfig(Strict):
    """What is exported once the holdout is scored."""

    train_on: Literal["everything", "before_holdout"] = Field(
        "everything",
        description="Training data of the exported model. `everything`: after the holdout is scored, the same "
        "settings are trained on all data, the holdout included; `before_holdout`: the exported model is the one that "
        "was scored. With `training.refit: last_fold`, always the latter.",
    )


class TrackingConfig(Strict):
    """Where MLflow shows the study."""

    enabled: bool = Field(True, description="Whether the study is tracked in MLflow.")
    uri: Text | None = Field(
        None,
        description="Tracking server or database: `http://…`, `https://…`, `sqlite:///…`, `postgresql://…`, "
        "`mysql://…`, `mssql://…`, `databricks`. `null`: the server in `MLFLOW_TRACKING_URI`, or else "
        "the database `mlruns/mlflow.db` in the current folder.",
    )
    experiment: Text | None = Field(None, description="MLflow experiment of the runs. `null`: the name of the study.")
    registered_model: Text | None = Field(
        None,
        description="Registered model to which the best model is added as a version. `null`: the name of the study.",
    )
    system_metrics: bool = Field(
        False,
        description="Whether the run of the study also shows the use of CPU, memory, disk, network and NVIDIA GPUs of "
        "this machine, measured every 10 seconds. Needs the extra `system-metrics`.",
    )

    @field_validator("uri")
    @classmethod
    def _is_server_or_database(cls, uri: str | None) -> str | None:
        if uri is None or re.match(r"(https?|(sqlite|postgresql|mysql|mssql)(\+\w+)?)://|databricks\b", uri):
            return uri
        raise ValueError(
            f"must be a server (http://host:5000) or a database (sqlite:///mlflow.db) but got {shown(uri)}; "
            "MLflow no longer supports plain folders"
        )

    @field_validator("registered_model")
    @classmethod
    def _has_no_separator(cls, name: str | None) -> str | None:
        if name is not None and re.search("[/:]", name):
            raise ValueError(f"must not contain '/' or ':', which MLflow forbids, but got {name!r}")
        return name
