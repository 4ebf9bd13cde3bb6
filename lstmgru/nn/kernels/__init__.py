"""Compiled kernels of the recurrent cells, for the CPU.

A cell asks :func:`should_use`, and either calls :func:`sequence` or computes in torch's own operations. Both give the
same numbers. ``LSTMGRU_KERNELS=off`` in the environment, or ``with enabled(False):``, switches the kernels off.

numba is imported, and what it compiles is compiled or loaded, when the first sequence runs.
"""

from lstmgru.nn.kernels.memory import Memory, forget
from lstmgru.nn.kernels.sequence import PlainCell, sequence
from lstmgru.nn.kernels.switch import enabled, should_use

__all__ = ["Memory", "PlainCell", "enabled", "forget", "sequence", "should_use"]
