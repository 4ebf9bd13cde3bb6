"""What a network reads besides its targets: names of categories, series, segments."""

from __future__ import annotations

import pytest
import torch
from helpers.combinations import each_row
from helpers.networks import EVERYTHING, assert_same, make_network, random_inputs
from helpers.panels import make_panel

from lstmgru.data.forecasting.series import input_spec
from lstmgru.nn.inputs import CategoryEmbedding, InputNoise, Segments, StaticFeatures
from lstmgru.specs import InputSpec


def test_names_become_vectors_and_numbers_pass() -> None:
    embedding = CategoryEmbedding(3, ((1, 5),))
    torch.nn.init.normal_(embedding.tables[0].weight)  # type: ignore[arg-type]
    values = torch.tensor([[1.5, 2.0, -3.0], [0.5, 5.0, 4.0]])
    outputs = embedding(values)
    assert outputs.shape == (2, embedding.n_outputs) == (2, 2 + 4)
    assert torch.equal(outputs[:, :2], values[:, [0, 2]])
    assert torch.equal(outputs[:, 2:], embedding.tables[0].weight[[2, 5]])  # type: ignore[index]


def test_an_unknown_name_is_a_vector_of_zeros_that_is_never_learnt() -> None:
    embedding = CategoryEmbedding(1, ((0, 3),))
    assert all((table.weight == 0).all() for table in embedding.tables), "so are the names that training has not met"
    codes = torch.tensor([[0.0], [2.0]])
    (embedding(codes) - 1).square().sum().backward()
    gradient = embedding.tables[0].weight.grad
    assert isinstance(gradient, torch.Tensor)
    assert gradient.abs().sum(1).nonzero().flatten().tolist() == [2]
    assert (embedding(codes)[0] == 0).all()


@pytest.mark.parametrize(("names", "size"), [(1, 2), (2, 2), (3, 3), (7, 5), (1000, 16)])
def test_a_vector_has_half_as_many_features_as_there_are_names_and_16_at_most(names: int, size: int) -> None:
    assert CategoryEmbedding(1, ((0, names),)).n_outputs == size


def test_a_series_has_a_vector_of_its_own_beside_its_static_covariates() -> None:
    features = StaticFeatures(InputSpec(1, 1, n_static=2, static_categories=((0, 3),), n_series=2), series_embedding=4)
    assert features.series is not None
    torch.nn.init.normal_(features.series.weight)
    static = torch.tensor([[1.0, 0.5], [2.0, -0.5]])
    outputs = features(static, torch.tensor([2, 1]))
    assert outputs.shape == (2, features.n_outputs) == (2, 1 + 3 + 4)
    assert torch.equal(outputs[:, 4:], features.series.weight[[2, 1]])


@each_row("changed", ["channel", "future", "static", "series"])
@each_row("decoder", ["linear", "mlp", "recurrent", "parallel"])
def test_every_kind_of_name_reaches_the_forecast(changed: str, decoder: str) -> None:
    network = make_network(inputs=EVERYTHING, decoder=decoder, series_embedding=3)
    inputs = random_inputs(network)
    assert inputs.static is not None
    before = network(*inputs)
    if changed == "channel":
        inputs.past[:, -1, 2] = (inputs.past[:, -1, 2] + 1) % 5
    elif changed == "future":
        inputs.future[:, 0, 1] = (inputs.future[:, 0, 1] + 1) % 4
    elif changed == "static":
        inputs.static[:, 1] = (inputs.static[:, 1] + 1) % 4
    else:
        assert inputs.series is not None
        inputs = inputs._replace(series=(inputs.series + 1) % 5)
    assert (network(*inputs) - before).abs().max() > 1e-6


