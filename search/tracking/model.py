"""The exported model in MLflow: a pyfunc model that loads the bundle, registered once per winner."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from search.errors import TrackingError
from search.tasks import DEFAULT_TASK, find_task
from search.tasks.data import ModelColumns, OutputType

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

LOADER = "lstmgru.bundle.pyfunc"
CHAMPION, CHALLENGER = "champion", "challenger"

# Direct and indirect imports of the loader.
_REQUIREMENTS = ("numpy", "pandas", "safetensors", "torch")
_OF_BASELINES = ("scikit-learn", "scipy")


@dataclass(frozen=True)
class Export:
    """The facts about an exported model that are known without loading it.

    Attributes:
        folder: The bundle.
        digest: Hexadecimal digest of the members and their weights. They contain no dates or versions, unlike the other
            parts of the files, so the digest of a model does not change when it is exported again.
        columns: Columns of its inputs and outputs.
        trial: Number of the best trial of its study, or ``None``.
        trained_on: ``everything``, or ``before_holdout``; ``None`` if unknown.
        baselines: Names of its members that are baselines.
        example: A raw input table, or ``None``.
    """

    folder: Path
    digest: str
    columns: ModelColumns
    trial: int | None
    trained_on: str | None
    baselines: tuple[str, ...]
    example: pd.DataFrame | None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the description of a bundle.

        Raises:
            TrackingError: There is no bundle, or one of its files is damaged.
        """
        with _usable(folder / "bundle.json") as path:
            description = json.loads(path.read_text(encoding="utf-8"))
            digest = _digest(description)
            columns = find_task(description.get("task", DEFAULT_TASK)).words.model_columns(description)
            origin = description["provenance"]
            trial, trained_on = origin.get("trial"), origin.get("trained_on")
            kinds = [member["kind"] for member in description.get("members", ())]
        baselines = tuple(kind for kind in kinds if kind != "network")
        return cls(folder, digest, columns, trial, trained_on, baselines, _example(folder / "example.json"))

    @property
    def tags(self) -> dict[str, str]:
        """What a registered version says of its origin."""
        known = {"trial": self.trial, "trained_on": self.trained_on}
        return {name: str(value) for name, value in known.items() if value is not None}


def _digest(description: dict[str, Any]) -> str:
    """The digest of what a bundle predicts with.

    Args:
        description: The content of ``bundle.json``; bundles of earlier versions have no members.
    """
    weights: str = description["weights"]["sha256"]
    if "members" not in description:
        return weights[:16]
    content = [weights, *({**member, "trial": None, "score": None} for member in description["members"])]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def _usable(path: Path) -> Iterator[Path]:
    """Read a file of a bundle; raise a :class:`TrackingError` if it is damaged."""
    try:
        yield path
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{path.name} is unusable ({type(error).__name__}: {error})"
        raise TrackingError(f"there is no model to log in {path.parent}: {problem}") from error


