"""One training step: ours under Lightning, a plain loop, and the usual way.

All three train the same network (one GRU layer, direct decoder, horizon 24, mean absolute error) with AdamW and the
norm of the gradients clipped at 1:

- *ours*: ``lstmgru.training.training.train_network``, what a trial runs, with all of its callbacks;
- *plain*: a loop of a few lines over the same batches in the same order, gathered from the same tensor by the same
  function; ``torch.optim.AdamW`` with the same options, ``torch.nn.utils.clip_grad_norm_``. That both end with the same
  weights, to the last bit, is checked;
- *usual*: a ``LightningModule`` with ``training_step`` and ``configure_optimizers`` for ``Trainer`` with
  ``gradient_clip_val``, without logger, progress bar and checkpoints, over a ``DataLoader`` of a ``Dataset`` of windows
  in the same process.

With ``--average`` a moving average of the weights follows them, as it does in a study; the plain loop has torch's
``AveragedModel`` for it, the usual way Lightning's ``WeightAveraging``.

They train in turn, an epoch each. Time is that of the one thread on the processor, from the first step of an epoch to
its end, and what counts is the median ratio of neighboring turns.

    python benchmarks/step.py --turns 15
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from lstmgru.nn.forecast_network import ForecastNetwork, Inputs
from lstmgru.specs import InputSpec, ModelSpec, TrainSpec, parse_branches
from lstmgru.training.chunks import Chunks, ChunksDataModule
from lstmgru.training.training import EpochResult, train_network

# Windows in a step, steps of a window, channels, hidden size, steps of an epoch.
SHAPES = ((32, 24, 1, 32, 256), (64, 96, 7, 64, 64), (64, 96, 7, 128, 32))
HORIZON = 24
DECAY = 0.99


class Window(NamedTuple):
    """A batch: what the network reads, and its target (batch, H, Y)."""

    inputs: Inputs
    target: Tensor


class Rows:
    """All rows (rows, F); windows are gathered from it by their cutoffs."""

    def __init__(self, values: Tensor, context_length: int) -> None:
        self.windows = values.unfold(0, context_length + HORIZON, 1).transpose(1, 2)
        self.context_length = context_length

    def to(self, device: torch.device) -> None:
        """It stays where it is."""

    def gather(self, cutoffs: Tensor) -> Window:
        """The windows at (batch,) cutoffs."""
        rows = torch.index_select(self.windows, 0, cutoffs - self.context_length)
        past, ahead = rows[:, : self.context_length].contiguous(), rows[:, self.context_length :]
        return Window(Inputs(past, ahead[..., :0]), ahead[..., :1])


class Epoch(Chunks):
    """The batches of an epoch in order, and how long it took."""

    def __init__(self, cutoffs: np.ndarray[Any, np.dtype[np.int64]], batch_size: int) -> None:
        super().__init__(cutoffs, 32 * batch_size)
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Tensor]:
        self.seconds = -time.thread_time()
        yield from super().__iter__()

    def on_epoch(self, result: EpochResult) -> None:
        """It is over."""
        self.seconds += time.thread_time()

    def should_stop(self) -> bool:
        """Never."""
        return False


class Setting(NamedTuple):
    """What is trained."""

    network: Callable[[], ForecastNetwork]
    values: Tensor
    rows: Rows
    cutoffs: np.ndarray[Any, np.dtype[np.int64]]
    spec: TrainSpec


def make_setting(shape: tuple[int, int, int, int, int], average: bool) -> Setting:
    """Random rows, a network, and the cutoffs of an epoch in random order."""
    batch_size, steps, channels, size, n_batches = shape
    generator = np.random.default_rng(0)
    values = torch.from_numpy(generator.standard_normal((20_000, channels)).astype(np.float32))
    model = ModelSpec(parse_branches(f"gru({size})"), steps, dropout=0.0)
    inputs = InputSpec(n_targets=1, n_inputs=channels, n_future=0)
    spec = TrainSpec(
        batch_size=batch_size,
        max_epochs=1,
        patience=None,
        weight_decay=0.01,
        ema_decay=DECAY if average else None,
        accelerator="cpu",
    )
    return Setting(
        lambda: ForecastNetwork(model, inputs, horizon=HORIZON),
        values,
        Rows(values, steps),
        steps + generator.permutation(len(values) - steps - HORIZON)[: batch_size * n_batches],
        spec,
    )


def ours(setting: Setting) -> tuple[float, nn.Module]:
    """Seconds of an epoch, and the network or its average."""
    epoch = Epoch(setting.cutoffs, setting.spec.batch_size)
    trained = train_network(
        setting.network,
        lambda network, inputs, target: network.loss(inputs, target, "mae"),
        setting.rows,
        ChunksDataModule(epoch, None, batch_size=setting.spec.batch_size),
        setting.spec,
        validation=None,
        observer=epoch,
    )
    return epoch.seconds, trained.network


def plain(setting: Setting) -> tuple[float, nn.Module]:
    """Seconds of an epoch, and the network or its average."""
    spec = setting.spec
    torch.manual_seed(spec.seed)
    network = setting.network()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True
    )
    average = None
    if spec.ema_decay is not None:
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(spec.ema_decay))
    losses = []
    start = time.thread_time()
    for cutoffs in torch.split(torch.from_numpy(setting.cutoffs), spec.batch_size):
        batch = setting.rows.gather(cutoffs)
        loss = network.loss(batch.inputs, batch.target, "mae")
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if average is not None:
            average.update_parameters(network)
        losses.append(loss.detach())
    float(torch.stack(losses).mean())
    return time.thread_time() - start, network if average is None else average.module


class Windows(Dataset[Any]):
    """One window at a time."""

    def __init__(self, setting: Setting) -> None:
        self.values, self.cutoffs, self.steps = setting.values, setting.cutoffs, setting.rows.context_length

    def __len__(self) -> int:
        return len(self.cutoffs)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        cutoff = self.cutoffs[number]
        ahead = self.values[cutoff : cutoff + HORIZON]
        return self.values[cutoff - self.steps : cutoff], ahead[:, :0], ahead[:, :1]


class Usual(LightningModule):
    """A module as tutorials have it."""

    def __init__(self, network: ForecastNetwork, spec: TrainSpec) -> None:
        super().__init__()
        self.network, self.spec, self.seconds = network, spec, 0.0

    def on_train_epoch_start(self) -> None:
        """The first step comes next."""
        self.seconds = -time.thread_time()

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch."""
        past, future, target = batch
        loss = self.network.loss(Inputs(past, future), target, "mae")
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        """The last step is over."""
        self.seconds += time.thread_time()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.spec.learning_rate, weight_decay=self.spec.weight_decay)


