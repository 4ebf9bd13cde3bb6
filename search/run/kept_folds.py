"""The finished folds of trials that have not ended: a file each, so that an interrupted trial resumes after them.

The latest checkpoint of a fold that trains for long is kept beside them until the fold ends. The driver writes all of
this as workers report it, so it survives the worker, its node and the driver. It is removed when the trial has ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from search.executors.source import PACKAGE, digest_of_code, source_digest
from search.run.trial import FinishedFold, FoldCheckpoint, TrialReport
from search.study.out_of_fold import DAMAGES, write_arrays
from search.study.records import EpochRecord

if TYPE_CHECKING:
    from lstmgru.specs import TrainSpec
    from search.space.space import Model

Report = TypeVar("Report", FinishedFold, FoldCheckpoint)

_PACKAGES = (PACKAGE, "torch", "lightning")
"""Their versions, the source files of this one, and registered code determine what a training results in."""
_DIGITS = 12
"""Of a digest."""


class KeptFolds:
    """The finished folds of the trials of one study.

    Args:
        folder: Directory of the files; it exists while there are any. Studies may share it.
        uid: Identifies the study.
        registered: Classes and functions outside of this package on which scores depend.
    """

    def __init__(self, folder: Path, uid: str, registered: Sequence[Any] = ()) -> None:
        self._folder, self._uid = folder, uid
        # Of the source files that this process has loaded; they may change while a study runs.
        self._versions = _versions(registered)

    def of(self, number: int, model: Model, train: TrainSpec) -> TrialFolds:
        """Those of a trial.

        Args:
            number: Of the trial; of one that repeats another because its worker died, that of the other.
            model: The architecture.
            train: The training settings with the seed.
        """
        training = sha256(repr((self._uid, model, train)).encode()).hexdigest()
        return TrialFolds(self._folder, self._name(number), training, self._versions)

    def remove_others(self, numbers: Iterable[int]) -> None:
        """Remove those of all trials but these: the driver may have been killed when a trial had just ended."""
        kept = {self._name(number) for number in numbers}
        with suppress(OSError):
            for path in [*self._folder.glob(f"*{self._uid}-*")]:
                if not any(name in path.name for name in kept):
                    path.unlink(missing_ok=True)
        _remove_if_empty(self._folder)

    def _name(self, number: int) -> str:
        return f"{self._uid}-trial-{number:05d}-"


class TrialFolds:
    """The finished folds of a trial.

    Args:
        folder: Directory of the files.
        name: Beginning of their names.
        training: Identifies study, architecture, training settings and seed.
        versions: Of the code that trains.
    """

    def __init__(self, folder: Path, name: str, training: str, versions: str) -> None:
        self._folder, self._name, self._training, self._versions = folder, name, training, versions

    def write(self, finished: FinishedFold) -> None:
        """Keep a fold, for which its checkpoint is no longer needed.

        Raises:
            OSError: The file cannot be written.
        """
        self._write(self._path(finished.fold), finished, "outputs", finished.outputs)
        with suppress(OSError):
            self._checkpoint(finished.fold).unlink(missing_ok=True)

    def write_checkpoint(self, checkpoint: FoldCheckpoint) -> None:
        """Keep the checkpoint of a fold in place of the one before.

        Raises:
            OSError: The file cannot be written.
        """
        state = np.frombuffer(checkpoint.state, np.uint8)
        self._write(self._checkpoint(checkpoint.fold), checkpoint, "state", state)

    def _write(self, path: Path, report: Any, name: str, array: npt.NDArray[Any]) -> None:
        epochs = [asdict(each) for each in report.epochs]
        values = {**vars(report), "epochs": epochs, "training": self._training, "versions": self._versions}
        del values[name]
        write_arrays(path, {"values": np.array(json.dumps(values)), name: array})

    def read(self, fold: int) -> FinishedFold | None:
        """A finished fold; ``None`` if there is none of this training.

        Raises:
            ValueError: It cannot be used; the message is the end of a sentence.
        """
        return self._read(
            self._path(fold), lambda kept_epochs, **values: FinishedFold(kept_epochs=tuple(kept_epochs), **values)
        )

    def read_checkpoint(self, fold: int) -> FoldCheckpoint | None:
        """The checkpoint of a fold; ``None`` if there is none of this training.

        Raises:
            ValueError: It cannot be used; the message is the end of a sentence.
        """
        return self._read(
            self._checkpoint(fold), lambda state, **values: FoldCheckpoint(**values, state=state.tobytes())
        )

    def remove(self) -> None:
        """Remove all of them; what cannot be removed is left to the next run."""
        with suppress(OSError):
            for path in [*self._folder.glob(f"*{self._name}*")]:
                path.unlink(missing_ok=True)
        _remove_if_empty(self._folder)

    def _read(self, path: Path, make: Callable[..., Report]) -> Report | None:
        """What is made of the content of a file."""
        try:
            values = _content(path)
            training, versions = values.pop("training"), values.pop("versions")
            report = make(**values)
        except FileNotFoundError:
            return None
        except DAMAGES as error:
            raise ValueError("is damaged") from error
        if training != self._training:
            return None
        if versions != self._versions:
            raise ValueError(f"was trained with other versions ({versions}; now {self._versions})")
        return report

    def _path(self, fold: int) -> Path:
        return self._folder / f"{self._name}fold-{fold}.npz"

    def _checkpoint(self, fold: int) -> Path:
        return self._folder / f"{self._name}fold-{fold}-checkpoint.npz"


def _content(path: Path) -> dict[str, Any]:
    """The plain values of a file, and its array."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    values: dict[str, Any] = json.loads(str(arrays.pop("values")))
    epochs = [each | {"epoch": EpochRecord(**each["epoch"])} for each in values["epochs"]]
    return values | arrays | {"epochs": tuple(TrialReport(**each) for each in epochs)}


def _versions(registered: Sequence[Any]) -> str:
    found = []
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    found.append(f"source files {source_digest()[:_DIGITS]}")
    if registered:
        found.append(f"registered code {digest_of_code(registered)[:_DIGITS]}")
    return ", ".join(found)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
