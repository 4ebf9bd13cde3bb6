"""The training of one network of any task by Lightning, and the callbacks around its epochs."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from lstmgru.errors import SpecError
from lstmgru.nn import kernels
from lstmgru.training.checkpoints import Checkpointing, Checkpoints
from lstmgru.training.epoch_outputs import EpochOutputs
from lstmgru.training.module import Array, ResidentData, TrainingModule, TrainingStopped, Validation

if TYPE_CHECKING:
    from lstmgru.specs import TrainSpec
    from lstmgru.training.chunks import ChunksDataModule


@dataclass(frozen=True)
class EpochResult:
    """One epoch: its number from 1, mean training loss (scaled), score (original units), seconds since the start.

    ``score`` is NaN without validation.
    """

    epoch: int
    train_loss: float
    score: float
    seconds: float


class Observer(Protocol):
    """Observes a training as it runs."""

    def on_epoch(self, result: EpochResult) -> None:
        """Called after every epoch."""

    def should_stop(self) -> bool:
        """Whether to stop now; called several times a second."""


class SilentObserver:
    """Observes nothing and never stops."""

    def on_epoch(self, result: EpochResult) -> None:
        """Do nothing."""

    def should_stop(self) -> bool:
        """Never."""
        return False


class BestWeights(Callback):
    """Keeps the weights (on the device) and outputs of the best epoch, and stops early.

    Args:
        patience: Epochs without a better score before training stops; ``None`` never stops early.
        epoch_outputs: Receives the outputs of every epoch.
    """

    def __init__(self, patience: int | None = None, epoch_outputs: EpochOutputs | None = None) -> None:
        self.score = float("nan")
        self.epoch = 0
        self._patience, self._rank = patience, (float("inf"), float("inf"))
        self.outputs: Array | None = None
        self._epoch_outputs = epoch_outputs
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the weights when they are the best so far."""
        assert isinstance(pl_module, TrainingModule)
        epoch = trainer.current_epoch + 1
        if self._epoch_outputs is not None:
            assert pl_module.outputs is not None  # it was validated
            self._epoch_outputs.add(epoch, pl_module.outputs)
        if pl_module.rank < self._rank:
            self._rank, self.score, self.epoch = pl_module.rank, pl_module.score, epoch
            self.outputs = pl_module.outputs
            state = pl_module.scored_network.state_dict()
            self._weights = {name: value.detach().clone() for name, value in state.items()}
        elif self._patience is not None and epoch - self.epoch >= self._patience:
            trainer.should_stop = True

    def restore(self, module: TrainingModule) -> None:
        """Load the best weights into the network, or the last ones without validation."""
        module.network.load_state_dict(self._weights or module.scored_network.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """The best epoch so far, for checkpoints."""
        outputs = None if self.outputs is None else torch.from_numpy(self.outputs)
        rank = [float(each) for each in self._rank]
        each = {} if self._epoch_outputs is None else self._epoch_outputs.state_dict()
        return {
            "score": float(self.score), "epoch": self.epoch, "rank": rank, "outputs": outputs, "weights": self._weights,
            "epoch_outputs": each,
        }  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore it."""
        self.score, self.epoch, self._weights = (state_dict[name] for name in ("score", "epoch", "weights"))
        self._rank = (state_dict["rank"][0], state_dict["rank"][1])
        self.outputs = None if state_dict["outputs"] is None else state_dict["outputs"].numpy()
        if self._epoch_outputs is not None:
            self._epoch_outputs.load_state_dict(state_dict.get("epoch_outputs", {}))


class Watch(Callback):
    """Reports every epoch to the observer, and stops the training on its request."""

    def __init__(self, observer: Observer) -> None:
        self.epochs: list[EpochResult] = []
        self.stopped = False
        self.observer = observer
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the epoch."""
        assert isinstance(pl_module, TrainingModule)
        result = EpochResult(trainer.current_epoch + 1, pl_module.train_loss, pl_module.score, self.seconds)
        self.epochs.append(result)
        self.observer.on_epoch(result)
        if self.observer.should_stop():
            self.stopped = trainer.should_stop = True

    @property
    def seconds(self) -> float:
        """Wall time of the training, in all processes that it had."""
        return time.perf_counter() - self._start

    def state_dict(self) -> dict[str, Any]:
        """The epochs and the time so far, for checkpoints."""
        epochs = [(each.epoch, each.train_loss, float(each.score), each.seconds) for each in self.epochs]
        return {"epochs": epochs, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue after them; the observer is not told about them again."""
        self.epochs = [EpochResult(*each) for each in state_dict["epochs"]]
        self._start -= state_dict["seconds"]


Network = TypeVar("Network", bound=nn.Module)
_IN_MEMORY = "in memory"
"""Lightning wants a path; :class:`Checkpoints` ignores it."""


@dataclass(frozen=True)
class Trained(Generic[Network]):
    """A trained network and how it got there.

    Attributes:
        network: With its best weights, on the CPU, in evaluation mode.
        score: Best validation score; NaN without validation.
        best_epoch: The epoch of the weights, from 1.
        outputs: Outputs of that epoch on the validation examples, in original order and units; ``None`` without
            validation.
        epochs: All epochs.
        seconds: Wall time.
        stopped: Whether the observer stopped it.
    """

    network: Network
    score: float
    best_epoch: int
    outputs: Array | None
    epochs: tuple[EpochResult, ...]
    seconds: float
    stopped: bool


def train_network(
    make_network: Callable[[], Network],
    loss: Callable[[Network, Any, Tensor], Tensor],
    data: ResidentData,
    chunks: ChunksDataModule,
    spec: TrainSpec,
    *,
    validation: Validation | None,
    observer: Observer | None = None,
    checkpoints: Checkpoints | None = None,
    epoch_outputs: EpochOutputs | None = None,
) -> Trained[Network]:
    """Train a network.

    Args:
        make_network: Creates the network, with weights from the seeded random state.
        loss: Mean loss of a batch, from the network, the inputs and the targets.
        data: All examples.
        chunks: Their order.
        spec: The training settings.
        validation: How an epoch is scored, for early stopping and the best weights; ``None`` to train for
            ``spec.max_epochs`` epochs and keep the last weights.
        observer: Follows the training and may stop it.
        checkpoints: Where its checkpoints go, and the one from which it resumes; ``None`` for none.
        epoch_outputs: Receives the validation outputs of every epoch.

    Raises:
        SpecError: The device does not support the precision.
        TrainingDiverged: The loss or the score is not finite.
    """
    best, watch = BestWeights(spec.patience, epoch_outputs), Watch(observer or SilentObserver())
    with _seeded(spec.seed), _quiet():
        network = make_network()
        module = TrainingModule(
            network,
            lambda inputs, target: loss(network, inputs, target),
            spec,
            data,
            n_steps=spec.max_epochs * chunks.n_steps,
            validation=validation,
            should_stop=watch.observer.should_stop,
        )
        trainer = _trainer(spec, best, watch, validation, checkpoints)
        resumes = checkpoints is not None and checkpoints.resume_from is not None
        try:
            trainer.fit(module, datamodule=chunks, ckpt_path=_IN_MEMORY if resumes else None)
        except TrainingStopped:
            watch.stopped = True
        except SystemExit as end:
            if isinstance(end.__context__, KeyboardInterrupt):  # Lightning makes it an exit with code 1
                raise end.__context__ from None
            raise
    best.restore(module)
    kernels.forget(network)
    return Trained(
        network=network.cpu().eval(),
        score=best.score,
        best_epoch=best.epoch or len(watch.epochs),
        outputs=best.outputs,
        epochs=tuple(watch.epochs),
        seconds=watch.seconds,
        stopped=watch.stopped,
    )


class _OwnTrainer(Trainer):
    """Leaves SIGTERM to the program: Lightning would end the process between two batches, whoever handles it."""

    @property
    def received_sigterm(self) -> bool:
        """Never: what stops a training is its observer."""
        return False


def _trainer(
    spec: TrainSpec, best: BestWeights, watch: Watch, validation: Validation | None, checkpoints: Checkpoints | None
) -> Trainer:
    # In a SLURM job, Lightning would expect one process a task and requeue it.
    plugins: list[Any] = [LightningEnvironment()]
    callbacks: list[Callback] = [best, watch]
    if checkpoints is not None:
        plugins.append(checkpoints)
        callbacks.append(Checkpointing(checkpoints.seconds))
    trainer = _OwnTrainer(
        plugins=plugins,
        accelerator=spec.accelerator,
        devices=1,
        precision=spec.precision,
        max_epochs=spec.max_epochs,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if validation is not None else 0,
    )
    if trainer.precision != spec.precision:  # Lightning falls back to another one with only a warning
        device = trainer.strategy.root_device.type
        raise SpecError(f"precision {spec.precision!r} is not supported on {device}; choose 'bf16-mixed' or '32-true'")
    return trainer


def look_for_plugins_once() -> None:
    """Cache the entry points of installed packages, which every ``Trainer`` of this process would scan again.

    The scan dominates the startup time of a ``Trainer``, which matters for processes that train many small networks.
    """
    from lightning.fabric.utilities import registry

    entry_points = getattr(registry, "entry_points", None)
    if entry_points is not None and not hasattr(entry_points, "cache_info"):
        vars(registry)["entry_points"] = cache(entry_points)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch in the block, and restore the caller's random state afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the messages of each ``Trainer``: a search creates hundreds of them."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        # cuDNN copies the weights of a layer at every call: few of them, and dropout makes new ones anyway.
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
        try:
            yield
        finally:
            logger.setLevel(level)
