"""Programs beside a Ray cluster; one of them fills an object store, so that the data of a study find no room there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_FILL = """
import sys
import numpy as np
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")

@ray.remote(num_cpus=0)
class Filler:
    def __init__(self):
        self.kept = []
        for size in (2**17, 2**15, 2**14):
            try:
                while len(self.kept) < 100:
                    self.kept.append(ray.put(np.zeros(size)))
            except ray.exceptions.RayError:
                pass

    def wait(self):
        pass

head = sys.argv[2] == "head"
nodes = [node["NodeID"] for node in ray.nodes() if ("CPU" in node["Resources"]) != head]
places = [NodeAffinitySchedulingStrategy(node, soft=False) for node in nodes]
fillers = [Filler.options(scheduling_strategy=place).remote() for place in places]
ray.get([filler.wait.remote() for filler in fillers])
print("full", flush=True)
sys.stdin.read()
"""


@contextmanager
def filled(address: str, which: str) -> Iterator[None]:
    """The object store of the head or of the other nodes, filled by a program of its own."""
    program = [sys.executable, "-c", _FILL, address, which]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as filler:
        assert filler.stdout is not None
        while "full" not in (line := filler.stdout.readline()):
            assert line or filler.poll() is None, "the object store could not be filled"
        yield
        filler.kill()
