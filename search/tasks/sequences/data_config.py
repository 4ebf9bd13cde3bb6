"""The sections of a study of labeled sequences or texts that say what is scored: its data, labels, folds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lstmgru.specs import SequenceMetric
from search.config.data_config import SplitsConfig, TableConfig
from search.config.types import ColumnsOrNone, Folds, Strict, Text

SequenceDatasetName = Literal["vowels", "languages"]


class SequenceDataConfig(TableConfig):
    """The table, and the part that each of its columns plays."""

    path: Text | None = Field(
        None,
        description="Table to read: `.csv`, `.tsv`, `.txt` (also with `.gz`), `.parquet`, `.feather` or `.arrow`; or a "
        "`.ts` file of the time series classification archives. A relative path counts from the current folder, else "
        "from the folder of the study file. `null`: `data.dataset` is read.",
    )
    dataset: SequenceDatasetName | None = Field(
        None,
        description="Built-in data set to read instead of a file: `vowels` or `languages`. `null`: `data.path` is "
        "read.",
        validate_default=True,
    )
    test: Text | None = Field(
        None,
        description="Table like `data.path` that is the holdout. `null`: the holdout is drawn, see `splits.holdout`, "
        "or comes with the data set.",
    )
    layout: Literal["long", "wide", "text", "archive"] | None = Field(
        None,
        description="What a row is: `long`, a step of a sequence; `wide`, a sequence, with a column for each step; "
        "`text`, a text; `archive`, a sequence of a file without a header whose first column is the label. `null`: "
        "`text` where `data.text` is set, `long` where `data.time` is, else `wide`.",
    )
    target: Text | None = Field(
        None, description="Column of the labels. `null`: the file or data set has its own (`.ts`, `archive`)."
    )
    channels: ColumnsOrNone = Field(
        (),
        description="Columns of numbers, one or a list: of a `long` table one for each channel, of a `wide` one for "
        "each step in order. `[]`: all columns that play no other part.",
    )
    id: Text | None = Field(
        None, description="Column that names the sequences; a `long` table needs it. `null`: rows are counted."
    )
    time: Text | None = Field(
        None, description="Column that orders the steps of a sequence in a `long` table. `null`: they stand in order."
    )
    text: Text | None = Field(None, description="Column of the texts. `null`: sequences of numbers are labeled.")
    group: Text | None = Field(
        None,
        description="Column that tells which sequences belong together, such as the person they are of: they are never "
        "on both sides of a split. `null`: each stands for itself.",
    )
    gaps: Literal["error", "fill", "interpolate"] = Field(
        "error",
        description="What becomes of missing numbers within a sequence. `error`: they are refused; `fill`: the last "
        "value is carried forward; `interpolate`: a straight line between numbers.",
    )
    vectors: Text | None = Field(
        None,
        description="File of word vectors to begin with, a line of text for each: the word, then its numbers. `null`: "
        "all vectors are learned from the data.",
    )

    @field_validator("test")
    @classmethod
    def _belongs_to_a_file(cls, test: str | None, info: ValidationInfo) -> str | None:
        if test is not None and info.data.get("dataset") is not None:
            raise ValueError(f"is for data.path, but data.dataset is {info.data['dataset']!r}; leave {test!r} out")
        return test

    @field_validator("id", "time", "text", "group", "channels")
    @classmethod
    def _one_part_each(cls, value: object, info: ValidationInfo) -> object:
        columns = value if isinstance(value, tuple) else (value,)
        for part in ("target", "channels", "id", "time", "text", "group"):
            taken = info.data.get(part)
            taken = taken if isinstance(taken, tuple) else (taken,)
            both = [column for column in columns if column is not None and column in taken]
            if both:
                raise ValueError(f"names {both[0]!r}, which is data.{part} already; a column plays one part")
        return value

    @field_validator("text")
    @classmethod
    def _texts_have_no_numbers(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None and info.data.get("channels"):
            raise ValueError(
                f"cannot stand beside data.channels ({info.data['channels'][0]!r}); a study is of texts or of numbers"
            )
        return text

    @field_validator("vectors")
    @classmethod
    def _are_of_words(cls, vectors: str | None, info: ValidationInfo) -> str | None:
        if vectors is not None and info.data.get("text", "") is None and info.data.get("dataset") != "languages":
            raise ValueError(f"is for texts, but data.text is not set; leave {vectors!r} out")
        return vectors


class LabelsConfig(Strict):
    """What a label is, and how labels are scored."""

    metric: SequenceMetric | Literal["auto"] = Field(
        "auto",
        description="Score of a model. Of classes, larger is better: `accuracy`, `balanced_accuracy`, `macro_f1`, "
        "`auroc`; smaller: `log_loss`. Of numbers: `mae`, `rmse`, smaller is better, and `r2`, larger. `auto`: "
        "`accuracy` or `mae`.",
    )


class SequenceSplitsConfig(SplitsConfig):
    """How the sequences are cut into folds and a holdout: at random, every class in each with its share."""

    holdout: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the sequences that the search never sees; the winner is scored on them once. `null`: the "
        "test part of the data, else 0.2.",
    )
    folds: Folds = Field(5, description="Number of folds of the cross-validation; 1 holds a fifth back for validation.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seeds the choice, 0 to 4294967295.")
