"""The compiled kernels give the numbers of torch's operations, and stay out of the way where they cannot."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.combinations import each_row, every_combination, every_pair
from helpers.studies import program_environment
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from lstmgru.errors import SpecError
from lstmgru.nn import kernels
from lstmgru.nn.cells import make_cell
from lstmgru.nn.cells.base import State
from lstmgru.nn.encoder import RecurrentLayer
from lstmgru.nn.kernels import switch
from lstmgru.nn.kernels.sequence import in_threads, rows_of_threads
from lstmgru.specs import LayerSpec

CELLS = ("lstm", "gru", "fused")
N_STATES = {"lstm": 2, "gru": 1, "fused": 2}
# Batch, steps, inputs, size: rows and units that fill tiles and vectors and that do not, more units than a panel of the
# weights has and than stay in the cache, sequences whose weights' gradients come in one piece and in several, with a
# remainder, and batches that are larger than a piece.
SHAPES = [(1, 1, 1, 1), (5, 7, 3, 11), (7, 200, 4, 16), (600, 3, 2, 5), (3, 4, 2, 300), (64, 17, 64, 33)]
TOLERANCES = {torch.float32: 1e-6, torch.float64: 1e-13}

SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("lstm", "gru")]
in_double = pytest.mark.parametrize("name", [*SLOW, "fused"])
"""Compiling a cell takes seconds. In single precision all are compared with torch by default, in double the one that
has the gates of both."""

forced = kernels.enabled(True)
"""For tests of the kernels themselves: by itself, LSTM runs in none on a machine without AVX."""


def make(name: str, inputs: int, size: int, dtype: torch.dtype = torch.float64, dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    return make_cell(name, inputs, size, dropout).to(dtype)


def draw(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def draw_state(name: str, batch: int, size: int, dtype: torch.dtype = torch.float64) -> State:
    return tuple(draw(10 + seed, batch, size, dtype=dtype).requires_grad_() for seed in range(N_STATES[name]))


def in_kernel(outputs: Tensor) -> bool:
    """Whether a kernel gave the outputs, which need a gradient."""
    return type(outputs.grad_fn).__name__ == "_SequenceBackward"


def results(cell: nn.Module, x: Tensor, state: State | None, of: str) -> list[Tensor]:
    """Outputs, state and, of a weighted sum of some or all of them, the gradients of all that the cell reads."""
    outputs, after = cell(x, state)
    wanted = {"outputs": (outputs,), "state": after, "both": (outputs, *after)}[of]
    loss = sum((draw(20 + seed, *each.shape, dtype=each.dtype) * each).sum() for seed, each in enumerate(wanted))
    read = (x, *cell.parameters(), *(state or ()))
    return [outputs, *after, *torch.autograd.grad(torch.as_tensor(loss), read)]


CASES: dict[str, Iterable[Any]] = {
    "compiled": [*product(CELLS, [torch.float32]), ("fused", torch.float64)],
    "shape": SHAPES,
    "given": [False, True],
    "of": ["outputs", "state", "both"],
}


def check_outputs_state_and_all_gradients(
    compiled: tuple[str, torch.dtype], shape: tuple[int, int, int, int], given: bool, of: str
) -> None:
    """Those of torch in double precision. In single precision both are rounded, torch by more than 1e-6 in places."""
    name, dtype = compiled
    batch, steps, inputs, size = shape
    cell = make(name, inputs, size, dtype)
    x = draw(1, batch, steps, inputs, dtype=dtype).requires_grad_()
    state = draw_state(name, batch, size, dtype) if given else None
    with kernels.enabled(True):
        assert in_kernel(cell(x, state)[0])
        found = results(cell, x, state, of)
    with kernels.enabled(False):
        of_torch = results(cell, x, state, of)
        wide = None if state is None else tuple(each.detach().double().requires_grad_() for each in state)
        exact = results(cell.double(), x.detach().double().requires_grad_(), wide, of)
    for own, theirs, expected in zip(found, of_torch, exact, strict=True):
        rounding = 1.5 * torch.dist(theirs, expected) if dtype == torch.float32 else 0.0
        assert torch.dist(own, expected) <= TOLERANCES[dtype] * expected.norm() + rounding


@every_pair(**CASES)
def test_outputs_state_and_all_gradients_are_those_of_torch(
    compiled: tuple[str, torch.dtype], shape: tuple[int, int, int, int], given: bool, of: str
) -> None:
    check_outputs_state_and_all_gradients(compiled, shape, given, of)


@pytest.mark.slow
def test_outputs_state_and_all_gradients_are_those_of_torch_in_every_case() -> None:
    for case in every_combination(**{**CASES, "compiled": product(CELLS, TOLERANCES)}):
        check_outputs_state_and_all_gradients(**case)


@in_double
@forced
def test_an_input_that_needs_no_gradient_gets_none_and_changes_no_other(name: str) -> None:
    cell, x = make(name, 3, 4), draw(1, 5, 6, 3)
    expected = results(cell, x.clone().requires_grad_(), None, "both")[-4:]
    cell.zero_grad()
    outputs, after = cell(x)
    torch.autograd.backward(
        [outputs, *after], [draw(20 + seed, *each.shape) for seed, each in enumerate((outputs, *after))]
    )
    assert x.grad is None
    assert all(torch.equal(own.grad, each) for own, each in zip(cell.parameters(), expected, strict=True))


@in_double
@forced
def test_gradients_and_second_derivatives_are_those_of_finite_differences(name: str) -> None:
    cell = make(name, 2, 3)
    x, state = draw(1, 2, 3, 2).requires_grad_(), draw_state(name, 2, 3)

    def outputs(x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(dict(cell.named_parameters()), others, strict=False))
        sequence, after = torch.func.functional_call(cell, named, (x, others[len(named) :]))
        return sequence, *after

    read = (x, *cell.parameters(), *state)
    assert in_kernel(outputs(*read)[0])
    assert torch.autograd.gradcheck(outputs, read)
    assert torch.autograd.gradgradcheck(outputs, read)


@forced
def test_a_tensor_that_is_both_states_gets_both_gradients_from_second_derivatives_too() -> None:
    cell, x = make("fused", 2, 3), draw(1, 2, 3, 2)
    both = draw(2, 2, 3).requires_grad_()
    loss = cell(x, (both, both))[0].square().sum()
    (plain,) = torch.autograd.grad(loss, both, retain_graph=True)
    (graph,) = torch.autograd.grad(loss, both, create_graph=True)
    assert torch.allclose(plain, graph, rtol=1e-12)


@in_double
@forced
def test_a_way_back_can_be_gone_twice_where_the_graph_is_kept(name: str) -> None:
    cell, x = make(name, 3, 4), draw(1, 5, 6, 3)
    loss = cell(x)[0].square().sum()
    loss.backward(retain_graph=True)
    once = [parameter.grad.clone() for parameter in cell.parameters()]
    loss.backward()
    assert all(torch.equal(each.grad, 2 * first) for each, first in zip(cell.parameters(), once, strict=True))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


@each_row("shape", SHAPES)
@each_row("name", CELLS)
def test_without_gradients_the_numbers_are_exactly_the_same(name: str, shape: tuple[int, int, int, int]) -> None:
    batch, steps, inputs, size = shape
    cell = make(name, inputs, size, torch.float32)
    x, state = draw(1, batch, steps, inputs, dtype=torch.float32), draw_state(name, batch, size, torch.float32)
    with kernels.enabled(True):
        expected, after = cell(x, state)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode(), kernels.enabled(True):
            outputs, own_after = cell(x, state)
        assert torch.equal(outputs, expected)
        assert all(torch.equal(own, each) for own, each in zip(own_after, after, strict=True))


@in_double
@forced
def test_both_directions_agree_with_torch(name: str) -> None:
    torch.manual_seed(0)
    layer = RecurrentLayer(LayerSpec(name, 4, bidirectional=True), 3, 0.0).double()  # type: ignore[arg-type]
    x, state = draw(1, 5, 6, 3), draw_state(name, 5, 4) + draw_state(name, 5, 4)
    outputs, after = layer(x, state)
    with kernels.enabled(False):
        expected, expected_after = layer(x, state)
    for own, theirs in zip((outputs, *after), (expected, *expected_after), strict=True):
        assert torch.allclose(own, theirs, rtol=1e-12, atol=1e-14)


@in_double
@forced
def test_recurrent_dropout_has_the_same_gradients(name: str) -> None:
    def gradients() -> tuple[Tensor, ...]:
        cell = make(name, 3, 8, dropout=0.5)
        torch.manual_seed(1)
        return torch.autograd.grad(cell(draw(1, 5, 6, 3))[0].square().sum(), tuple(cell.parameters()))

    found = gradients()
    with kernels.enabled(False):
        expected = gradients()
    assert all(torch.allclose(own, theirs, rtol=1e-12) for own, theirs in zip(found, expected, strict=True))


@forced
def test_inputs_and_gradients_may_lie_in_memory_as_they_like() -> None:
    cell, x = make("fused", 3, 4), draw(1, 3, 6, 5).transpose(0, 2)[:, ::2]
    expected = results(cell, x.contiguous().requires_grad_(), None, "outputs")
    found = results(cell, x.detach().requires_grad_(), None, "outputs")
    assert all(torch.equal(own, each) for own, each in zip(found, expected, strict=True))
    (spread,) = torch.autograd.grad(cell(x)[0].sum(), cell.weight_hh)  # the gradient of a sum is one number, expanded
    (full,) = torch.autograd.grad((cell(x)[0] * torch.ones(5, 3, 4)).sum(), cell.weight_hh)
    assert torch.equal(spread, full)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_gates_are_exact_to_a_few_units_in_the_last_place(name: str, dtype: Any) -> None:
    import numba

    from lstmgru.nn.kernels import gates, vectors

    function, load, store, zeros = getattr(gates, name), vectors.load, vectors.store, vectors.zeros
    lanes = vectors.lanes_of(numba.from_dtype(np.dtype(dtype)))

    @numba.njit(error_model="numpy", fastmath={"contract"})
    def each(x: Any, y: Any) -> None:
        for i in range(0, len(x), lanes):
            store(y, i, 0, (function(load(x, i, 0, zeros(x, 1, 1))[0]),))

    def values(x: Any) -> Any:
        filled = np.pad(x, (0, -len(x) % lanes))
        found = np.empty_like(filled)
        each(filled, found)
        return found[: len(x)]

    tiny = np.logspace(-30, 0, 301)
    x = np.concatenate([np.linspace(-80, 80, 100_001), tiny, -tiny, [0.0]]).astype(dtype)
    wide = x.astype(np.longdouble)
    exact = np.tanh(wide) if name == "tanh" else 1 / (1 + np.exp(-wide))
    relative = np.abs(values(x) - exact) / np.where(exact == 0, 1, np.abs(exact))
    assert relative.max() < 4 * np.finfo(dtype).eps

    ends = np.array([-np.inf, -1e30, 1e30, np.inf, np.nan], dtype)
    low = -1.0 if name == "tanh" else 0.0
    assert np.allclose(values(ends), [low, low, 1, 1, np.nan], rtol=0, atol=1e-37, equal_nan=True)


@pytest.mark.parametrize("name", CELLS)
@forced
def test_a_number_that_is_none_reaches_what_depends_on_it_and_nothing_else(name: str) -> None:
    cell, x = make(name, 3, 4, torch.float32), draw(1, 5, 6, 3, dtype=torch.float32)
    x[2, 3, 1] = float("nan")
    bad = torch.isnan(cell(x)[0])
    assert bad[2, 3:].all()
    assert not bad[2, :3].any()
    assert not bad[[0, 1, 3, 4]].any()


@pytest.mark.parametrize("name", CELLS)
@forced
def test_an_infinite_input_spreads_no_farther_than_in_torch(name: str) -> None:
    """Of 5 units: those that only fill up a vector compute 0 times infinity."""
    cell, x = make(name, 3, 5, torch.float32), draw(1, 2, 20, 3, dtype=torch.float32)
    x[1, 10, 0] = float("inf")
    found = results(cell, x.clone().requires_grad_(), None, "both")
    with kernels.enabled(False):
        expected = results(cell, x.requires_grad_(), None, "both")
    assert any(not each.isfinite().all() for each in expected)
    for own, theirs in zip(found, expected, strict=True):
        assert torch.equal(own.isfinite(), theirs.isfinite())
        assert torch.allclose(own[own.isfinite()], theirs[own.isfinite()], rtol=1e-4, atol=1e-6)


@each_row(
    ("name", "shape", "used"),
    [
        ("gru", (1, 2, 1, 32), True),
        ("fused", (64, 1, 16, 16), True),
        ("fused", (64, 1, 32, 32), False),  # too few steps to arrange such weights for
        ("gru", (64, 8, 1, 256), False),
        ("gru", (64, 9, 1, 256), True),
        ("fused", (1, 40, 3, 1000), True),
        ("lstm", (64, 24, 1, 64), True),
        ("lstm", (1, 24, 1, 32), True),
        ("lstm", (1, 24, 1, 64), False),  # a row of four is filled, and torch's own kernel is good at it
        ("lstm", (64, 24, 1, 100), True),
        ("lstm", (5, 24, 1, 100), False),
        ("lstm", (64, 24, 1, 512), False),
    ],
)
def test_a_kernel_runs_where_it_was_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, name: str, shape: tuple[int, ...], used: bool
) -> None:
    monkeypatch.setattr(switch, "_vector_bytes", lambda: 64)
    assert is_chosen(name, *shape) is used
    with kernels.enabled(True):
        assert is_chosen(name, *shape)


@pytest.mark.parametrize(
    ("name", "size", "used"), [("gru", 64, True), ("fused", 64, True), ("gru", 65, False), ("lstm", 16, False)]
)
def test_short_vectors_pay_for_fewer_layers(monkeypatch: pytest.MonkeyPatch, name: str, size: int, used: bool) -> None:
    monkeypatch.setattr(switch, "_vector_bytes", lambda: 16)
    assert is_chosen(name, 64, 24, 1, size) is used
    with kernels.enabled(True):
        assert is_chosen(name, 64, 24, 1, size)


def is_chosen(name: str, batch: int, steps: int, inputs: int, size: int) -> bool:
    cell, x = make(name, inputs, size, torch.float32), torch.zeros(batch, steps, inputs)
    return kernels.should_use(name, x, *cell.parameters())  # type: ignore[arg-type]


@in_double
@forced
def test_several_threads_share_the_rows_and_give_the_same(name: str) -> None:
    cell, x, state = make(name, 8, 64), draw(1, 61, 24, 8).requires_grad_(), draw_state(name, 61, 64)
    one = results(cell, x, state, "both")
    torch.set_num_threads(3)
    try:
        assert [len(rows) for rows in rows_of_threads(61, 10**9, rows=4)] == [24, 24, 13]
        several = results(cell, x, state, "both")
    finally:
        torch.set_num_threads(1)
    for own, expected in zip(several, one, strict=True):
        assert torch.dist(own, expected) <= 1e-13 * expected.norm()


def test_a_little_work_is_left_to_one_thread() -> None:
    torch.set_num_threads(3)
    try:
        assert rows_of_threads(64, 1000, rows=4) == [range(64)]
        assert rows_of_threads(5, 10**9, rows=4) == [range(5)]
    finally:
        torch.set_num_threads(1)


class Interrupted(BaseException):
    """As a KeyboardInterrupt, but for a signal that nobody else sends."""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals to a thread")
def test_what_threads_use_lives_until_they_are_done_though_nobody_waits_any_longer() -> None:
    memory, both, interrupted, go_on = kernels.Memory(), threading.Barrier(2), threading.Event(), threading.Event()
    lent = memory.lend(100, torch.float32)

    def interrupt(*_: Any) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise Interrupted

    def compute(number: int) -> None:
        both.wait(60)
        while number == 0 and not interrupted.wait(0.1):  # again: one that comes just before the waiting is in vain
            signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)  # type: ignore[arg-type]
        go_on.wait(60)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupted):
            in_threads(compute, [0, 1], [lent])
        del lent
        gc.collect()
        assert not memory._free
        go_on.set()
        while not memory._free:
            time.sleep(0.01)
    finally:
        go_on.set()
        signal.signal(signal.SIGUSR1, before)


def address(tensor: Tensor) -> int:
    return tensor.data_ptr()


def test_memory_that_nobody_needs_any_longer_is_lent_again() -> None:
    memory = kernels.Memory()
    first, second = memory.lend(100, torch.float32), memory.lend(100, torch.float32)
    assert address(first) != address(second), "both are in use"
    place, alias = address(first), first[:10]
    del first
    assert address(memory.lend(80, torch.float32)) != place, "a part of it still is"
    del alias
    again = memory.lend(90, torch.float32)
    assert address(again) == place
    assert again.shape == (90,), "as many numbers as were asked for"
    del again
    assert address(memory.lend(100, torch.float32)) == place, "but all of it comes back"
    assert address(memory.lend(80, torch.float64)) != place
    assert address(memory.lend(101, torch.float32)) != place


def test_a_copy_of_a_layer_has_a_memory_of_its_own() -> None:
    memory = kernels.Memory()
    place = address(memory.lend(100, torch.float32))
    for other in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
        assert address(other.lend(100, torch.float32)) != place
    assert address(memory.lend(100, torch.float32)) == place


@forced
def test_the_memory_of_a_network_can_be_given_back() -> None:
    network, x = nn.ModuleList([make("fused", 3, 8), make("fused", 3, 8)]), draw(1, 5, 6, 3)
    for cell in network:
        cell(x)[0].sum().backward()
    assert all(cell._memory._free for cell in network)  # type: ignore[union-attr]
    kernels.forget(network)
    assert not any(cell._memory._free for cell in network)  # type: ignore[union-attr]


@in_double
@forced
def test_what_is_kept_for_several_ways_back_is_not_mixed_up(name: str) -> None:
    """Three graphs at once, gone back through in another order, and new ones while an old one is kept."""
    cell, xs = make(name, 3, 8), [draw(seed, 6, 7, 3) for seed in range(4)]
    with kernels.enabled(False):
        expected = [torch.autograd.grad(cell(x)[0].square().sum(), cell.weight_hh)[0] for x in xs]
    losses = [cell(x)[0].square().sum() for x in xs[:3]]
    found = {k: torch.autograd.grad(losses[k], cell.weight_hh, retain_graph=k == 0)[0] for k in (1, 0, 2)}
    found[3] = torch.autograd.grad(cell(xs[3])[0].square().sum(), cell.weight_hh)[0]
    again = torch.autograd.grad(losses[0], cell.weight_hh)[0]
    for k, gradient in enumerate(expected):
        torch.testing.assert_close(found[k], gradient, rtol=1e-12, atol=0)
    assert torch.equal(again, found[0])


@in_double
@forced
def test_a_layer_may_compute_again_what_a_checkpoint_did_not_keep(name: str) -> None:
    """Of a small batch, at first in the memory of a large one, then in memory of its own."""
    cell, large, small = make(name, 3, 8), draw(1, 64, 7, 3), draw(2, 8, 7, 3)
    cell(large)[0].sum().backward()
    outputs = checkpoint(lambda x: cell(x)[0], small, use_reentrant=False)
    assert in_kernel(outputs)
    other = cell(large)[0]
    found = torch.autograd.grad(outputs.square().sum(), tuple(cell.parameters()))
    other.sum().backward()
    expected = torch.autograd.grad(cell(small)[0].square().sum(), tuple(cell.parameters()))
    assert all(torch.equal(own, each) for own, each in zip(found, expected, strict=True))


@in_double
@forced
def test_the_device_of_new_tensors_is_not_that_of_the_kernels(name: str) -> None:
    cell, x = make(name, 3, 4), draw(1, 5, 6, 3).requires_grad_()
    with torch.device("meta"):
        outputs, after = cell(x)
    assert in_kernel(outputs)
    expected = results(cell, x, None, "outputs")
    assert all(torch.equal(own, each) for own, each in zip((outputs, *after), expected, strict=False))


def switched_off(cell: Any, x: Tensor) -> Tensor:
    with kernels.enabled(False):
        outputs: Tensor = cell(x)[0]
    return outputs


UNUSUAL: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "an empty batch": lambda cell, x: cell(x[:0])[0],
    "autocast": lambda cell, x: torch.autocast("cpu", torch.bfloat16)(cell)(x)[0],
    "autocast of half precision": lambda cell, x: torch.autocast("cpu", torch.bfloat16)(cell)(x.bfloat16())[0],
    "half precision": lambda cell, x: cell.to(torch.bfloat16)(x.bfloat16())[0],
    "switched off": switched_off,
}


@each_row("call", UNUSUAL)
@each_row("name", CELLS)
@forced
def test_what_is_unusual_runs_in_the_operations_of_torch(name: str, call: str) -> None:
    cell, x = make(name, 3, 4, torch.float32), draw(1, 5, 6, 3, dtype=torch.float32)
    assert in_kernel(cell(x)[0])
    assert not in_kernel(UNUSUAL[call](cell, x))


@in_double
@forced
def test_functional_and_forward_derivatives_and_export_work(name: str) -> None:
    cell, x = make(name, 3, 4), draw(1, 5, 6, 3)
    parameters = dict(cell.named_parameters())

    def loss(values: dict[str, Tensor], x: Tensor) -> Tensor:
        outputs: Tensor = torch.func.functional_call(cell, values, (x,))[0]
        return outputs.square().sum()

    expected = torch.autograd.grad(loss(parameters, x), tuple(parameters.values()))
    functional = torch.func.grad(loss)(parameters, x)
    assert all(torch.allclose(own, each) for own, each in zip(functional.values(), expected, strict=True))

    direction = draw(2, 5, 6, 3)
    with torch.autograd.forward_ad.dual_level():
        outputs = cell(torch.autograd.forward_ad.make_dual(x, direction))[0]
        tangent = torch.autograd.forward_ad.unpack_dual(outputs.square().sum()).tangent
    (gradient,) = torch.autograd.grad(loss(parameters, each := x.clone().requires_grad_()), each)
    assert tangent is not None
    assert torch.allclose(tangent, (gradient * direction).sum())

    exported = torch.export.export(cell.eval(), (x,)).module()
    assert torch.allclose(exported(x)[0], cell(x)[0])


def batched_gradients(outputs: Tensor, read: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    several = draw(5, 4, *outputs.shape)
    return torch.autograd.grad(outputs, read, several, is_grads_batched=True)


def gradients_in_vmap(outputs: Tensor, read: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    def of_one(grad: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(outputs, read, grad, retain_graph=True)

    found: tuple[Tensor, ...] = torch.vmap(of_one)(draw(5, 4, *outputs.shape))
    return found


def forward_derivatives(outputs: Tensor, read: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    with torch.autograd.forward_ad.dual_level():
        grad = torch.autograd.forward_ad.make_dual(draw(5, *outputs.shape), draw(6, *outputs.shape))
        found = torch.autograd.grad(outputs, read, grad)
        return tuple(torch.autograd.forward_ad.unpack_dual(each).tangent for each in found)  # type: ignore[misc]


@pytest.mark.parametrize("way", [batched_gradients, gradients_in_vmap, forward_derivatives])
@in_double
@forced
def test_a_way_back_that_is_transformed_has_the_derivatives_of_torch(name: str, way: Callable[..., Any]) -> None:
    cell, x = make(name, 3, 4), draw(1, 2, 6, 3).requires_grad_()
    read, outputs = (x, *cell.parameters()), cell(x)[0]
    assert in_kernel(outputs)
    found = way(outputs, read)
    with kernels.enabled(False):
        expected = way(cell(x)[0], read)
    assert all(torch.allclose(own, each, rtol=1e-10) for own, each in zip(found, expected, strict=True))


@in_double
@forced
def test_a_jacobian_can_be_vectorized(name: str) -> None:
    cell, x = make(name, 3, 4), draw(1, 2, 3, 3)

    def jacobian(vectorize: bool) -> Any:
        return torch.autograd.functional.jacobian(lambda x: cell(x)[0], x, vectorize=vectorize)

    assert torch.allclose(jacobian(True), jacobian(False), rtol=1e-10)


def flops(cell: Any, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        cell(x)[0].sum().backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", [SLOW[1], "fused"])  # torch counts no LSTM
@forced
def test_all_operations_of_a_cell_are_counted(name: str) -> None:
    cell, x = make(name, 3, 4), draw(1, 2, 6, 3)
    found = flops(cell, x)
    with kernels.enabled(False):
        assert flops(cell, x) == found > 0


class Recorder(TorchFunctionMode):
    """Writes down what is called."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.called.append(function)
        return function(*args, **(kwargs or {}))


