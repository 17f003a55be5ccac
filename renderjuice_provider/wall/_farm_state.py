"""What API servers know together of the jobs of one connection, and which are to be polled now.

Pure. It is kept in an Airflow Variable, so that all of them poll no more than one would.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from renderjuice_provider.wall._seen_jobs import SeenJob

__all__ = [
    "INTERVAL",
    "FarmState",
    "variable_of",
]

INTERVAL = 5.0
"""Seconds between two poll rounds, and so between two polls of a job that is watched."""
_AFTER_ITS_TASK = 60.0
"""The same for a job whose task is over: nothing in Airflow waits for it."""
_UNKNOWN = 300.0
"""The same for a job that Renderjuice does not know."""
_AFTER_A_FAILURE = 15.0
"""Seconds after requests that failed until the next."""
SIGN_OF_LIFE = 60.0
"""Seconds after which Renderjuice is asked whether it answers where there is no job to poll."""
_TURN = 30.0
"""Seconds after which another API server takes the turn of one that is gone."""
_MOST_JOBS = 2000
"""Jobs that are kept: those that are over longest go first."""
_MOST_BYTES = 16 << 20
"""Bytes of what is stored, unpacked."""
_TOLERANCE = 0.05
_CLOCKS_DIFFER = 60.0
"""Seconds by which the clocks of API servers may differ, or one may be set back."""


def variable_of(renderjuice_conn_id: str) -> str:
    """The Variable in which API servers share what they know of a connection's jobs."""
    return f"renderjuice_wall_{renderjuice_conn_id}"


class FarmState(BaseModel):
    """What is known of a connection.

    Attributes:
        version: of this layout.
        jobs: by id, in lower case.
        asked: when the newest poll round began, in seconds since the epoch.
        answered: when the newest one that was answered began.
        error: what is wrong since then, in a sentence; empty where nothing is.
        quiet_until: before this, no request may be sent: Renderjuice has asked for it.
        turn_of: the API server that polls now.
        turn_until: when its turn is over.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    jobs: Mapping[str, SeenJob] = {}
    asked: float = 0.0
    answered: float | None = None
    error: str = ""
    quiet_until: float = 0.0
    turn_of: str = ""
    turn_until: float = 0.0

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """What was stored; nothing known where it cannot be read, such as after a downgrade."""
        try:
            return cls.model_validate_json(zlib.decompressobj().decompress(b64decode(text or ""), _MOST_BYTES))
        except (ValueError, zlib.error):
            return cls()

    def serialize(self) -> str:
        """As text, without what goes without saying, and packed.

        It is written every few seconds, with hundreds of jobs that are much alike.
        """
        return b64encode(zlib.compress(self.model_dump_json(exclude_defaults=True).encode(), 1)).decode()

    def merge(self, other: FarmState) -> FarmState:
        """What both know: of each job, and of Renderjuice, the newer; the turn is as it is here."""
        newer, older = (self, other) if self.asked >= other.asked else (other, self)
        jobs = dict(older.jobs)
        for job_id, job in newer.jobs.items():
            if job_id not in jobs or jobs[job_id].read <= job.read:
                jobs[job_id] = job
        answered = max((each for each in (self.answered, other.answered) if each is not None), default=None)
        return newer.model_copy(
            update={
                "jobs": _newest(jobs),
                "answered": answered,
                "quiet_until": max(self.quiet_until, other.quiet_until),
                "turn_of": self.turn_of,
                "turn_until": self.turn_until,
            }
        )

    def polled(
        self, jobs: Iterable[SeenJob], now: float, *, answered: bool, error: str = "", quiet: float = 0.0
    ) -> FarmState:
        """After a poll round.

        Args:
            jobs: those that it has read.
            now: when it began.
            answered: whether Renderjuice has answered.
            error: what is wrong.
            quiet: seconds in which no request may follow.
        """
        return self.model_copy(
            update={
                "jobs": _newest(dict(self.jobs) | {job.job_id: job for job in jobs}),
                "asked": now,
                "answered": now if answered else self.answered,
                "error": error,
                "quiet_until": now + quiet,
            }
        )

    def believable(self, now: float) -> FarmState:
        """Without what is dated in the future: a server with a wrong clock would silence all."""
        latest = now + _CLOCKS_DIFFER
        state = self
        if max(self.asked, self.answered or 0.0) > latest:
            state = state.model_copy(update={"asked": 0.0, "answered": None, "error": "", "quiet_until": 0.0})
        if any(job.read > latest for job in self.jobs.values()):
            jobs = {job_id: job for job_id, job in self.jobs.items() if job.read <= latest}
            state = state.model_copy(update={"jobs": jobs})
        return state.end_turn() if self.turn_until > latest + _TURN else state

    # Whose turn it is

    def take_turn(self, server: str, now: float) -> FarmState:
        """With the turn of this API server, unless another one has it."""
        if self.turn_of not in {"", server} and self.turn_until > now:
            return self
        return self.model_copy(update={"turn_of": server, "turn_until": now + _TURN})

    def end_turn(self) -> FarmState:
        """Without a turn."""
        return self.model_copy(update={"turn_of": "", "turn_until": 0.0})

    # What is to be done

    def due(self, wanted: Collection[str], over: Collection[str], now: float) -> list[str]:
        """The jobs to poll now.

        Args:
            wanted: those that are shown somewhere.
            over: those whose tasks are over.
            now: in seconds since the epoch.
        """
        if now < self._not_before() - _TOLERANCE:
            return []
        return [job_id for job_id in wanted if self._due_at(job_id, over) <= now + _TOLERANCE]

    def needs_sign_of_life(self, now: float) -> bool:
        """Whether Renderjuice should be asked whether it answers at all."""
        return now >= max(self._not_before(), self.asked + SIGN_OF_LIFE) - _TOLERANCE

    def next_poll(self, wanted: Collection[str], over: Collection[str]) -> float:
        """When something is to be done next."""
        first = min((self._due_at(job_id, over) for job_id in wanted), default=float("inf"))
        return max(self._not_before(), min(first, self.asked + SIGN_OF_LIFE))

    def _due_at(self, job_id: str, over: Collection[str]) -> float:
        job = self.jobs.get(job_id)
        if job is None:
            return 0.0
        if job.is_over:
            return job.read + INTERVAL if job.must_be_counted else float("inf")
        if not job.is_known:
            return job.read + _UNKNOWN
        return job.read + (_AFTER_ITS_TASK if job_id in over else INTERVAL)

    def _not_before(self) -> float:
        return max(self.quiet_until, self.asked + (_AFTER_A_FAILURE if self.error else INTERVAL))


def _newest(jobs: dict[str, SeenJob]) -> dict[str, SeenJob]:
    """Not more than `_MOST_JOBS`: those that run, and those that were over last."""
    if len(jobs) <= _MOST_JOBS:
        return jobs
    rank = sorted(jobs, key=lambda job_id: (jobs[job_id].is_over, -(jobs[job_id].ended or jobs[job_id].read)))
    return {job_id: jobs[job_id] for job_id in rank[:_MOST_JOBS]}
