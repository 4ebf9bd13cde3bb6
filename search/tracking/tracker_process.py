"""A tracker in a separate process, so that its imports and computations do not slow down the driver and its trials.

The process is a plain interpreter and not one of :mod:`multiprocessing`, which would import the main module of the
user's program again. Requests are pickled to its standard input, and responses come from its standard output, one at a
time. The process ends when its input does, hence also when the driver is killed.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from search.errors import TrackingError
from search.executors.interruption import ignore_stop_signals
from search.executors.temporary_folder import keep_files_of_libraries_here, remove_own_folder
from search.study.records import BaselineRecord, StudyRecord, TrackingLinks, TrialRecord
from search.tracking.base import RunStatus, Tracker
from search.tracking.model import prepare

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

_PROGRAM = "import sys; sys.path[:] = {path!r}; from search.tracking.tracker_process import serve; serve()"
_SECONDS_TO_END = 5.0
_IDLE_SECONDS = 0.5


@dataclass(frozen=True)
class _Request:
    """A method call."""

    method: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


@dataclass(frozen=True)
class _Answer:
    """The error of a call, if any, and the current links."""

    problem: TrackingError | None
    links: TrackingLinks | None


@dataclass(frozen=True)
class _StudyPlace:
    """Location of an Optuna study, without its sampler."""

    name: str
    storage: BaseStorage

    def load(self) -> Study:
        import optuna

        return optuna.load_study(study_name=self.name, storage=self.storage)


def _place(study: Study | None) -> _StudyPlace | None:
    return None if study is None else _StudyPlace(study.study_name, study._storage)


class TrackerProcess:
    """Forwards to a tracker in another process, which starts with the first call. Calls are synchronous.

    Args:
        make: Creates the tracker in the process; must be picklable.
    """

    def __init__(self, make: Callable[[], Tracker]) -> None:
        self._make = make
        self._process: subprocess.Popen[bytes] | None = None
        self._late = False
        self._links: TrackingLinks | None = None

    def start(self, study: StudyRecord) -> None:
        """Show the study as running."""
        self._call("start", study)

    def update(self, trial: TrialRecord) -> None:
        """Show the current state of a trial."""
        self._call("update", trial)

    def show_baselines(self, baselines: Mapping[str, BaselineRecord]) -> None:
        """Show the scores of the baselines."""
        self._call("show_baselines", dict(baselines))

    def log_model(self, bundle: Path, study: StudyRecord) -> None:
        """Show and register the exported model."""
        self._call("log_model", bundle, study)

    def finish(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None = None
    ) -> TrackingLinks | None:
        """Show the outcome of the study."""
        self._call("finish", study, status=status, optuna_study=_place(optuna_study))
        return self._links

    def sync(
        self, study: StudyRecord, *, status: RunStatus, optuna_study: Study | None, timeout: float
    ) -> TrackingLinks | None:
        """Show the current state of a study at once, see :class:`~search.tracking.mlflow_projection.MlflowProjection`.

        Args:
            study: The study.
            status: Its status.
            optuna_study: The same study, for Optuna's plots.
            timeout: Seconds after which the process is ended.

        Raises:
            TrackingError: From the tracker, or because the time is up; what was copied until then stays.
        """
        late = threading.Timer(timeout, self._kill)
        late.start()
        try:
            self._call("sync", study, status=status, optuna_study=_place(optuna_study))
        except TrackingError as error:
            if not self._late:
                raise
            raise TrackingError(
                f"MLflow took longer than {timeout:g} s; what was copied until then stays, and the same command with a "
                "longer --timeout copies the rest"
            ) from error
        finally:
            late.cancel()
        return self._links

    def _kill(self) -> None:
        self._late = True
        if self._process is not None:
            self._process.kill()

    def links(self) -> TrackingLinks | None:
        """Links to the runs, as of the last call."""
        return self._links

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the process; the runs stay as they are."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _call(self, method: str, *arguments: Any, **options: Any) -> None:
        """Call a method of the tracker in the process.

        Raises:
            TrackingError: From the method, or because the process ended; the next call starts a new one.
        """
        try:
            if self._process is None:
                self._process = _begin()
                _send(self._process.stdin, self._make)
            _send(self._process.stdin, _Request(method, arguments, options))
            answer: _Answer = pickle.load(_pipe(self._process.stdout))
        except Exception as error:  # pickle raises anything for a truncated response
            self.__exit__()
            raise TrackingError(f"the process that writes to MLflow ended ({type(error).__name__})") from error
        self._links = answer.links
        if answer.problem is not None:
            raise answer.problem


def serve() -> None:
    """Main function of the process: create the tracker, then serve requests until the input ends."""
    ignore_stop_signals()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # printed text must not mix with the responses
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # Temporary files of this process, MLflow's too, go with it, however it ends.
    keep_files_of_libraries_here()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    tracker: Tracker = requests.get()()
    _send(answers, _answer(tracker, requests.get()))
    while True:
        try:
            request = requests.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            with suppress(Exception):  # an error will be reported when the model is logged
                prepare()  # while there is nothing else to do
            request = requests.get()
        _send(answers, _answer(tracker, request))


def _receive(requests: queue.SimpleQueue[Any]) -> None:
    """Queue requests; end the process, and remove its temporary folder, when the input ends."""
    status = 1
    try:
        while True:
            requests.put(pickle.load(sys.stdin.buffer))
    except EOFError:
        status = 0
    except BaseException:
        traceback.print_exc()
    remove_own_folder()
    os._exit(status)


def _answer(tracker: Tracker, request: _Request) -> _Answer:
    problem = None
    try:
        options = {
            key: value.load() if isinstance(value, _StudyPlace) else value for key, value in request.options.items()
        }
        getattr(tracker, request.method)(*request.arguments, **options)
    except TrackingError as error:
        problem = TrackingError(str(error))
    except Exception as error:  # a bug must not look like a killed process
        traceback.print_exc()
        problem = TrackingError(f"{type(error).__name__}: {error}")
    return _Answer(problem, tracker.links())


def _begin() -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", _PROGRAM.format(path=sys.path)]
    # In its own session it does not receive Ctrl-C, even before it ignores the signal.
    group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # on Windows
    return subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, creationflags=group
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):  # closing flushes what a dead process did not read
        _pipe(process.stdin).close()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        _pipe(process.stdout).close()


def _send(file: BinaryIO | Any, message: object) -> None:
    pickle.dump(message, file, protocol=pickle.HIGHEST_PROTOCOL)
    file.flush()


def _pipe(pipe: Any) -> BinaryIO:
    assert pipe is not None  # both are pipes, see _begin
    file: BinaryIO = pipe
    return file
