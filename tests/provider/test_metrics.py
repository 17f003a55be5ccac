"""What renders contribute to Airflow's statistics and traces: each job once, and no secret."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider import _metrics
from renderjuice_provider._metrics import ON_SERVERS, ON_WORKERS, Metrics
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceIncompleteError
from renderjuice_provider.api.models import Job
from renderjuice_provider.compat import TaskDeferred
from renderjuice_provider.lifecycle.job_poller import JobPoller, PollAgain
from renderjuice_provider.operators import _kills as kills
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor
from renderjuice_provider.triggers._poll_figures import PollFigures
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger
from tests.support.runner import CONFIG, needs_store

JOB = "11111111-1111-4111-8111-111111111111"
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


class Board:
    """Airflow's statistics as sums: what a statsd or an OpenTelemetry collector would hold."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.gauges: dict[str, float] = {}
        self.durations: dict[str, list[float]] = defaultdict(list)

    def incr(self, name: str, count: float, tags: Mapping[str, str]) -> None:
        self.sums[_key(name, tags)] += count

    def gauge(self, name: str, value: float, tags: Mapping[str, str]) -> None:
        self.gauges[_key(name, tags)] = value

    def timing(self, name: str, milliseconds: float, tags: Mapping[str, str]) -> None:
        self.durations[_key(name, tags)].append(milliseconds)

    def of(self, name: str) -> dict[str, float]:
        return {key.partition(" ")[2]: value for key, value in self.sums.items() if key.partition(" ")[0] == name}


def _key(name: str, tags: Mapping[str, str]) -> str:
    rest = [value for tag, value in tags.items() if tag not in {"connection", "hostname"}]
    return " ".join([name, *rest])


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    board = Board()
    for metrics in (ON_WORKERS, ON_SERVERS):
        monkeypatch.setattr(metrics, "_find", lambda: board)
    return board


def run_job(scene: Any, deferrable: bool = True, **arguments: Any) -> RenderjuiceRunJobOperator:
    return RenderjuiceRunJobOperator(
        **{"task_id": "run", "file_path": str(scene), "render_config": CONFIG, "poll_interval": 0.02}
        | {"deferrable": deferrable}
        | arguments
    )


@both_modes
def test_a_render_is_counted_with_its_seconds_its_frames_and_its_polls(emulator, runner, scene, board, deferrable):
    found = runner.run(run_job(scene, deferrable))

    assert board.of("renderjuice.jobs.ended") == {"completed": 1}
    assert board.of("renderjuice.normalized_seconds") == {"": found["normalized_seconds"]}
    assert found["normalized_seconds"] > 0
    assert board.of("renderjuice.frames.delivered") == {"": 3}
    assert board.of("renderjuice.frames.missing") == {"": 0}
    assert board.of("renderjuice.jobs.unknown_cost") == {}
    assert board.of("renderjuice.polls")["ok"] >= 2
    if deferrable:
        assert set(board.gauges) == {"renderjuice.waits.open"}
        assert board.gauges["renderjuice.waits.open"] == 0, "no wait is open at the end"


@needs_store
def test_a_job_that_an_earlier_try_has_counted_is_not_counted_again(emulator, runner, scene, board):
    runner.run(run_job(scene))
    before = dict(board.sums)
    runner.run(run_job(scene))  # a retry, or a clear: the job is on record, and completed

    assert dict(board.sums) == before
    assert emulator.ledger.renders_started() == 1


@both_modes
def test_a_job_that_fails_is_counted_as_failed(emulator, runner, tmp_path, board, deferrable):
    broken = write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2)
    with pytest.raises(RenderjuiceError):
        runner.run(run_job(broken, deferrable))

    assert board.of("renderjuice.jobs.ended") == {"failed": 1}
    assert board.of("renderjuice.frames.delivered") == {}


@both_modes
def test_a_job_that_is_stopped_at_the_deadline_is_counted_as_timed_out(emulator, runner, tmp_path, board, deferrable):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    with pytest.raises(RenderjuiceError, match="timed out"):
        runner.run(run_job(slow, deferrable, timeout=1.5))

    assert board.of("renderjuice.jobs.ended") == {"timed_out": 1}


