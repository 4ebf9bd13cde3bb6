"""The cells against torch's own, against their formulas step by step, and against each other in their limits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.networks import assert_same, copy_weights
from torch import Tensor, nn

from lstmgru.nn.cells import make_cell
from lstmgru.nn.cells.base import RecurrentDropout, State
from lstmgru.nn.cells.fused import FusedCell, fused_step
from lstmgru.nn.cells.gru import GRU
from lstmgru.nn.cells.lstm import LSTM

BATCH, STEPS, INPUTS, SIZE = 3, 6, 4, 5
CELLS = ("lstm", "gru", "fused")
N_STATES = {"lstm": 2, "gru": 1, "fused": 2}
# More than a sigmoid needs to be 1 in double precision.
WIDE_OPEN = 100.0


def make(name: str, recurrent_dropout: float = 0.0) -> Any:
    torch.manual_seed(0)
    return make_cell(name, INPUTS, SIZE, recurrent_dropout).double().eval()


def sequence(steps: int = STEPS) -> Tensor:
    return torch.randn(BATCH, steps, INPUTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def state_of(name: str) -> State:
    generator = torch.Generator().manual_seed(2)
    return tuple(torch.randn(BATCH, SIZE, generator=generator, dtype=torch.float64) for _ in range(N_STATES[name]))


@pytest.mark.parametrize("given", [False, True], ids=["from zero", "from a state"])
@pytest.mark.parametrize(("name", "torchs"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_lstm_and_gru_are_those_of_torch(name: str, torchs: type[nn.RNNBase], given: bool) -> None:
    cell = make(name)
    reference = torchs(INPUTS, SIZE, batch_first=True).double()
    copy_weights(cell, reference, {own: f"{own}_l0" for own, _ in cell.named_parameters()})
    state = state_of(name) if given else None
    stacked = None if state is None else tuple(each[None] for each in state)
    expected, after = reference(sequence(), stacked if name == "lstm" or stacked is None else stacked[0])
    outputs, own_after = cell(sequence(), state)
    assert_same(outputs, expected)
    for own, theirs in zip(own_after, after if name == "lstm" else (after,), strict=True):
        assert_same(own, theirs[0])


def reference_fused(cell: FusedCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, State]:
    """The formula of the cell's docstring, line by line, one step after the other."""
    w_r, w_z, w_o, w_g = (w.T for w in cell.weight_ih.chunk(4))
    u_r, u_z, u_o, u_g = (u.T for u in cell.weight_hh.chunk(4))
    b_r, b_z, b_o, b_g = cell.bias.chunk(4)
    outputs = []
    for x_t in x.unbind(1):
        r = torch.sigmoid(x_t @ w_r + h @ u_r + b_r)
        z = torch.sigmoid(x_t @ w_z + h @ u_z + b_z)
        o = torch.sigmoid(x_t @ w_o + h @ u_o + b_o)
        g = torch.tanh(x_t @ w_g + b_g + r * (h @ u_g + cell.bias_u))
        c = z * c + (1 - z) * g
        h = o * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs, 1), (h, c)


@pytest.mark.parametrize("given", [False, True], ids=["from zero", "from a state"])
def test_the_fused_cell_is_its_formula(given: bool) -> None:
    cell = make("fused")
    state = state_of("fused") if given else None
    zero = torch.zeros(BATCH, SIZE, dtype=torch.float64)
    expected, (h, c) = reference_fused(cell, sequence(), *(state or (zero, zero)))
    outputs, after = cell(sequence(), state)
    assert_same(outputs, expected)
    assert_same(after[0], h)
    assert_same(after[1], c)


def rows(cell: FusedCell, gate: int) -> slice:
    """Where a gate's rows are in the weights: r, z, o, g."""
    return slice(gate * cell.hidden_size, (gate + 1) * cell.hidden_size)


def test_the_fused_cell_is_a_gru_where_its_output_gate_is_open_and_nothing_squashes_what_it_gives_out() -> None:
    """With o = 1, no tanh on the way out and c = h, its memory cell is torch's GRU."""
    cell = make("fused")
    gru = nn.GRUCell(INPUTS, SIZE).double()
    with torch.no_grad():
        cell.bias[rows(cell, 2)], cell.weight_ih[rows(cell, 2)], cell.weight_hh[rows(cell, 2)] = WIDE_OPEN, 0.0, 0.0
        for gate, theirs in ((0, 0), (1, 1), (3, 2)):
            there = slice(theirs * SIZE, (theirs + 1) * SIZE)
            gru.weight_ih[there] = cell.weight_ih[rows(cell, gate)]
            gru.weight_hh[there] = cell.weight_hh[rows(cell, gate)]
            gru.bias_ih[there] = cell.bias[rows(cell, gate)]
            gru.bias_hh[there] = cell.bias_u if gate == 3 else 0.0
    h = expected = state_of("gru")[0]
    recurrent_bias = torch.cat([torch.zeros(3 * SIZE, dtype=torch.float64), cell.bias_u])
    for x_t in sequence().unbind(1):
        inputs = x_t @ cell.weight_ih.T + cell.bias
        squashed, h = fused_step(inputs, h @ cell.weight_hh.T + recurrent_bias, h)
        expected = gru(x_t, expected)
        assert_same(h, expected)
        assert_same(squashed, torch.tanh(expected))  # the tanh that was left out, and an output gate of 1