def _example(path: Path) -> pd.DataFrame | None:
    """The example, read without the library to avoid loading torch."""
    import pandas as pd

    if not path.exists():
        return None
    with _usable(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        return pd.DataFrame(content["data"], columns=content["columns"])


def register(
    client: MlflowClient, run_id: str, export: Export, *, name: str, tags: dict[str, str], alias: str = CHAMPION
) -> str:
    """Log a model in a run, register it and give it an alias. Idempotent.

    Args:
        client: Client of the server.
        run_id: Run of the study.
        export: The model.
        name: Name of the registered model.
        tags: Origin of the model; together with the digest they identify a version.
        alias: ``champion``, or ``challenger``, which a model that becomes champion loses.

    Returns:
        Its URI, ``models:/weather@champion``.
    """
    tags = tags | {"bundle_digest": export.digest}
    registered = _registered_model(client, name)
    found = _find_version(client, name, tags)
    if found is None:
        found = _register_version(client, _log(client, run_id, export, name, tags), name, tags)
    version = str(found.version)
    if str(registered.aliases.get(alias)) != version:
        client.set_registered_model_alias(name, alias, version)
    if alias == CHAMPION and str(registered.aliases.get(CHALLENGER)) == version:
        retire_challenger(client, name)
    return f"models:/{name}@{alias}"


def retire_challenger(client: MlflowClient, name: str) -> None:
    """Take the alias ``challenger`` from the version of a registered model that has it, if any."""
    if CHALLENGER in _registered_model(client, name).aliases:
        client.delete_registered_model_alias(name, CHALLENGER)


def signature(export: Export) -> ModelSignature:
    """Columns of the inputs and outputs of the model, and its parameter ``strict``, see ``lstmgru.bundle.pyfunc``.

    The types of the inputs are left open: the model also accepts dates as text and integers, and reports invalid values
    itself, whereas MLflow would reject a numeric column that happens to have integers only.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    def column(name: str, kind: OutputType) -> ColSpec:
        return ColSpec(AnyType() if kind == "any" else DataType[kind], name)  # type: ignore[no-untyped-call]

    return ModelSignature(
        inputs=Schema([column(name, "any") for name in export.columns.inputs]),
        outputs=Schema([column(name, kind) for name, kind in export.columns.outputs.items()]),
        params=ParamSchema([ParamSpec("strict", DataType.boolean, True)]),
    )


def requirements(export: Export) -> list[str]:
    """Requirements of an environment that serves the model: the installed versions.

    A local version label, as in ``2.13.0+cpu``, is left out, because package indexes do not have it.
    """
    packages = ("mlflow", *_REQUIREMENTS, *(_OF_BASELINES if export.baselines else ()))
    return [f"{package}=={version(package).split('+')[0]}" for package in packages]


def _registered_model(client: MlflowClient, name: str) -> Any:
    found = client.search_registered_models(f"name = '{name}'")
    return found[0] if found else client.create_registered_model(name)


def _find_version(client: MlflowClient, name: str, tags: dict[str, str]) -> ModelVersion | None:
    versions = client.search_model_versions(f"name = '{name}'")
    return next((found for found in versions if tags.items() <= found.tags.items()), None)


def _register_version(client: MlflowClient, model: LoggedModel, name: str, tags: dict[str, str]) -> ModelVersion:
    # Not by models:/<id>, which a database store resolves with the tracking URI of the process.
    version = client.create_model_version(
        name, model.artifact_location, model.source_run_id, tags=tags, model_id=model.model_id
    )
    # The link from the model to its version, as MLflow's own functions set it.
    link = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": link})
    return version


def _log(client: MlflowClient, run_id: str, export: Export, name: str, tags: dict[str, str]) -> LoggedModel:
    """Log the bundle as an MLflow model.

    ``mlflow.pyfunc.log_model`` would write to the tracking URI of the process, and load the model to try the example.
    """
    from mlflow.entities import LoggedModelOutput

    model = _logged_model(client, run_id, name=name, tags=tags)
    with tempfile.TemporaryDirectory() as folder:
        _save(Path(folder) / "model", model, export)
        client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return model


def prepare() -> None:
    """Import what logging a model needs, which takes a second or two."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about MLflow's own type hints
        import mlflow.models
        import mlflow.pyfunc  # noqa: F401


def _save(path: Path, model: LoggedModel, export: Export) -> None:
    """Write an MLflow model directory."""
    import lstmgru

    prepare()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about MLflow's use of pandas
        from mlflow.models import Model
        from mlflow.pyfunc import save_model

        save_model(
            path,
            loader_module=LOADER,
            data_path=str(export.folder),
            code_paths=[str(Path(lstmgru.__file__).parent)],
            mlflow_model=Model(model.artifact_location, model.source_run_id, model_id=model.model_id),
            signature=signature(export),
            input_example=export.example,
            pip_requirements=requirements(export),
        )


def _logged_model(client: MlflowClient, run_id: str, *, name: str, tags: dict[str, str]) -> LoggedModel:
    """A logged model without files: a new one, or one left by an interrupted upload."""
    experiment_id = client.get_run(run_id).info.experiment_id
    same = " AND ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
    found = client.search_logged_models([experiment_id], filter_string=same)
    if found:
        return found[0]
    return client.create_logged_model(experiment_id, name=name, source_run_id=run_id, tags=tags)
