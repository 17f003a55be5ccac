"""From a render that completes to the task that goes on: a real Airflow with a receiver.

Every task would be polled only every 300 seconds. The renders complete one after the other, some
seconds apart, so that a task does not wait for another one's worker. The time counts from the
moment at which Renderjuice first sends the event to the moment at which a worker runs the task's
own code.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.table import Row, median, percentile, spread, under
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from tools.airflow_api import STATES_AT_END
from tools.local_airflow import LocalAirflow
from tools.processes import cpu_seconds

RENDERS = 30
_FIRST, _APART = 150.0, 5.0
"""Seconds until the first completes, when all tasks have been deferred, and between two."""
_QUIET = 30.0
"""Seconds in which the triggerer is watched while nothing happens: idle, and with all tasks."""
_PATIENCE = 400.0
_DAGS = Path(__file__).parent / "dags"
DAG, TASK = "waiting_renders", "wait"
CONNECTION = "renderjuice_default"
_SECRET = "whsec-benchmark-secret"


def rows(_: int) -> Iterator[Row]:
    """Rows of one run: the median, what 95 % stay under, and what being ready for events costs."""
    times, until_read, idle, ready = measure()
    note = f"{spread(times, ' s')}; the shared poller had read the job after {median(until_read):.1f} s (median)"
    yield under("render completed → task resumed, with events, interval 300 s: median", median(times), 3, " s", note)
    yield under("the same: 95 %", percentile(times, 95), 6, " s")
    work = f"{RENDERS} tasks wait for events: processor time of the triggerer beyond idle, a minute"
    yield Row(work, "", f"{ready - idle:.2f} s", note=f"with its supervisor, which is idle at {idle:.2f} s a minute")


def measure() -> tuple[list[float], list[float], float, float]:
    """For each render, seconds until its task was resumed, and until its job was read.

    Then the triggerer's processor time in a minute, idle, and while all tasks wait.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renderjuice-")))
        emulator = stack.enter_context(Emulator(speed=1, webhook_secret=_SECRET))
        airflow = LocalAirflow(folder / "airflow", _DAGS)
        stack.callback(airflow.stop)
        airflow.start()
        emulator.webhooks.url = f"{airflow.url}/renderjuice/webhooks/{CONNECTION}"
        extra = json.dumps({"webhook_secret": _SECRET})
        body = {"connection_id": CONNECTION, "conn_type": "renderjuice", "host": emulator.base_url}
        airflow.make("/connections", body | {"password": emulator.api_key, "extra": extra})
        idle = _processor_time(airflow)
        job_ids = _start(emulator, folder)
        run = airflow.trigger(DAG, {"job_ids": job_ids}, patience=120)
        while len(airflow.tasks(DAG, run, "deferred")) < RENDERS:
            time.sleep(1)
            if not _none_has_completed(emulator):
                raise RuntimeError("the first render has completed before every task was deferred")
        ready = _processor_time(airflow)
        deadline = time.monotonic() + _FIRST + _APART * RENDERS + _PATIENCE
        while airflow.run_state(DAG, run) not in STATES_AT_END:
            if time.monotonic() > deadline:
                raise TimeoutError("the renders have completed, and not every task was resumed")
            time.sleep(5)
        return (*_times(emulator, airflow, run, job_ids), idle, ready)


def _processor_time(airflow: LocalAirflow) -> float:
    """What the triggerer and its supervisor use in a minute."""
    session = [airflow.programs["triggerer"].pid]
    before = cpu_seconds(session)
    time.sleep(_QUIET)
    return (cpu_seconds(session) - before) * 60 / _QUIET


def _none_has_completed(emulator: Emulator) -> bool:
    return not emulator.ledger.count("webhook")


def _start(emulator: Emulator, folder: Path) -> list[str]:
    """Renders that complete one after the other."""
    job_ids = []
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        for number in range(RENDERS):
            path = folder / f"shot-{number:02d}.blend"
            scene = write_scene(path, seconds_per_frame=_FIRST + _APART * number, validation_seconds=0)
            job = client.validate_job(client.create_job(client.upload(scene).slug).id)
            while client.get_job(job.id).status != "validated":
                time.sleep(0.02)
            client.start_render(job.id, {"colorManagementPreset": "default", "frameRanges": ["1"]})
            job_ids.append(job.id)
    return job_ids


def _times(emulator: Emulator, airflow: LocalAirflow, run: str, job_ids: list[str]) -> tuple[list[float], list[float]]:
    resumed, until_read = [], []
    entries = list(emulator.ledger.entries)
    for place, job_id in enumerate(job_ids):
        of_job = [entry for entry in entries if entry.job_id == job_id]
        sent = next(entry.time for entry in of_job if entry.operation == "webhook")
        read = next(entry.time for entry in of_job if entry.operation == "get_job" and entry.time > sent)
        until_read.append(read - sent)
        resumed.append(float(airflow.xcom(DAG, run, TASK, "resumed", place)) - sent)
    return resumed, until_read
