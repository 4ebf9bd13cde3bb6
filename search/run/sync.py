"""Copy a study to MLflow, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from search.study.store import StudyStore
from search.study.trials import without_driver
from search.tracking.factory import sync_study

if TYPE_CHECKING:
    from search.study.places import StudyPlace
    from search.study.records import TrackingLinks


def sync(
    place: StudyPlace, tracking_uri: str | None, timeout: float | None, on_message: Callable[[str], None]
) -> TrackingLinks:
    """Copy an existing study to MLflow, to its own store or another one, see :func:`search.api.sync_to_mlflow`."""
    with place.exclusive(on_message):
        store = StudyStore.at(place, place.open())
        assert store is not None  # it existed before the lock was taken, and is only deleted under the lock
        record = store.record()
        record = replace(record, trials=without_driver(record.trials))
        links = sync_study(
            record,
            store.study,
            folder=place.paths.folder,
            tracking_uri=tracking_uri,
            timeout=timeout,
            on_message=on_message,
        )
        if tracking_uri is None:
            store.set_links(links)
    return links
