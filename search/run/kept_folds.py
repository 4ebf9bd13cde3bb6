"""The finished folds of trials that have not ended: a file each, so that an interrupted trial resumes after them.

The driver writes them as workers report them, so they survive the worker, its node and the driver. They are removed
when the trial has ended.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search.run.trial import FinishedFold, TrialReport
from search.study.out_of_fold import write_arrays
from search.study.records import EpochRecord

if TYPE_CHECKING:
    from lstmgru.specs import TrainSpec
    from search.space.space import Model


class KeptFolds:
    """The finished folds of the trials of one study.

    Args:
        folder: Directory of the files; it exists while there are any. Studies may share it.
        uid: Identifies the study.
    """

    def __init__(self, folder: Path, uid: str) -> None:
        self._folder, self._uid = folder, uid

    def of(self, number: int, model: Model, train: TrainSpec) -> TrialFolds:
        """Those of a trial.

        Args:
            number: Of the trial; of one that repeats another because its worker died, that of the other.
            model: The architecture.
            train: The training settings with the seed.
        """
        training = sha256(repr((self._uid, model, train)).encode()).hexdigest()
        return TrialFolds(self._folder, self._name(number), training)

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
    """

    def __init__(self, folder: Path, name: str, training: str) -> None:
        self._folder, self._name, self._training = folder, name, training

    def write(self, finished: FinishedFold) -> None:
        """Keep a fold.

        Raises:
            OSError: The file cannot be written.
        """
        values = {**vars(finished), "epochs": [asdict(each) for each in finished.epochs], "training": self._training}
        outputs = values.pop("outputs")
        write_arrays(self._path(finished.fold), {"values": np.array(json.dumps(values)), "outputs": outputs})

    def read(self) -> tuple[FinishedFold, ...]:
        """The first folds, up to one that is missing, damaged or of another training."""
        found: list[FinishedFold] = []
        while (fold := self._read(self._path(len(found) + 1))) is not None:
            found.append(fold)
        return tuple(found)

    def remove(self) -> None:
        """Remove all of them; what cannot be removed is left to the next run."""
        with suppress(OSError):
            for path in [*self._folder.glob(f"*{self._name}*")]:
                path.unlink(missing_ok=True)
        _remove_if_empty(self._folder)

    def _read(self, path: Path) -> FinishedFold | None:
        try:
            with np.load(path, allow_pickle=False) as file:
                values: dict[str, Any] = json.loads(str(file["values"]))
                if values.pop("training") != self._training:
                    return None
                epochs = [each | {"epoch": EpochRecord(**each["epoch"])} for each in values["epochs"]]
                values |= {"epochs": tuple(TrialReport(**each) for each in epochs), "outputs": file["outputs"]}
                return FinishedFold(**values)
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
            return None

    def _path(self, fold: int) -> Path:
        return self._folder / f"{self._name}fold-{fold}.npz"


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
