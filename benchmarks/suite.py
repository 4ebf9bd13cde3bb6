"""The development suite: data sets that represent those of users, with the default space and a time limit each.

Every data set is searched in processes of its own, one after the other, with no key of ``space`` set. The table has the
scores of the exported model and the baselines on the test part, those of the literature, the advantage over the best
baseline on the holdout, the trials started and completed, and the seconds of the whole run.

    python benchmarks/suite.py                                  # the whole suite: an hour and a half
    python benchmarks/suite.py --only weather GunPoint --seeds 0 1 2
    python benchmarks/suite.py --part train --limit 0.1         # a quick try that reads no test part
    python benchmarks/suite.py --folder no-blend -- --set search.blend=off

Choose defaults with ``--part train``, where the end of the training part plays the test part. Each run writes its
result to a file of ``--folder`` and is skipped there the next time; a run that failed is repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from data_sets import DATA_SETS
from data_sets.base import ROOT, DataSet, Scores, baselines_of
from data_sets.scores import advantage, best
from data_sets.table import markdown, summary
from published import run_study

_DATA = ROOT.parent / "shared" / "data"
_LONGEST_MESSAGE = 300
_FOLDER = Path(tempfile.gettempdir()) / "lstmgru-suite"


def main() -> None:
    """Run what has no result yet, print all results."""
    options = _options()
    if not options.data.is_dir():
        raise SystemExit(
            f"{options.data} is not a folder; give the folder with panels/, ucr/, uea/, text/, … by --data"
        )
    runs = [(DATA_SETS[name], seed) for name in options.only for seed in (options.seeds or DATA_SETS[name].seeds)]
    results = [_result(data_set, seed, options) for data_set, seed in runs]
    if options.json:
        print(json.dumps({"results": results, "summary": summary(results)}))
    else:
        print(markdown(results))


def _result(data_set: DataSet, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The result of a run, from its file if it is finished.

    Raises:
        SystemExit: The file is of a run with other options.
    """
    folder = options.folder / options.part / f"{data_set.name}-{seed}"
    path = folder.with_suffix(".json")
    run = {
        "data": data_set.name,
        "seed": seed,
        "part": options.part,
        "limit": data_set.seconds * options.limit,
        "arguments": options.arguments,
    }
    if path.exists():
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        others = [key for key, value in run.items() if result[key] != value]
        if others:
            raise SystemExit(f"{path} is of a run with another {others[0]}; remove it, or choose another --folder")
        if result["error"] is None:
            return result
    print(f"{data_set.name}, seed {seed}, at most {run['limit']:g} s", file=sys.stderr, flush=True)
    result = {**run, "metric": data_set.metric, **_run(data_set, seed, run["limit"], folder, options)}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1), encoding="utf-8")
    partial.rename(path)
    return result


def _run(data_set: DataSet, seed: int, limit: float, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Search in a folder that is emptied first, and score what was exported."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / "output.txt"
    with tempfile.TemporaryDirectory() as name:
        prepared = data_set.prepare(options.data, Path(name), options.part)
        arguments = ["--seed", str(seed), "--trials", str(data_set.trials), *prepared.arguments, *options.arguments]
        try:
            record = run_study(prepared.study, prepared.table, folder, f"{limit:g}s", arguments, log)
        except subprocess.CalledProcessError as error:
            *_, message = log.read_text(encoding="utf-8").rpartition("error: ")
            return {"error": f"exit code {error.returncode}: {' '.join(message.split())[:_LONGEST_MESSAGE]}"}
        return {
            "error": None,
            **_summary(data_set, record, data_set.score(options.data, prepared, record, options.part)),
        }


def _summary(data_set: DataSet, record: dict[str, Any], scores: Scores) -> dict[str, Any]:
    """What the table shows of a run."""
    states = [trial["state"] for trial in record["trials"]]
    exported, baselines = record["holdout"]["score"], baselines_of(record)
    strongest = best(baselines, maximize=data_set.maximize)
    against = None if strongest is None else advantage(exported, baselines[strongest], maximize=data_set.maximize)
    return {
        "scores": scores.exported,
        "single": scores.single,
        "baselines": scores.baselines,
        "published": dict(data_set.published),
        "holdout": {"metric": record["metric"], "exported": exported, "baselines": baselines, "advantage": against},
        "winner": record["best"]["layers"] if record["best"] else None,
        "started": len(states) - states.count("WAITING"),
        "complete": states.count("COMPLETE"),
        "seconds": record["seconds"],
    }


def _options() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, default=_DATA, help=f"folder of the data; default: {_DATA}")
    made.add_argument("--only", nargs="+", metavar="NAME", choices=list(DATA_SETS), default=list(DATA_SETS),
                      help=f"data sets to run: {', '.join(DATA_SETS)}")  # fmt: skip
    made.add_argument("--seeds", type=int, nargs="+", help="a run each; default: 0, and 0, 1, 2 for weather")
    made.add_argument("--limit", type=float, default=1.0, metavar="SCALE", help="factor of all time limits")
    made.add_argument("--part", choices=["train", "test"], default="test", help="part to score; default: test")
    made.add_argument("--folder", type=Path, default=_FOLDER, help=f"of the results; default: {_FOLDER}")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("arguments", nargs="*", help="further arguments of every run, after --")
    options = made.parse_args()
    options.data, options.folder = options.data.resolve(), options.folder.resolve()
    return options


if __name__ == "__main__":
    main()
