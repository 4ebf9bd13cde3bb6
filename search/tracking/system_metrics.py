"""Use of this machine while a study runs, as MLflow measures it."""

from __future__ import annotations

import importlib.util
import logging
import threading

from search.errors import TrackingError

_THREAD = "SystemMetricsMonitor"
_LOGGER = "mlflow.system_metrics"


def check_system_metrics() -> None:
    """Refuse to measure what cannot be measured here.

    Raises:
        TrackingError: psutil is not installed.
    """
    if importlib.util.find_spec("psutil") is None:
        raise TrackingError(
            "tracking.system_metrics needs psutil, which is not installed; install it with: "
            "pip install 'lstmgru-search[system-metrics]', or leave tracking.system_metrics out"
        )


def monitor(run_id: str, tracking_uri: str) -> None:
    """Log the use of this machine to a run from now on, in a thread that ends when the run is no longer running.

    Its steps follow those that the run has. During an outage the thread ends; it is started again with the study.

    Args:
        run_id: A run with the status RUNNING.
        tracking_uri: Store or server.
    """
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    if any(thread.name == _THREAD for thread in threading.enumerate()):
        return
    logging.getLogger(_LOGGER).setLevel(logging.CRITICAL)
    SystemMetricsMonitor(run_id, resume_logging=True, tracking_uri=tracking_uri).start()  # type: ignore[no-untyped-call]
