"""Outputs of every epoch: all of them while there is room, then every second, fourth … one, or none."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.combinations import each_row

from lstmgru.training import epoch_outputs
from lstmgru.training.epoch_outputs import EpochOutputs


@each_row(
    ("size", "epochs", "kept"),
    [
        (1, 5, [1, 2, 3, 4, 5]),
        (10, 20, list(range(1, 21))),
        (10, 21, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21]),
        (10, 41, [1, 5, 9, 13, 17, 21, 25, 29, 33, 37, 41]),
        (12, 17, [1, 3, 5, 7, 9, 11, 13, 15, 17]),
        (13, 3, []),
    ],
)
def test_the_outputs_of_as_many_epochs_as_there_is_room_for_are_kept(size: int, epochs: int, kept: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epoch_outputs, "MOST_NUMBERS", 200)
        outputs = EpochOutputs()
        for epoch in range(1, epochs + 1):
            outputs.add(epoch, np.full((size, 1), epoch, np.float32))
            again = EpochOutputs()
            again.load_state_dict(outputs.state_dict())
            outputs = again
    assert list(outputs.epochs) == kept
    assert all((values == epoch).all() for epoch, values in outputs.epochs.items())
