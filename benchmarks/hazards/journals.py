"""Damaged journals: flips, cuts, lines that move, values of other types, garbage; with checksums and without."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hazards.command import Attempt, call, fault, shown, write_study

KIND = "journals"
_RESUME = ("run", "tiny.yaml", "--timeout", "1s")

OTHER_VALUES = (None, True, -1, 1e308, float("nan"), "", "text", [], {}, [[1]], {"a": {"b": None}})
"""For places where a value of another type is expected."""

Damage = Callable[[random.Random, bytes], bytes]


def flip_a_bit(rng: random.Random, content: bytes) -> bytes:
    """One bit, anywhere."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def change_digits(rng: random.Random, content: bytes) -> bytes:
    """Another digit in place of one: still JSON, and mostly still an entry."""
    places = [match.start() for match in re.finditer(rb"[0-9]", content)]
    place = rng.choice(places)
    return content[:place] + str((int(content[place : place + 1]) + 1) % 10).encode() + content[place + 1 :]


def cut(rng: random.Random, content: bytes) -> bytes:
    """At a byte."""
    return content[: rng.randrange(len(content))]


def cut_lines(rng: random.Random, content: bytes) -> bytes:
    """The last lines are missing."""
    lines = content.splitlines(keepends=True)
    return b"".join(lines[: rng.randrange(len(lines))])


def delete_lines(rng: random.Random, content: bytes) -> bytes:
    """One to three lines in the middle are missing."""
    lines = content.splitlines(keepends=True)
    place = rng.randrange(len(lines) - 3)
    del lines[place : place + rng.randint(1, 3)]
    return b"".join(lines)


def repeat_a_line(rng: random.Random, content: bytes) -> bytes:
    """A line stands in the file twice."""
    lines = content.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))
    return b"".join(lines)


def swap_lines(rng: random.Random, content: bytes) -> bytes:
    """Two lines change places."""
    lines = content.splitlines(keepends=True)
    one, other = rng.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def change_a_type(rng: random.Random, content: bytes) -> bytes:
    """A value somewhere in an entry has another JSON type; the file stays JSON."""
    lines = content.splitlines()
    place = rng.randrange(len(lines))
    entry = json.loads(lines[place])
    owner, key = rng.choice(list(places(entry)))
    owner[key] = rng.choice(OTHER_VALUES)
    lines[place] = json.dumps(entry, separators=(",", ":")).encode()
    return b"\n".join(lines) + b"\n"


def drop_a_key(rng: random.Random, content: bytes) -> bytes:
    """A key or an element somewhere in an entry is missing; the file stays JSON."""
    lines = content.splitlines()
    place = rng.randrange(len(lines))
    entry = json.loads(lines[place])
    owner, key = rng.choice(list(places(entry)))
    del owner[key]
    lines[place] = json.dumps(entry, separators=(",", ":")).encode()
    return b"\n".join(lines) + b"\n"


def write_garbage(rng: random.Random, content: bytes) -> bytes:
    """Random bytes, zeros or other text over a part of the file, or in its place."""
    start = rng.choice([0, rng.randrange(len(content))])
    size = rng.randint(1, 400)
    new = rng.choice([rng.randbytes(size), b"\0" * size, b"[1, 2]\n", b'{"sales": 3}\n', b"[" * 100_000 + b"\n", b"\n"])
    return content[:start] + new + content[rng.choice([start, start + size, len(content)]) :]


DAMAGES: tuple[Damage, ...] = (
    flip_a_bit, change_digits, cut, cut_lines, delete_lines, repeat_a_line, swap_lines, change_a_type, drop_a_key,
    write_garbage,
)  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from places(inner)


def attempts(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Damage the journal of a finished study, and show, resume and start it over.

    With checksums, a damage is either refused or without consequence. A journal of an earlier version has none, so a
    number that became another is not noticed; whatever is there is shown or refused without a traceback.
    """
    base = folder / "base"
    write_study(base)
    ended = call(base, "run", "tiny.yaml")
    assert ended.code == 0, ended.error
    truth = _core(shown(base))
    journal = (base / "studies" / "tiny.journal").read_bytes()
    earlier = re.sub(rb',"crc":\d+\}\n', b"}\n", journal)
    untouched = Attempt(KIND, "untouched, earlier version")
    shutil.copytree(base, folder / "earlier")
    (folder / "earlier" / "studies" / "tiny.journal").write_bytes(earlier)
    (folder / "earlier" / "studies" / "tiny.checkpoint").unlink()
    untouched.check(_core(shown(folder / "earlier")) == truth, "show: other numbers")
    yield untouched
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        damage = DAMAGES[number % len(DAMAGES)]
        old = number // len(DAMAGES) % 3 == 2
        content = damage(rng, earlier if old else journal)
        attempt = Attempt(KIND, f"{damage.__name__}{', earlier version' if old else ''}, {seed}/{number}")
        place = folder / str(number)
        shutil.copytree(base, place)
        (place / "studies" / "tiny.journal").write_bytes(content)
        if old:
            (place / "studies" / "tiny.checkpoint").unlink(missing_ok=True)
        _judge(attempt, place, content, None if old else truth, journal)
        shutil.rmtree(place)
        yield attempt


def _judge(attempt: Attempt, folder: Path, content: bytes, truth: dict[str, Any] | None, journal: bytes) -> None:
    path = folder / "studies" / "tiny.journal"
    ended = call(folder, "show", "tiny", "--json")
    attempt.check(fault(ended) is None, f"show: {fault(ended)}")
    if ended.code == 0 and truth is not None:
        attempt.check(_core(json.loads(ended.output)) == truth, "show: other numbers, and no word")
    attempt.check(path.read_bytes() == content, "show changed the file")
    refused = ended.code == 2 and path.name in ended.error
    if truth is not None:
        attempt.check(refused or ended.code == 0, f"show does not name the file: {ended.error}")
    if refused or truth is not None:  # a lossless journal trains nothing
        ended = call(folder, *_RESUME)
        attempt.check(fault(ended) is None, f"run: {fault(ended)}")
        attempt.check((ended.code == 2) == refused, f"show ended with {2 if refused else 0}, run with {ended.code}")
    if refused:
        attempt.check(path.read_bytes() == content, "a refused run changed the file")
        ended = call(folder, "run", "tiny.yaml", "--fresh", "--trials", "1", "--timeout", "1s")
        attempt.check(fault(ended) is None and ended.code in (0, 1), f"run --fresh: {ended.code}, {fault(ended)}")
        kept = path.with_name(f"{path.name}.damaged")
        attempt.check(kept.exists() and kept.read_bytes() == content, "run --fresh did not keep the damaged file")
        record = shown(folder)
        attempt.check(record is not None and len(record["trials"]) <= 1, "the study did not start over")


def _core(shown: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a study shows, without the path of its model, which depends on the folder."""
    return None if shown is None else {key: value for key, value in shown.items() if key != "bundle"}
