"""Compiled kernels of the recurrent cells, for the CPU; :mod:`~lstmgru.nn.kernels.graph` is for GPUs.

A cell calls :func:`should_use` and then either :func:`sequence` or torch's own operations. The results are the same
except for rounding; with infinite inputs, a gradient that is infinite in one may be NaN in the other. The environment
variable ``LSTMGRU_KERNELS=off`` or ``with enabled(False):`` turns the kernels off.

numba is imported, and kernels are compiled or loaded from the cache, when the first suitable sequence runs. If that
fails, a warning gives the reason, and everything runs in torch's operations.
"""

from lstmgru.nn.kernels.enabling import enabled
from lstmgru.nn.kernels.memory import Memory, forget
from lstmgru.nn.kernels.sequence import PlainCell, sequence
from lstmgru.nn.kernels.switch import should_use

__all__ = ["Memory", "PlainCell", "enabled", "forget", "sequence", "should_use"]
