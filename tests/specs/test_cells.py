"""The cells: their entries, and cells of one's own, which are registered and searched beside the library's."""

from __future__ import annotations

import subprocess
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.networks import assert_same, make_network, random_inputs
from helpers.studies import TINY, program_environment, shown, write_study
from torch import Tensor, nn

from lstmgru.errors import SpecError
from lstmgru.nn.cells import make_cell
from lstmgru.specs import DECODERS, POOLINGS, LayerSpec, ModelSpec, cells
from lstmgru.specs.cells import CELLS, cell_names, find_cell, register_cell, registered_cells
from lstmgru.specs.layers import parse_branches
from search import run_study
from search.config.space_values import Choices
from search.errors import SearchError, StudyFileError
from search.tasks.study_file import read_study_file


class Elman(nn.Module):
    """h' = tanh(W x + U h + b) (Elman 1990), written as a user would: on torch's layer."""

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float) -> None:
        super().__init__()
        self.layer = nn.RNN(input_size, hidden_size, batch_first=True)
        self.recurrent_dropout = recurrent_dropout

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As :func:`lstmgru.register_cell` says."""
        outputs, h = self.layer(x, None if state is None else state[0][None])
        return outputs, (h[0],)


@pytest.fixture(autouse=True)
def _nothing_stays_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_registered", {})


def test_a_registered_cell_stands_beside_the_librarys() -> None:
    register_cell("elman", Elman)
    assert cell_names() == (*CELLS, "elman")
    assert registered_cells() == {"elman": Elman}
    assert str(LayerSpec("elman", 4)) == "elman(4)"
    cell: Any = make_cell("elman", 3, 4, 0.25)
    assert (type(cell), cell.layer.hidden_size, cell.recurrent_dropout) == (Elman, 4, 0.25)


def test_registering_a_class_again_changes_nothing() -> None:
    register_cell("elman", Elman)
    register_cell("elman", Elman)
    assert cell_names() == (*CELLS, "elman")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gru", "the cell 'gru' already exists; register yours under another name"),
        ("taken", "the cell 'taken' already exists"),
        ("Elman", "the name of a cell must be lowercase letters, digits and '_', a letter first, but got 'Elman'"),
        ("2nd", "a letter first, but got '2nd'"),
        ("my-cell", "but got 'my-cell'"),
        ("", "but got ''"),
    ],
)
def test_a_name_must_be_free_and_readable(name: str, message: str) -> None:
    register_cell("taken", nn.Identity)
    with pytest.raises(SpecError, match=message):
        register_cell(name, Elman)
    assert registered_cells() == {"taken": nn.Identity}


def test_a_layer_cannot_have_a_cell_that_is_not_registered() -> None:
    with pytest.raises(SpecError, match=r"cell must be one of lstm, gru, .*but got 'elman'"):
        LayerSpec("elman", 4)
    register_cell("elman", Elman)
    with pytest.raises(SpecError, match=r"of lstm, gru, .*, elman but got 'ellman'; did you mean 'elman'"):
        LayerSpec("ellman", 4)


@pytest.mark.parametrize(("decoder", "pooling"), list(zip(cycle(DECODERS), POOLINGS, strict=False)))
def test_a_registered_cell_goes_with_every_other_part(decoder: str, pooling: str) -> None:
    register_cell("elman", Elman)
    options: dict[str, Any] = {"merge": "gate", "residual": True, "segment_length": 2, "horizon": 5}
    network = make_network("bi-elman(4) > lstm(3) | elman(5)", decoder=decoder, pooling=pooling, **options)
    inputs = random_inputs(network)
    assert network(*inputs).shape == (3, 5, 2, 1)
    network.loss(inputs, torch.zeros(3, 5, 2, dtype=torch.float64), "mse").backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_an_elman_network_is_torchs() -> None:
    register_cell("elman", Elman)
    network = make_network("elman(5)")
    inputs = random_inputs(network)
    layer = network.get_submodule("encoder.branches.0.layers.0.forwards.layer")
    assert_same(network.encoder(inputs.past).last, layer(inputs.past)[1][0])


def test_a_study_may_search_a_registered_cell_and_no_other(tmp_path: Path) -> None:
    path = write_study(tmp_path, TINY.replace("preset: small", "preset: small\n  cell: [lstm, elman]"))
    with pytest.raises(StudyFileError, match=r"space\.cell\[1\] must be one of lstm, gru, .*but got 'elman'"):
        read_study_file(path)
    register_cell("elman", Elman)
    assert read_study_file(path).config.space.cell == Choices(("lstm", "elman"))
    path.write_text(path.read_text().replace("elman", "ellman"))
    with pytest.raises(StudyFileError, match=r"of lstm, gru, .*, elman but got 'ellman'; did you mean 'elman'"):
        read_study_file(path)


def test_a_class_that_workers_cannot_import_is_refused(tmp_path: Path) -> None:
    class Hidden(Elman):
        """Stands in a function."""

    register_cell("hidden", Hidden)
    path = write_study(tmp_path)
    overrides = ["space.cell=hidden", "tracking.enabled=false"]
    with pytest.raises(
        SearchError,
        match=r"the cell 'hidden' cannot be sent to worker processes: its class .*Hidden must be defined",
    ):
        run_study(path, jobs=2, overrides=overrides, folder=tmp_path)


SCRIPT = """
import numpy as np
import torch
from torch import nn

