"""The sections of a study of labeled sequences or texts that say what is scored: its data, labels, folds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from search.config.sections import SplitsConfig, TableConfig, one_part
from search.config.types import ColumnsOrNone, Folds, Strict, Text

SequenceDatasetName = Literal["vowels", "languages"]


class SequenceDataConfig(TableConfig):
    """The table, and the part that each of its columns plays."""

    path: Text | None = Field(
        None,
        description="Table to read: `.csv`, `.tsv`, `.txt` (also with `.gz`), `.parquet`, `.feather` or `.arrow`; "
        "or a `.ts` file of the time series classification archives. A relative path is resolved "
        "against the current folder, then against the folder of the study file. `null`: read "
        "`data.dataset`.",
    )
    dataset: SequenceDatasetName | None = Field(
        None,
        description="Built-in data set to read instead of a file: `vowels` or `languages`. `null`: read `data.path`.",
        validate_default=True,
    )
    test: Text | None = Field(
        None,
        description="Table in the format of `data.path` to use as the holdout. `null`: the test part of the data "
        "set if it has one; otherwise a random holdout, see `splits.holdout`.",
    )
    layout: Literal["long", "wide", "text", "archive"] | None = Field(
        None,
        description="Meaning of a row: `long`, one step of a sequence; `wide`, a sequence with one column per step; "
        "`text`, a text; `archive`, a sequence in a file without a header whose first column is the "
        "label. `null`: `text` if `data.text` is set, `long` if `data.time` is set, else `wide`.",
    )
    target: Text | None = Field(
        None, description="Column with the labels. `null`: defined by the file or data set (`.ts`, `archive`)."
    )
    channels: ColumnsOrNone = Field(
        (),
        description="Numeric columns, one or a list: one per channel in a `long` table, one per step in order in a "
        "`wide` table. `[]`: all columns without another role.",
    )
    id: Text | None = Field(
        None, description="Column that identifies the sequences; required for a `long` table. `null`: row numbers."
    )
    time: Text | None = Field(
        None, description="Column that orders the steps of a sequence in a `long` table. `null`: the order of the rows."
    )
    text: Text | None = Field(None, description="Column with the texts. `null`: the sequences are numeric.")
    group: Text | None = Field(
        None,
        description="Column with groups of sequences that are never on both sides of a split, such as the person "
        "who produced them. `null`: no groups.",
    )
    gaps: Literal["error", "fill", "interpolate"] = Field(
        "error",
        description="Handling of missing values within a sequence. `error`: raise an error; `fill`: carry the last "
        "value forward; `interpolate`: interpolate linearly.",
    )
    vectors: Text | None = Field(
        None,
        description="File of pretrained word vectors, one per line: the word, then its numbers. `null`: no "
        "pretrained vectors.",
    )

    @field_validator("test")
    @classmethod
    def _belongs_to_a_file(cls, test: str | None, info: ValidationInfo) -> str | None:
        if test is not None and info.data.get("dataset") is not None:
            raise ValueError(f"is for data.path, but data.dataset is {info.data['dataset']!r}; remove {test!r}")
        return test

    @field_validator("id", "time", "text", "group", "channels")
    @classmethod
    def _one_part_each(cls, value: object, info: ValidationInfo) -> object:
        return one_part(value, info, ("target", "channels", "id", "time", "text", "group"))

    @field_validator("text")
    @classmethod
    def _texts_have_no_numbers(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None and info.data.get("channels"):
            raise ValueError(
                f"cannot be combined with data.channels ({info.data['channels'][0]!r}); use texts or numbers"
            )
        return text

    @field_validator("vectors")
    @classmethod
    def _are_of_words(cls, vectors: str | None, info: ValidationInfo) -> str | None:
        if vectors is not None and info.data.get("text", "") is None and info.data.get("dataset") != "languages":
            raise ValueError(f"is for texts, but data.text is not set; remove {vectors!r}")
        return vectors


def _list_metrics(schema: JsonDict) -> None:
    from lstmgru.evaluation.metrics import metric_names

    schema["enum"] = ["auto", *metric_names("classification"), *metric_names("regression")]


class LabelsConfig(Strict):
    """What a label is, and how labels are scored."""

    metric: str = Field(
        "auto",
        description="Score of a model, one of the metrics of its task. `auto`: `accuracy` or `mae`.",
        json_schema_extra=_list_metrics,
    )


class SequenceSplitsConfig(SplitsConfig):
    """How the sequences are cut into folds and a holdout: at random, every class in each with its share."""

    holdout: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Fraction of the sequences that the search never sees. The winner is scored on them once. "
        "`null`: the test part of the data, or else 0.2.",
    )
    folds: Folds = Field(5, description="Number of cross-validation folds; 1 holds out a fifth for validation.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Random seed of the splits.")
