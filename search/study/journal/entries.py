"""The lines of a journal and their checksums, and the checkpoint: how far the journal once went.

An entry is a line of JSON as Optuna writes it, with one more key at its end, which Optuna ignores: ``crc``, the CRC-32
of the line before that key, continued from the ``crc`` of the previous entry. An entry that is changed, moved, repeated
or lost therefore shows in itself or in the next one. Entries without the key, of an earlier version or of Optuna's own
tools, are read as they are. Lost last entries leave no trace in the file; the checkpoint beside it says that they were
there.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.types import COMPARISON_SUFFIX
from search.errors import NotAJournal
from search.study.paths import checkpoint_path

if TYPE_CHECKING:
    from search.study.records import StudyRecord

_CRC = re.compile(rb',"crc":(\d+)\}$')
_START = b'{"op_code":'
_KEY = b',"crc":'
_AT_A_TIME = 4096
"""Lines that are decoded together."""


@dataclass(frozen=True)
class Extent:
    """How far a journal goes.

    Attributes:
        entries: Number of entries with a checksum.
        crc: Checksum of the last of them.
        ended: Number of trials that ended.
    """

    entries: int = 0
    crc: int = 0
    ended: int = 0


def encode(logs: Sequence[Mapping[str, Any]], extent: Extent) -> tuple[list[bytes], Extent]:
    """The lines of entries to append to a journal, and how far it goes with them."""
    lines = []
    for log in logs:
        line = json.dumps(log, separators=(",", ":")).encode()[:-1]
        extent = Extent(extent.entries + 1, zlib.crc32(line, extent.crc), extent.ended + ends_trial(log))
        lines.append(b'%b,"crc":%d}\n' % (line, extent.crc))
    return lines, extent


def is_of_study(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is about the study, not about one of its trials."""
    return "study_id" in entry and "datetime_start" not in entry  # otherwise it creates a trial


def ends_trial(entry: Mapping[str, Any]) -> bool:
    """Whether an entry has the end of a trial."""
    return "datetime_complete" in entry


def read_entries(path: Path) -> tuple[list[dict[str, Any]], Extent, int]:
    """The entries of a journal, how far it goes, and the length in bytes of an unfinished last line.

    Raises:
        NotAJournal: A line is not an entry or does not match its checksum, or last entries are missing.
    """
    known = _read_checkpoint(path)  # first: the journal of a running study grows
    *lines, last = path.read_bytes().split(b"\n")
    if not lines and not (last.startswith(_START) or _START.startswith(last)):
        lines = [last]
    entries, extent = _read_quickly(lines, known)
    for number, line in enumerate(lines[len(entries) :], start=len(entries) + 1):
        entry = _decode(line)
        if entry is None:
            raise damaged(path, f"line {number} is not an entry")
        if match := _CRC.search(line):
            crc = zlib.crc32(line[: match.start()], extent.crc)
            if crc != int(match[1]):
                raise damaged(
                    path, f"line {number} does not match its checksum, so an entry there was changed, moved or lost"
                )
            extent = replace(extent, entries=extent.entries + 1, crc=crc)
            if known is not None and extent.entries == known.entries and crc != known.crc:
                raise damaged(path, f"line {number} is not the entry that {checkpoint_path(path)} knows")
        extent = replace(extent, ended=extent.ended + ends_trial(entry))
        entries.append(entry)
    if known is not None and extent.entries < known.entries:
        raise damaged(
            path,
            f"the last {known.entries - extent.entries} entries are missing; {known.ended} trials had ended, and "
            f"{extent.ended} are left",
            f"remove {checkpoint_path(path)} to resume with what is left, ",
        )
    return entries, extent, len(last)


def _read_quickly(lines: Sequence[bytes], known: Extent | None) -> tuple[list[dict[str, Any]], Extent]:
    """The first entries, as many as are as they should be, and how far they go; many are decoded together.

    The entry of which a checkpoint knows, one of the last, is left to be looked at.
    """
    entries: list[dict[str, Any]] = []
    extent = Extent()
    for start in range(0, len(lines), _AT_A_TIME):
        some = lines[start : start + _AT_A_TIME]
        if known is not None and start < known.entries <= start + len(some):
            break
        try:
            found = json.loads(b"[%b]" % b",".join(some))
        except (ValueError, RecursionError):
            break
        crc = extent.crc
        for line, entry in zip(some, found, strict=False):
            crc = zlib.crc32(line[: line.rfind(_KEY)], crc)
            if not isinstance(entry, dict) or "op_code" not in entry or entry.get("crc") != crc:
                return entries, extent
        if len(found) != len(some):
            break
        entries += found
        extent = Extent(len(entries), crc, extent.ended + sum(map(ends_trial, found)))
    return entries, extent


def damaged(path: Path, what: str, way_out: str = "") -> NotAJournal:
    """The error for a journal that cannot be used.

    Args:
        path: The journal.
        what: What is wrong with it.
        way_out: One more than the usual ways out.
    """
    command = "compare" if path.stem.endswith(COMPARISON_SUFFIX) else "run"
    return NotAJournal(
        f"{path} is not a valid journal of a study: {what}; restore it from a copy, {way_out}move the file away, or "
        f"start over with {command} --fresh, which keeps it under another name"
    )


def write_checkpoint(path: Path, extent: Extent) -> None:
    """Record how far the journal at a path goes.

    Raises:
        OSError: The file cannot be written.
    """
    checkpoint = checkpoint_path(path)
    partial = checkpoint.with_name(f".{checkpoint.name}.partial")
    partial.write_text(json.dumps(asdict(extent)) + "\n")
    os.replace(partial, checkpoint)


def _read_checkpoint(path: Path) -> Extent | None:
    """How far the journal at a path went; ``None`` if there is no checkpoint, or an empty one after a power failure."""
    checkpoint = checkpoint_path(path)
    try:
        text = checkpoint.read_text(errors="replace")
    except FileNotFoundError:
        return None
    if not text.strip("\0"):
        return None
    try:
        values = json.loads(text)
        return Extent(*(int(values[name]) for name in ("entries", "crc", "ended")))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        raise NotAJournal(
            f"{checkpoint} is damaged, so whether {path} is complete is not known; remove {checkpoint} to go on"
        ) from None


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "op_code" in entry else None


def check_types(journal: Path, study: str, read: Callable[[], StudyRecord]) -> None:
    """Refuse a study of a journal whose values have wrong types.

    Args:
        journal: Its file.
        study: Name of the study.
        read: Reads its record.

    Raises:
        NotAJournal: A value has another type than in a record.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        record = read()
        TypeAdapter(type(record)).validate_json(json.dumps(asdict(record), default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise damaged(journal, f"{place} of study '{study}': {first['msg']}") from error
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        what = f"the values of study '{study}' have wrong types"
        raise damaged(journal, f"{what} ({type(error).__name__}: {error})") from error