from lstmgru import register_cell, register_metric
from search import run_study


class Elman(nn.Module):
    def __init__(self, input_size, hidden_size, recurrent_dropout):
        super().__init__()
        self.layer = nn.RNN(input_size, hidden_size, batch_first=True)

    def forward(self, x, state):
        outputs, h = self.layer(x, None if state is None else state[0][None])
        return outputs, (h[0],)


def log_error(target, forecast):
    return np.abs(np.log1p(np.abs(target)) - np.log1p(np.abs(forecast)))


if __name__ == "__main__":
    register_cell("elman", Elman)
    register_metric("log_error", log_error, tasks=["forecast"], losses=["mae"])
    overrides = ["space.cell=[elman, gru]", "forecast.metric=log_error", "tracking.enabled=false"]
    result = run_study("tiny.yaml", trials=4, jobs=2, overrides=overrides)
    print(sorted({trial.state for trial in result.record.trials}))
    print(torch.isfinite(torch.tensor(result.record.holdout.score)).item())
"""


@pytest.mark.slow
def test_workers_know_the_cell_and_the_metric_that_a_script_registers(tmp_path: Path) -> None:
    write_study(tmp_path)
    (tmp_path / "own.py").write_text(SCRIPT)
    result = subprocess.run(
        [sys.executable, "own.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=program_environment(),
    )
    assert result.returncode == 0, result.stderr
    states, finite = result.stdout.splitlines()[-2:]
    assert states in ("['COMPLETE']", "['COMPLETE', 'PRUNED']")
    assert finite == "True"
    cells = {trial["params"]["cell_1"] for trial in shown(tmp_path)["trials"]}
    assert "elman" in cells


def test_every_cell_has_a_class_with_as_many_gates_as_its_entry_says() -> None:
    for name, cell in CELLS.items():
        made = make_cell(name, 3, 5, 0.0)
        assert cell.n_gates * 5 * (3 + 5) == sum(p.numel() for p in made.parameters() if p.dim() == 2), name


@pytest.mark.parametrize(("gates", "counted"), [({}, 4), ({"n_gates": 1}, 1)])
def test_estimates_count_the_gates_that_a_registered_class_names(gates: dict[str, int], counted: int) -> None:
    register_cell("own", type("Own", (Elman,), gates))
    cell = find_cell("own")
    assert (cell.label, cell.n_gates) == ("own", counted)
    own, lstm = (ModelSpec(parse_branches(text), 12) for text in ("own(8)", "lstm(8)"))
    assert own.multiplications == counted / 4 * lstm.multiplications
