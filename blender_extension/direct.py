"""A job at Renderjuice without Airflow, by our client.

The way of the job is the same as in Airflow (`renderjuice_provider.lifecycle.course`): the record
is written before anything is ordered, so whatever dies, the next start takes the job up, and one
scene pays for one render at a time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .records import Record

if TYPE_CHECKING:
    from renderjuice_provider.api.client import RenderjuiceClient
    from renderjuice_provider.api.models import Job
    from renderjuice_provider.lifecycle.outcome import Outcome
    from renderjuice_provider.lifecycle.steps import WaitFor

POLL_INTERVAL = 5.0
"""Seconds between two polls: one artist, who waits for it."""
_LONGEST = 24 * 3600.0
"""Seconds until a render that does not end is cancelled."""
_log = logging.getLogger(__name__)
Show = Callable[[str, int | None, int | None], None]
"""Takes what happens now, and the frames that are done, and all."""


class Stopped(Exception):  # noqa: N818 - somebody wanted it
    """The artist stopped it before a render was ordered."""


def order_of(scene: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What is ordered, as a record keeps it: `scene`, `content` and `render_config`."""
    from renderjuice_provider.api.scene_file import content_fingerprint

    return {"scene": str(scene), "content": content_fingerprint(scene), "render_config": dict(config)}


def render(client: RenderjuiceClient, record: Record, show: Show, stopped: Callable[[], bool]) -> Job:
    """From the packed scene to a completed job, or on from where an earlier start has left it.

    Args:
        client: of the account that pays.
        record: has an `order` of `order_of`; the job is noted in it.
        show: gets what happens.
        stopped: whether the artist wants no job any more.

    Raises:
        RenderjuiceError: says what has happened to the money.
        Stopped: before a render was ordered.
    """
    from renderjuice_provider.api._flow import PutFile
    from renderjuice_provider.api.errors import Bill, RenderjuiceError
    from renderjuice_provider.api.models import JobStatus
    from renderjuice_provider.lifecycle.course import Course, Past
    from renderjuice_provider.lifecycle.record import Order
    from renderjuice_provider.lifecycle.steps import Found, Save, WaitFor, performed
    from renderjuice_provider.lifecycle.unfinished import leaves

    ordered = record.read()["order"]
    order = Order(
        goal=JobStatus.COMPLETED,
        timeout=_LONGEST,
        scene=Path(ordered["scene"]),
        content=ordered["content"],
        source=ordered["scene"],
        render_config=ordered["render_config"],
        cancel_on_timeout=True,
        name=Path(ordered["scene"]).name,
    )

    def perform(step: Any) -> Any:
        match step:
            case Save():
                if stopped() and step.record.job_id is None:
                    raise Stopped
                record.note(job=step.record.model_dump())
            case Found():
                if stopped():
                    yield from client.operations.cancel_job(step.job.id)
                    raise Stopped
                show(str(step.job.status), None, None)
            case WaitFor():
                return (yield from _wait(client, step, show))
            case PutFile():
                show("uploading", None, None)
                return (yield from step)
            case _:
                return (yield from step)
        return None

    course = Course(order, Past(record.read().get("job")), client.operations, _log)
    try:
        job = client.run(performed(course.run(), perform))
    except Stopped:
        record.note(is_running=False)
        raise
    except RenderjuiceError as error:
        leaves(error, None, (record.read().get("job") or {}).get("job_id") or "")
        runs = error.bill in {Bill.RUNNING, Bill.MAY_RUN, Bill.LEFT_ALONE}
        record.note(is_running=runs)
        raise error.settle(next_step="Take Up goes on with it, Stop cancels it" if runs else "") from None
    record.note(is_running=False)
    return job


def stop(client: RenderjuiceClient, record: Record) -> str:
    """Cancel the job on record; what it is now, or empty when there is none yet."""
    job_id = (record.read().get("job") or {}).get("job_id")
    return str(client.cancel_job(job_id).status) if job_id else ""


def fetch(client: RenderjuiceClient, job: Job, folder: Path) -> list[Path]:
    """The frames of a completed job, put into `folder`; what is there whole is not fetched."""
    report = client.download_outputs(job.id, folder)
    return [folder / frame.place for frame in report.frames]


class KeyMissing(Exception):  # noqa: N818 - it is not wrong, only not there yet
    """There is no API key; the text says where one is looked for."""


def account(typed: str, base_url: str) -> Mapping[str, Any]:
    """What a client of our wheel is made with.

    Args:
        typed: a key; empty for the one that the command line would find (`renderjuice.account`).
        base_url: of the API; empty for the one that the command line would find.

    Raises:
        KeyMissing: when there is none.
        RenderjuiceInputError: for a key file that others can read.
    """
    from renderjuice.account import KEY, KEY_FILE, AccountOptions, find_account
    from renderjuice.exits import KeyMissingError

    environment = os.environ | ({KEY: typed} if typed else {})
    try:
        return find_account(AccountOptions(url=base_url or None), environment).arguments
    except KeyMissingError:
        raise KeyMissing(f"Sign in with Renderjuice's API key first, or set {KEY} or {KEY_FILE}") from None


def client_for(arguments: Mapping[str, Any]) -> RenderjuiceClient:
    """A client; use it in a `with` statement."""
    from renderjuice_provider.api.client import RenderjuiceClient

    return RenderjuiceClient(**arguments)


def _wait(client: RenderjuiceClient, wait: WaitFor, show: Show) -> Any:
    from renderjuice_provider.api._flow import Pause
    from renderjuice_provider.api.progress import Progress
    from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, poll

    class Shown(JobPoller):
        """A job poller that shows what it read."""

        def on_job(self, job: Job, progress: Progress | None, now: float) -> Any:
            seen = progress or Progress()
            show(str(job.status), seen.frames_done, seen.frames_total)
            return super().on_job(job, progress, now)

    poller = Shown(**asdict(wait), poll_interval=POLL_INTERVAL)
    while not isinstance(decision := (yield from poll(client.operations, poller)), Done):
        yield Pause(decision.pause)
    outcome: Outcome = decision.outcome
    return outcome
