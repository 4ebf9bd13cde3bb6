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

    gradient_clip: float | None = Field(
        1.0, gt=0, description="Largest norm of all gradients together. `null`: gradients are left as they are."
    )
    ema_decay: float | None = Field(
        0.99,
        gt=0,
        lt=1,
        description="Decay of the moving average of the weights, per optimizer step: the average is what is scored and "
        "exported. `null`: the weights themselves are.",
    )
    refit: Literal["all", "last_fold"] = Field(
        "all",
        description="What the exported model learns from: `all`, everything but the holdout, for as many epochs as "
        "were best in the folds; `last_fold`, the last fold's training part, until its score gets worse.",
    )
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field(
        "auto", description="What networks are trained on. `auto`: a GPU where there is one, else the CPU."
    )
    precision: Precision = Field(
        "32-true",
        description="Precision of the numbers in training. `bf16-mixed`, `16-mixed` (not on a CPU): products in half "
        "precision, which pays for wide layers on a GPU; on a CPU it does without the compiled kernels. What is "
        "exported is in single precision.",
    )


class TrackingConfig(Strict):
    """Where MLflow shows the study."""

    enabled: bool = Field(True, description="Whether the study is shown in MLflow.")
    uri: Text | None = Field(
        None,
        description="Tracking server or database: `http://…`, `https://…`, `sqlite:///…`, `postgresql://…`, "
        "`mysql://…`, `mssql://…`, `databricks`. `null`: the server in `MLFLOW_TRACKING_URI`, else the database "
        "`mlruns/mlflow.db` in the current folder.",
    )
    experiment: Text | None = Field(None, description="Experiment of the runs. `null`: the study's name.")
    registered_model: Text | None = Field(
        None, description="Registered model that the best model becomes a version of. `null`: the study's name."
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
