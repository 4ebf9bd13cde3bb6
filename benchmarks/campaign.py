"""Fault injection: which faults a study survives.

Every attempt does one harm to a small study, in real processes and files, and then checks that nothing is lost, doubled
or left running, that errors are one message with a documented exit code and no traceback, and that no process or
temporary folder is left behind. A table says how many of each kind were tried and survived; the exit code is 1 if
one was not.

    python benchmarks/campaign.py --kinds journals bundles --count 100
    python benchmarks/campaign.py --kinds cluster --count 100 --verbose
    python benchmarks/campaign.py --kinds cluster --scenarios store --count 3

Kinds:

kills      SIGKILL to the driver, to one of its processes or to all of them, also while MLflow creates its database
signals    SIGINT, SIGTERM and SIGHUP at any moment
journals   flips, cuts, moved and missing lines, other JSON types, garbage; of this version and without checksums
bundles    flips, cuts, other JSON types, weights that are no numbers, files that are missing or of another model
disks      limits on the size of a file, and a full device as the output
cluster    a Ray cluster that loses actors, nodes, its head, room or its token, and a driver that is killed (extra ray)
inputs     tables, texts and study files that nobody would write on purpose

The scenarios of `cluster` take turns: actors, driver, actors, driver, head, disk, store, token. A round has 33 faults,
so 100 faults are three rounds and a scenario: about an hour on two idle cores, by estimate. A scenario is always run to
its end, so there may be a few more faults than asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from hazards import bundles, cluster, disks, inputs, journals, processes
from hazards.command import Attempt

Attempts = Callable[[int, int, Path], Iterator[Attempt]]
KINDS: dict[str, tuple[Attempts, int]] = {
    "kills": (processes.kills, 200),
    "signals": (processes.signals, 50),
    "journals": (journals.attempts, 400),
    "bundles": (bundles.attempts, 500),
    "disks": (disks.attempts, 40),
    "cluster": (cluster.attempts, 100),
    "inputs": (inputs.attempts, 60),
}
"""Kind → its attempts and their number; all of them take more than half an hour on two cores."""


def campaign(kinds: list[str], count: int | None, seed: int, scenarios: Sequence[str] = ()) -> Iterator[Attempt]:
    """The attempts of some kinds.

    Args:
        kinds: Names.
        count: Of each kind; ``None``: the number of the kind.
        seed: Of everything that is random but the moments of a kill, which depend on the machine.
        scenarios: Of the kind ``cluster``; empty: all.
    """
    for kind in kinds:
        attempts, usual = KINDS[kind]
        if scenarios and kind == cluster.KIND:
            attempts = partial(cluster.attempts, only=scenarios)
        with tempfile.TemporaryDirectory(prefix="campaign-", ignore_cleanup_errors=True) as folder:
            yield from attempts(usual if count is None else count, seed, Path(folder))


def main() -> None:
    """Try, print, and fail if something did not survive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--count", type=int, help="attempts of each kind")
    parser.add_argument("--seed", type=int, default=0)
    names = sorted({name for name, _ in cluster.SCENARIOS})
    parser.add_argument("--scenarios", nargs="+", choices=names, default=[], help="of cluster; all by default")
    parser.add_argument("--verbose", action="store_true", help="print every attempt and the seconds so far")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    tried: dict[str, list[Attempt]] = {}
    seconds: dict[str, float] = {}
    for kind in options.kinds:
        begun, tried[kind] = time.monotonic(), []
        for attempt in campaign([kind], options.count, options.seed, options.scenarios):
            tried[kind].append(attempt)
            if options.verbose:
                print(f"{time.monotonic() - begun:7.0f} s  {attempt.case}", file=sys.stderr, flush=True)
            if attempt.problems:
                print(f"{kind}: {attempt.case}", *attempt.problems, sep="\n    ", file=sys.stderr, flush=True)
        seconds[kind] = time.monotonic() - begun
    failed = [attempt for attempts in tried.values() for attempt in attempts if attempt.problems]
    if options.json:
        counts = {kind: {"tried": len(each), "survived": _survived(each)} for kind, each in tried.items()}
        print(json.dumps({"kinds": counts, "failed": [asdict(attempt) for attempt in failed]}))
    else:
        print(f"{'kind':10}{'tried':>8}{'survived':>10}{'seconds':>9}")
        for kind, each in tried.items():
            print(f"{kind:10}{len(each):8}{_survived(each):10}{seconds[kind]:9.0f}")
    sys.exit(1 if failed else 0)


def _survived(attempts: list[Attempt]) -> int:
    return sum(not attempt.problems for attempt in attempts)


if __name__ == "__main__":
    main()
