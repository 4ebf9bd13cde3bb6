"""The simulated workers of the benchmarks do what the driver expects of workers."""

from __future__ import annotations

import pytest
from parallel import driver_busy


@pytest.mark.slow
def test_the_driver_searches_with_simulated_workers() -> None:
    found = driver_busy(12, "random", epochs=2, workers=4, seconds=0.2)

    assert found["trials"] == 12
    assert 0 < found["busy"] < 1
