"""Forward and backward of the recurrent cells with the compiled kernels and without, and how far the machine goes.

GRU is compared with ``torch.nn.GRU``, the fused cell with its loop in torch's operations. Input, weights and all
outputs have gradients. The two are measured in turn, in one thread, in seconds of that thread on the processor, so that
other programs count as little as can be. A matrix product of 1024 x 1024 shows the machine's limit.

    python benchmarks/cells.py --seconds 4
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from lstmgru.nn import kernels
from lstmgru.nn.cells import make_cell

# Windows, steps, inputs, hidden size.
SHAPES = (
    (32, 24, 1, 16),
    (32, 24, 1, 32),
    (32, 96, 7, 32),
    (64, 96, 7, 64),
    (64, 96, 7, 128),
    (128, 168, 32, 64),
    (256, 96, 7, 128),
    (256, 336, 32, 256),
)
GATES = {"gru": 3, "fused": 4}


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each cell and shape; at least 3 rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    torch.set_num_threads(1)
    limit = matrix_product_rate()
    rows = [measure(name, shape, options.seconds, limit) for name in GATES for shape in SHAPES]
    result = {"torch": torch.__version__, "limit_gflops": round(limit, 1), "rows": rows}
    for name in GATES:
        ratios = [row["times_faster"] for row in rows if row["cell"] == name]
        result[name] = {"geometric_mean": round(statistics.geometric_mean(ratios), 2), "least": min(ratios)}
    if options.json:
        print(json.dumps(result))
        return
    print(f"a matrix product runs at {limit:.0f} GFLOP/s")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    for name in GATES:
        print(name, *(f"{key} {value}" for key, value in result[name].items()))


def measure(name: str, shape: tuple[int, int, int, int], seconds: float, limit: float) -> dict[str, Any]:
    """Medians of one cell at one shape."""
    batch, steps, inputs, size = shape
    torch.manual_seed(0)
    cell = make_cell(name, inputs, size, 0.0)
    plain = nn.GRU(inputs, size, batch_first=True) if name == "gru" else cell
    x, gradient = torch.randn(batch, steps, inputs, requires_grad=True), torch.randn(batch, steps, size)

    def fast() -> None:
        step(cell, x, gradient)

    def slow() -> None:
        with kernels.enabled(False):
            step(plain, x, gradient)

    own, theirs = in_turn(fast, slow, seconds)
    operations = 3 * 2 * batch * steps * GATES[name] * size * (inputs + size)  # the way back has two products for one
    ratios = [before / after for before, after in zip(theirs, own, strict=True)]
    median = statistics.median(own)
    return {
        "cell": name,
        "shape": shape,
        "milliseconds": round(1000 * median, 2),
        "without_kernels": round(1000 * statistics.median(theirs), 2),
        "times_faster": round(statistics.median(ratios), 2),
        "share_of_limit": round(operations / median / 1e9 / limit, 2),
        "share_without": round(operations / statistics.median(theirs) / 1e9 / limit, 2),
        "rounds": len(own),
    }


def step(cell: nn.Module, x: torch.Tensor, gradient: torch.Tensor) -> None:
    """Forward and backward."""
    x.grad = None
    cell.zero_grad(set_to_none=True)
    outputs = cell(x)[0]
    outputs.backward(gradient)


def in_turn(first: Callable[[], None], second: Callable[[], None], seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of each round of both, in turn; the first round of each does not count."""
    first(), second()
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 3:
        for run, taken in zip((first, second), times, strict=True):
            start = time.thread_time()
            run()
            taken.append(time.thread_time() - start)
    return times


def matrix_product_rate() -> float:
    """GFLOP/s of the fastest of several products of matrices of 1024 x 1024."""
    a, b, out = torch.randn(3, 1024, 1024).unbind()
    best = math.inf
    for _ in range(10):
        start = time.thread_time()
        torch.mm(a, b, out=out)
        best = min(best, time.thread_time() - start)
    return 2 * 1024**3 / best / 1e9


if __name__ == "__main__":
    main()
