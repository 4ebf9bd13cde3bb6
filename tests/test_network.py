"""The network: shapes, what it may read, and a step-by-step reference of its recurrences."""

from __future__ import annotations

import pytest
import torch

from lstmgru.nn.network import ForecastNetwork, count_parameters
from lstmgru.nn.stack import RecurrentStack
from lstmgru.specs import ModelSpec, parse_layers

ARCHITECTURES = ["lstm(5)", "gru(5)", "lstm(6) > gru(4)", "gru(4) > lstm(6) > gru(3)"]


def network(layers: str, *, normalization: str = "fold", n_future: int = 2, dropout: float = 0.0) -> ForecastNetwork:
    torch.manual_seed(0)
    spec = ModelSpec(parse_layers(layers), context_length=9, dropout=dropout, normalization=normalization)  # type: ignore[arg-type]
    return ForecastNetwork(spec, n_inputs=4, n_future=n_future, n_targets=2, horizon=3)


@pytest.mark.parametrize("layers", ARCHITECTURES)
@pytest.mark.parametrize("n_future", [0, 2])
def test_every_stack_forecasts_the_whole_horizon(layers: str, n_future: int) -> None:
    model = network(layers, n_future=n_future)
    assert model(*model.example_input(batch_size=5)).shape == (5, 3, 2)


def reference_lstm(layer: torch.nn.LSTM, x: torch.Tensor) -> torch.Tensor:
    """Hochreiter & Schmidhuber (1997) with a forget gate, one step after the other."""
    h = c = torch.zeros(x.shape[0], layer.hidden_size, dtype=x.dtype)
    outputs = []
    for step in x.unbind(1):
        gates = step @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs, 1)


def reference_gru(layer: torch.nn.GRU, x: torch.Tensor) -> torch.Tensor:
    """Cho et al. (2014), with the reset gate after the product as in cuDNN."""
    h = torch.zeros(x.shape[0], layer.hidden_size, dtype=x.dtype)
    outputs = []
    for step in x.unbind(1):
        r, z, n = (step @ layer.weight_ih_l0.T + layer.bias_ih_l0).chunk(3, dim=1)
        hr, hz, hn = (h @ layer.weight_hh_l0.T + layer.bias_hh_l0).chunk(3, dim=1)
        r, z = torch.sigmoid(r + hr), torch.sigmoid(z + hz)
        h = (1 - z) * torch.tanh(n + r * hn) + z * h
        outputs.append(h)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("layers", ARCHITECTURES)
def test_layers_are_applied_in_the_order_of_the_architecture_string(layers: str) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(parse_layers(layers), n_inputs=3, dropout=0.0).double()
    x = torch.randn(4, 7, 3, dtype=torch.float64)
    expected = x
    for layer in stack.layers:
        expected = (
            reference_lstm(layer, expected) if isinstance(layer, torch.nn.LSTM) else reference_gru(layer, expected)
        )
    torch.testing.assert_close(stack(x), expected, rtol=1e-10, atol=1e-12)


def test_last_value_normalisation_moves_forecasts_with_the_level_of_the_targets() -> None:
    model = network("gru(5)", normalization="last").eval()
    past, future = torch.randn(3, 9, 4), torch.randn(3, 3, 2)
    shift = torch.tensor([5.0, -3.0])
    moved = past.clone()
    moved[..., :2] += shift
    torch.testing.assert_close(model(moved, future), model(past, future) + shift)


def test_fold_normalisation_does_not() -> None:
    model = network("gru(5)").eval()
    past, future = torch.randn(3, 9, 4), torch.randn(3, 3, 2)
    assert not torch.allclose(model(past + 5, future), model(past, future) + 5, atol=0.1)


def test_what_is_known_of_a_future_step_changes_that_step_only() -> None:
    model = network("lstm(5)").eval()
    past, future = torch.randn(3, 9, 4), torch.randn(3, 3, 2)
    changed = future.clone()
    changed[:, 1] += 1
    difference = (model(past, changed) - model(past, future)).abs().sum(dim=(0, 2))
    assert difference[1] > 0
    assert difference[[0, 2]].tolist() == [0, 0]


def test_dropout_acts_in_training_only() -> None:
    model = network("lstm(8) > gru(8)", dropout=0.5)
    inputs = (torch.randn(3, 9, 4), torch.randn(3, 3, 2))
    assert not torch.equal(model(*inputs), model(*inputs))
    model.eval()
    assert torch.equal(model(*inputs), model(*inputs))


@pytest.mark.parametrize(("kind", "expected"), [("mae", 1.5), ("mse", 3.25), ("huber", 1.0625)])
def test_the_loss_is_the_mean_over_batch_steps_and_targets(kind: str, expected: float) -> None:
    model = network("gru(3)", n_future=0)
    past, future = model.example_input(batch_size=2)
    with torch.no_grad():
        target = model(past, future)
        target[:, :, 0] += 0.5
        target[:, :, 1] -= 2.5
    assert model.loss(past, future, target, kind).item() == pytest.approx(expected)  # type: ignore[arg-type]


def test_parameters_are_counted_as_the_formula_says() -> None:
    model = network("lstm(6) > gru(4)", n_future=2)
    lstm, gru = 4 * 6 * (4 + 6 + 2), 3 * 4 * (6 + 4 + 2)
    head, future_head = 3 * 2 * (4 + 1), 2 * 2
    assert count_parameters(model) == lstm + gru + head + future_head
