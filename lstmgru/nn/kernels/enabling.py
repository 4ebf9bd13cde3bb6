"""Whether kernels are switched on, and the warning where they do not work."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from lstmgru.errors import SpecError

VARIABLE = "LSTMGRU_KERNELS"
_enabled: ContextVar[bool | None] = ContextVar("lstmgru_kernels", default=None)


@contextmanager
def enabled(value: bool) -> Iterator[None]:
    """Switch the kernels on or off within a ``with`` block, in this thread.

    Args:
        value: ``True``: use a kernel wherever possible; ``False``: use torch's own operations. By default, kernels are
            used where they are possible and known to be faster.
    """
    token = _enabled.set(value)
    try:
        yield
    finally:
        _enabled.reset(token)


def is_on() -> bool:
    """Whether kernels are switched on, by :func:`enabled` or the environment."""
    value = _enabled.get()
    return _variable() if value is None else value


def _variable() -> bool:
    value = os.environ.get(VARIABLE, "on")
    if value not in ("on", "off"):
        raise SpecError(f"the environment variable {VARIABLE} must be on or off but is {value!r}")
    return value == "on"


def is_forced() -> bool:
    """Whether :func:`enabled` asks for kernels even where they are not known to be faster."""
    return _enabled.get() is True


@cache
def warn_once(reason: str) -> None:
    """Warn that a machine has no kernels, and why."""
    warnings.warn(
        f"recurrent layers run in torch's operations, which is slower, because {reason}",
        RuntimeWarning,
        stacklevel=2,
    )
