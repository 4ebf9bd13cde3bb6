"""Tampered bundles: flips, cuts, other JSON types, weights that are no numbers, files removed, swapped or linked."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from hazards.command import STUDY, Attempt, call, fault, write_study
from hazards.journals import OTHER_VALUES, places

KIND = "bundles"

TEXTS = """\
name: texts
task: classification
data: {path: texts.csv, text: text, target: kind}
search: {trials: 2, jobs: 1, pruner: none, blend: off}
splits: {folds: 1}
space: {preset: small, n_layers: 1, hidden_size: [4, 8]}
training: {max_epochs: 2, accelerator: cpu}
tracking: {enabled: false}
"""
"""A study whose bundle has a vocabulary."""

Tamper = Callable[[random.Random, Path, Path], str]
"""Changes a bundle, and says what it did; the other bundle is of another study."""


def flip_a_bit(rng: random.Random, bundle: Path, other: Path) -> str:
    """One bit of any file."""
    file = _any_file(rng, bundle)
    content = bytearray(file.read_bytes())
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    file.write_bytes(content)
    return f"bit flipped at {place} of {file.name}"


def cut(rng: random.Random, bundle: Path, other: Path) -> str:
    """Any file ends early."""
    file = _any_file(rng, bundle)
    size = rng.randrange(file.stat().st_size)
    file.write_bytes(file.read_bytes()[:size])
    return f"{file.name} cut to {size} bytes"


def change_a_value(rng: random.Random, bundle: Path, other: Path) -> str:
    """A value in a JSON file becomes one of another type, or goes; digests are as before."""
    return _changed(rng, bundle)[1]


def change_a_value_and_digests(rng: random.Random, bundle: Path, other: Path) -> str:
    """The same, and every digest of the file is made right, as an editor with good intentions would."""
    before = {file: file.read_bytes() for file in _files(bundle)}
    _, what = _changed(rng, bundle)
    _mend_digests(bundle, before)
    return f"{what}; digests mended"


def break_the_weights(rng: random.Random, bundle: Path, other: Path) -> str:
    """A weight becomes no number, or one too many, with the right digest."""
    import torch
    from safetensors.torch import load, save

    file = bundle / "weights.safetensors"
    before = {file: file.read_bytes() for file in _files(bundle)}
    tensors = load(file.read_bytes())
    name = rng.choice([name for name, tensor in sorted(tensors.items()) if tensor.is_floating_point()])
    value = rng.choice([float("nan"), float("inf"), -float("inf")])
    tensors[name] = torch.full_like(tensors[name], value)
    file.write_bytes(save(tensors))
    _mend_digests(bundle, before)
    return f"{name} filled with {value}; digests mended"


def remove_a_file(rng: random.Random, bundle: Path, other: Path) -> str:
    """A file is missing, or a folder is in its place."""
    file = _any_file(rng, bundle)
    file.unlink()
    if rng.random() < 0.3:
        file.mkdir()
        return f"{file.name} is a folder"
    return f"{file.name} removed"


def swap_a_file(rng: random.Random, bundle: Path, other: Path) -> str:
    """A file of another model, or another file of this one."""
    file = _any_file(rng, bundle)
    source = rng.choice([each for each in [*_files(bundle), *_files(other)] if each != file])
    file.write_bytes(source.read_bytes())
    return f"{file.name} has the content of {source.parent.name}/{source.name}"


def write_garbage(rng: random.Random, bundle: Path, other: Path) -> str:
    """Other bytes in place of any file."""
    file = _any_file(rng, bundle)
    content = rng.choice([b"", b"\0" * 999, rng.randbytes(999), b"[]", b"{}", b"null", b"[" * 100_000, b'{"a": 1e999}'])
    file.write_bytes(content)
    return f"{file.name} starts with {content[:10]!r}"


TAMPERS: tuple[Tamper, ...] = (
    flip_a_bit, cut, change_a_value, change_a_value_and_digests, break_the_weights, remove_a_file, swap_a_file,
    change_a_value_and_digests, write_garbage, change_a_value,
)  # fmt: skip
_MENDED = (change_a_value_and_digests,)


def attempts(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Tamper with the bundles of a forecast and of a classification, and predict with them.

    Either the bundle is refused, or the predictions are those of the bundle as it was. Values that are changed with
    their digests may predict something else, without a traceback.
    """
    bases = [_forecasts(folder / "forecasts"), _labels(folder / "labels")]
    truths = [_predicted(base, name)[1] for base, name in bases]
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        tamper = TAMPERS[number % len(TAMPERS)]
        which = number // len(TAMPERS) % len(bases)
        base, name = bases[which]
        place = folder / str(number)
        shutil.copytree(base, place)
        other, other_name = bases[1 - which]
        what = tamper(rng, place / "studies" / f"{name}.bundle", other / "studies" / f"{other_name}.bundle")
        attempt = Attempt(KIND, f"{name}: {what}, {seed}/{number}")
        problem, table = _predicted(place, name)
        attempt.check(problem is None, str(problem))
        if table is not None and tamper not in _MENDED:
            attempt.check(table == truths[which], "other predictions, and no word")
        shutil.rmtree(place)
        yield attempt


