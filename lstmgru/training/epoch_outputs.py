"""Outputs of a network after each epoch of its training, so that the epoch to score can be chosen later."""

from __future__ import annotations

from typing import Any

import torch

from lstmgru.training.module import Array

MOST_NUMBERS = 4_000_000
"""Numbers that are kept of a training."""
LEAST_EPOCHS = 16
"""If the outputs of this many epochs are more than that, none are kept."""


class EpochOutputs:
    """The validation outputs of a training by epoch: those of all epochs, or of every second, fourth … one.

    Attributes:
        epochs: (examples, …) outputs by epoch, from 1.
    """

    def __init__(self) -> None:
        self.epochs: dict[int, Array] = {}

    def add(self, epoch: int, outputs: Array) -> None:
        """Keep the outputs of an epoch, if there is room.

        Args:
            epoch: From 1, one after the other.
            outputs: (examples, …).
        """
        most = MOST_NUMBERS // max(1, outputs.size)
        if most < LEAST_EPOCHS:
            return
        step = 1
        while 1 + (epoch - 1) // step > most:
            step *= 2
        if (epoch - 1) % step == 0:
            self.epochs = {each: kept for each, kept in self.epochs.items() if (each - 1) % step == 0}
            self.epochs[epoch] = outputs

    def state_dict(self) -> dict[str, Any]:
        """The outputs, for checkpoints."""
        return {str(epoch): torch.from_numpy(outputs) for epoch, outputs in self.epochs.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.epochs = {int(epoch): outputs.numpy() for epoch, outputs in state.items()}
