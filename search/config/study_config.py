"""What every study file holds, whatever its task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from search.config.search_config import FIRST_RUNG, RUNGS, SearchConfig
from search.config.sections import ExportConfig, TrackingConfig, TrainingConfig
from search.config.space_config import CompareConfig, SpaceConfig, grid_problems
from search.config.types import RESERVED_SUFFIXES, Strict
from search.errors import shown

if TYPE_CHECKING:
    from search.config.sections import SplitsConfig, TableConfig

CROSS_SECTION = "cross_section"
"""Type of the pydantic errors that come from a rule between two sections."""

NAME = (
    "Name of the study, its journal and its model: letters, digits, `-`, `_` and `.`, not ending in `.compare` or "
    "`.journal`. Default: the file name without `.yaml`."
)
DATA = "The table and the roles of its columns."
SEARCH = "Sampler, pruner, objectives and budget."
SPACE = "The search space: a preset, and values that override it."
TRAINING = "Training settings of all candidates."
EXPORT = "The exported model."
TRACKING = "Where the study is tracked in MLflow."
COMPARE = "The families that `compare` compares."


class StudyConfig(Strict):
    """A study of any task: the rules of its name, and those between its sections.

    Each task declares the fields, in the order in which its study file is read: a rule between two sections belongs to
    the later one.
    """

    if TYPE_CHECKING:
        name: str
        task: str
        data: TableConfig
        splits: SplitsConfig
        search: SearchConfig
        space: SpaceConfig
        training: TrainingConfig
        export: ExportConfig
        tracking: TrackingConfig
        compare: CompareConfig

    @field_validator("name", check_fields=False)
    @classmethod
    def _is_file_name(cls, name: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            return _without_reserved_suffix(name)
        better = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "my-study"
        raise ValueError(
            "must be 1 to 100 letters (A to Z), digits, '-', '_' and '.', the first a letter or a digit, "
            f"but got {shown(name)}; for example name: {better}"
        )

    @field_validator("space", check_fields=False)
    @classmethod
    def _a_grid_is_finite(cls, space: SpaceConfig, info: ValidationInfo) -> SpaceConfig:
        if "search" in info.data and info.data["search"].sampler == "grid":
            raise_all(grid_problems(space))
        return space

    @field_validator("training", check_fields=False)
    @classmethod
    def _a_rung_is_reached(cls, training: TrainingConfig, info: ValidationInfo) -> TrainingConfig:
        known = {"search", "splits"} <= info.data.keys() and training.max_epochs != "auto"
        if known and info.data["search"].pruner in RUNGS:
            epochs = int(training.max_epochs) * info.data["splits"].folds
            if epochs < FIRST_RUNG:
                text = (
                    f"must be larger for search.pruner: {info.data['search'].pruner}, which decides first after "
                    f"{FIRST_RUNG} epochs, but all folds together have {epochs}; or set search.pruner to none"
                )
                raise_all({"max_epochs": text})
        return training

    def to_dict(self) -> dict[str, Any]:
        """Plain values, every default filled in; ``model_validate`` is the inverse."""
        return self.model_dump(mode="json")


def _without_reserved_suffix(name: str) -> str:
    for suffix in RESERVED_SUFFIXES:
        # Some file systems do not tell upper from lower case.
        if name.lower().endswith(suffix):
            stem = name[: -len(suffix)]
            raise ValueError(
                f"must not end in {suffix!r}, which is reserved for files of study '{stem}', but got {shown(name)}; "
                f"for example name: {stem}-{suffix[1:]}"
            )
    return name


def raise_all(problems: dict[str, str]) -> None:
    """Raise the broken rules between two sections, by key of the section that is checked.

    Raises:
        ValidationError: There are any.
    """
    if problems:
        raise ValidationError.from_exception_data(
            "study",
            [
                InitErrorDetails(
                    type=PydanticCustomError(CROSS_SECTION, "{text}", {"text": text}), loc=(key,), input=None
                )
                for key, text in problems.items()
            ],
        )