def test_a_task_that_is_killed_counts_the_job_that_it_has_cancelled(emulator, runner, tmp_path, board, monkeypatch):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    operator = run_job(slow, wait=False)
    runner.run(operator)
    monkeypatch.setattr(kills, "task_state", lambda _: "failed")
    operator.on_kill()

    assert board.of("renderjuice.jobs.ended") == {"killed": 1}
    assert emulator.ledger.jobs_left_running() == []


@needs_store
def test_a_deferred_task_that_is_killed_counts_it_in_the_triggerer(emulator, runner, tmp_path, board, monkeypatch):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    runner.run(run_job(slow, wait=False))
    with pytest.raises(TaskDeferred) as deferral:
        run_job(slow, on_clear="reattach").execute(runner.context)
    trigger = deferral.value.trigger
    trigger.task_instance = runner.ti
    monkeypatch.setattr("renderjuice_provider.triggers.renderjuice.task_state", lambda _: "failed")
    asyncio.run(trigger.on_kill())

    assert board.of("renderjuice.jobs.ended") == {"killed": 1}
    assert emulator.ledger.jobs_left_running() == []


def render_frames(scene: Any, folder: Any) -> RenderjuiceRenderFramesOperator:
    return RenderjuiceRenderFramesOperator(
        task_id="render",
        file_path=str(scene),
        render_config=CONFIG,
        destination=str(folder),
        rounds=2,
        poll_interval=0.02,
    )


def test_a_folder_that_is_made_whole_is_counted_with_its_job(emulator, runner, scene, board, tmp_path):
    found = runner.run(render_frames(scene, tmp_path / "out"))

    assert board.of("renderjuice.jobs.ended") == {"completed": 1}
    assert board.of("renderjuice.normalized_seconds") == {"": found["normalized_seconds"]}
    assert board.of("renderjuice.frames.delivered") == {"": 3}


@needs_store
def test_each_round_of_a_folder_is_a_job_and_what_stays_missing_is_counted_once(emulator, runner, tmp_path, board):
    gappy = write_scene(tmp_path / "gappy.blend", frame_end=3, missing_output_frames=(2,))
    with pytest.raises(RenderjuiceIncompleteError):
        runner.run(render_frames(gappy, tmp_path / "out"))

    assert board.of("renderjuice.jobs.ended") == {"completed": 2}
    assert board.of("renderjuice.frames.delivered") == {"": 2}
    assert board.of("renderjuice.frames.missing") == {"": 1}


def test_what_only_validates_or_watches_counts_no_end_of_a_job(emulator, runner, scene, board):
    slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(scene)))
    job_id = runner.run(RenderjuiceCreateJobOperator(task_id="create", slug=slug))
    runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, poll_interval=0.02))
    sensor = RenderjuiceJobSensor(
        task_id="wait", job_id=job_id, target_status="validated", deferrable=False, poll_interval=0.02
    )
    sensor.execute(runner.context)

    assert board.of("renderjuice.jobs.ended") == {}
    assert board.of("renderjuice.polls")["ok"] >= 1


FAULTS = [("429", "429"), ("503", "503"), ("reset-before", "no_response"), ("nonsense", "nonsense")]


@pytest.mark.parametrize(("fault", "response"), FAULTS)
def test_a_poll_that_meets_no_job_is_counted_by_what_it_met(emulator, runner, scene, board, fault, response):
    job_id = runner.run(run_job(scene, wait=False))["job_id"]
    board.sums.clear()
    emulator.faults.add("get_job", fault)
    RenderjuiceJobSensor(task_id="wait", job_id=job_id, poll_interval=0.02, deferrable=False).execute(runner.context)
    assert board.of("renderjuice.polls")[response] == 1

    emulator.faults.add("get_job", fault)
    now = time.time()
    times = {"poll_interval": 0.02, "started": now, "deadline": now + 60}
    trigger = RenderjuiceJobTrigger(
        renderjuice_conn_id="renderjuice_default", job_id=job_id, target="completed", **times
    )
    asyncio.run(runner.fire(trigger))
    assert board.of("renderjuice.polls")[response] == 2


