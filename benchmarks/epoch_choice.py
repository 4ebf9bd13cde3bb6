"""How much better the best epochs of the folds look than the epochs that the other folds choose.

For each finished study, the mean over its ten best trials of the difference between the two scores, relative for errors
and absolute for scores of which larger is better. See ``docs/decisions/0050-epochs-of-the-other-folds.md``.

    python benchmarks/epoch_choice.py FOLDER…       # working folders, each with the studies/ of a study
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from search.study.paths import StudyPaths
from search.study.records import StudyRecord
from search.study.store import StudyStore
from search.tasks.epochs import scored_epochs

_TRIALS = 10


def difference(study: StudyRecord) -> float | None:
    """The mean difference over the best trials; ``None`` with fewer than two folds.

    Args:
        study: A finished one.
    """
    larger, found = study.direction == "maximize", []
    for trial in study.complete[:_TRIALS]:
        curves: dict[int, dict[int, float]] = {}
        for each in trial.curve:
            curves.setdefault(each.fold, {})[each.epoch] = each.value
        if len(curves) < 2:
            return None
        bests = [(max if larger else min)(curve, key=curve.__getitem__) for curve in curves.values()]
        pairs = list(zip(curves.values(), bests, scored_epochs(bests), strict=True))
        best = statistics.fmean(curve[epoch] for curve, epoch, _ in pairs)
        chosen = statistics.fmean(curve[min(epoch, max(curve))] for curve, _, epoch in pairs)
        found.append(best - chosen if larger else chosen / best - 1)
    return statistics.fmean(found) if found else None


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="working folder of finished studies")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    for folder in arguments.folders:
        for journal in sorted((folder / "studies").glob("*.journal")):
            store = StudyStore.find(StudyPaths(folder, journal.stem))
            if store is not None and not journal.stem.endswith(".compare"):
                found[f"{folder}: {journal.stem}"] = difference(store.record())
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name}  {'one fold' if value is None else format(value, '.4f')}")


if __name__ == "__main__":
    main()
