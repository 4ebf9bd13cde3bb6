"""The default job as a stranger runs it: wall time, peak memory, and how good the winner is.

Runs ``python -m search run`` in an empty folder and watches the process and its workers.

    python benchmarks/default_job.py            # a table
    python benchmarks/default_job.py --json     # one JSON object a run
    python benchmarks/default_job.py --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

_SAMPLE_SECONDS = 0.5


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object a run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the search, one run each")
    parser.add_argument("arguments", nargs="*", help="further arguments of the run, after --")
    options = parser.parse_args()
    for seed in options.seeds:
        result = measure(["--seed", str(seed), *options.arguments])
        print(json.dumps(result) if options.json else "  ".join(f"{key} {value}" for key, value in result.items()))


def measure(arguments: list[str]) -> dict[str, Any]:
    """One run: seconds, peak memory of all its processes in MB, and the holdout scores."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        command = [sys.executable, "-m", "search", "run", *arguments]
        with (folder / "output.txt").open("w") as output:
            process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
            peak = 0
            while process.poll() is None:
                peak = max(peak, memory(process.pid))
                time.sleep(_SAMPLE_SECONDS)
        seconds = time.perf_counter() - start
        if process.returncode != 0:
            raise SystemExit((folder / "output.txt").read_text())
        shown = subprocess.run(
            [sys.executable, "-m", "search", "show", "--json"], cwd=folder, capture_output=True, check=True
        )
    study = json.loads(shown.stdout)
    baselines = {name: values["holdout"] for name, values in study["baselines"].items()}
    score = study["holdout"]["score"]
    return {
        "arguments": " ".join(arguments),
        "seconds": round(seconds, 1),
        "peak_mb": round(peak / 1e6),
        "trials": len(study["trials"]),
        "complete": sum(trial["state"] == "COMPLETE" for trial in study["trials"]),
        "winner": study["best"]["layers"],
        "holdout": round(score, 3),
        **{name: round(value, 3) for name, value in baselines.items()},
        "under_naive": f"{1 - score / baselines['naive']:.1%}",
        "against_linear": f"{score / baselines['linear'] - 1:+.1%}",
    }


def memory(pid: int) -> int:
    """Bytes of a process and its children, pages that they share counted once (PSS)."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            info = one.memory_full_info()
            total += getattr(info, "pss", info.uss)
    except psutil.NoSuchProcess:
        return total
    return total


if __name__ == "__main__":
    main()