def test_a_key_that_is_refused_is_counted_too(emulator, runner, scene, board):
    job_id = runner.run(run_job(scene, wait=False))["job_id"]
    emulator.faults.add("get_job", "401")
    sensor = RenderjuiceJobSensor(task_id="wait", job_id=job_id, poll_interval=0.02, deferrable=False)
    with pytest.raises(RenderjuiceError):
        sensor.execute(runner.context)

    assert board.of("renderjuice.polls")["401"] == 1


def polled(poller: JobPoller, status: str, now: float) -> float | None:
    decision = poller.on_job(Job(id=JOB, status=status), None, now)
    assert isinstance(decision, PollAgain)
    return decision.queued


def poller() -> JobPoller:
    return JobPoller(JOB, "completed", poll_interval=30, started=0, deadline=1e6, jitter=lambda: 0.0)


@pytest.mark.parametrize("ready", ["validated", "booting"])
def test_a_render_is_queued_until_the_first_poll_that_finds_it_rendering(ready):
    found = poller()
    assert [polled(found, ready, 105), polled(found, "booting", 135)] == [None, None]
    assert polled(found, "rendering", 165) == 60.0
    assert polled(found, "rendering", 195) is None, "once"


def test_of_a_render_that_nobody_has_seen_queued_nothing_is_known():
    found = poller()
    assert [polled(found, "rendering", 105), polled(found, "suspended", 135)] == [None, None]
    assert polled(found, "rendering", 165) is None


def test_the_queue_of_a_render_is_measured_on_the_worker(emulator, runner, tmp_path, board):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=800)
    began = time.monotonic()
    runner.run(run_job(slow, deferrable=False, poll_interval=0.02))
    (queued,) = board.durations["renderjuice.job.queue_duration"]

    assert 0 <= queued <= 1000 * (time.monotonic() - began)


def test_a_triggerer_sends_what_it_has_polled_once_a_round(board):
    figures = PollFigures("farm")
    found = poller()
    for status, now in [("booting", 105), ("booting", 135), ("rendering", 165)]:
        figures.add(found.on_job(Job(id=JOB, status=status), None, now))
    assert board.sums == {}
    figures.send(1)
    figures.send(1)

    assert board.of("renderjuice.polls") == {"ok": 3}
    assert board.durations["renderjuice.job.queue_duration"] == [60_000]
    assert board.gauges == {"renderjuice.waits.open": 1}


@both_modes
def test_the_span_of_a_task_has_its_job_and_no_secret(emulator, runner, scene, deferrable):
    provider, spans = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with provider.get_tracer("airflow").start_as_current_span("worker.run"):
        found = runner.run(run_job(scene, deferrable))

    (span,) = spans.get_finished_spans()
    attributes = dict(span.attributes)
    assert attributes["renderjuice.job_id"] == found["job_id"]
    assert attributes["renderjuice.status"] == "completed"
    assert attributes["renderjuice.normalized_seconds"] == found["normalized_seconds"]
    assert attributes["renderjuice.frames.delivered"] == 3
    statuses = [event.attributes["status"] for event in span.events if event.name == "renderjuice.job"]
    assert statuses[0] == "created"
    assert statuses[-1] == "completed"
    assert emulator.api_key not in span.to_json()


def test_a_statistic_that_fails_or_is_not_there_fails_nothing():
    def broken() -> Any:
        raise OSError("no socket")

    Metrics(broken).count("renderjuice.polls")
    Metrics(SimpleNamespace).gauge("renderjuice.waits.open", 1)


@pytest.mark.parametrize("find", [_metrics._of_tasks, _metrics._of_servers])
def test_airflows_own_statistics_take_what_is_counted(find):
    stats = find()
    assert callable(stats.incr)
    assert callable(stats.gauge)
    assert callable(stats.timing)
    Metrics(find).count("renderjuice.polls", {"response": "ok"}, by=2)


def test_without_opentelemetry_no_span_is_described(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    _metrics.annotate({"renderjuice.job_id": JOB})
