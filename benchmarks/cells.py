"""Forward and backward of the recurrent cells with the compiled kernels and without, and how far the machine goes.

LSTM and GRU are compared with ``torch.nn``'s, the fused cell with its loop in torch's operations. Input, weights and
all outputs have gradients. Both run in turn, for a tenth of a second each, and the first pass of each turn does not
count. Time is that of the one thread on the processor, and what counts is the median ratio of two neighboring turns,
so that other programs count as little as can be. What limits all of them is how fast the machine multiplies matrices:
beside each rate is that of torch's product at the size of one step of the shape, and at 1024 x 1024.

    python benchmarks/cells.py --seconds 6
"""

from __future__ import annotations

import argparse
import json
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
GATES = {"gru": 3, "fused": 4, "lstm": 4}
TORCH = {"gru": nn.GRU, "lstm": nn.LSTM}
TURN_SECONDS = 0.1


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each cell and shape; at least 5 turns of each")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    torch.set_num_threads(1)
    large = product_rate(1024, 1024, 1024)
    rows = [measure(name, shape, options.seconds) for name in GATES for shape in SHAPES]
    result: dict[str, Any] = {"torch": torch.__version__, "large_product_gflops": round(large, 1), "rows": rows}
    for name in GATES:
        ratios = [row["times_faster"] for row in rows if row["cell"] == name]
        result[name] = {"geometric_mean": round(statistics.geometric_mean(ratios), 2), "least": min(ratios)}
    if options.json:
        print(json.dumps(result))
        return
    print(f"torch's product of 1024 x 1024 runs at {large:.0f} GFLOP/s")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    for name in GATES:
        print(name, *(f"{key} {value}" for key, value in result[name].items()))


def measure(name: str, shape: tuple[int, int, int, int], seconds: float) -> dict[str, Any]:
    """Medians of one cell at one shape."""
    batch, steps, inputs, size = shape
    torch.manual_seed(0)
    cell = make_cell(name, inputs, size, 0.0)
    plain = TORCH[name](inputs, size, batch_first=True) if name in TORCH else cell
    x, gradient = torch.randn(batch, steps, inputs, requires_grad=True), torch.randn(batch, steps, size)

    def fast() -> None:
        step(cell, x, gradient)

    def slow() -> None:
        with kernels.enabled(False):
            step(plain, x, gradient)

    own, theirs = in_turn(fast, slow, seconds)
    operations = 3 * 2 * batch * steps * GATES[name] * size * (inputs + size)  # the way back has two products for one
    return {
        "cell": name,
        "shape": shape,
        "milliseconds": round(1000 * statistics.median(own), 3),
        "without_kernels": round(1000 * statistics.median(theirs), 3),
        "times_faster": round(statistics.median(after / before for before, after in zip(own, theirs, strict=True)), 2),
        "gflops": round(operations / statistics.median(own) / 1e9, 1),
        "gflops_without": round(operations / statistics.median(theirs) / 1e9, 1),
        "product_gflops": round(product_rate(batch, size, GATES[name] * size), 1),
        "turns": len(own),
    }


def step(cell: nn.Module, x: torch.Tensor, gradient: torch.Tensor) -> None:
    """Forward and backward."""
    x.grad = None
    cell.zero_grad(set_to_none=True)
    outputs = cell(x)[0]
    outputs.backward(gradient)


def in_turn(first: Callable[[], None], second: Callable[[], None], seconds: float) -> tuple[list[float], list[float]]:
    """Seconds of a pass in each turn of both."""
    for run in (first, second):
        run()
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for run, taken in zip((first, second), times, strict=True):
            taken.append(turn(run))
    return times


def turn(run: Callable[[], None]) -> float:
    """Seconds of a pass, of as many as fit into a turn; the first finds the caches as the other program left them."""
    run()
    start, passes = time.thread_time(), 0
    while passes == 0 or time.thread_time() - start < TURN_SECONDS:
        run()
        passes += 1
    return (time.thread_time() - start) / passes


def product_rate(rows: int, inner: int, columns: int) -> float:
    """GFLOP/s of the fastest of several products of matrices."""
    a, b, out = torch.randn(rows, inner), torch.randn(inner, columns), torch.empty(rows, columns)
    seconds = min(turn(lambda: torch.mm(a, b, out=out)) for _ in range(3))
    return 2 * rows * inner * columns / seconds / 1e9


if __name__ == "__main__":
    main()
