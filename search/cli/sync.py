"""``search sync``: copy a study to MLflow."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli import options


def sync(
    study: options.Study = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", metavar="URI", help="Store or server to use instead of the study's."),
    ] = None,
) -> None:
    """Copy all data of a study to MLflow, including the model. Existing runs are not duplicated.

    Use it after an outage of the tracking server, or to copy a study to another server.

    Example: python -m search sync weather --tracking-uri http://127.0.0.1:5000
    """
    from search.api import sync_to_mlflow

    links = sync_to_mlflow(study, tracking_uri)
    print(f"{len(links.trial_run_ids)} trials are in {links.tracking_uri}, experiment {links.experiment_id}")
