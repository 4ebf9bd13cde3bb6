"""Published data of labeled sequences and texts: how good is the winner of one search with the usual space?

``italy`` and ``vowels`` are ItalyPowerDemand and JapaneseVowels of the UCR and UEA archives (Dau et al. 2019; Bagnall
et al. 2018), ``trec`` the six coarse classes of questions of Li & Roth (2002), each with its own test part; ``sms`` is
the SMS Spam Collection (Almeida et al. 2011) without its duplicates, of which a fifth is held back. Questions of TREC's
test part that stand in its training part too are left out of the training part.

    python benchmarks/labels.py FOLDER italy      # FOLDER holds ucr/, uea/ and text/
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_sets import texts
from published import HERE, run_study, show, summary

TIMEOUTS = {"italy": "5m", "vowels": "5m", "trec": "10m", "sms": "10m"}


def main() -> None:
    """Run, score, print."""
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        train, test = TABLES[options.benchmark](options.data.resolve(), Path(name))
        given = ["--set", f"data.test={test}"] if test is not None else []
        arguments = [*given, *options.arguments]
        study = HERE / f"{options.benchmark}.yaml"
        record = run_study(study, train, folder, options.timeout or TIMEOUTS[options.benchmark], arguments)
        show({**summary(record), **_scores(record)}, as_json=options.json)


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("data", type=Path, help="folder with ucr/, uea/ and text/")
    made.add_argument("benchmark", choices=sorted(TABLES))
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--timeout", help=f"of the whole study, refit and export included; default: {TIMEOUTS}")
    made.add_argument("--folder", type=Path, help="keep what the run writes there; default: a folder that is removed")
    made.add_argument("arguments", nargs="*", help="further arguments of the run, after --")
    return made.parse_args()


def _scores(record: dict[str, Any]) -> dict[str, Any]:
    """The winner's scores on the test part, the F1 of each class, and the baselines' scores."""
    description = json.loads((Path(record["bundle"]) / "bundle.json").read_text(encoding="utf-8"))
    per_class = description["metrics"]["classes"]
    return {
        **{name: round(value, 4) for name, value in record["holdout"]["metrics"].items()},
        "f1": {str(each["class"]): round(each["f1"], 4) for each in per_class},
        "baselines": {name: round(each["holdout"], 4) for name, each in record["baselines"].items()},
    }


def italy(data: Path, folder: Path) -> tuple[Path, Path | None]:
    """The files of the archive as they are."""
    train, test = (data / "ucr" / "ItalyPowerDemand" / f"ItalyPowerDemand_{part}.tsv" for part in ("TRAIN", "TEST"))
    return train, test


def vowels(data: Path, folder: Path) -> tuple[Path, Path | None]:
    """The files of the archive as they are."""
    train, test = (data / "uea" / "JapaneseVowels" / f"JapaneseVowels_{part}.ts" for part in ("TRAIN", "TEST"))
    return train, test


def trec(data: Path, folder: Path) -> tuple[Path, Path | None]:
    """``label,text`` tables of the given parts."""
    train, test = texts.trec(data / "text", "test")
    return texts.write_rows(folder / "train.csv", train), texts.write_rows(folder / "test.csv", test)


def sms(data: Path, folder: Path) -> tuple[Path, Path | None]:
    """A ``label,text`` table of the messages; of messages that are the same the first."""
    return texts.write_rows(folder / "sms.csv", texts.messages(data / "text")), None


TABLES: dict[str, Callable[[Path, Path], tuple[Path, Path | None]]] = {
    "italy": italy,
    "vowels": vowels,
    "trec": trec,
    "sms": sms,
}


if __name__ == "__main__":
    main()
