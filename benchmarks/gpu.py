"""What a GPU is good for: cells, precisions, and trials that share a GPU.

The first part runs forward and backward passes: LSTM and GRU beside ``torch.nn``'s modules, which run in cuDNN, and the
fused cell in compiled graphs beside its loop in torch's operations, in single and in mixed precision. The second part
searches a study with one trial at a time and with several that share the GPU, and compares trials per minute, and a
training on the GPU with one on a core. Without a GPU, it says so and ends with exit code 2.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cpu --shapes 1 --jobs 1     # tries the program itself
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from driving import drive, planned
from torch import nn

from lstmgru.nn import kernels
from lstmgru.nn.cells import make_cell
from search.executors.base import WorkerSettings
from search.executors.devices import gpu_share, visible_gpus
from search.executors.processes import ProcessExecutor
from search.run.workers import warm_up
from search.tasks import find_task

# Windows, steps, inputs, hidden size.
SHAPES = ((64, 96, 7, 64), (256, 96, 7, 128), (256, 336, 32, 256), (1024, 168, 32, 512))
TORCH = {"lstm": nn.LSTM, "gru": nn.GRU}
_TURNS, _PASSES = 7, 10
_LONGER = (
    "training.max_epochs=8",
    "training.patience=null",
    "search.pruner=none",
    "space.context_length=96",
    "space.hidden_size=128",
)
_ROWS = 20_000
_FIRST = 4
"""Trials that do not count: workers start, and cells are compiled."""


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="how many, smallest first; 0: none")
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2, 4, 8], help="trials at a time; none: no search")
    parser.add_argument("--trials", type=int, default=24, help="of each search")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("this machine has no GPU that torch can use; run it where there is one", file=sys.stderr)
        return 2
    result: dict[str, Any] = {"device": _name(options.device), "torch": torch.__version__, "gpus": len(visible_gpus())}
    result["cells"] = [
        measured(cell, shape, precision, options.device)
        for cell in ("lstm", "gru", "fused")
        for precision in ("32-true", "bf16-mixed")
        for shape in SHAPES[: options.shapes]
    ]
    result["searches"] = [searched(jobs, options.trials, options.device) for jobs in options.jobs]
    if options.json:
        print(json.dumps(result))
        return 0
    for name, value in result.items():
        for row in value if isinstance(value, list) else [{name: value}]:
            print("  ".join(f"{key} {each}" for key, each in row.items()))
    return 0


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def measured(name: str, shape: tuple[int, int, int, int], precision: str, device: str) -> dict[str, Any]:
    """Medians of a cell at one shape, in milliseconds: ours, what it is compared with, and the first pass."""
    batch, steps, inputs, size = shape
    torch.manual_seed(0)
    cell = make_cell(name, inputs, size, 0.0).to(device)
    other = TORCH[name](inputs, size, batch_first=True).to(device) if name in TORCH else cell
    x, gradient = torch.randn(batch, steps, inputs, device=device), torch.randn(batch, steps, size, device=device)
    mixed = torch.autocast(device, torch.bfloat16) if precision == "bf16-mixed" else nullcontext()

    def run(module: nn.Module) -> None:
        module.zero_grad(set_to_none=True)
        with mixed:
            outputs = module(x)[0]
        outputs.backward(gradient.to(outputs.dtype))

    def plain() -> None:
        with kernels.enabled(name in TORCH):
            run(other)

    first = seconds(lambda: run(cell), device, passes=1)
    plain()
    pairs = [(seconds(lambda: run(cell), device), seconds(plain, device)) for _ in range(_TURNS)]
    own, theirs = (1000 * statistics.median(each) for each in zip(*pairs, strict=True))
    return {
        "cell": name,
        "shape": shape,
        "precision": precision,
        "milliseconds": round(own, 3),
        "compared_with": "torch.nn" if name in TORCH else "loop",
        "theirs": round(theirs, 3),
        "times_faster": round(statistics.median(after / before for before, after in pairs), 2),
        "first_pass_seconds": round(first, 2),
    }


def seconds(run: Callable[[], None], device: str, passes: int = _PASSES) -> float:
    """Wall time of a pass, the device's work included."""
    _wait(device)
    start = time.perf_counter()
    for _ in range(passes):
        run()
    _wait(device)
    return (time.perf_counter() - start) / passes


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def searched(jobs: int, trials: int, device: str) -> dict[str, Any]:
    """A search with so many trials at a time: trials per minute, and the seconds of a trial."""
    accelerator = "gpu" if device == "cuda" else "cpu"
    chosen = (f"search.trials={trials}", f"search.jobs={jobs}", f"training.accelerator={accelerator}", *_LONGER)
    with planned(*chosen, rows=_ROWS) as (plan, folder):
        gpus = visible_gpus() if device == "cuda" else ()
        ready = partial(warm_up, find_task("forecast").modules, {}, {}, worker=True)
        settings = WorkerSettings(ready, jobs, gpus=gpus, gpu_share=gpu_share(accelerator, jobs, len(gpus)))
        record, _ = drive(plan, folder, ProcessExecutor(settings))
    counted = [trial for trial in record.trials[_FIRST:] if trial.state == "COMPLETE"]
    start = min(trial.started for trial in counted if trial.started)
    end = max(trial.completed for trial in counted if trial.completed)
    lasted = [trial.seconds for trial in counted if trial.seconds is not None]
    return {
        "jobs": jobs,
        "complete": len(counted),
        "failed": sum(trial.state == "FAIL" for trial in record.trials),
        "trials_per_minute": round(60 * len(counted) / (end - start).total_seconds(), 1),
        "seconds_of_a_trial": round(statistics.median(lasted), 2) if lasted else None,
    }


if __name__ == "__main__":
    sys.exit(main())
