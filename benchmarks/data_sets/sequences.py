"""Labeled sequences of the UCR and UEA archives, and labeled texts, each with a test part that is the holdout.

In ``train`` the test part is not read: a part of the training part, in proportion to the classes, is the test part.
Texts without a test part of their own give a fifth of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_sets import texts
from data_sets.base import DataSet, Part, Prepared, Scores, of_holdout, write_study


@dataclass(frozen=True, kw_only=True)
class Archive(DataSet):
    """A data set of the archives.

    Attributes:
        folder: Its files' folder in the folder of the data.
        ending: Of its files.
        share: Of the training part that is the test part in ``train``.
    """

    folder: str
    ending: str
    share: float = 1 / 3

    def prepare(self, data: Path, folder: Path, part: Part) -> Prepared:
        """Write the study and, for ``train``, both files, see :meth:`DataSet.prepare`."""
        files = data / self.folder / self.name
        train, test = (files / f"{self.name}_{name}{self.ending}" for name in ("TRAIN", "TEST"))
        if part == "train":
            train, test = split_file(train, folder, self.share)
        layout = {"layout": "archive"} if self.ending == ".tsv" else {}
        study = {"task": "classification", "data": {"path": str(train), "test": str(test), **layout}}
        return Prepared(write_study(folder, self.name, study), train)

    def score(self, data: Path, prepared: Prepared, record: dict[str, Any], part: Part) -> Scores:
        """The scores of the holdout, see :meth:`DataSet.score`."""
        return of_holdout(record)


@dataclass(frozen=True, kw_only=True)
class Texts(DataSet):
    """Texts of two or more classes.

    Attributes:
        read: Reads the rows of the training part and of the test part.
        objective: ``labels.metric`` of the study.
        positive: Class whose F1 is reported.
    """

    read: Callable[[Path, Part], tuple[list[texts.Row], list[texts.Row]]]
    objective: str = "accuracy"
    positive: str | None = None

    def prepare(self, data: Path, folder: Path, part: Part) -> Prepared:
        """Write both tables, see :meth:`DataSet.prepare`."""
        rows = self.read(data / "text", part)
        train, test = (
            texts.write_rows(folder / f"{name}.csv", each) for name, each in zip(("train", "test"), rows, strict=True)
        )
        study = {
            "task": "classification",
            "data": {"path": train.name, "test": test.name, "text": "text", "target": "label"},
            "labels": {"metric": self.objective},
            "splits": {"folds": 3},
        }
        return Prepared(write_study(folder, self.name, study), train)

    def score(self, data: Path, prepared: Prepared, record: dict[str, Any], part: Part) -> Scores:
        """The scores of the holdout, see :meth:`DataSet.score`."""
        scores = of_holdout(record)
        if self.positive is None:
            return scores
        description = json.loads((Path(record["bundle"]) / "bundle.json").read_text(encoding="utf-8"))
        f1 = {str(each["class"]): each["f1"] for each in description["metrics"]["classes"]}
        return replace(scores, exported={**scores.exported, "f1": f1[self.positive]})


def split_file(path: Path, folder: Path, share: float) -> tuple[Path, Path]:
    """Split a file of an archive in proportion to the classes.

    Args:
        path: A line is a sequence; the label is its first field, or in a ``.ts`` file the last one.
        folder: Where the two files are written.
        share: Of the sequences that go into the second file.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [line for line in lines if line.startswith(("@", "#"))]
    rows = [line for line in lines if line.strip() and not line.startswith(("@", "#"))]
    labels = [line.rpartition(":")[2] if path.suffix == ".ts" else line.split()[0] for line in rows]
    train, test = texts.stratified(rows, labels, share)
    written = folder / f"train{path.suffix}", folder / f"test{path.suffix}"
    for file, part in zip(written, (train, test), strict=True):
        file.write_text("\n".join([*header, *part]) + "\n", encoding="utf-8")
    return written


_INCEPTION_TIME = {
    "GunPoint": 1.0, "CBF": 0.999, "Trace": 1.0, "TwoLeadECG": 0.996, "Plane": 1.0, "MedicalImages": 0.795,
    "ItalyPowerDemand": 0.966,
}  # fmt: skip
_UEA: Mapping[str, Mapping[str, float]] = {
    "JapaneseVowels": {"KSig": 0.986}, "BasicMotions": {}, "RacketSports": {}, "Epilepsy": {}, "Libras": {},
}  # fmt: skip
SEQUENCES: tuple[DataSet, ...] = (
    *(
        Archive(
            name=name, group="labels", seconds=60, metric="accuracy", folder="ucr", ending=".tsv",
            published={"InceptionTime": score}, share=0.2 if name == "MedicalImages" else 1 / 3,  # a class has 6
        )
        for name, score in _INCEPTION_TIME.items()
    ),
    *(
        Archive(
            name=name, group="labels", seconds=60, metric="accuracy", folder="uea", ending=".ts", published=published
        )
        for name, published in _UEA.items()
    ),
    Texts(
        name="trec", group="texts", seconds=300, metric="accuracy", read=texts.trec,
        published={"Kim CNN": 0.882, "Kim CNN, word2vec": 0.928}, goals={"accuracy": (0.90,)},
    ),
    Texts(
        name="sst2", group="texts", seconds=300, metric="accuracy", read=texts.sst2, published={"Kim CNN": 0.827}
    ),
    Texts(name="cr", group="texts", seconds=300, metric="accuracy", read=texts.cr, published={"Kim CNN": 0.798}),
    Texts(
        name="sms", group="texts", seconds=300, metric="macro_f1", read=texts.sms, objective="macro_f1",
        positive="spam", goals={"f1": (0.965,)},
    ),
)  # fmt: skip
