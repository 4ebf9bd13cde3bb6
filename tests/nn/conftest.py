"""What all tests of networks share."""

from __future__ import annotations

import pytest
import torch

from lstmgru.nn.kernels import switch


@pytest.fixture(autouse=True)
def _torch_in_double_precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells in double precision run in torch's operations: compiling each takes seconds.

    The tests of the kernels, which compare both, do without.
    """
    if request.path.stem != "test_kernels":
        compiled = switch._is_compiled
        monkeypatch.setattr(
            switch, "_is_compiled", lambda cell, dtype: dtype == torch.float32 and compiled(cell, dtype)
        )
