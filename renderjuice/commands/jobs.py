"""`renderjuice list`, `status`, `watch`, `wait`, `download` and `cancel`."""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from renderjuice.batch import POLL_INTERVAL
from renderjuice.exits import Exit, gravest, of_error, of_job
from renderjuice.fetching import Fetching, safe_name
from renderjuice.jobs import fields, find_jobs, name_of, read_jobs
from renderjuice.options import EVERY, JOBS, MOST, STATUS, TIMEOUT
from renderjuice.output import seconds
from renderjuice.performing import perform
from renderjuice.screen import Screen
from renderjuice.session import Session
from renderjuice.walks import WAIT_LIMIT, Fetches, Waits, Walk
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.lifecycle.stopping import stop_all

_STOPPING = 60.0
"""Seconds that cancelled jobs have to be over."""


def list_(
    session: Session,
    *,
    status: STATUS = None,
    limit: Annotated[int, typer.Option(min=1, help="Jobs at most.")] = 100,
) -> Exit:
    """List the jobs of the account: job, status, name, normalized seconds, age."""
    jobs = list(islice(session.client.list_jobs(status), limit))
    names = {job.id: name_of(job.id, session.book, job) for job in jobs}
    session.output.table([(fields(job, names[job.id]), _columns(job, names[job.id])) for job in jobs])
    return Exit.OK


def status(session: Session, jobs: JOBS) -> Exit:
    """Show jobs as they are now. Ends with 1 if one failed, 5 if one was canceled."""
    found = _find(session, jobs)
    codes = []
    rows = []
    for job_id, job in read_jobs(session.client, found).items():
        if isinstance(job, RenderjuiceError):
            session.output.say(f"{job_id}: {job.what}")
            codes.append(of_error(job))
        else:
            name = name_of(job_id, session.book, job)
            rows.append((fields(job, name), _columns(job, name)))
            codes.append(of_job(job))
    session.output.table(rows)
    return gravest(codes)


def watch(
    session: Session,
    jobs: JOBS,
    *,
    max_normalized_seconds: MOST = None,
    timeout: TIMEOUT = WAIT_LIMIT,
    every: EVERY = POLL_INTERVAL,
) -> Exit:
    """Wait for jobs and show how far they are. Ctrl-C stops watching, not the jobs."""
    return _wait(session, jobs, Screen(session.output), max_normalized_seconds, timeout, every)


def wait(
    session: Session,
    jobs: JOBS,
    *,
    max_normalized_seconds: MOST = None,
    timeout: TIMEOUT = WAIT_LIMIT,
    every: EVERY = POLL_INTERVAL,
) -> Exit:
    """Wait for jobs without a word. The exit code says how they ended."""
    return _wait(session, jobs, Screen(session.output, quiet=True), max_normalized_seconds, timeout, every)


def _wait(session: Session, jobs: list[str], screen: Screen, most: float | None, timeout: float, every: float) -> Exit:
    operations, book = session.client.operations, session.book
    walks = [Waits(job_id, name_of(job_id, book), operations, timeout) for job_id in _find(session, jobs)]
    return perform(session, screen, walks, every=every, most=most)


def download(
    session: Session,
    jobs: JOBS,
    *,
    into: Annotated[Path, typer.Option(metavar="FOLDER", help="Each job gets a folder below.")] = Path(),
) -> Exit:
    """Download the outputs of jobs that are over, each whole or not at all.

    Given again, it fetches only what is not there. Prints a line for each: job, status, name,
    folder.
    """
    operations = session.client.operations
    walks: list[Walk] = []
    for job_id in _find(session, jobs):
        booked = session.book.of_job(job_id)
        name = booked.name if booked else name_of(job_id, session.book, session.client.get_job(job_id))
        walks.append(Fetches(job_id, name, operations, Fetching(into, safe_name(name))))
    hint = "What has arrived stays; the same command fetches the rest."
    return perform(session, Screen(session.output), walks, every=POLL_INTERVAL, at_once=1, hint=hint)


def cancel(
    session: Session,
    jobs: JOBS,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Cancel jobs, and wait until they are over. What they rendered until then is billed.

    More than one asks first. Ends with 0 when all are over.
    """
    found = _find(session, jobs)
    if len(found) > 1 and not yes and not _agreed(len(found)):
        return Exit.USAGE
    operations = session.client.operations
    until = time.time() + _STOPPING
    stopped = session.client.run(stop_all(operations, found, poll_interval=2.0, until=until, log=session.output.say))
    codes = []
    for job_id, job in stopped.items():
        name = name_of(job_id, session.book)
        if isinstance(job, Job):
            session.output.data(fields(job, name), *_columns(job, name))
            codes.append(Exit.OK if job.is_over else Exit.ERROR)
            if job.status == JobStatus.COMPLETED:
                session.output.say(f"{name} had completed already: it is paid, and its outputs are there.")
        else:
            session.output.say(f"{name}: {job}")
            codes.append(of_error(job))
    return gravest(codes)


def _agreed(count: int) -> bool:
    """Whether the person at the terminal wants it.

    Raises:
        RenderjuiceInputError: when nobody is there to ask.
    """
    if not sys.stdin.isatty():
        raise RenderjuiceInputError(f"This cancels {count} jobs: add --yes.")
    return typer.confirm(
        f"Cancel {count} jobs? What they have rendered is billed, and rendering again costs again", err=True
    )


def _find(session: Session, jobs: list[str]) -> list[str]:
    return find_jobs(jobs, session.lines_of_stdin(jobs), session.book)


def _columns(job: Job, name: str) -> list[str]:
    spent = "" if job.normalized_seconds is None else f"{job.normalized_seconds:.0f} s"
    reason = job.reason if job.status == JobStatus.FAILED else ""
    age = "" if job.created_at is None else seconds(time.time() - job.created_at.timestamp())
    return [job.id, job.status, name, spent, age, reason]