def _predicted(folder: Path, name: str) -> tuple[str | None, bytes | None]:
    """What is wrong with the end of ``predict``, and the table that it wrote, if any."""
    ended = call(folder, "predict", f"studies/{name}.bundle", "--data", "new.csv", "--output", "out.csv")
    output = folder / "out.csv"
    return fault(ended), output.read_bytes() if output.exists() else None


def _forecasts(folder: Path) -> tuple[Path, str]:
    write_study(folder, STUDY.replace(", blend: off", ""))
    ended = call(folder, "run", "tiny.yaml")
    assert ended.code == 0, ended.error
    shutil.copy(folder / "shop.csv", folder / "new.csv")
    return folder, "tiny"


def _labels(folder: Path) -> tuple[Path, str]:
    rng = random.Random(0)
    words = {"fruit": ["apple", "pear", "plum", "fig"], "tool": ["saw", "drill", "file", "plane"]}
    rows = [(kind, " ".join(rng.choices(words[kind], k=5))) for kind in [*words] * 60]
    folder.mkdir()
    (folder / "texts.csv").write_text("text,kind\n" + "".join(f"{text},{kind}\n" for kind, text in rows))
    (folder / "new.csv").write_text("text\napple pear plum\nsaw drill\nunknown words\n")
    (folder / "texts.yaml").write_text(TEXTS)
    ended = call(folder, "run", "texts.yaml")
    assert ended.code == 0, ended.error
    return folder, "texts"


def _files(bundle: Path) -> list[Path]:
    return sorted(path for path in bundle.iterdir() if path.is_file() and path.stat().st_size)


def _any_file(rng: random.Random, bundle: Path) -> Path:
    """Half of the time the description or the weights."""
    return rng.choice([bundle / "bundle.json", bundle / "weights.safetensors", *_files(bundle)[:1], *_files(bundle)])


def _changed(rng: random.Random, bundle: Path) -> tuple[Path, str]:
    file = rng.choice([bundle / "bundle.json"] * 3 + [path for path in _files(bundle) if path.suffix == ".json"])
    document = json.loads(file.read_bytes())
    owner, key = rng.choice(list(places(document)))
    before = repr(owner[key])[:40]
    if rng.random() < 0.3:
        del owner[key]
        what = f"{key!r} without its {before}"
    else:
        owner[key] = rng.choice(OTHER_VALUES)
        what = f"{key!r}: {owner[key]!r} for {before}"
    file.write_text(json.dumps(document))
    return file, f"{file.name} with {what}"


def _mend_digests(bundle: Path, before: dict[Path, bytes]) -> None:
    """Replace the digests of changed files wherever they stand, until nothing changes."""
    for _ in range(3):
        for file, content in before.items():
            old, new = (hashlib.sha256(each).hexdigest().encode() for each in (content, file.read_bytes()))
            for holder in _files(bundle) if old != new else ():
                holder.write_bytes(holder.read_bytes().replace(old, new))
