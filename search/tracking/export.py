"""The facts about an exported model that are known without loading it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from search.errors import TrackingError
from search.tasks import DEFAULT_TASK, find_task
from search.tasks.data import ModelColumns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Export:
    """An exported model.

    Attributes:
        folder: The bundle.
        description: The content of its ``bundle.json``.
        digest: Hexadecimal digest of the members and their weights. They contain no dates or versions, unlike the other
            parts of the files, so the digest of a model does not change when it is exported again.
        columns: Columns of its inputs and outputs.
        example: A raw input table, or ``None``.
    """

    folder: Path
    description: dict[str, Any]
    digest: str
    columns: ModelColumns
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
            if not isinstance(description["provenance"], dict):
                raise TypeError("provenance is no object")
        return cls(folder, description, digest, columns, _example(folder / "example.json"))

    @property
    def task(self) -> str:
        """``forecast``, ``classification`` or ``regression``."""
        return str(self.description.get("task", DEFAULT_TASK))

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the model is from."""
        origin: dict[str, Any] = self.description["provenance"]
        return origin

    @property
    def trial(self) -> int | None:
        """Number of the best trial of its study, if it is known."""
        return self.provenance.get("trial")

    @property
    def is_refit(self) -> bool:
        """Whether a refit has trained it on a later table than that of its study."""
        return "refit_of" in self.provenance

    @property
    def baselines(self) -> tuple[str, ...]:
        """Names of its members that are baselines."""
        kinds = [member["kind"] for member in self.description.get("members", ())]
        return tuple(kind for kind in kinds if kind != "network")

    @property
    def trials(self) -> tuple[int, ...]:
        """Numbers of the trials whose networks are its members."""
        members = self.description.get("members", [{"kind": "network", "trial": self.trial}])
        numbers = [member.get("trial") for member in members if member["kind"] == "network"]
        return tuple(number for number in numbers if number is not None)

    @property
    def identity(self) -> dict[str, str]:
        """Tags that, with those of the study, identify a version."""
        known = {"trial": self.trial, "trained_on": self.provenance.get("trained_on")}
        return {name: str(value) for name, value in known.items() if value is not None} | {"bundle_digest": self.digest}


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