@in_double
@forced
def test_a_mode_and_a_tracer_see_the_operations_of_torch(name: str) -> None:
    cell, x, other = make(name, 3, 4), draw(1, 2, 6, 3), draw(2, 2, 6, 3)
    with Recorder() as recorder:
        assert not in_kernel(cell(x)[0])
    assert {"lstm": torch.lstm, "gru": torch.gru, "fused": torch.addmm}[name] in recorder.called

    traced = make_fx(lambda x: cell(x)[0])(x)
    assert torch.allclose(traced(other), cell(other)[0], rtol=1e-10)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda cell: cell(draw(1, 5, 6, 2)), id="inputs"),
        pytest.param(lambda cell: cell(draw(1, 5, 6, 3), draw_state("fused", 4, 4)[: cell.n_states]), id="batch"),
        pytest.param(lambda cell: cell(draw(1, 5, 6, 3), draw_state("fused", 5, 3)[: cell.n_states]), id="size"),
        pytest.param(lambda cell: cell(draw(1, 5, 6, 3).float()), id="type"),
    ],
)
@pytest.mark.parametrize("name", CELLS)
def test_what_does_not_fit_is_an_error_of_torch(name: str, given: Callable[[Any], Any]) -> None:
    cell = make(name, 3, 4)
    cell.n_states = N_STATES[name]
    with pytest.raises((RuntimeError, ValueError)):
        given(cell)


