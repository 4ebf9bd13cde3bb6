"""The rows of a batch, shared among the threads that torch may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

import torch

from lstmgru.nn.kernels.layout import padded

_Call = TypeVar("_Call")

# So many multiplications are worth a thread: less is done before it has woken up.
_FEWEST_PRODUCTS = 4_000_000


def rows_of_threads(batch: int, products: int, rows: int) -> list[range]:
    """The rows that each thread takes.

    Args:
        batch: Rows.
        products: Multiplications of the whole batch.
        rows: Each piece but the last is a multiple of it.
    """
    n = min(torch.get_num_threads(), products // _FEWEST_PRODUCTS, batch // rows)
    if n < 2:
        return [range(batch)]
    size = padded(-(-batch // n), rows)
    return [range(start, min(start + size, batch)) for start in range(0, batch, size)]


def in_threads(run: Callable[[_Call], None], calls: Sequence[_Call], used: Sequence[Any]) -> None:
    """Make all calls, each in a thread of its own; one alone in this thread.

    An interrupt (Ctrl-C) ends the waiting for them, not the calls themselves. What they read and write therefore lives
    until the last of them is done, whether anybody still waits or not.

    Args:
        run: Makes a call.
        calls: At least one.
        used: Everything whose address is in the calls.
    """
    if len(calls) == 1:
        run(calls[0])
        return
    holder = list(used)
    list(_threads().map(partial(_make, run, holder), calls))
    holder.clear()  # a thread forgets a call a moment after it is done, and memory that was lent should be back by then


def _make(run: Callable[[_Call], None], _holder: list[Any], call: _Call) -> None:
    run(call)


@cache
def _threads() -> ThreadPoolExecutor:
    """For all calls: it begins with no threads and starts one when all it has are busy."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="lstmgru-kernels")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # threads do not survive a fork
