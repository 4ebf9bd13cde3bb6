"""Which rows of a study's table a later table still has: digests of blocks of rows, stored with the study."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmgru.errors import counted, shorten

_MOST_BLOCKS = 2048
_BYTES = 4
"""Of the digest of a block: a changed one goes unnoticed once in four billion times."""


@dataclass(frozen=True)
class TableRows:
    """The rows of a table, of each part in their order.

    Attributes:
        parts: Names of the parts, such as the series.
        offsets: (parts + 1,) rows of part ``p`` are ``offsets[p]:offsets[p + 1]``.
        columns: Arrays with the rows as their first axis.
        order: (rows,) where a row stands among all of them, such as its time.
        label: A row in messages, by its number.
        noun: What a row is.
        dated: Whether the time of a row is one of the columns, so that no two rows of a part are the same.
    """

    parts: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    columns: tuple[npt.NDArray[Any], ...]
    order: npt.NDArray[Any]
    label: Callable[[int], str]
    noun: str = "row"
    dated: bool = False

    def fingerprint(self) -> dict[str, Any]:
        """Plain values to store: counts of the rows of each part, and digests of blocks of them."""
        size = max(1, -(-len(self.order) // _MOST_BLOCKS))
        counts = np.diff(self.offsets).tolist()
        blocks = [
            self._digest(first + start, first + min(start + size, count))
            for first, count in zip(self.offsets[:-1], counts, strict=True)
            for start in range(0, count, size)
        ]
        digests = base64.b64encode(b"".join(blocks)).decode()
        return {"parts": list(self.parts), "counts": counts, "block": size, "digests": digests}

    def change_since(self, stored: Mapping[str, Any]) -> TableChange:
        """What is new and what has changed since a :meth:`fingerprint`."""
        place, size = {name: number for number, name in enumerate(self.parts)}, int(stored["block"])
        digests, known = base64.b64decode(stored["digests"]), np.zeros(len(self.order), bool)
        differing, lost, at = [], 0, 0
        for name, count in zip(stored["parts"], stored["counts"], strict=True):
            ends = [at + number * _BYTES for number in range(-(-count // size) + 1)]
            expected, at = [digests[begin:end] for begin, end in pairwise(ends)], ends[-1]
            if name not in place:
                lost += count
                continue
            first, end = (int(self.offsets[place[name] + more]) for more in (0, 1))
            start = first - self._gone(first, end, expected, size)  # where the part would begin
            lost += (first - start) + max(0, start + count - end)
            known[first : max(first, min(start + count, end))] = True
            for block, digest in enumerate(expected):
                rows = start + block * size, min(start + min((block + 1) * size, count), end)
                if first <= rows[0] < rows[1] and self._digest(*rows) != digest:
                    differing.append(rows)
        new = np.flatnonzero(~known)
        changed = min(differing, key=lambda rows: self.order[rows[0]], default=None)
        return TableChange(
            more=len(new),
            since=self.label(int(new[np.argmin(self.order[new])])) if len(new) else "",
            before=int(sum(stored["counts"])),
            lost=lost,
            changed=sum(end - first for first, end in differing),
            first_changed="" if changed is None else self._span(*changed),
            new_parts=tuple(name for name in self.parts if name not in set(stored["parts"])),
            noun=self.noun,
            exact=size == 1,
            new=~known,
        )

    def _gone(self, first: int, end: int, expected: list[bytes], size: int) -> int:
        """Number of rows at the beginning of a part that are gone; 0 if no block tells.

        Args:
            first: First row of the part, as it is now.
            end: The row after its last one.
            expected: The digests of its blocks, as it was.
            size: Rows of a block; the last one can have fewer.
        """
        if not self.dated:
            return 0
        place = {digest: number for number, digest in enumerate(expected)}
        for skipped in range(min(size, end - first - size + 1)):
            block = place.get(self._digest(first + skipped, first + skipped + size))
            if block is not None:
                return max(0, block * size - skipped)
        return 0

    def _digest(self, first: int, end: int) -> bytes:
        sha = hashlib.blake2b(digest_size=_BYTES)
        for column in self.columns:
            sha.update(np.ascontiguousarray(column[first:end]).tobytes())
        return sha.digest()

    def _span(self, first: int, end: int) -> str:
        part = int(np.searchsorted(self.offsets, first, side="right")) - 1
        of_part = f" of {self.parts[part]}" if len(self.parts) > 1 else ""
        span = self.label(first) if end - first == 1 else f"{self.label(first)} to {self.label(end - 1)}"
        return f"{span}{of_part}"


@dataclass(frozen=True)
class TableChange:
    """How a table differs from an earlier one.

    Attributes:
        more: Number of new rows.
        since: The first of them.
        before: Number of earlier rows.
        lost: Number of earlier rows that are gone.
        changed: Number of earlier rows that have changed, or that are in a block that has.
        first_changed: The first of them, or of such blocks; empty if there is none.
        new_parts: Parts that did not exist.
        noun: What a row is.
        exact: Whether blocks are single rows.
        new: (rows,) whether a row is new.
    """

    more: int
    since: str
    before: int
    lost: int = 0
    changed: int = 0
    first_changed: str = ""
    new_parts: tuple[str, ...] = ()
    noun: str = "row"
    exact: bool = True
    new: npt.NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)

    @property
    def only_grown(self) -> bool:
        """Whether there are new rows, and all earlier ones are unchanged."""
        return bool(self.more) and not self.lost and not self.changed

    def __str__(self) -> str:
        """``20 rows more, from 2022-04-26 on, the 480 before unchanged``."""
        rows = f"{counted(self.more, self.noun)} more, from {self.since} on" if self.more else ""
        parts = f" ({shorten(self.new_parts, 3)}: new)" if self.new_parts and self.more else ""
        if self.only_grown:
            return f"{rows}{parts}, the {self.before} before unchanged"
        said = [f"{rows}{parts}"] if rows else []
        if self.lost:
            said.append(f"{self.lost} of the {self.before} before {'is' if self.lost == 1 else 'are'} gone")
        if self.changed:
            many = f"{self.changed}" if self.exact else f"up to {self.changed}"
            have = "has" if self.changed == 1 else "have"
            said.append(f"{many} of the {self.before} before {have} changed, the first {self.first_changed}")
        return ", ".join(said) or "the rows are the same in another form"