@pytest.mark.parametrize(("value", "used"), [("on", True), ("off", False)])
def test_an_environment_variable_switches_the_kernels(monkeypatch: pytest.MonkeyPatch, value: str, used: bool) -> None:
    monkeypatch.setenv("LSTMGRU_KERNELS", value)
    assert in_kernel(make("fused", 3, 4)(draw(1, 5, 6, 3))[0]) is used
    with kernels.enabled(not used):
        assert in_kernel(make("fused", 3, 4)(draw(1, 5, 6, 3))[0]) is not used


def test_another_value_of_the_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMGRU_KERNELS", "no")
    with pytest.raises(SpecError, match="LSTMGRU_KERNELS must be on or off but is 'no'"):
        make("gru", 3, 4)(draw(1, 5, 6, 3))


def python(code: str, folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=program_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    return out.strip()


WITHOUT_NUMBA = """
import sys, torch
sys.modules["numba"] = None
from lstmgru.nn.cells.gru import GRU
from lstmgru.nn.cells.lstm import LSTM
from lstmgru.nn.cells.fused import FusedCell
for cell in (LSTM(3, 4), GRU(3, 4), FusedCell(3, 4)):
    outputs, _ = cell(torch.randn(5, 6, 3))
    outputs.sum().backward()
    print(type(outputs.grad_fn).__name__ != "_SequenceBackward")
"""


@pytest.mark.slow
def test_without_numba_the_cells_run_in_the_operations_of_torch(tmp_path: Path) -> None:
    assert printed(python(WITHOUT_NUMBA, tmp_path)) == "True\nTrue\nTrue"


NUMBA_FAILS = """
import sys, torch, warnings
import lstmgru.nn.forecast_network
from lstmgru.nn.cells.gru import GRU
from lstmgru.nn.cells.lstm import LSTM
from lstmgru.nn.cells.fused import FusedCell
if sys.argv[1:] == ["compiles nothing"]:
    from numba.core.dispatcher import Dispatcher
    def compile(*_): raise OSError("libLLVM is broken\\nand more")
    Dispatcher.compile = compile
cells = GRU(3, 4), FusedCell(3, 4)
print("numba" in sys.modules)
with warnings.catch_warnings(record=True) as caught:
    for _ in range(2):
        for cell in cells:
            outputs, _ = cell(torch.randn(5, 6, 3))
            outputs.sum().backward()
            print(type(outputs.grad_fn).__name__ != "_SequenceBackward")
print(*(warning.message for warning in caught), sep="\\n")
"""


@pytest.mark.parametrize("fails", ["to be imported", pytest.param("compiles nothing", marks=pytest.mark.slow)])
def test_where_numba_does_not_work_a_warning_says_so_and_the_cells_run_in_torch(tmp_path: Path, fails: str) -> None:
    """A process without a sequence does not load it at all."""
    if fails == "to be imported":
        (tmp_path / "numba").mkdir()
        (tmp_path / "numba" / "__init__.py").write_text('raise OSError("libLLVM is broken\\nand more")\n')
    loaded = str(fails == "compiles nothing")
    warning = (
        "recurrent layers run in torch's operations, which is slower, because numba does not work here: "
        "OSError: libLLVM is broken"
    )
    assert printed(python(NUMBA_FAILS, tmp_path, fails)).splitlines() == [loaded, *["True"] * 4, warning]


COMPILES = """
import torch
from lstmgru.nn import kernels
from lstmgru.nn.cells.gru import GRU
from lstmgru.nn.kernels.compiling import compiled
torch.manual_seed(0)
cell, x = GRU(3, 4), torch.randn(5, 6, 3)
found = torch.autograd.grad(cell(x)[0].square().sum(), tuple(cell.parameters()))
with kernels.enabled(False):
    expected = torch.autograd.grad(cell(x)[0].square().sum(), tuple(cell.parameters()))
assert all(torch.allclose(own, each, rtol=1e-5) for own, each in zip(found, expected))
ways = compiled("gru", torch.float32)
print(sum(sum(way.stats.cache_hits.values()) for way in (ways.forward, ways.backward)))
"""


@pytest.mark.slow
def test_processes_that_compile_at_once_do_not_disturb_each_other_and_the_next_only_loads(tmp_path: Path) -> None:
    folder = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    together = [python(COMPILES, tmp_path, **folder) for _ in range(2)]
    assert {printed(process) for process in together} <= {"0", "1", "2"}
    assert printed(python(COMPILES, tmp_path, **folder)) == "2"


BITS = """
import hashlib, sys, torch
from lstmgru.nn import kernels
from lstmgru.nn.cells.lstm import LSTM
torch.manual_seed(0)
cell, x = LSTM(3, 8), torch.randn(32, 12, 3)
with kernels.enabled(True):
    gradients = torch.autograd.grad(cell(x)[0].square().sum(), tuple(cell.parameters()))
print([hashlib.sha256(each.numpy().tobytes()).hexdigest()[:8] for each in gradients])
"""


@pytest.mark.slow
def test_the_process_that_compiles_computes_the_same_bits_as_the_next_ones(tmp_path: Path) -> None:
    folder = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first = printed(python(BITS, tmp_path, **folder))
    assert printed(python(BITS, tmp_path, **folder)) == first


def test_every_function_of_a_kernel_is_inlined() -> None:
    """A process that compiles would link to the copy of another module, which need not fuse the same operations."""
    lines = [
        f"{path.name}: {line.strip()}"
        for path in sorted(Path(switch.__file__).parent.glob("*.py"))
        for line in path.read_text().splitlines()
        if re.match(r"\s*@?(register_jitable|overload)\b", line)
    ]
    assert len(lines) > 20
    assert [line for line in lines if "forceinline" not in line] == []


@pytest.mark.slow
def test_where_nothing_can_be_kept_everything_is_compiled_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    nowhere = {
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
        "NUMBA_CACHE_DIR": str(tmp_path / "file" / "cache"),
    }
    assert printed(python(COMPILES, tmp_path, **nowhere)) == "0"


COMPILES_ON_A_FULL_DISK = (
    """
import resource, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "numba cannot cache compiled code.*: File too large; set NUMBA_CACHE_DIR")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # an error of the system, as a full disk is, for larger files
"""
    + COMPILES
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no limits of a process")
def test_a_full_disk_does_not_stop_the_training(tmp_path: Path) -> None:
    folder = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert printed(python(COMPILES_ON_A_FULL_DISK, tmp_path, **folder)) == "0"
    assert printed(python(COMPILES, tmp_path, **folder)) == "0", "nothing was kept"


@pytest.mark.slow
def test_what_is_compiled_for_another_processor_has_another_name(tmp_path: Path) -> None:
    from lstmgru.nn.kernels.compiling import _digest

    code = "from lstmgru.nn.kernels.compiling import _digest; print(_digest())"
    other = printed(python(code, tmp_path, NUMBA_CPU_NAME="another"))
    assert len(other) == len(_digest())
    assert other != _digest()


INTERRUPTED = """
import signal, torch, traceback
from lstmgru.nn.cells.gru import GRU
from lstmgru.nn.kernels.sequence import _threads
def interrupt(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
cell, steps = GRU(8, 64), 10_000
cell(torch.randn(16, 10, 8))[0].sum().backward()
torch.set_num_threads(2)
while True:
    x = torch.randn(16, steps, 8)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        cell(x)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt as error:
        if any(frame.filename.endswith("sequence.py") for frame in traceback.extract_tb(error.__traceback__)):
            break  # it came while the threads computed, and not before or after
    steps = min(2 * steps, 10_000_000)  # so fast a machine is done before
del x
_threads().shutdown()
print("alive")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that interrupts")
def test_an_interrupt_does_not_take_the_memory_from_threads_that_still_compute(tmp_path: Path) -> None:
    assert printed(python(INTERRUPTED, tmp_path)) == "alive"
