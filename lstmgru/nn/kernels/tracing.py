"""Whether torch's operations are traced or transformed, which compiled kernels hide from it."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack as _function_modes
from torch.utils._device import DeviceContext


def is_watched() -> bool:
    """Whether something traces or transforms torch's operations.

    This is a compiler, tracer or exporter, a functional transformation, forward-mode differentiation, or a mode that
    intercepts operations, except for the one that sets the default device.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch._C._len_torch_dispatch_stack() > 0
        or (
            torch._C._len_torch_function_stack() > 0
            and any(not isinstance(mode, DeviceContext) for mode in _function_modes())  # type: ignore[no-untyped-call]
        )
    )
