"""Small networks with random weights in double precision, for tests of what they compute."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lstmgru.nn.forecast_network import MEDIAN, ForecastNetwork, Inputs
from lstmgru.specs import InputSpec, ModelSpec, parse_branches

FUTURE = InputSpec(n_targets=2, n_inputs=5, n_future=2)
"""Two targets, a past covariate, two future covariates."""
EVERYTHING = InputSpec(
    n_targets=2,
    n_inputs=6,
    n_future=2,
    categories=((2, 4), (5, 3)),
    n_static=2,
    static_categories=((1, 3),),
    n_series=4,
    padded=True,
)
"""The same with a name among the past, the future and the static covariates, four series, and padding."""


class RunningMean(nn.Module):
    """A cell that knows nothing of lengths, as a user may register one: h' is the mean of all it has read so far."""

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float) -> None:
        super().__init__()
        self.map = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        total, count = state or (x.new_zeros(len(x), self.map.out_features), x.new_zeros(len(x), 1))
        totals = total.unsqueeze(1) + self.map(x).cumsum(1)
        counts = count.unsqueeze(1) + torch.ones_like(x[..., :1]).cumsum(1)
        return totals / counts, (totals[:, -1], counts[:, -1])


def make_network(
    branches: str = "gru(5)",
    *,
    inputs: InputSpec = FUTURE,
    context_length: int = 9,
    horizon: int = 4,
    quantiles: tuple[float, ...] = MEDIAN,
    distribution: str | None = None,
    **spec: Any,
) -> ForecastNetwork:
    """A network in evaluation mode; vectors of names and series, which begin at 0, are random."""
    torch.manual_seed(0)
    model = ModelSpec(parse_branches(branches), context_length, **spec)
    network = ForecastNetwork(model, inputs, horizon=horizon, quantiles=quantiles, distribution=distribution)
    network = network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight[int(module.padding_idx is not None) :])
    return network


def random_inputs(network: ForecastNetwork, batch_size: int = 3, *, seed: int = 1) -> Inputs:
    """What the network reads: numbers, codes of names (0 too), series, and contexts of every length."""
    generator = torch.Generator().manual_seed(seed)
    spec = network.inputs

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    past = draw(batch_size, network.spec.context_length, spec.n_inputs)
    future, static = draw(batch_size, network.horizon, spec.n_future), draw(batch_size, spec.n_static)
    first_future = spec.n_inputs - spec.n_future
    for channel, names in spec.categories:
        past[..., channel] = torch.randint(names + 1, past.shape[:2], generator=generator).double()
        if channel >= first_future:
            codes = torch.randint(names + 1, future.shape[:2], generator=generator)
            future[..., channel - first_future] = codes.double()
    for channel, names in spec.static_categories:
        static[..., channel] = torch.randint(names + 1, (batch_size,), generator=generator).double()
    lengths = torch.arange(batch_size) % network.spec.context_length + 1
    return Inputs(
        past,
        future,
        static if spec.n_static else None,
        torch.arange(batch_size) % (spec.n_series + 1) if network.spec.series_embedding else None,
        lengths if spec.padded else None,
    )


def copy_weights(source: nn.Module, target: nn.Module, names: dict[str, str]) -> None:
    """Copy parameters: the name in the source, and that in the target."""
    parameters, own = dict(source.named_parameters()), dict(target.named_parameters())
    with torch.no_grad():
        for name, other in names.items():
            own[other].copy_(parameters[name])


def assert_same(actual: Tensor, expected: Tensor) -> None:
    """Equal but for rounding in double precision."""
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)
