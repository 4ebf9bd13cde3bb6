"""How fast a served model answers: ``mlflow models serve``, asked by parallel clients for a minute.

A model of one network is exported as MLflow loads it, served, and asked for the forecast of one series, by clients that
keep their connection open, each with its next request as soon as it has the answer to the last.

    python benchmarks/serving.py --clients 32 --seconds 60
    python benchmarks/serving.py --model models/weather --form csv
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from driving import STUDY, write_table

from search.tracking.export import Export
from search.tracking.model import save_model, typed_example
from search.tracking.store import talking_to

_SECONDS_TO_START = 120.0
_SECONDS_TO_ANSWER = 60.0


@dataclass
class Answers:
    """What one client was answered.

    Attributes:
        seconds: Of each right answer.
        contents: The different right answers.
        wrong: Status and beginning of each other answer, or the error.
    """

    seconds: list[float] = field(default_factory=list)
    contents: set[bytes] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="exported model; by default a small study is run")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--form", choices=("split", "records", "csv"), default="split")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export = Export.read(options.model or searched(folder))
        with talking_to("served"):
            save_model(folder / "served", export)
        body, kind = request(export, options.form)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        process = serve(folder, port, options.workers)
        try:
            wait_for(process, port, folder)
            before = processor_seconds(process.pid)
            found, seconds = ask(port, body, kind, clients=options.clients, seconds=options.seconds)
            spent = processor_seconds(process.pid) - before
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    report(found, seconds, spent, options, len(body))


def searched(folder: Path) -> Path:
    """The model of a small study."""
    write_table(folder, 200)
    (folder / "bench.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "search", "run", "bench.yaml", "--trials", "4", "--set", "tracking.enabled=false"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "studies" / "bench.bundle"


def request(export: Export, form: str) -> tuple[bytes, str]:
    """The example of the model as the content of a request, and its type."""
    example = typed_example(export)
    if example is None:
        raise SystemExit(f"{export.folder} has no example to ask for")
    if form == "csv":
        return example.to_csv(index=False).encode(), "text/csv"
    content = json.loads(example.to_json(orient=form))
    content.pop("index", None) if form == "split" else None
    return json.dumps({f"dataframe_{form}": content}).encode(), "application/json"


def serve(folder: Path, port: int, workers: int) -> subprocess.Popen[bytes]:
    """Start the server."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "served", "--env-manager", "local"]
    # MLflow calls programs of its environment by name, as in an activated one.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "serve.log").open("wb") as log:
        return subprocess.Popen(
            [*command, "--port", str(port), "--workers", str(workers)],
            cwd=folder,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit((folder / "serve.log").read_text()) from None
        time.sleep(0.1)


def processor_seconds(pid: int) -> float:
    """CPU time of a process and those that it has started."""
    server = psutil.Process(pid)
    times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def ask(port: int, body: bytes, kind: str, *, clients: int, seconds: float) -> tuple[Answers, float]:
    """Ask from parallel clients; returns all answers and the seconds until the last one came."""
    answers = [Answers() for _ in range(clients)]
    start = time.monotonic()
    threads = [threading.Thread(target=client, args=(port, body, kind, start + seconds, each)) for each in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Answers()
    for each in answers:
        whole.seconds += each.seconds
        whole.contents |= each.contents
        whole.wrong += each.wrong
    return whole, time.monotonic() - start


def client(port: int, body: bytes, kind: str, end: float, answers: Answers) -> None:
    """Ask again and again until the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS_TO_ANSWER)
    while (start := time.monotonic()) < end:
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": kind})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            answers.wrong.append(repr(error))
            connection.close()
            continue
        if answer.status == 200 and json.loads(content)["predictions"]:
            answers.seconds.append(time.monotonic() - start)
            answers.contents.add(content)
        else:
            answers.wrong.append(f"{answer.status} {content[:200]!r}")


def report(found: Answers, seconds: float, spent: float, options: argparse.Namespace, size: int) -> None:
    """Print rates and latencies; end with 1 if an answer was wrong."""
    cuts = statistics.quantiles(found.seconds, n=100) if len(found.seconds) > 1 else [float("nan")] * 99
    document: dict[str, Any] = {
        "clients": options.clients,
        "workers": options.workers,
        "form": options.form,
        "bytes": size,
        "seconds": round(seconds, 1),
        "answers": len(found.seconds),
        "errors": len(found.wrong),
        "per_second": round(len(found.seconds) / seconds, 1),
        "cpu_milliseconds": round(1000 * spent / max(1, len(found.seconds)), 1),
        "milliseconds": {f"p{cut}": round(1000 * cuts[cut - 1], 1) for cut in (50, 95, 99)},
    }
    if options.json:
        print(json.dumps(document))
    else:
        latency = ", ".join(f"{name} {value} ms" for name, value in document["milliseconds"].items())
        print(f"{options.clients} clients, {options.workers} worker, {options.form}, {size:,} bytes: {latency}")
        print(
            f"{document['answers']:,} answers in {seconds:.1f} s, {document['per_second']:g} per second, "
            f"{document['cpu_milliseconds']} ms of CPU time each"
        )
        print(f"{len(found.wrong)} errors{': ' + found.wrong[0] if found.wrong else ''}")
    if found.wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
