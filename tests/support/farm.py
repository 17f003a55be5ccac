"""A farm of a few lines, and a task that walks the course of a job on it, process by process.

No HTTP, no Airflow, no time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from renderjuice_provider.api._flow import Call, Pause, PutFile, Response, RunInThread
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.course import Course, Past
from renderjuice_provider.lifecycle.job_poller import JobPoller, watch
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.steps import Found, Save, WaitFor
from tests.support.flow_driver import Clock, operations_of

ON_THE_WAY = {"validating": "validated", "booting": "rendering", "rendering": "completed"}
PAID = {"booting", "rendering"}


class Died(BaseException):
    """The process is gone."""


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str, *arguments: Any) -> None:
        self.lines.append(text % arguments)

    warning = info


class Farm:
    """Jobs that take a step whenever they are read.

    Args:
        is_slow_to_show: the response to an order shows the job as it was before.
        renders_for_ever: no render ends by itself.

    Attributes:
        jobs: by id, as JSON.
        renders: the ids of the jobs whose render was started, in order.
        most_at_once: renders that were being paid for at the same time.
        fails: how many of the next renders fail.
    """

    def __init__(self, *, is_slow_to_show: bool = False, renders_for_ever: bool = False) -> None:
        self.is_slow_to_show = is_slow_to_show
        self.renders_for_ever = renders_for_ever
        self.jobs: dict[str, dict[str, Any]] = {}
        self.renders: list[str] = []
        self.uploads = 0
        self.most_at_once = 0
        self.fails = 0

    def __call__(self, step: Call | PutFile) -> Response:
        if isinstance(step, PutFile):
            self.uploads += 1
            return Response(200)
        body = self._answer(step)
        self.most_at_once = max(self.most_at_once, len(self.paid()))
        return Response(404 if body is None else 200, body=json.dumps(body or {"error": "unknown"}).encode())

    def paid(self) -> list[str]:
        """The jobs that cost money now."""
        return [job_id for job_id, job in self.jobs.items() if job["status"] in PAID]

    def _answer(self, call: Call) -> dict[str, Any] | None:
        match [call.method, *call.path.strip("/").split("/")]:
            case ["POST", "uploads"]:
                return {"uploadUrl": "https://store.example/scene", "slug": f"slug-{self.uploads}"}
            case ["POST", "jobs"]:
                return self._create()
            case ["GET", "jobs", job_id]:
                return self._advanced(job_id)
            case ["GET", "jobs", _, "progress"]:
                return {"progress": []}
            case ["POST", "jobs", job_id, action]:
                return self._act(job_id, action, call.body)
        raise AssertionError(call)

    def _create(self) -> dict[str, Any]:
        job_id = f"3c90c3cc-0d44-4b50-8888-{len(self.jobs):012d}"
        self.jobs[job_id] = {"id": job_id, "status": "created"}
        return self.jobs[job_id]

    def _advanced(self, job_id: str) -> dict[str, Any] | None:
        job = self.jobs.get(job_id)
        if job is None:
            return None
        next_status = ON_THE_WAY.get(job["status"], job["status"])
        if next_status == "completed":
            if self.renders_for_ever:
                return job
            if self.fails:
                self.fails -= 1
                next_status = "failed"
        job["status"] = next_status
        return job

    def _act(self, job_id: str, action: str, body: Any) -> dict[str, Any] | None:
        job = self.jobs.get(job_id)
        if job is None:
            return None
        before = dict(job)
        if action == "validate" and job["status"] == "created":
            job["status"] = "validating"
        elif action == "render" and job["status"] == "validated":
            job |= {"status": "booting", "requestedConfig": body["requestedRenderConfig"]}
            self.renders.append(job_id)
        elif action == "cancel" and job["status"] not in {"completed", "failed"}:
            job["status"] = "canceled"
        return before if self.is_slow_to_show and action != "cancel" else job


class Task:
    """One task instance: its processes die, what it stored stays.

    Attributes:
        stored: its record, as JSON.
        clock: of all its processes.
        steps: taken by the process that runs, or ran last.
    """

    def __init__(self, farm: Farm, *, deferred: bool = False) -> None:
        self.farm = farm
        self.deferred = deferred
        self.stored: Any = None
        self.max_tries = 0
        self.clock = Clock()
        self.log = Log()
        self.found: list[Job] = []
        self.saved: list[dict[str, Any]] = []
        self.steps = 0
        self._cut: tuple[int, bool] = (0, False)

    def run(self, order: Order, cut: int = 0, *, after: bool = False) -> Job:
        """One try, to its end.

        Args:
            order: what it orders.
            cut: the step at which its process dies; 0 for none.
            after: whether it dies after the step was performed, and not before.
        """
        self.steps, self._cut = 0, (cut, after)
        course = Course(order, Past(self.stored, max_tries=self.max_tries), self._operations(), self.log)
        return self._walk(course.run(), order)

    def _walk(self, flow: Any, order: Order) -> Job:
        def wait(step: WaitFor) -> Any:
            poller = JobPoller(
                step.job_id,
                step.target,
                poll_interval=30.0,
                started=step.started,
                deadline=step.deadline,
                limit=step.limit,
            )
            outcome = self._perform_all(watch(self._operations(), poller, self.log.info), wait)
            if not self.deferred:
                return outcome
            waited_for = {name: getattr(step, name) for name in ("job_id", "started", "deadline", "limit")}
            past = Past(self.stored, max_tries=self.max_tries)
            course = Course(order, past, self._operations(), self.log)
            raise _Resumed(self._walk(course.resumed(outcome, waited_for), order))

        try:
            return self._perform_all(flow, wait)
        except _Resumed as resumed:
            return resumed.job

    def _perform_all(self, flow: Any, wait: Callable[[WaitFor], Any]) -> Any:
        outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                return stop.value
            self.steps += 1
            assert self.steps < 1000, "this course does not end"
            is_last = (self.steps, True) == self._cut
            if (self.steps, False) == self._cut or (is_last and isinstance(step, WaitFor)):
                raise Died
            outcome = wait(step) if isinstance(step, WaitFor) else self._perform(step)
            if is_last:
                raise Died

    def _perform(self, step: Any) -> Any:
        match step:
            case Save():
                self.stored = json.loads(step.record.model_dump_json())
                self.saved.append(self.stored)
            case Found():
                self.found.append(step.job)
            case Pause():
                self.clock.now += timedelta(seconds=step.seconds)
            case RunInThread():
                return step.work()
            case _:
                return self.farm(step)
        return None

    def _operations(self) -> Any:
        return operations_of(self.clock)


class _Resumed(BaseException):
    """A deferral ended one process, and another has finished the course."""

    def __init__(self, job: Job) -> None:
        self.job = job
