"""Checkpoints of a training: with one, it continues as if it had never been interrupted."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer


class Checkpoints(CheckpointIO):
    """The place of Lightning's checkpoints: not files, but bytes that the caller stores.

    A checkpoint contains no code: it is read with ``weights_only=True``.

    Args:
        save: Receives each checkpoint at the end of its epoch, after the observer was told about the epoch.
        seconds: Minimum training time before the first checkpoint and between two of them.
        resume_from: The checkpoint of an earlier training with the same arguments; ``None``: begin at the first epoch.
    """

    def __init__(self, save: Callable[[bytes], None], *, seconds: float, resume_from: bytes | None = None) -> None:
        self._save, self.seconds, self.resume_from = save, seconds, resume_from

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Pass a checkpoint to the caller; see :class:`lightning.fabric.plugins.CheckpointIO`."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        self._save(buffer.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """The checkpoint to resume from, on the CPU; see :class:`lightning.fabric.plugins.CheckpointIO`."""
        assert self.resume_from is not None  # otherwise Lightning is not told to load one
        checkpoint: dict[str, Any] = torch.load(io.BytesIO(self.resume_from), map_location="cpu", weights_only=True)
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Does nothing: the caller removes what it stores."""


class Checkpointing(Callback):
    """Takes checkpoints at the ends of epochs, and adds torch's random states to them.

    The last callback in the list, so that the others have seen the epoch.

    Args:
        seconds: Minimum training time before the first checkpoint and between two of them.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._taken = seconds, time.monotonic()
        self._random: dict[str, torch.Tensor] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take a checkpoint, unless the training ends with this epoch."""
        ends = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if not ends and time.monotonic() - self._taken >= self._seconds:
            trainer.save_checkpoint("", weights_only=False)
            self._taken = time.monotonic()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the random states, on which dropout depends."""
        checkpoint["random"] = {"cpu": torch.get_rng_state()}
        if (kind := pl_module.device.type) != "cpu":
            checkpoint["random"][kind] = torch.get_device_module(kind).get_rng_state()

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep the random states until the training starts."""
        self._random = checkpoint["random"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the random states."""
        if not self._random:
            return
        torch.set_rng_state(self._random["cpu"])
        if (kind := pl_module.device.type) in self._random and kind != "cpu":
            torch.get_device_module(kind).set_rng_state(self._random[kind])