def test_the_fused_cell_is_an_lstm_with_coupled_gates_where_its_reset_gate_is_open() -> None:
    """With r = 1 it is torch's LSTM whose input gate is 1 - f, for σ(-a) = 1 - σ(a)."""
    cell = make("fused")
    lstm = nn.LSTM(INPUTS, SIZE, batch_first=True).double()
    with torch.no_grad():
        cell.bias[rows(cell, 0)], cell.weight_ih[rows(cell, 0)], cell.weight_hh[rows(cell, 0)] = WIDE_OPEN, 0.0, 0.0
        lstm.bias_hh_l0.zero_()
        for gate, theirs, sign in ((1, 0, -1), (1, 1, 1), (3, 2, 1), (2, 3, 1)):  # z is f and 1 - i, g, o
            there = slice(theirs * SIZE, (theirs + 1) * SIZE)
            lstm.weight_ih_l0[there] = sign * cell.weight_ih[rows(cell, gate)]
            lstm.weight_hh_l0[there] = sign * cell.weight_hh[rows(cell, gate)]
            lstm.bias_ih_l0[there] = sign * cell.bias[rows(cell, gate)]
            lstm.bias_hh_l0[there] = cell.bias_u if gate == 3 else 0.0
    h, c = state_of("fused")
    expected, _ = lstm(sequence(), (h[None], c[None]))
    assert_same(cell(sequence(), (h, c))[0], expected)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    cell = make(name)
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def outputs(x: Tensor, *values: Tensor) -> Tensor:
        given, states = values[: len(names)], values[len(names) :]
        result: tuple[Tensor, State] = torch.func.functional_call(
            cell, dict(zip(names, given, strict=True)), (x, states)
        )
        return torch.cat([result[0].flatten(), *(state.flatten() for state in result[1])])

    states = tuple(state.requires_grad_() for state in state_of(name))
    assert torch.autograd.gradcheck(outputs, (sequence(3).requires_grad_(), *parameters, *states))


@pytest.mark.parametrize("name", CELLS)
def test_a_sequence_in_two_parts_gives_what_it_gives_at_once(name: str) -> None:
    cell = make(name)
    expected, after = cell(sequence(), state_of(name))
    first, state = cell(sequence()[:, :2], state_of(name))
    second, state = cell(sequence()[:, 2:], state)
    assert_same(torch.cat([first, second], 1), expected)
    for own, theirs in zip(state, after, strict=True):
        assert_same(own, theirs)


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_dropout_hides_the_same_units_at_all_steps_and_from_the_whole_batch(name: str) -> None:
    """A cell that drops units is one whose weights from those units are 0, and the others larger for it."""
    cell = make(name, recurrent_dropout=0.4).train()
    torch.manual_seed(7)
    outputs, _ = cell(sequence())
    torch.manual_seed(7)
    mask = torch.empty(1, SIZE, dtype=torch.float64).bernoulli_(0.6)
    assert 0 < mask.sum() < SIZE, "a mask that shows nothing; take another seed"
    with torch.no_grad():
        cell.weight_hh *= mask / 0.6
    assert_same(outputs, cell.eval()(sequence())[0])


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_dropout_acts_in_training_only(name: str) -> None:
    dropping = make(name, recurrent_dropout=0.5)
    assert_same(dropping(sequence())[0], make(name)(sequence())[0])
    dropping.train()
    torch.manual_seed(0)
    first, second = dropping(sequence())[0], dropping(sequence())[0]
    torch.manual_seed(0)
    assert torch.equal(dropping(sequence())[0], first)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("name", CELLS)
def test_a_sequence_that_goes_on_keeps_the_units_that_it_dropped(name: str) -> None:
    cell = make(name, recurrent_dropout=0.5).train()
    torch.manual_seed(3)
    expected, _ = cell(sequence())
    torch.manual_seed(3)
    first, state = cell(sequence()[:, :2])
    second, _ = cell(sequence()[:, 2:], state)
    assert_same(torch.cat([first, second], 1), expected)


def test_recurrent_dropout_leaves_the_weights_as_they_are_on_average() -> None:
    torch.manual_seed(0)
    dropout, weight = RecurrentDropout(0.3), torch.ones(2, 5)
    drawn = torch.stack([dropout(weight, None) for _ in range(4000)])
    assert drawn.unique().tolist() == pytest.approx([0, 1 / 0.7])
    torch.testing.assert_close(drawn.mean(0), weight, rtol=0, atol=0.05)
    assert torch.equal(drawn[:, 0], drawn[:, 1]), "a unit is dropped for all gates"


def test_cells_start_as_torch_starts_its_own() -> None:
    for cell in (LSTM(3, 16), GRU(3, 16), FusedCell(3, 16)):
        values = torch.cat([parameter.flatten() for parameter in cell.parameters()])
        assert values.abs().max() <= 1 / 4
        assert values.std().item() == pytest.approx(1 / 4 / 3**0.5, rel=0.1)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_where_autocast_knows_only_float16_torchs_layers_stay_in_single_precision(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, in cuDNN; here the CPU is taken for one."""
    cell, x = make(name).float(), sequence().float()
    expected, after = cell(x)
    monkeypatch.setattr("lstmgru.nn.cells.base._ONLY_FLOAT16", ("cpu",))
    with torch.autocast("cpu", torch.bfloat16):
        first = torch.nn.functional.linear(x, torch.eye(INPUTS))  # bfloat16, as what a layer reads may be
        outputs, state = cell(first)
        assert first.dtype == torch.bfloat16
    assert {each.dtype for each in (outputs, *state)} == {torch.float32}
    torch.testing.assert_close(outputs, expected, rtol=0.02, atol=0.02)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(cell(x), (expected, after))
