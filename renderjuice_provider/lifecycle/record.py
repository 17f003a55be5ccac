"""What a task writes down about its job, so that the next try goes on where this one stopped.

The record is written before anything is ordered and again as soon as there is a job, and always before a render is paid for. It
never holds a try number: all tries of one task instance are about the same work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from renderjuice_provider.api.redact import storable


@dataclass(frozen=True)
class Work:
    """What is ordered.

    Who is billed is no part of it: a key sees the jobs of its own account only, so a job that can be read is one of ours, whatever
    the connection is called by now.

    Attributes:
        mark: fingerprint of what decides on pixels.
        order: the render configuration.
        formerly: the mark as records of version 0.1.0 hold it: with the path, all fields, and the connection.
        content: fingerprint of the scene's bytes; None where there is no scene, or none any more.
        source: where the scene lies; it stands for the bytes once they are gone.
        job_id: the job, where the order is about one that exists already.
    """

    mark: str
    order: Mapping[str, Any]
    formerly: str
    content: str | None = None
    source: str | None = None
    job_id: str | None = None


class JobRecord(BaseModel):
    """One order of one task instance.

    Attributes:
        work: fingerprint of what was ordered: `Work.mark`.
        content: fingerprint of the scene's bytes; None where the order is about a job that exists already.
        source: where that scene lay.
        slug: the uploaded scene, once it is uploaded.
        job_id: the job, once there is one.
        started: when the work began, in seconds since the epoch, and
        deadline: when it is given up: a retry does not prolong it.
        max_tries: Airflow's own limit at that time. A retry leaves it alone, a user's clear raises it: that tells them apart.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    work: str
    content: str | None = None
    source: str | None = None
    slug: str | None = None
    job_id: str | None = None
    started: float
    deadline: float
    max_tries: int = 0

    @classmethod
    def read(cls, stored: Any) -> JobRecord | None:
        """A stored record; None when there is none, or one that this version does not understand."""
        try:
            return cls.model_validate(stored)
        except ValidationError:
            return None

    def is_about(self, work: Work) -> bool:
        """Whether this is the record of the same work. A scene that is gone by now counts as unchanged: it was uploaded."""
        if self.work == work.formerly:
            return work.content is None or self.content == work.content
        same_scene = self._same_source(work) if work.content is None else self.content == work.content
        return self.work == work.mark and same_scene

    def _same_source(self, work: Work) -> bool:
        """As far as a record may say where a scene lay."""
        return bool(storable(self.source) == storable(work.source))

    def was_cleared(self, max_tries: int) -> bool:
        """Whether a user has cleared the task since this was written."""
        return max_tries != self.max_tries

    def extended(self, now: float, timeout: float, max_tries: int) -> JobRecord:
        """For another try: the same deadline while it lies ahead, a new one after."""
        times = {} if now < self.deadline else {"started": now, "deadline": now + timeout}
        return self.model_copy(update=times | {"max_tries": max_tries})


def fingerprint(*parts: Any) -> str:
    """A short name for JSON values: the same for the same values, whatever the order of keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
