"""Small labeled sequences and texts, made by hand or drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import LabeledSequences, SequenceSchema
from lstmgru.data.sequences.splits import SequenceSplit
from lstmgru.specs import LabelSpec

CLASSES = LabelSpec("classification", "accuracy", ("a", "b", "c"))
NUMBERS = LabelSpec("regression", "rmse")


def sequences_of(
    values: Sequence[Any], labels: Any, *, classes: tuple[str | int, ...] = ("a", "b", "c"), groups: Any = None
) -> LabeledSequences:
    """Sequences of (T, F) arrays, or texts, with codes of classes or, where there are no classes, numbers."""
    count, is_text = len(values), isinstance(values[0], str)
    arrays = [] if is_text else [np.asarray(each, np.float32).reshape(len(each), -1) for each in values]
    channels = tuple(f"channel_{n}" for n in range(arrays[0].shape[1])) if arrays else ()
    schema = (
        SequenceSchema("text", "label", text="text") if is_text else SequenceSchema("long", "label", channels, id="id")
    )
    return LabeledSequences(
        schema=schema,
        ids=np.arange(1, count + 1).astype(object),
        offsets=np.cumsum([0] + [len(each) for each in arrays]) if arrays else np.zeros(count + 1, np.int64),
        values=np.concatenate(arrays) if arrays else np.zeros((0, 0), np.float32),
        texts=np.array(values, object) if is_text else np.zeros(0, object),
        labels=np.asarray(labels, np.int64 if classes else np.float32),
        classes=classes,
        groups=None if groups is None else np.asarray(groups, np.int64),
    )


def make_sequences(
    count: int = 60, *, channels: int = 2, shortest: int = 3, longest: int = 9, n_classes: int = 3, seed: int = 0
) -> LabeledSequences:
    """Noise around a level that tells the class, or is the label where there are no classes."""
    generator = np.random.default_rng(seed)
    labels: npt.NDArray[Any] = np.arange(count) % n_classes if n_classes else generator.normal(100, 20, count)
    levels = labels - (1 if n_classes else 100)
    noise = 1.0 if n_classes else 10.0
    lengths = generator.integers(shortest, longest + 1, count)
    values = [
        level + noise * generator.standard_normal((length, channels))
        for level, length in zip(levels, lengths, strict=True)
    ]
    return sequences_of(values, labels, classes=("a", "b", "c")[:n_classes])


WORDS = {"a": ("red", "rose", "warm"), "b": ("blue", "sky", "cold"), "c": ("green", "leaf", "mild")}


def make_texts(count: int = 60, *, longest: int = 8, seed: int = 0) -> LabeledSequences:
    """Texts of which one word in three tells the class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    texts = [
        " ".join(
            generator.choice(WORDS["abc"[label]] if generator.random() < 0.34 or n == 0 else ("the", "of", "and"))
            for n in range(generator.integers(1, longest + 1))
        )
        for label in labels
    ]
    return sequences_of(texts, labels)


def split_of(sequences: LabeledSequences, evaluation: int = 15) -> SequenceSplit:
    """The last sequences are scored."""
    numbers = np.arange(len(sequences))
    return SequenceSplit("fold 1", numbers[:-evaluation], numbers[-evaluation:])
