"""How every candidate is trained, and where MLflow shows the study."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from lstmgru.specs import Precision
from search.config.types import Strict, Text
from search.errors import shown


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
        description="Training data of the exported model: `all`, everything except the holdout, for the best number "
        "of epochs found on the folds; `last_fold`, the training part of the last fold, with early "
        "stopping.",
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

    @field_validator("uri")
    @classmethod
    def _is_server_or_database(cls, uri: str | None) -> str | None:
        if uri is None or re.match(r"(https?|(sqlite|postgresql|mysql|mssql)(\+\w+)?)://|databricks\b", uri):
            return uri
        raise ValueError(
            f"must be a server (http://host:5000) or a database (sqlite:///mlflow.db) but got {shown(uri)}; "
            "MLflow keeps no studies in plain folders any more"
        )

    @field_validator("registered_model")
    @classmethod
    def _has_no_separator(cls, name: str | None) -> str | None:
        if name is not None and re.search("[/:]", name):
            raise ValueError(f"must not hold '/' or ':', which MLflow forbids there, but got {name!r}")
        return name
