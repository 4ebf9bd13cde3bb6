"""Labeled sequences or texts, concatenated in one array."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from lstmgru.data.tables.columns import whole_numbers
from lstmgru.errors import SpecError, one_of
from lstmgru.specs.fields import check_types

Layout = Literal["long", "wide", "text"]
"""A row is a step of a sequence; a sequence; a text."""
_NEEDED = {"long": ("id", "channels"), "wide": ("channels",), "text": ("text",)}
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SequenceSchema:
    """The roles of the columns of a table.

    Attributes:
        layout: What a row is.
        target: Column of the labels.
        channels: Columns of numbers. ``long``: (F,) one for each channel; ``wide``: the steps of a single channel, in
            order; ``text``: none.
        id: Column of the names of the sequences, required for ``long`` tables; ``None`` to number the rows from 1.
        time: Column that orders the steps of a sequence in a ``long`` table; ``None`` if they are in order.
        text: Column of the texts.
        group: Column that identifies related sequences (the same person, machine, source), if any.
    """

    layout: Layout
    target: str
    channels: tuple[str, ...] = ()
    id: str | None = None
    time: str | None = None
    text: str | None = None
    group: str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that are needed for prediction: all except labels and groups."""
        parts = (self.id, self.time, *self.channels, self.text)
        return tuple(column for column in parts if column is not None)

    @property
    def n_channels(self) -> int:
        """F of sequences of numbers; 0 for texts."""
        return {"long": len(self.channels), "wide": 1, "text": 0}[self.layout]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The schema that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is of the wrong type, or the layout needs a column that is missing.
        """
        check_types(cls, values)
        one_of("layout", values["layout"], get_args(Layout))
        needed = _NEEDED[values["layout"]]
        if missing := [name for name in needed if values.get(name) in (None, [])]:
            raise SpecError(f"{missing[0]} must be set for tables of the layout {values['layout']} but is empty")
        return cls(**{**values, "channels": tuple(values["channels"])})


@dataclass(frozen=True)
class LabeledSequences:
    """Sequences of numbers, or texts, in the order of their table.

    Attributes:
        schema: The roles of the columns.
        ids: (n,) names of the sequences as text, or row numbers.
        offsets: (n + 1,) rows of sequence ``i`` are ``offsets[i]:offsets[i + 1]``; all 0 for texts.
        values: (rows, F) float32 in original units; (0, 0) for texts.
        texts: (n,) the texts, or (0,) for numbers.
        labels: (n,) codes of the classes from 0 (``int64``), or numbers (``float32``); (0,) for prediction.
        classes: (C,) names of the classes, ascending; empty for numbers.
        groups: (n,) codes of the groups, from 0; ``None`` without groups.
        group_names: Names of the groups, by code.
        integer_times: Whether the times of the steps were whole numbers.
    """

    schema: SequenceSchema
    ids: npt.NDArray[np.object_]
    offsets: Indices
    values: npt.NDArray[np.float32]
    texts: npt.NDArray[np.object_]
    labels: npt.NDArray[Any]
    classes: tuple[str | int, ...] = ()
    groups: Indices | None = None
    group_names: tuple[str, ...] = ()
    integer_times: bool = False

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.ids)

    @property
    def is_text(self) -> bool:
        """Whether they are texts."""
        return self.schema.layout == "text"

    @property
    def lengths(self) -> Indices:
        """(n,) steps of each sequence; 0 for texts."""
        return np.diff(self.offsets)

    def hiding(self, indices: Indices) -> Self:
        """The sequences with some of them hidden: their values are NaN, their texts empty, their labels -1 or NaN.

        Indices do not change, and any use of a hidden sequence becomes NaN or fails, so that leaks are noticed.

        Args:
            indices: (hidden,) indices of sequences.
        """
        hidden = np.zeros(len(self), bool)
        hidden[indices] = True
        values, texts, labels = self.values.copy(), self.texts.copy(), self.labels.copy()
        values[np.repeat(hidden, self.lengths)] = np.nan
        if self.is_text:
            texts[hidden] = ""
        labels[hidden] = np.nan if labels.dtype.kind == "f" else -1
        return replace(self, values=values, texts=texts, labels=labels)

    def first(self, count: int) -> Self:
        """The first sequences of the table."""
        rows, groups = self.offsets[count], None if self.groups is None else self.groups[:count]
        named = 0 if groups is None else int(groups.max()) + 1
        return replace(
            self,
            ids=self.ids[:count],
            offsets=self.offsets[: count + 1],
            values=self.values[:rows],
            texts=self.texts[:count],
            labels=self.labels[:count],
            groups=groups,
            group_names=self.group_names[:named],
        )

    def followed_by(self, others: Self) -> Self:
        """These sequences, followed by others with the same schema and classes.

        Groups are matched by name; unnamed sequences are numbered consecutively.
        """
        groups, names = self.groups, self.group_names
        if groups is not None and others.groups is not None:
            code = {name: number for number, name in enumerate(dict.fromkeys((*names, *others.group_names)))}
            of_other = np.array([code[name] for name in others.group_names], np.int64)
            groups, names = np.concatenate([groups, of_other[others.groups]]), tuple(code)
        return replace(
            self,
            ids=np.concatenate([self.ids, others.ids + len(self) if self.schema.id is None else others.ids]),
            offsets=np.concatenate([self.offsets, self.offsets[-1] + others.offsets[1:]]),
            values=np.concatenate([self.values, others.values]),
            texts=np.concatenate([self.texts, others.texts]),
            labels=np.concatenate([self.labels, others.labels]),
            groups=groups,
            group_names=names,
        )

    def digests(self) -> npt.NDArray[np.uint64]:
        """(n,) a number for the content of each sequence: its name, steps or text, label and group."""
        found = np.empty(len(self), np.uint64)
        for number in range(len(self)):
            label = self.labels[number]
            known = (
                self.ids[number],
                self.texts[number] if self.is_text else "",
                self.classes[label] if self.classes else float(label),
                None if self.groups is None else self.group_names[self.groups[number]],
            )
            sha = hashlib.blake2b(repr(known).encode(errors="surrogatepass"), digest_size=8)
            sha.update(self.values[self.offsets[number] : self.offsets[number + 1]].tobytes())
            found[number] = int.from_bytes(sha.digest(), "little")
        return found

    def digest(self) -> str:
        """SHA-256 of everything: equal digests mean equal data."""
        sha = hashlib.sha256()
        # Studies and bundles keep digests, so the schema is written under the name that its class had at first.
        schema = f"LabelSchema{repr(self.schema).removeprefix(type(self.schema).__name__)}"
        ids = self.ids.tolist()
        parts = (whole_numbers(ids) or ids, self.classes, self.texts.tolist(), self.group_names)
        for part in (schema, *map(repr, parts)):
            sha.update(part.encode(errors="surrogatepass"))
        for array in (self.offsets, self.values, self.labels, *(() if self.groups is None else (self.groups,))):
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()
