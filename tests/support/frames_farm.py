"""A farm that loses and damages frames, and a task that renders in rounds, process by process."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from renderjuice_provider.api._flow import Call, FetchFile, Gather, Pause, PutFile, Received, Response, RunInThread
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.frames import ordered_frames
from renderjuice_provider.lifecycle.course import Past
from renderjuice_provider.lifecycle.job_poller import JobPoller, watch
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.rounds import Finished, Rounds
from renderjuice_provider.lifecycle.steps import Found, Save, WaitFor
from renderjuice_provider.operators._frame_folder import FilesOfFrames
from tests.support.farm import Died, Farm, Log
from tests.support.flow_driver import Clock, operations_of

ANALYSIS = {"frameStart": 1, "frameEnd": 6}
DAMAGED = b"cut sho"


class FramesFarm(Farm):
    """Renders files.

    Args:
        folder: where its client downloads to: what is whole there is not to be ordered again.
        lost: pairs of a job, counted from 0 in the order of renders, and a frame that it loses.
        damaged: such pairs whose file is damaged.
        failing: jobs that fail half-way, counted likewise.

    Attributes:
        in_vain: frames that were ordered although they were there and whole.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lost: Collection[tuple[int, int]] = (),
        damaged: Collection[tuple[int, int]] = (),
        failing: Collection[int] = (),
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.folder = folder
        self.lost, self.damaged, self.failing = set(lost), set(damaged), set(failing)
        self.in_vain: list[int] = []
        self.fetched = 0
        self.slugs_expire = False

    def __call__(self, step: Any) -> Response:
        if isinstance(step, FetchFile):
            _, number, frame = step.url.rsplit("/", 2)
            content = DAMAGED if (int(number), int(frame)) in self.damaged else b"whole"
            step.partial_file.write_bytes(content)
            self.fetched += 1
            return Response(200, received=Received(len(content), f"{number}-{frame}"))
        return super().__call__(step)

    def frames_of(self, job: dict[str, Any]) -> list[int]:
        """What a job was ordered to render."""
        return sorted(ordered_frames(job["requestedConfig"]) or range(1, 7))

    def _answer(self, call: Call) -> dict[str, Any] | None:
        match [call.method, *call.path.strip("/").split("/")]:
            case ["GET", "jobs", job_id, "downloads"]:
                return self._downloads(job_id)
            case ["POST", "jobs"] if self.slugs_expire and self.jobs:
                self.slugs_expire = False
                return None
        return super()._answer(call)

    def _downloads(self, job_id: str) -> dict[str, Any] | None:
        job = self.jobs.get(job_id)
        if job is None or job_id not in self.renders:
            return job and {"frameOutputs": []}
        number = self.renders.index(job_id)
        frames = self.frames_of(job)
        if job["status"] != "completed":
            frames = frames[: len(frames) // 2]
        return {
            "frameOutputs": [
                {"url": f"https://store.example/{number}/{frame}", "fileName": f"{frame:04d}.png"}
                for frame in frames
                if (number, frame) not in self.lost
            ]
        }

    def _advanced(self, job_id: str) -> dict[str, Any] | None:
        job = self.jobs.get(job_id)
        if job is not None and job["status"] == "validating":
            job["analysis"] = ANALYSIS
        if job is not None and job["status"] == "rendering" and self.renders.index(job_id) in self.failing:
            job["status"] = "failed"
            job["failedReason"] = {"name": "the machine is gone"}
            return job
        found = super()._advanced(job_id)
        if found is not None and found["status"] in {"completed", "failed", "canceled"} and job_id in self.renders:
            found["normalizedSeconds"] = 10.0
        return found

    def _act(self, job_id: str, action: str, body: Any) -> dict[str, Any] | None:
        before = len(self.renders)
        found = super()._act(job_id, action, body)
        if len(self.renders) > before:
            there = {int(path.stem) for path in self.folder.glob("frames/*.png") if path.read_bytes() == b"whole"}
            self.in_vain += sorted(there & set(self.frames_of(self.jobs[job_id])))
        return found


def is_whole(path: Path) -> bool:
    """Whether a file came from this farm undamaged."""
    return path.read_bytes() == b"whole"


class RoundsTask:
    """One task instance that renders in rounds: its processes die, what it stored stays."""

    def __init__(self, farm: FramesFarm, *, deferred: bool = False, rounds: int = 3, run_id: str = "night") -> None:
        self.farm = farm
        self.deferred = deferred
        self.rounds = rounds
        self.run_id = run_id
        self.stored: Any = None
        self.is_kept = True
        self.max_tries = 0
        self.clock = Clock()
        self.log = Log()
        self.waits: list[tuple[Any, Any]] = []
        self.found: list[str] = []
        self.steps = 0
        self._cut: tuple[int, bool] = (0, False)

    def run(self, order: Order, cut: int = 0, *, after: bool = False) -> Finished:
        """One try, to its end; see `tests.support.farm.Task`."""
        self.steps, self._cut = 0, (cut, after)
        return self._walk(order, lambda rounds: rounds.run())

    def resume(self, order: Order, wait: int) -> Finished:
        """A process that is resumed after a deferral, by its number; perhaps not the first one."""
        self._cut = (0, False)
        return self._walk(order, lambda rounds: rounds.resumed(*self.waits[wait]))

    def lose(self, order: Order, job_id: str) -> Finished:
        """A process after Airflow itself has ended the wait for a job."""
        self._cut = (0, False)
        return self._walk(order, lambda rounds: rounds.lost(job_id))

    def process(self, order: Order) -> Rounds:
        """A new process of the task."""
        past = Past(self.stored, self.is_kept, self.max_tries)
        folder = FilesOfFrames(str(self.farm.folder), is_whole)
        return Rounds(order, self.rounds, self.run_id, past, folder, operations_of(self.clock), self.log)

    def _walk(self, order: Order, enter: Callable[[Rounds], Any]) -> Finished:
        flow, outcome = enter(self.process(order)), None
        while True:
            try:
                step = flow.throw(outcome) if isinstance(outcome, RenderjuiceError) else flow.send(outcome)
            except StopIteration as stop:
                finished: Finished = stop.value
                return finished
            if isinstance(step, WaitFor) and self.deferred:
                self._count(step)
                ended, wait = self._wait(step), step
                waited_for = asdict(wait)
                self.waits.append((ended, waited_for))
                flow, outcome = self.process(order).resumed(ended, waited_for), None
            else:
                outcome = self._perform(step)

    def _wait(self, step: WaitFor) -> Any:
        poller = JobPoller(**asdict(step), poll_interval=30.0)
        return self._perform_all(watch(operations_of(self.clock), poller, self.log.info))

    def _perform_all(self, flow: Any) -> Any:
        outcome = None
        while True:
            try:
                step = flow.throw(outcome) if isinstance(outcome, RenderjuiceError) else flow.send(outcome)
            except StopIteration as stop:
                return stop.value
            outcome = self._perform(step)

    def _count(self, step: Any) -> bool:
        self.steps += 1
        assert self.steps < 3000, "these rounds do not end"
        if (self.steps, False) == self._cut or (isinstance(step, WaitFor) and (self.steps, True) == self._cut):
            raise Died
        return (self.steps, True) == self._cut

    def _perform(self, step: Any) -> Any:
        is_last = self._count(step)
        outcome = self._performed(step)
        if is_last:
            raise Died
        return outcome

    def _performed(self, step: Any) -> Any:
        match step:
            case Save():
                self.stored = json.loads(step.record.model_dump_json())
            case Found():
                self.found.append(step.job.id)
            case WaitFor():
                return self._wait(step)
            case Pause():
                self.clock.now += timedelta(seconds=step.seconds)
            case RunInThread():
                try:
                    return step.work()
                except RenderjuiceError as error:  # it is thrown into the flow, as by a client
                    return error
            case Gather():
                return [self._perform_all(flow) for flow in step.flows]
            case _:
                assert isinstance(step, (Call, PutFile, FetchFile))
                return self.farm(step)
        return None
