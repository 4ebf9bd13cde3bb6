"""The fused cell in compiled blocks of steps, as on a GPU; here Inductor compiles them for the CPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.studies import program_environment
from torch import Tensor
from torch._dynamo.utils import counters

from lstmgru.nn import kernels
from lstmgru.nn.cells import make_cell
from lstmgru.nn.kernels import graph

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("g++") is None, reason="Inductor needs a compiler")]


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(graph, "DEVICES", ("cpu",))
    monkeypatch.setattr("lstmgru.nn.kernels.switch._numba_works", lambda: False)
    yield
    torch.compiler.reset()


def results(cell: Any, x: Tensor, state: tuple[Tensor, ...] | None = None) -> list[Tensor]:
    """Outputs, final state, and all gradients."""
    x = x.clone().requires_grad_()
    outputs, after = cell(x, state)
    loss = (outputs * torch.linspace(0.5, 1.5, outputs.shape[1])[:, None]).sum() + sum(each.sum() for each in after)
    return [outputs, *after, *torch.autograd.grad(loss, [x, *cell.parameters()])]


def test_blocks_of_steps_are_the_cell_and_compiled_once_for_all_sizes() -> None:
    counters.clear()
    shapes = [(5, 8, 3, 6), (6, 19, 2, 7), (3, 16, 5, 12), (9, 40, 1, 33), (4, 3, 3, 5)]
    for batch, steps, inputs, size in shapes:
        torch.manual_seed(0)
        cell = make_cell("fused", inputs, size, 0.0).double()
        x, state = torch.randn(batch, steps, inputs).double(), tuple(torch.randn(2, batch, size).double())
        for given in (None, state):
            found = results(cell, x, given)
            with kernels.enabled(False):
                expected = results(cell, x, given)
            for own, theirs in zip(found, expected, strict=True):
                torch.testing.assert_close(own, theirs, rtol=1e-9, atol=1e-12)
    assert counters["stats"]["unique_graphs"] == 1


def test_in_mixed_precision_the_state_stays_in_single_precision() -> None:
    torch.manual_seed(0)
    cell, x = make_cell("fused", 3, 16, 0.0), torch.randn(8, 24, 3)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, (_, c) = cell(x)
        with kernels.enabled(False):
            expected, (_, c_expected) = cell(x)
    assert outputs.dtype == expected.dtype
    assert c.dtype == c_expected.dtype == torch.float32
    torch.testing.assert_close(outputs.float(), expected.float(), rtol=0.05, atol=0.05)


def test_without_a_compiler_a_warning_gives_the_reason_and_torchs_operations_run(tmp_path: Path) -> None:
    code = """
import warnings, torch
from lstmgru.nn.cells import make_cell
from lstmgru.nn.kernels import graph, switch
graph.DEVICES, switch._numba_works = ("cpu",), lambda: False
cell, x = make_cell("fused", 3, 4, 0.0), torch.randn(2, 16, 3)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    first, second = cell(x)[0], cell(x)[0]
assert torch.equal(first, second)
print([str(each.message) for each in caught if each.category is RuntimeWarning])
"""
    environment = program_environment(CXX="/no/compiler", TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("recurrent layers run in torch's operations") == 1
    assert "torch.compile does not work here" in done.stdout
