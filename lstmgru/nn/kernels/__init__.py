"""Compiled kernels of the recurrent cells, for the CPU.

A cell asks :func:`should_use`, and either calls :func:`sequence` or computes in torch's own operations. Both give the
same numbers but for rounding; of an infinite input, a gradient that is infinite in one may be NaN in the other, where
0 times infinity is rounded to something first. ``LSTMGRU_KERNELS=off`` in the environment, or ``with enabled(False):``,
switches the kernels off.

numba is imported, and what it compiles is compiled or loaded, when the first sequence runs that a kernel could take.
Where that does not work, a warning says why, and everything runs in torch's operations.
"""

from lstmgru.nn.kernels.memory import Memory, forget
from lstmgru.nn.kernels.sequence import PlainCell, sequence
from lstmgru.nn.kernels.switch import enabled, should_use

__all__ = ["Memory", "PlainCell", "enabled", "forget", "sequence", "should_use"]
