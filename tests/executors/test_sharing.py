"""Values in files: one copy for all processes, equal to what was put in, and no file left behind."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.executors import Watcher, end, no_warm_up
from helpers.panels import make_panel

from lstmgru.data.forecasting.series import SeriesPanel
from search.executors.base import Job, JobContext, WorkerSettings
from search.executors.processes import ProcessExecutor
from search.executors.sharing import Shared, offload

LARGE = 8_000_000
"""Bytes: beside them, what a worker needs to read them is little."""


@dataclass(frozen=True)
class Part:
    """Something with a panel in it."""

    panel: SeriesPanel
    number: int


def again(shared: Shared[Any]) -> Any:
    """What another process finds; the cache of this one gives its own copy of it."""
    return pickle.loads(pickle.dumps(shared))


ARRAYS = {
    "numbers": np.arange(6, dtype=np.float32).reshape(2, 3),
    "by column": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "times": np.arange(5).astype("datetime64[ns]"),
    "durations": np.arange(5).astype("timedelta64[h]"),
    "truth": np.array([True, False]),
    "nothing": np.empty((0, 3)),
    "part": np.arange(12)[::2],
    "names": np.array(["a", None, "ü"], dtype=object),
}


@each_row("name", ARRAYS)
def test_arrays_come_back_as_they_were(name: str) -> None:
    found = again(Shared([ARRAYS[name], "beside it"]))[0]
    assert found.dtype == ARRAYS[name].dtype
    np.testing.assert_array_equal(found, ARRAYS[name])


@pytest.mark.parametrize("name", ["numbers", "by column", "times", "durations", "truth"])
def test_arrays_are_mapped_and_not_copied(name: str) -> None:
    found = again(Shared([ARRAYS[name]]))[0]
    while isinstance(found.base, np.ndarray):
        found = found.base
    assert isinstance(found.base, memoryview)


def test_a_panel_is_the_same_and_torch_reads_it_without_a_warning() -> None:
    import torch  # not above: the workers of this file can do without

    panel = make_panel((50, 30), past=1, static=1)
    found = again(Shared(panel))
    assert found.digest() == panel.digest()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(torch.from_numpy(found.values), torch.from_numpy(panel.values))


def test_it_travels_as_a_path() -> None:
    shared = Shared(np.zeros(100_000))
    assert len(pickle.dumps(shared)) < 500


def test_a_process_has_one_object_of_it_until_it_turns_to_another() -> None:
    first, second = Shared([1]), Shared([2])
    found = again(first)
    assert again(first) is found
    again(second)
    assert again(first) is not found


def test_who_writes_changes_his_own_copy_alone() -> None:
    shared, other = Shared(np.zeros(3)), Shared(0)
    again(shared)[:] = 1
    again(other)
    assert again(shared).tolist() == [0, 0, 0]


def test_the_file_goes_with_the_object() -> None:
    shared = Shared(np.zeros(3))
    path = shared._path
    assert path.exists()
    del shared
    assert not path.exists()


def test_an_offloaded_value_is_equal_in_every_place_and_out_of_memory() -> None:
    panel = make_panel((40,))
    holder, digest, values = Part(panel, 1), panel.digest(), panel.values.copy()
    offload(panel)
    assert holder.panel is panel
    assert panel.digest() == digest
    assert not panel.values.flags.owndata
    np.testing.assert_array_equal(panel.values, values)


def test_an_offloaded_value_is_not_written_again() -> None:
    panel = make_panel((10_000,))
    offload(panel)
    shared = Shared(Part(panel, 2))
    assert shared._path.stat().st_size < 1000
    found = again(shared)
    assert found.number == 2
    assert found.panel.digest() == panel.digest()


def own_memory() -> int:
    """Bytes that this process shares with no other."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))


def read(array: np.ndarray, context: JobContext) -> tuple[float, int, bool]:
    """The sum of an array, the memory of this process alone, and whether the array is a copy."""
    total = float(array.sum())
    context.report("read")
    while context.stop_reason() is None:  # until both have it in memory
        time.sleep(0.01)
    return total, own_memory(), array.flags.owndata


def own_memory_before(context: JobContext) -> int:
    """Of a worker that has read nothing yet."""
    return own_memory()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux says what a process shares")
def test_two_workers_read_one_copy() -> None:
    array = np.ones(LARGE // 8)
    with ProcessExecutor(WorkerSettings(no_warm_up, 2)) as pool:
        watcher = Watcher()
        pool.submit(Job(0, own_memory_before))
        before = end(pool, watcher)[0].result
        shared = pool.data.share(array)
        watcher.stop_after = {1: 2, 2: 2}
        for key in (1, 2):
            pool.submit(Job(key, read, (shared,)))
        results = [outcome.result for outcome in end(pool, watcher, 2)]
    for total, own, copied in results:
        assert total == LARGE / 8
        assert not copied
        assert own - before < LARGE / 2


def test_a_job_whose_data_are_gone_fails_and_says_so_and_the_worker_goes_on() -> None:
    with ProcessExecutor(WorkerSettings(no_warm_up, 1)) as pool:
        shared = pool.data.share(np.ones(LARGE // 8))
        shared._path.unlink()
        watcher = Watcher()
        pool.submit(Job(0, read, (shared,)))
        (outcome,) = end(pool, watcher)
        pids = pool.pids
        pool.submit(Job(1, own_memory_before))
        assert end(pool, watcher)[0].failure is None
        assert pool.pids == pids
    assert outcome.failure is not None
    assert "FileNotFoundError" in outcome.failure.reason


TOO_LARGE = """
import resource
import numpy as np
from search.executors.sharing import NoRoom, Shared
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    Shared(np.zeros(1000))
except NoRoom as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of a process")
def test_without_room_for_the_data_the_way_out_is_named() -> None:
    done = subprocess.run([sys.executable, "-c", TOO_LARGE], capture_output=True, text=True, check=True)
    assert "cannot be written to" in done.stdout
    assert "File too large; make room there, or set TMPDIR" in done.stdout