def test_segments_put_neighboring_steps_together() -> None:
    x = torch.arange(12.0).reshape(1, 6, 2)
    assert Segments(3)(x).tolist() == [[[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]]
    assert torch.equal(Segments(1)(x), x)


def test_a_first_segment_that_is_not_full_repeats_the_first_step() -> None:
    x = torch.arange(5.0).reshape(1, 5, 1)
    assert Segments(3)(x).tolist() == [[[0, 0, 1], [2, 3, 4]]]


def test_a_last_segment_of_the_horizon_that_is_not_full_is_filled_with_zeros() -> None:
    x = torch.arange(1.0, 6.0).reshape(1, 5, 1)
    assert Segments(3).from_start(x).tolist() == [[[1, 2, 3], [4, 5, 0]]]
    assert Segments(3).from_start(x[..., :0]).shape == (1, 2, 0)


@pytest.mark.parametrize(("lengths", "expected"), [(5, [True, True]), (4, [True, True]), (3, [False, True])])
def test_a_segment_is_real_where_any_of_its_steps_is(lengths: int, expected: list[bool]) -> None:
    real = (torch.arange(5, 0, -1) <= lengths)[None]
    segments = Segments(3)
    assert segments.real(real)[0].tolist() == expected  # type: ignore[index]
    assert segments.real(None) is None


@pytest.mark.parametrize(("steps", "count"), [(1, 1), (3, 1), (4, 2), (6, 2)])
def test_segments_are_counted(steps: int, count: int) -> None:
    assert Segments(3).count(steps) == count


def test_the_inputs_of_a_network_follow_from_the_columns() -> None:
    panel = make_panel(
        (30, 40),
        targets=2,
        past=2,
        future=1,
        static=2,
        categories={"past_1": ("a", "b"), "future_0": ("x", "y", "z"), "static_0": ("p", "q")},
    )
    assert input_spec(panel.schema, n_series=2, short_series="pad") == InputSpec(
        n_targets=2,
        n_inputs=5,
        n_future=1,
        categories=((3, 2), (4, 3)),
        n_static=2,
        static_categories=((0, 2),),
        n_series=2,
        padded=True,
    )
    assert not input_spec(panel.schema, n_series=2, short_series="error").padded


def test_the_network_is_told_which_steps_are_real() -> None:
    """A real value of 0 and one that is not there are two things."""
    network = make_network(inputs=EVERYTHING)
    inputs = random_inputs(network)._replace(lengths=torch.tensor([5, 5, 5]))
    inputs.past[:, :5] = 0
    before = network(*inputs)
    assert not torch.allclose(network(*inputs._replace(lengths=torch.tensor([9, 9, 9]))), before)
    assert_same(network(*inputs._replace(lengths=torch.tensor([5, 5, 5]))), before)


def test_noise_is_added_to_real_numbers_in_training_alone() -> None:
    noise = InputNoise(0.3)
    x, real = torch.zeros(50, 40, 3), torch.arange(40).expand(50, -1) >= 10
    noisy = noise(x, real, 2)
    assert (noisy[..., 2] == 0).all(), "a category"
    assert (noisy[:, :10] == 0).all(), "padding"
    values = noisy[:, 10:, :2]
    assert values.std().item() == pytest.approx(0.3, rel=0.05)
    assert values.mean().item() == pytest.approx(0, abs=0.02)
    assert torch.equal(noise.eval()(x, real), x)


def test_no_noise_draws_no_random_numbers() -> None:
    x = torch.zeros(2, 3, 1)
    torch.manual_seed(0)
    InputNoise(0.0)(x, None)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), after)


@pytest.mark.parametrize("options", [{"linear_path": True}, {"channels": "independent", "decoder": "recurrent"}])
def test_noise_in_the_context_of_a_forecaster_acts_in_training_alone(options: dict[str, object]) -> None:
    network = make_network(inputs=EVERYTHING, input_noise=0.1, **options)
    inputs = random_inputs(network)
    assert torch.equal(network(*inputs), make_network(inputs=EVERYTHING, **options)(*inputs))
    network.train()
    assert not torch.equal(network(*inputs), network(*inputs))
