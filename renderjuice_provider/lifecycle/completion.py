"""What an asset event says of a completed render, and which completed jobs are new.

Written once, so that an event is the same whichever way it became known: by a webhook, or by a
trigger that lists jobs. Sources: the API reference's pages on jobs and on listing them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict
from urllib.parse import quote

from renderjuice_provider.api import _lenient as lenient
from renderjuice_provider.api._flow import Flow
from renderjuice_provider.api._listing import JobListing
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.redact import redact
from renderjuice_provider.lifecycle.inbox import RENDER_COMPLETE

LONGEST_NAME = 100
"""Characters of a shot's name."""
_SHOT = re.compile(r"^[ \t]*shot:[ \t]*(\S.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_SCENE_NAMES = ("fileName", "name")
"""Where a job's `sceneFile` may say its file's name: its shape is not documented."""
_MARK = 12
"""Hex digits that stand for a job's id: no two of a million jobs are likely to share them."""


class CompletedRender(TypedDict):
    """The `extra` of an asset event. Never a URL, never a key.

    Attributes:
        job_id: the id of the job.
        shot: as a line `shot: <name>` in the `notes` of its render configuration says it; None
            where there is no such line.
        scene: the name of its scene's file; None where Renderjuice does not say it.
        normalized_seconds: render time, normalised for the speed of the GPU, which is close to the
            cost; None where Renderjuice does not say it.
        event: what happened, as Renderjuice names it: `onRenderComplete`.
    """

    job_id: str
    shot: str | None
    scene: str | None
    normalized_seconds: float | None
    event: str


def asset_key(renderjuice_conn_id: str) -> tuple[str, str]:
    """Name and URI of the asset whose events are the completed renders of a connection."""
    return (
        f"renderjuice_completed_{renderjuice_conn_id}",
        f"renderjuice://{quote(renderjuice_conn_id, safe='')}/completed",
    )


def render_of_job(job: Job) -> CompletedRender:
    """What is said of a job that is completed."""
    return {
        "job_id": job.id,
        "shot": shot_of(job),
        "scene": _scene_of(job),
        "normalized_seconds": job.normalized_seconds,
        "event": RENDER_COMPLETE,
    }


def notes_with_shot(shot: str, notes: str = "") -> str:
    """`notes` for a render configuration, with the line that names its shot; see `shot_of`."""
    return "\n".join(filter(None, [notes, f"shot: {shot}"]))


def shot_of(job: Job) -> str | None:
    """The shot that the notes of a job's render configuration name.

    Notes come back with the job, and change no pixel, so they are the one place where the order can
    say it. A scene's name is not taken for a shot: nobody said that it is one.
    """
    for config in map(lenient.parsed, (job.requested_config, job.final_config)):
        notes = config.get("notes") if isinstance(config, Mapping) else None
        named = _SHOT.findall(notes) if isinstance(notes, str) else []
        if named and redact(named[-1], longest=LONGEST_NAME) == named[-1]:
            return str(named[-1])
    return None


def _scene_of(job: Job) -> str | None:
    file: Any = lenient.parsed(job.scene_file)
    if isinstance(file, Mapping):
        file = next((file[key] for key in _SCENE_NAMES if file.get(key)), None)
    if not isinstance(file, str):
        return None
    path = redact(file).partition("?")[0].replace("\\", "/")
    return path.rstrip("/").rpartition("/")[2] or None


class KnownCompletions:
    """The completed jobs of an account that need no event any more.

    Args:
        marks: what `marks` was when this was remembered; None at the very first, when all that is
            completed already is noted without an event.
    """

    def __init__(self, marks: str | None = None) -> None:
        self._marks = None if marks is None else set(marks.split())

    @property
    def marks(self) -> str:
        """What to remember of them: a short text for each job, since there may be thousands."""
        return " ".join(sorted(self._marks or ()))

    @property
    def is_first(self) -> bool:
        """Whether nothing was listed or remembered yet."""
        return self._marks is None

    def fresh(self, operations: Operations, *, whole: bool = False) -> Flow[list[Job]]:
        """The jobs that have completed since; from now on they are known.

        The order of the list is not documented, so a page of known jobs does not say that the rest
        is known. That all are known, the list's own count says: then no further page is read.

        Args:
            operations: of the client.
            whole: read all pages, whatever the count says: a job may have vanished from the list,
                and another one taken its place in the count.
        """
        known, listing = self._marks or set(), JobListing(operations, JobStatus.COMPLETED)
        found: dict[str, Job] = {}
        while listing.more:
            found |= {_mark(job): job for job in (yield from listing.next_page())}
            if not whole and listing.total == len(known | found.keys()):
                break
        fresh = list(_unknown(found, known))
        is_all = listing.total == len(found)
        fresh = [] if self.is_first else fresh
        self._marks = set(found) if is_all else known | found.keys()
        return fresh


def _unknown(found: Mapping[str, Job], known: set[str]) -> Iterator[Job]:
    return (job for mark, job in found.items() if mark not in known)


def _mark(job: Job) -> str:
    return hashlib.sha256(job.id.lower().encode(errors="surrogatepass")).hexdigest()[:_MARK]