def usual(setting: Setting) -> tuple[float, nn.Module]:
    """Seconds of an epoch, and the network."""
    spec = setting.spec
    torch.manual_seed(spec.seed)
    module = Usual(setting.network(), spec)
    averaging = [] if spec.ema_decay is None else [WeightAveraging(avg_fn=get_ema_avg_fn(spec.ema_decay))]
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        gradient_clip_val=1.0,
        callbacks=averaging,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(Windows(setting), batch_size=spec.batch_size, shuffle=True))
    return module.seconds, module.network


def measure(shape: tuple[int, int, int, int, int], turns: int, average: bool) -> dict[str, Any]:
    """Medians at one shape."""
    setting = make_setting(shape, average)
    ways = {"ours": ours, "plain": plain, "usual": usual}
    (_, own), (_, expected), _ = (way(setting) for way in ways.values())  # the first turn of each does not count
    if not average:  # torch's average begins otherwise
        assert all(torch.equal(a, b) for a, b in zip(own.parameters(), expected.parameters(), strict=True))
    seconds = [{name: way(setting)[0] / shape[-1] for name, way in ways.items()} for _ in range(turns)]
    medians = {name: statistics.median(turn[name] for turn in seconds) for name in ways}
    return {
        "shape": shape[:4],
        "average": average,
        **{f"{name}_milliseconds": round(1000 * median, 3) for name, median in medians.items()},
        "ours_to_plain": round(statistics.median(turn["ours"] / turn["plain"] for turn in seconds), 3),
        "usual_to_ours": round(statistics.median(turn["usual"] / turn["ours"] for turn in seconds), 2),
        "turns": turns,
    }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15, help="epochs of each way at each shape")
    parser.add_argument("--average", action="store_true", help="with a moving average of the weights, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
    averages = (False, True) if options.average else (False,)
    rows = [measure(shape, options.turns, average) for average in averages for shape in SHAPES]
    if options.json:
        print(json.dumps({"torch": torch.__version__, "rows": rows}))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
