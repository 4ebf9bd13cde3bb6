"""The training of one network by Lightning, whatever it is to learn."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from lstmgru.errors import SpecError
from lstmgru.nn import kernels
from lstmgru.specs import TrainSpec
from lstmgru.training.callbacks import BestWeights, EpochResult, Observer, SilentObserver, Watch
from lstmgru.training.chunks import ChunksDataModule
from lstmgru.training.module import Array, ResidentData, TrainingModule, Validation

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Trained(Generic[Network]):
    """A trained network and how it got there.

    Attributes:
        network: With its best weights, on the CPU, in evaluation mode.
        score: Best validation score; NaN without validation.
        best_epoch: The epoch of the weights, from 1.
        outputs: Of that epoch on the validation examples, in original order and units; ``None`` without validation.
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
) -> Trained[Network]:
    """Train a network.

    Args:
        make_network: Makes it, with weights from the seeded random state.
        loss: Mean loss of a batch: from the network, the inputs and the target.
        data: All examples.
        chunks: Their order.
        spec: The training settings.
        validation: How an epoch is scored, for early stopping and the best weights; ``None``: train
            ``spec.max_epochs`` epochs and keep the last weights.
        observer: Follows the training and may stop it.

    Raises:
        SpecError: The device does not know the precision.
        TrainingDiverged: The loss or the score is not finite.
    """
    start = time.perf_counter()
    best, watch = BestWeights(spec.patience), Watch(observer or SilentObserver())
    with _seeded(spec.seed), _quiet():
        network = make_network()
        module = TrainingModule(
            network,
            lambda inputs, target: loss(network, inputs, target),
            spec,
            data,
            n_steps=spec.max_epochs * chunks.n_steps,
            validation=validation,
        )
        trainer = _trainer(spec, best, watch, validation)
        trainer.fit(module, datamodule=chunks)
    best.restore(module)
    kernels.forget(network)
    return Trained(
        network=network.cpu().eval(),
        score=best.score,
        best_epoch=best.epoch or len(watch.epochs),
        outputs=best.outputs,
        epochs=tuple(watch.epochs),
        seconds=time.perf_counter() - start,
        stopped=watch.stopped,
    )


def _trainer(spec: TrainSpec, best: BestWeights, watch: Watch, validation: Validation | None) -> Trainer:
    trainer = Trainer(
        accelerator=spec.accelerator,
        devices=1,
        precision=spec.precision,
        max_epochs=spec.max_epochs,
        callbacks=[best, watch],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=None if validation is not None else 0,
    )
    if trainer.precision != spec.precision:  # Lightning takes another one, with no more than a warning
        device = trainer.strategy.root_device.type
        raise SpecError(f"precision {spec.precision!r} is not for a {device}; choose 'bf16-mixed' or '32-true'")
    return trainer


def look_for_plugins_once() -> None:
    """Let every ``Trainer`` of this process take the callbacks that installed packages offer from the first one's look.

    Each would look through all packages again, which takes longer than all else that it does first: for a process that
    trains many small networks and nothing else.
    """
    from lightning.fabric.utilities import registry

    entry_points = getattr(registry, "entry_points", None)
    if entry_points is not None and not hasattr(entry_points, "cache_info"):
        vars(registry)["entry_points"] = cache(entry_points)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch inside, leave the caller's random state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says once per ``Trainer``: a search makes hundreds of them."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        try:
            yield
        finally:
            logger.setLevel(level)
