"""Out-of-fold outputs of the trials and baselines of a study: a file each, from which blends are selected.

A file is written whole, under another name first, so a file that is there belongs to one training. Readers tolerate
whatever else they find: a missing, damaged or foreign file only means that a candidate cannot be a member of a blend.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.study.blend_records import Candidate

Outputs = tuple[npt.NDArray[np.float32], ...]
"""The kept outputs of each fold, first to last."""
DAMAGES = (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile)
"""What reading a damaged ``.npz`` file raises; ``RuntimeError`` if it seems to be encrypted or compressed."""

_ENDING = ".npz"
_STUDY = "study_uid"


class Predictions:
    """The out-of-fold outputs of one study.

    Args:
        folder: Directory of the files; created when the first one is written.
        uid: Identifies the study: files that another study of the same name left are ignored.
    """

    def __init__(self, folder: Path, uid: str) -> None:
        self._folder, self._uid = folder, uid

    def write(self, candidate: Candidate, outputs: Outputs) -> None:
        """Keep the outputs of a candidate; those of an earlier attempt are replaced.

        Raises:
            OSError: The file cannot be written.
        """
        arrays = {_fold(number): values for number, values in enumerate(outputs)}
        write_arrays(self._path(candidate), arrays | {_STUDY: np.array(self._uid)})

    def read(self, candidate: Candidate) -> Outputs | None:
        """The outputs of a candidate; ``None`` if there are none that can be used."""
        try:
            with np.load(self._path(candidate), allow_pickle=False) as file:
                if str(file[_STUDY]) != self._uid:
                    return None
                return tuple(file[_fold(number)] for number in range(len(file.files) - 1))
        except DAMAGES:
            return None

    def _path(self, candidate: Candidate) -> Path:
        name = f"trial-{candidate:05d}" if isinstance(candidate, int) else f"baseline-{candidate}"
        return self._folder / f"{name}{_ENDING}"


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an ``.npz`` file as a whole, or leave the one before.

    Raises:
        OSError: The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            np.savez(file, **dict[str, Any](arrays))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _fold(number: int) -> str:
    return f"fold_{number + 1}"
