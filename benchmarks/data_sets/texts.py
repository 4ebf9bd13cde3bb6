"""Labeled texts: rows of a label and a text from the files of their authors, which are in latin-1."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from data_sets.base import Part

Row = tuple[str, str]
Rows = tuple[list[Row], list[Row]]
Item = TypeVar("Item")
_FIFTH = 0.2


def trec(folder: Path, part: Part) -> Rows:
    """Questions in six coarse classes (Li & Roth 2002), of lines like ``LABEL:fine text``.

    Questions of the test part that stand in the training part too are left out of the training part.
    """
    train, test = (_questions(folder / f"TREC.{name}") for name in ("train", "test"))
    asked = {text for _, text in test}
    train = [(label, text) for label, text in train if text not in asked]
    return (train, test) if part == "test" else _split(train)


def sst2(folder: Path, part: Part) -> Rows:
    """Sentences of film reviews (Socher et al. 2013), of lines like ``1 text``.

    Its development part belongs to the training part, and is the test part in ``train``.
    """
    train, dev = (_sentences(folder / f"stsa.binary.{name}") for name in ("train", "dev"))
    return (train + dev, _sentences(folder / "stsa.binary.test")) if part == "test" else (train, dev)


def cr(folder: Path, part: Part) -> Rows:
    """Customer reviews (Hu & Liu 2004), a file for each class, without duplicates."""
    rows = [(label, text) for label in ("pos", "neg") for text in _lines(folder / f"custrev.{label}")]
    train, test = _split(list(dict.fromkeys(rows)))
    return (train, test) if part == "test" else _split(train)


def sms(folder: Path, part: Part) -> Rows:
    """The messages of :func:`messages`."""
    train, test = _split(messages(folder))
    return (train, test) if part == "test" else _split(train)


def messages(folder: Path) -> list[Row]:
    """The SMS Spam Collection (Almeida et al. 2011) without duplicates; its file is in UTF-8."""
    lines = (folder / "sms.tsv").read_text(encoding="utf-8").splitlines()
    rows = [(label, text) for label, _, text in (line.partition("\t") for line in lines)]
    return list(dict.fromkeys(rows))


def stratified(items: Sequence[Item], labels: Sequence[str], share: float) -> tuple[list[Item], list[Item]]:
    """Split items at random, always in the same way, in proportion to their labels.

    Args:
        items: To split.
        labels: One for each.
        share: Of the items that go into the second part.
    """
    from sklearn.model_selection import train_test_split

    first, second = train_test_split(list(items), test_size=share, stratify=list(labels), random_state=0)
    return first, second


def write_rows(path: Path, rows: Iterable[Row]) -> Path:
    """Write a table with the columns ``label`` and ``text``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", "text"])
        writer.writerows(rows)
    return path


def _split(rows: list[Row]) -> Rows:
    return stratified(rows, [label for label, _ in rows], _FIFTH)


def _questions(path: Path) -> list[Row]:
    lines = (line.partition(" ") for line in _lines(path))
    return [(kind.partition(":")[0], text) for kind, _, text in lines]


def _sentences(path: Path) -> list[Row]:
    return [(label, text) for label, _, text in (line.partition(" ") for line in _lines(path))]


def _lines(path: Path) -> list[str]:
    """The lines of a file that are not empty."""
    # Not splitlines, which would also split at the control characters of latin-1.
    return [line for line in path.read_text(encoding="latin-1").split("\n") if line.strip()]
