"""Exported models in MLflow: logged with parameters, registered once, and given an alias by the rule of promotion."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from search.tracking.model import save_model
from search.tracking.model_texts import model_params, registered_description, version_description
from search.tracking.runs import STUDY_UID

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

    from search.study.refit_records import Promotion
    from search.tracking.export import Export
    from search.tracking.model_texts import Origin

Alias = Literal["champion", "challenger"]
CHAMPION: Alias = "champion"
CHALLENGER: Alias = "challenger"
REGISTERED_AS = "registered_as"
"""Tag of a version: the alias that it was given; until then, ``pending``. Versions of earlier programs have none."""
_PENDING = "pending"


@dataclass(frozen=True)
class Registered:
    """A registered model.

    Attributes:
        uri: ``models:/weather@champion``, or with the number of a version that has no alias.
        model_id: Of the logged model; ``None`` if it was deleted.
    """

    uri: str
    model_id: str | None


def register(
    client: MlflowClient,
    run_id: str,
    export: Export,
    *,
    name: str,
    origin: Origin,
    alias: Alias = CHAMPION,
    rule: Promotion | None = None,
    latest: bool = False,
) -> Registered:
    """Log a model in a run, register it and give the version an alias. Idempotent.

    Args:
        client: Client of the server.
        run_id: Run of the study.
        export: The model.
        name: Name of the registered model.
        origin: The study that it is from; together with the digest it identifies a version.
        alias: ``champion`` or ``challenger``. A model of another study remains champion, unless ``rule`` is ``always``.
        rule: By which a refit has decided on the alias. ``None``: a version is given the alias only when it is
            registered; who moves it later, as for a rollback, has the last word.
        latest: Whether it is of the last refit: a challenger of an earlier one has learned from less.
    """
    identity = origin.identity | export.identity
    registered = _registered_model(client, name, registered_description(origin, name))
    found = find_version(client, name, identity)
    model: LoggedModel | None
    if found is None:
        model = new = _log(client, run_id, export, name, origin)
        found = _register_version(client, new, name, export, origin)
    else:
        # A version of MLflow's open-source registry does not know its logged model.
        model = _find_logged_model(client, run_id, identity)
        if not found.description:
            client.update_model_version(name, str(found.version), version_description(export, origin.verdict))
    version = str(found.version)
    if rule is not None or found.tags.get(REGISTERED_AS) == _PENDING:
        given = alias if rule == "always" else _granted(client, registered, alias, origin)
        client.set_registered_model_alias(name, given, version)
        challenger = registered.aliases.get(CHALLENGER)
        if given == CHAMPION and challenger is not None and (latest or str(challenger) == version):
            client.delete_registered_model_alias(name, CHALLENGER)
        client.set_model_version_tag(name, version, REGISTERED_AS, given)
    return Registered(_uri(client, name, version), None if model is None else model.model_id)


def _granted(client: MlflowClient, registered: RegisteredModel, alias: Alias, origin: Origin) -> Alias:
    """The alias of a new version: the wanted one, unless the champion is a model of another study."""
    champion = registered.aliases.get(CHAMPION)
    if alias == CHALLENGER or champion is None:
        return alias
    owner = client.get_model_version(registered.name, str(champion)).tags.get(STUDY_UID)
    return CHAMPION if owner == origin.uid else CHALLENGER


def _uri(client: MlflowClient, name: str, version: str) -> str:
    aliases = client.get_registered_model(name).aliases
    own = sorted(alias for alias, number in aliases.items() if str(number) == version)
    known = [alias for alias in (CHAMPION, CHALLENGER) if alias in own] or own
    return f"models:/{name}@{known[0]}" if known else f"models:/{name}/{version}"


def link_trials(client: MlflowClient, model_id: str, run_ids: Iterable[str]) -> None:
    """Show a logged model as an output of the runs of the trials that are its members."""
    from mlflow.entities import LoggedModelOutput

    for run_id in run_ids:
        outputs = client.get_run(run_id).outputs
        if model_id not in {output.model_id for output in (outputs.model_outputs if outputs else [])}:
            client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def _registered_model(client: MlflowClient, name: str, description: str) -> RegisteredModel:
    """The registered model; its description is written unless it has one, which may be a user's."""
    found = client.search_registered_models(f"name = '{name}'")
    if not found:
        return client.create_registered_model(name, description=description)
    return found[0] if found[0].description else client.update_registered_model(name, description)


def find_version(client: MlflowClient, name: str, tags: dict[str, str]) -> ModelVersion | None:
    """The version of a registered model with these tags; ``None`` if there is none."""
    versions = client.search_model_versions(f"name = '{name}'")
    return next((found for found in versions if tags.items() <= found.tags.items()), None)


def _register_version(
    client: MlflowClient, model: LoggedModel, name: str, export: Export, origin: Origin
) -> ModelVersion:
    # Not by models:/<id>, which a database store resolves with the tracking URI of the process.
    version = client.create_model_version(
        name,
        model.artifact_location,
        model.source_run_id,
        tags=origin.tags | origin.identity | export.identity | {REGISTERED_AS: _PENDING},
        description=version_description(export, origin.verdict),
        model_id=model.model_id,
    )
    # The link from the model to its version, as MLflow's own functions set it.
    link = json.dumps([{"name": name, "version": version.version}])
    client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": link})
    return version


def _log(client: MlflowClient, run_id: str, export: Export, name: str, origin: Origin) -> LoggedModel:
    """Log the bundle as an MLflow model.

    ``mlflow.pyfunc.log_model`` would write to the tracking URI of the process, and load the model to try the example.
    """
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    model = _logged_model(client, run_id, export, name, origin)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        save_model(path, export, Model(model.artifact_location, model.source_run_id, model_id=model.model_id))
        client.log_model_artifacts(model.model_id, str(path))
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return model


def _logged_model(client: MlflowClient, run_id: str, export: Export, name: str, origin: Origin) -> LoggedModel:
    """A logged model without files: a new one, or one left by an interrupted upload."""
    identity = origin.identity | export.identity
    return _find_logged_model(client, run_id, identity) or client.create_logged_model(
        client.get_run(run_id).info.experiment_id,
        name=name,
        source_run_id=run_id,
        tags=origin.tags | identity | {"mlflow.note.content": version_description(export, origin.verdict)},
        params=model_params(export),
        model_type=export.task,
    )


def _find_logged_model(client: MlflowClient, run_id: str, tags: dict[str, str]) -> LoggedModel | None:
    """The logged model with these tags in the experiment of a run; ``None``: it was deleted, or is elsewhere."""
    same = " AND ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
    found = client.search_logged_models([client.get_run(run_id).info.experiment_id], filter_string=same)
    return found[0] if found else None
