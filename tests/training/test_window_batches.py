"""Batches: what a window holds, in which order windows come, and that no series drowns another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from helpers.combinations import each_row
from helpers.lazy import LazyModule
from helpers.panels import make_panel

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries, input_spec
from lstmgru.specs import ModelSpec, parse_branches

if TYPE_CHECKING:
    from lstmgru.training.window_batches import WindowTensor

batching = LazyModule("lstmgru.training.window_batches")


def windows_of(
    panel: SeriesPanel,
    *,
    short_series: ShortSeries = "error",
    normalization: Any = "fold",
    transform: Any = "none",
    tell_series: bool = False,
    train: np.ndarray | None = None,
) -> tuple[WindowTensor, Scaler]:
    """Windows with T = 4 and H = 3."""
    model = ModelSpec(parse_branches("gru(2)"), 4, normalization=normalization, transform=transform)
    every = np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1)
    scaler = Scaler.fit(panel, every if train is None else train, model)
    inputs = input_spec(panel.schema, n_series=len(panel), short_series=short_series)
    return batching.WindowTensor(panel, scaler, inputs, context_length=4, horizon=3, tell_series=tell_series), scaler


def test_a_batch_is_gathered_as_the_window_convention_says() -> None:
    panel = make_panel((60,), targets=2, past=1, future=2)
    windows, scaler = windows_of(panel)
    inputs, target = windows.gather(torch.tensor([10, 20]))
    scaled = scaler.transform(panel.values)
    np.testing.assert_array_equal(inputs.past[1], scaled[16:20])
    np.testing.assert_array_equal(target[1], scaled[20:23, :2])
    np.testing.assert_array_equal(inputs.future[1], scaled[20:23, 3:])
    assert (inputs.static, inputs.series, inputs.lengths) == (None, None, None)


def test_a_batch_holds_what_is_known_of_each_series() -> None:
    panel = make_panel((20, 20, 20), static=2)
    windows, scaler = windows_of(panel, normalization="series", tell_series=True)
    inputs, target = windows.gather(torch.tensor([57, 4, 37]))
    assert inputs.series is not None
    assert inputs.series.tolist() == [3, 1, 2], "codes from 1"
    np.testing.assert_allclose(inputs.static, scaler.transform_static(panel.static)[[2, 0, 1]])
    own = (panel.values[57:60, 0] - scaler.mean[2, 0]) / scaler.scale[2, 0]
    np.testing.assert_allclose(target[0, :, 0], own, rtol=1e-6)


def test_a_short_context_repeats_the_first_row_of_its_series_and_says_how_long_it_is() -> None:
    panel = make_panel((20, 20))
    windows, scaler = windows_of(panel, short_series="pad")
    inputs, _ = windows.gather(torch.tensor([21, 22, 24, 30]))
    assert inputs.lengths is not None
    assert inputs.lengths.tolist() == [1, 2, 4, 4]
    scaled = scaler.transform(panel.values)
    for window, rows in enumerate([[20, 20, 20, 20], [20, 20, 20, 21], [20, 21, 22, 23], [26, 27, 28, 29]]):
        np.testing.assert_array_equal(inputs.past[window], scaled[rows])


def test_the_rows_are_those_of_the_panel_and_not_a_copy() -> None:
    panel = make_panel((60,), past=2)
    windows, _ = windows_of(panel)
    assert windows.values.data_ptr() == panel.values.ctypes.data


@each_row("kind", ["fold", "series", "mean"])
@each_row("transform", ["none", "log", "log_difference"])
def test_a_batch_is_scaled_as_the_whole_panel_would_be(kind: str, transform: str) -> None:
    panel = make_panel((60, 40), targets=2, past=1)
    windows, scaler = windows_of(panel, normalization=kind, transform=transform)
    scaled = scaler.transform(panel.values, np.repeat([0, 1], [60, 40]))
    cutoffs = np.array([4, 30, 57, 64, 97])
    inputs, target = windows.gather(torch.from_numpy(cutoffs))
    past, ahead = (cutoffs[:, None] + np.arange(*span) for span in ((-4, 0), (0, 3)))
    np.testing.assert_allclose(inputs.past, scaled[past], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(target, scaled[ahead][..., :2], rtol=1e-5, atol=1e-6)
    assert inputs.past.is_contiguous()
    assert np.array_equal(panel.values, make_panel((60, 40), targets=2, past=1).values), "the data stay as they are"


def test_with_and_without_views_the_windows_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = make_panel((60, 40), targets=2, past=1)
    cutoffs = torch.tensor([97, 4, 57, 64])
    with_views = windows_of(panel)[0].gather(cutoffs)
    monkeypatch.setattr("lstmgru.training.window_batches._WITH_VIEWS", ())
    without = windows_of(panel)[0].gather(cutoffs)
    assert torch.equal(with_views.inputs.past, without.inputs.past)
    assert torch.equal(with_views.target, without.target)


def test_what_has_no_logarithm_after_the_training_part_counts_as_the_smallest_value_of_it() -> None:
    panel, other = make_panel((60,)), make_panel((60,))
    panel.values[52] = -1
    other.values[52] = other.values[:50].min()
    train, cutoffs = np.array([[0, 50]]), torch.tensor([53, 55])

    windows, expected = (windows_of(each, transform="log", train=train)[0].gather(cutoffs) for each in (panel, other))

    assert torch.equal(windows.inputs.past, expected.inputs.past)
    assert panel.values[52, 0] == -1, "the panel is not changed"


def passes(
    lengths: tuple[int, ...], epoch_windows: int | None, *, least: int = 1, epochs: int = 1, seed: int = 0
) -> list[list[int]]:
    """The cutoffs of each epoch, in order; the windows of each series begin 1000 rows after those of the one before."""
    cutoffs = np.concatenate([1000 * series + np.arange(count) for series, count in enumerate(lengths)])
    data = batching.WindowsDataModule(
        cutoffs,
        None,
        1000 * np.arange(len(lengths) + 1),
        batch_size=2,
        evaluation_batch_size=8,
        epoch_windows=epoch_windows,
        min_epoch_windows=least,
        seed=seed,
    )
    loader = data.train_dataloader()
    result = [torch.cat(list(loader)).tolist() for _ in range(epochs)]
    assert all(len(loader) == len(list(loader)) for _ in range(2))
    assert all(data.n_steps == -(-len(epoch) // 2) for epoch in result)
    return result


@pytest.mark.parametrize(
    ("lengths", "epoch_windows"), [((9, 400), None), ((40, 40), 1000), ((40,), 1000), ((30, 30), 60)]
)
def test_every_window_comes_once_in_another_order_each_time(
    lengths: tuple[int, ...], epoch_windows: int | None
) -> None:
    first, second = passes(lengths, epoch_windows, epochs=2)
    assert sorted(first) == sorted(second) == sorted(set(first))
    assert len(first) == sum(lengths)
    assert first != second
    assert first != sorted(first)


@pytest.mark.parametrize(
    ("lengths", "epoch_windows", "each"),
    [
        ((400, 9), 100, {50}),  # the long series has no more windows than the short one
        ((400, 9), 1000, {204, 205}),  # nor has it where all of them would fit
        ((400, 9, 30), 100, {33, 34}),
        ((50, 50), 40, {20}),
        ((50, 0, 50), 40, {20}),  # a series without windows is none
    ],
)
def test_every_series_is_drawn_equally_often(lengths: tuple[int, ...], epoch_windows: int, each: set[int]) -> None:
    for epoch in passes(lengths, epoch_windows, epochs=3):
        counts = Counter(cutoff // 1000 for cutoff in epoch)
        assert len(epoch) == min(epoch_windows, sum(lengths))
        assert len(counts) == sum(length > 0 for length in lengths)
        assert set(counts.values()) <= each
        assert all(cutoff % 1000 < lengths[cutoff // 1000] for cutoff in epoch)


@pytest.mark.parametrize(
    ("lengths", "epoch_windows", "least", "times"),
    [
        ((40,), None, 120, 3),
        ((40,), 1000, 99, 2),  # about as many
        ((40,), 1000, 59, 1),
        ((40, 40), None, 240, 3),
        ((400,), 1000, 100, 1),
    ],
)
def test_few_windows_come_several_times_in_an_epoch(
    lengths: tuple[int, ...], epoch_windows: int | None, least: int, times: int
) -> None:
    for epoch in passes(lengths, epoch_windows, least=least, epochs=2):
        assert set(Counter(epoch).values()) == {times}
        assert len(set(epoch)) == sum(lengths)
        assert len(set(epoch[: sum(lengths)])) == sum(lengths), "one pass after the other"


def test_few_windows_of_unequal_series_come_several_times_too_the_same_number_from_each() -> None:
    (epoch,) = passes((30, 9), 1000, least=200)
    assert sorted(Counter(cutoff // 1000 for cutoff in epoch).values()) == [97, 98]  # 5 * 39
    (limited,) = passes((30, 9), 100, least=200)
    assert len(limited) == 100


def test_all_windows_of_a_series_are_drawn_sooner_or_later() -> None:
    drawn = {cutoff for epoch in passes((400, 9), 60, epochs=80) for cutoff in epoch}
    assert len(drawn) > 0.99 * 409


def test_more_series_than_windows_take_turns() -> None:
    epochs = passes((5,) * 30, 10, epochs=40)
    assert all(len({cutoff // 1000 for cutoff in epoch}) == 10 for epoch in epochs)
    assert len({cutoff // 1000 for epoch in epochs for cutoff in epoch}) == 30


def test_the_order_depends_on_the_seed_alone() -> None:
    options: dict[str, Any] = {"epoch_windows": 50, "epochs": 2}
    assert passes((400, 9), **options) == passes((400, 9), **options)
    assert passes((400, 9), **options) != passes((400, 9), **options, seed=1)


def test_evaluation_goes_through_all_windows_in_order_many_at_once() -> None:
    data = batching.WindowsDataModule(
        np.arange(5),
        np.arange(20),
        np.array([0, 30]),
        batch_size=2,
        evaluation_batch_size=8,
        epoch_windows=None,
        seed=0,
    )
    batches = [batch.tolist() for batch in data.val_dataloader()]
    assert [len(batch) for batch in batches] == [8, 8, 4]
    assert [cutoff for batch in batches for cutoff in batch] == list(range(20))


def test_a_chunk_is_many_batches() -> None:
    data = batching.WindowsDataModule(
        np.arange(1000), None, np.array([0, 1000]), batch_size=4, evaluation_batch_size=8, epoch_windows=None, seed=0
    )
    chunks = [len(chunk) for chunk in data.train_dataloader()]
    assert set(chunks[:-1]) == {4 * batching.CHUNK_BATCHES}
    assert sum(chunks) == 1000
    assert data.val_dataloader() == []


@pytest.mark.parametrize(("context_length", "n_inputs", "size"), [(10, 2, 1024), (6000, 100, 1), (1000, 6, 100)])
def test_evaluation_batches_are_as_large_as_memory_allows(context_length: int, n_inputs: int, size: int) -> None:
    assert batching.evaluation_batch_size(context_length, n_inputs) == size


def test_a_batch_lacks_the_targets_that_are_not_known_and_has_their_filled_values_in_the_context() -> None:
    panel = make_panel((60,), targets=2)
    known = np.random.default_rng(0).random((60, 2)) < 0.5
    complete, _ = windows_of(panel)
    partial, _ = windows_of(replace(panel, known=known, observed=known.all(axis=1)))
    cutoffs = torch.tensor([10, 20])

    (before, target), (expected_inputs, expected) = partial.gather(cutoffs), complete.gather(cutoffs)

    rows = cutoffs.numpy()[:, None] + np.arange(3)
    np.testing.assert_array_equal(target, np.where(known[rows], expected, np.nan))
    np.testing.assert_array_equal(before.past, expected_inputs.past)
