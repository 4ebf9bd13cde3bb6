"""Hostile inputs: tables, texts and study files that nobody would write on purpose, generated from a seed."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from hazards.bundles import TEXTS
from hazards.command import STUDY, Attempt, call, fault, write_study
from hazards.journals import OTHER_VALUES, places

KIND = "inputs"
_SCRIPT = "<script>alert(1)</script>"
_NAMES = (
    _SCRIPT, "=cmd|' /C calc'!A0", "../../etc/passwd", "a\u202eb", "\U0001f600", "NA", "nan", "1", " x ", "a,b", '"',
)  # fmt: skip
"""Of series, classes and columns."""
_CELLS = (
    "", "NA", "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "0x1F", "1,5", "1.000,5", "１２", "-0", "9" * 20,
    "t", "2022-13-45", "0000-00-00", "9999-12-31", "\x00", _SCRIPT, "'; drop table", "x" * 100_000, "\u202e", '"', "#",
)  # fmt: skip
_TEXTS = (["plain words", "others"], [*_CELLS[1:]], [""], ["x" * 200_000, "y"], ["\U0001f600" * 50, "क्षि", "漢字" * 99])
_YAML = (
    "",
    "[]",
    "just a text",
    "a: &a [*a]\n",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\n",
    "!!python/object/apply:os.system ['touch hacked']\n",
    "name: tiny\nname: tiny\n",
    "\tname: tiny\n",
    "[" * 5000,
    "name: ../../escaped\n" + STUDY.partition("\n")[2],
    "name: 'tiny\\n'\n" + STUDY.partition("\n")[2],
    STUDY.replace("trials: 3", "trials: 1e400"),
    STUDY.replace("trials: 3", "trials: " + "9" * 5000),
    STUDY.replace("horizon: 3", "horizon: 2022-01-01"),
    STUDY.replace("horizon: 3", "horizon: 10000000000"),
    STUDY.replace("shop.csv", "/dev/zero"),
    STUDY.replace("shop.csv", "."),
    STUDY.replace("shop.csv", "shop.csv\\0"),
    STUDY + "#" * 3_000_000,
    STUDY.encode("utf-16").decode("latin1"),
    "\ufeff" + STUDY,
    STUDY + "---\n" + STUDY,
)

Make = Callable[[random.Random, Path], str]
"""Writes a study and its data as ``tiny.yaml`` into a folder, and says what is strange about it."""


def study_file(rng: random.Random, folder: Path) -> str:
    """One of the texts above."""
    text = rng.choice(_YAML)
    write_study(folder)
    (folder / "tiny.yaml").write_text(text, encoding="utf-8", errors="surrogateescape")
    return f"study file {text[:40]!r}"


def study_values(rng: random.Random, folder: Path) -> str:
    """One or two values of a study file have another type or size."""
    write_study(folder)
    document = yaml.safe_load(STUDY)
    changes = []
    for _ in range(rng.randint(1, 2)):
        owner, key = rng.choice(list(places(document)))
        owner[key] = rng.choice([*OTHER_VALUES, 0, -5, 10**9, 0.5, rng.choice(_NAMES), [0, 0], {"low": 9, "high": 1}])
        changes.append(f"{key}: {owner[key]!r}")
    (folder / "tiny.yaml").write_text(json.dumps(document))
    return f"study with {', '.join(changes)}"


def table_cells(rng: random.Random, folder: Path) -> str:
    """Some cells of the table hold something else."""
    rows, column, cell = _rows(folder), rng.randrange(3), rng.choice(_CELLS)
    for row in rng.sample(range(1, len(rows)), rng.choice([1, 3, 150])):
        rows[row][column] = cell
    _write(folder, rows)
    return f"{rows[0][column]} with cells {cell[:30]!r}"


def table_shape(rng: random.Random, folder: Path) -> str:
    """Rows and columns that repeat, are missing, are too many or stand in another order."""
    rows = _rows(folder)
    head, body = rows[0], rows[1:]
    changes: dict[str, list[list[str]]] = {
        "nothing": [],
        "a header only": [head],
        "one row": rows[:2],
        "every row twice": [head, *body, *body],
        "the order of a shuffle": [head, *rng.sample(body, len(body))],
        "rows of different lengths": [row[: rng.randint(0, 3)] for row in rows],
        "columns of one name": [["day", "sales", "sales"], *body],
        "columns without names": [["", "", ""], *body],
        "a constant target": [head, *([day, "5", visitors] for day, _, visitors in body)],
        "an empty target": [head, *([day, "", visitors] for day, _, visitors in body)],
        "values of all sizes": [head, *([day, f"1e{rng.randint(-300, 300)}", visitors] for day, _, visitors in body)],
        "1,000 columns": [head + [f"c{number}" for number in range(1000)], *(row + row[2:] * 1000 for row in body)],
        "gaps": [head, *(row for row in body if rng.random() < 0.5)],
        "hostile names": [["day", "sales", rng.choice(_NAMES)], *body],
    }
    what = rng.choice(list(changes))
    _write(folder, changes[what])
    if what == "hostile names":
        name = json.dumps(changes[what][0][2])
        (folder / "tiny.yaml").write_text(STUDY.replace("past_covariates: visitors", f"past_covariates: {name}"))
        return f"a column {name}"
    return f"a table with {what}"


def series_names(rng: random.Random, folder: Path) -> str:
    """A panel whose series have names that are markup, formulas, paths, numbers or missing values."""
    rows, names = _rows(folder), rng.sample(_NAMES, 3)
    body = [[*row, name] for name in names for row in rows[1:]]
    _write(folder, [[*rows[0], "shop"], *body])
    (folder / "tiny.yaml").write_text(STUDY.replace("time: day", "time: day, id: shop"))
    return f"series named {names}"


def bytes_of_a_table(rng: random.Random, folder: Path) -> str:
    """Bytes that are no table, or a table in another encoding or container."""
    write_study(folder)
    content = (folder / "shop.csv").read_bytes()
    changes: dict[str, bytes] = {
        "zeros": b"\0" * 5000,
        "noise": rng.randbytes(5000),
        "UTF-16": content.decode().encode("utf-16"),
        "a zip of nothing": b"PK\x05\x06" + b"\0" * 18,
        "gzip in a csv": gzip.compress(content),
        "old Mac line ends": content.replace(b"\n", b"\r"),
        "an open quote": content.replace(b",", b',"', 1),
        "HTML": b"<html><body>404</body></html>",
        "Parquet that ends early": b"PAR1" + rng.randbytes(500),
        "half a table": content[: len(content) // 2],
        "a bit flipped": bytes([content[0] ^ 128]) + content[1:],
    }
    what = rng.choice(list(changes))
    name = rng.choice(["shop.csv", "shop.csv.gz", "shop.parquet", "shop.arrow", "shop.ts"])
    (folder / name).write_bytes(changes[what])
    (folder / "tiny.yaml").write_text(STUDY.replace("shop.csv", name))
    return f"{what} as {name}"


def texts(rng: random.Random, folder: Path) -> str:
    """Texts and classes that are empty, endless, rare, equal or markup."""
    folder.mkdir(parents=True)
    kinds = rng.choice(
        [["a", "b"], ["a"], list(_NAMES[:4]), list(_NAMES), [str(number) for number in range(150)], ["", "b"]]
    )
    cells = rng.choice(
        [["plain words"], list(_CELLS), [""], ["x" * 200_000, "y"], ["\U0001f600" * 50, "क्षि", "漢字" * 99]]
    )
    rows = [["text", "kind"], *([rng.choice(cells), rng.choice(kinds)] for _ in range(rng.choice([3, 40, 300, 300])))]
    (folder / "texts.csv").write_text(_csv(rows), encoding="utf-8")
    (folder / "tiny.yaml").write_text(TEXTS.replace("name: texts", "name: tiny"))
    return f"{len(rows) - 1} texts like {cells[0][:20]!r} of {len(set(kinds))} classes like {kinds[0]!r}"


MAKES: tuple[Make, ...] = (
    study_values, table_cells, study_file, table_shape, texts, bytes_of_a_table, study_values, series_names,
)  # fmt: skip


def attempts(count: int, seed: int, folder: Path) -> Iterator[Attempt]:
    """Check, run and report each; whatever is accepted leads to a model that predicts or to an error of one message."""
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        place = folder / f"{number}" / "work"
        what = MAKES[number % len(MAKES)](rng, place)
        attempt = Attempt(KIND, f"{what}, {seed}/{number}")
        for arguments in (("check", "tiny.yaml"), ("run", "tiny.yaml", "--trials", "2", "--timeout", "20s")):
            ended = call(place, *arguments)
            attempt.check(fault(ended) is None, f"{arguments[0]}: {fault(ended)}")
        if ended.code == 0:
            _judge_the_result(attempt, place)
        outside = [path.name for path in place.parent.iterdir() if path != place]
        attempt.check(not outside, f"written outside of the folder: {outside}")
        attempt.check(not (place / "hacked").exists(), "a study file was executed")
        shutil.rmtree(place.parent)
        yield attempt


def _judge_the_result(attempt: Attempt, folder: Path) -> None:
    ended = call(folder, "report", "tiny")
    attempt.check(fault(ended) is None and ended.code == 0, f"report: {ended.code}, {fault(ended)}")
    for page in folder.rglob("*.html"):
        attempt.check(_SCRIPT not in page.read_text(errors="replace"), f"{page.name} holds a script of the data")
    data = "texts.csv" if (folder / "texts.csv").exists() else next(path.name for path in folder.glob("shop.*"))
    ended = call(folder, "predict", "studies/tiny.bundle", "--data", data, "--output", "out.csv")
    attempt.check(fault(ended) is None, f"predict: {fault(ended)}")


def _rows(folder: Path) -> list[list[str]]:
    """The table of the study, which is written, too."""
    write_study(folder)
    return [line.split(",") for line in (folder / "shop.csv").read_text().splitlines()]


def _write(folder: Path, rows: list[list[str]]) -> None:
    (folder / "shop.csv").write_text(_csv(rows), encoding="utf-8")


def _csv(rows: list[list[str]]) -> str:
    return "".join(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) + "\n" for row in rows)
