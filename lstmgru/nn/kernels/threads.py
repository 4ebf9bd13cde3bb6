"""The rows of a batch, shared among the threads that torch may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

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


def in_threads(run: Callable[[_Call], None], calls: Sequence[_Call]) -> None:
    """Make all calls, each in a thread of its own; one alone in this thread."""
    if len(calls) == 1:
        run(calls[0])
    else:
        list(_threads(len(calls)).map(run, calls))


@cache
def _threads(n: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n, thread_name_prefix="lstmgru-kernels")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # threads do not survive a fork
