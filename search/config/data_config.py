"""The sections ``data`` and ``splits``, as far as all tasks share them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator

from lstmgru.errors import DataError
from search.config.types import Character, Strict, Text


class TableConfig(Strict):
    """Where a table is, and how its numbers are written; each task declares the roles of its columns."""

    if TYPE_CHECKING:
        gaps: str

    path: Text | None = Field(None, description="Table to read. `null`: read `data.dataset`.")
    dataset: str | None = Field(None, description="Built-in data set to read instead of a file.", validate_default=True)
    delimiter: Character = Field(",", description="Delimiter of a text file; for `.tsv`, a tab unless set.")
    decimal: Literal[".", ","] = Field(".", description="Decimal mark of a text file.", validate_default=True)

    @field_validator("dataset")
    @classmethod
    def _one_source(cls, dataset: str | None, info: ValidationInfo) -> str | None:
        if "path" in info.data:
            path = info.data["path"]
            if path is None and dataset is None:
                raise ValueError("is missing, and so is data.path: name a built-in data set or a file")
            if path is not None and dataset is not None:
                raise ValueError(f"cannot stand beside data.path ({path!r}); leave one of the two out")
        return dataset

    @field_validator("decimal")
    @classmethod
    def _differs_from_delimiter(cls, decimal: str, info: ValidationInfo) -> str:
        if decimal == info.data.get("delimiter"):
            raise ValueError(f"must differ from data.delimiter, but both are {decimal!r}; set the delimiter to ';'")
        return decimal

    def resolve_path(self, study_file: Path | None, key: str = "path") -> Path:
        """Where a file is: a relative path counts from the current folder, else from the study file's.

        Args:
            study_file: Where the study was read from.
            key: Which of the keys that name a file; it must be set.

        Raises:
            DataError: It is in neither, or begins with the home folder of nobody (``~name``).
        """
        given = str(getattr(self, key))
        try:
            path = Path(given).expanduser()
        except RuntimeError as error:
            home = Path(given).parts[0]
            raise DataError(f"data.{key} is {given!r} but {home} is nobody's home folder; correct the path") from error
        folders = [Path()] if path.is_absolute() or study_file is None else [Path(), study_file.parent]
        found = [folder / path for folder in folders if (folder / path).exists()]
        if not found and len(folders) > 1:
            places = " nor in ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
            raise DataError(f"data.{key} is {given!r} but there is no such file in {places}; correct the path")
        return found[0] if found else path


class SplitsConfig(Strict):
    """How the data are cut into folds and a holdout; each task declares the fields."""

    if TYPE_CHECKING:
        folds: int
