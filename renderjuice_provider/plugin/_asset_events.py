"""Asset events for completed renders: made beside the receiver, which must answer at once.

Every process of an API server has a thread for it. They need not know of each other: an asset event
is made in the transaction that takes its job out of the inbox, and each change of an inbox waits
for its turn. So each completed render gets one event, whichever of them is killed, and when.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.assets.manager import asset_manager
from airflow.models.asset import AssetDagRunQueue, AssetEvent, AssetModel
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from sqlalchemy import JSON, select, type_coerce, update
from sqlalchemy.exc import InterfaceError, OperationalError

from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.hooks._connection import client_arguments
from renderjuice_provider.lifecycle.completion import render_of_job
from renderjuice_provider.lifecycle.inbox import Inbox, Pending, variable_of
from renderjuice_provider.lifecycle.pending import Decision, PendingJobs, read_jobs
from renderjuice_provider.lifecycle.poll_round import obstacle
from renderjuice_provider.plugin._inbox_variable import edit_inbox, find_asset
from renderjuice_provider.plugin._refusals import named

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

INTERVAL = 10.0
"""Seconds between two reads of the inboxes. What this process has noted comes at once: this is for
what another one has left."""
SOON = 2.0
"""The same while jobs are pending."""
GATHERING = 0.2
"""Seconds in which events that come together are waited for."""
AT_ONCE = 20
"""Asset events in one transaction: while it lasts, no event of the connection can be noted, and on
SQLite nobody can write anything."""
TURN = 0.1
"""Seconds between two of them: SQLite gives its lock to whichever asks when it is free."""
SENT_AGAIN = 3600.0
"""Seconds in which Renderjuice may send an event again: how often it does is not published."""
PATIENCE = 10.0
"""Seconds for an answer of Renderjuice, where the connection's own time-out is not shorter."""


class AssetEvents:
    """Makes the asset events of pending jobs, from `start` to `stop`."""

    def __init__(self) -> None:
        self._noted: set[str] = set()
        self._wake = threading.Event()
        self._is_over = False
        self._jobs: dict[str, PendingJobs] = {}
        self._workers: dict[str, threading.Thread] = {}
        self._before: dict[str, Sequence[Pending]] = {}

    def start(self) -> None:
        """Begin. No thread of it keeps the process from its end."""
        threading.Thread(target=self._run, name="renderjuice-asset-events", daemon=True).start()

    def stop(self) -> None:
        """End soon."""
        self._is_over = True
        self._wake.set()

    def noted(self, renderjuice_conn_id: str) -> None:
        """This process has noted events whose asset events are wanted. Any thread may call it."""
        self._noted.add(renderjuice_conn_id)
        self._wake.set()

    def _run(self) -> None:
        while not self._is_over:
            pause = SOON if any(self._before.values()) else INTERVAL
            if self._wake.wait(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - so that processes take turns
                self._wake.clear()
                time.sleep(GATHERING)
            try:
                self._begin_work()
            except Exception:
                log.exception("Airflow's database did not give the inboxes. Next try in some %.0f s", pause)

    def _begin_work(self) -> None:
        """Give each connection's pending jobs to a worker: one that has to wait delays no other."""
        noted, self._noted = self._noted, set()
        before, self._before = self._before, pending_jobs()
        for renderjuice_conn_id, pending in self._before.items():
            # What another process has just noted, that one announces.
            left = set(before.get(renderjuice_conn_id, ()))
            mine = [job for job in pending if renderjuice_conn_id in noted or job in left]
            worker = self._workers.get(renderjuice_conn_id)
            if mine and not (worker and worker.is_alive()):
                worker = threading.Thread(target=self._work, args=(renderjuice_conn_id, mine), daemon=True)
                self._workers[renderjuice_conn_id] = worker
                worker.start()

    def _work(self, renderjuice_conn_id: str, pending: Sequence[Pending]) -> None:
        jobs = self._jobs.setdefault(renderjuice_conn_id, PendingJobs())
        try:
            if not (due := jobs.due(pending, time.monotonic())):
                return
            if is_wanted(renderjuice_conn_id):
                self._announce(renderjuice_conn_id, jobs, due)
            else:
                finish(renderjuice_conn_id, dict.fromkeys(pending))
        except RenderjuiceError as error:
            self._pause(renderjuice_conn_id, jobs, error)
        except Exception as error:
            # The connection is gone, or the database is: no traceback, since it may last for days.
            log.debug("Asset events of the connection %r could not be made", renderjuice_conn_id, exc_info=True)
            self._pause(renderjuice_conn_id, jobs, RenderjuiceError(named(error)))

    def _announce(self, renderjuice_conn_id: str, jobs: PendingJobs, due: Sequence[Pending]) -> None:
        found = read(renderjuice_conn_id, [job.job_id for job in due])
        decided: dict[Pending, Job | None] = {}
        for job in due:
            answer = found.get(job.job_id)
            decision = jobs.decide(job, answer, time.monotonic()) if answer else Decision.LATER
            if decision is Decision.DROP:
                log.info("No asset event for job %s: %s", job.job_id, getattr(answer, "status", None) or answer)
            if decision is not Decision.LATER:
                decided[job] = answer if isinstance(answer, Job) and decision is Decision.ANNOUNCE else None
        made, stuck = finish(renderjuice_conn_id, decided)
        for job, why in stuck.items():
            jobs.put_off(job, time.monotonic())
            log.error("The asset event for job %s could not be made, and is tried again: %s", job.job_id, why)
        if made:
            log.info("Asset events for completed renders of the connection %r: %d", renderjuice_conn_id, made)
        if error := obstacle(found.values()):
            self._pause(renderjuice_conn_id, jobs, error)

    def _pause(self, renderjuice_conn_id: str, jobs: PendingJobs, error: RenderjuiceError) -> None:
        pause = jobs.silence(error, time.monotonic())
        log.warning(
            "Completed jobs of the connection %r wait for their asset events (%s). Next try in %.0f s",
            renderjuice_conn_id,
            error.what,
            pause,
        )


def pending_jobs() -> dict[str, Sequence[Pending]]:
    """The pending jobs of each connection that has some."""
    prefix = variable_of("")
    with create_session(scoped=False) as session:
        variables = session.scalars(select(Variable).where(Variable.key.startswith(prefix, autoescape=True)))
        inboxes = {variable.key.removeprefix(prefix): Inbox.parse(variable.get_val()) for variable in variables}
    return {renderjuice_conn_id: inbox.pending for renderjuice_conn_id, inbox in inboxes.items() if inbox.pending}


def is_wanted(renderjuice_conn_id: str) -> bool:
    """Whether a DAG uses the asset of a connection; else its jobs need not even be read."""
    with create_session(scoped=False) as session:
        return find_asset(session, renderjuice_conn_id) is not None


def read(renderjuice_conn_id: str, job_ids: Sequence[str]) -> dict[str, Job | RenderjuiceError]:
    """Each job as Renderjuice has it now."""
    from airflow.models.connection import Connection

    arguments = client_arguments(Connection.get_connection_from_secrets(renderjuice_conn_id))
    arguments["timeout"] = min(arguments.get("timeout", PATIENCE), PATIENCE)
    with RenderjuiceClient(**arguments) as client:
        return client.run(read_jobs(client.operations, job_ids))


def finish(renderjuice_conn_id: str, decided: Mapping[Pending, Job | None]) -> tuple[int, dict[Pending, str]]:
    """Take pending jobs out of the inbox, with an asset event for each `Job`.

    What is not pending any more was announced, or dropped, by another process.

    Returns:
        How many asset events were made, and what Airflow did not take, with its reason: that stays
        pending, and keeps no other job waiting.
    """
    dropped = {pending: None for pending, job in decided.items() if job is None}
    if dropped:
        _finish(renderjuice_conn_id, dropped)
    made = 0
    stuck: dict[Pending, str] = {}
    rows = [(pending, job) for pending, job in decided.items() if job]
    for at in range(0, len(rows), AT_ONCE):
        found, left = _finish_each(renderjuice_conn_id, dict(rows[at : at + AT_ONCE]))
        made, stuck = made + found, stuck | left
        time.sleep(TURN)
    return made, stuck


def _finish_each(renderjuice_conn_id: str, decided: Mapping[Pending, Job]) -> tuple[int, dict[Pending, str]]:
    """All in one transaction; where that fails because of one of them, each in its own."""
    try:
        return _finish(renderjuice_conn_id, decided), {}
    except (OperationalError, InterfaceError):
        raise  # of the database, whatever is written
    except Exception as error:  # noqa: BLE001 - one that Airflow does not take must not keep the others
        if len(decided) == 1:
            return 0, dict.fromkeys(decided, named(error))
    results = [_finish_each(renderjuice_conn_id, {pending: job}) for pending, job in decided.items()]
    return sum(made for made, _ in results), {job: why for _, stuck in results for job, why in stuck.items()}


def _finish(renderjuice_conn_id: str, decided: Mapping[Pending, Job | None]) -> int:
    made = 0

    def edit(inbox: Inbox) -> Inbox:
        nonlocal made
        ours = decided.keys() & set(inbox.pending)
        jobs = {job.id: job for pending in sorted(ours) if (job := decided[pending])}
        if jobs and (asset := find_asset(session, renderjuice_conn_id)):
            known = _announced(session, asset, jobs)
            made = _register(session, asset, [job for job_id, job in jobs.items() if job_id not in known])
        return inbox.without_pending({pending.number for pending in ours})

    with create_session(scoped=False) as session:
        edit_inbox(session, renderjuice_conn_id, edit)
    return made


def _announced(session: Session, asset: AssetModel, job_ids: Iterable[str]) -> set[str]:
    """Those of the jobs that have an asset event.

    Renderjuice sends an event again if it got no answer. By then the inbox may have forgotten it:
    500 others came, or someone deleted the Variable.
    """
    job_id = type_coerce(AssetEvent.extra, JSON)["job_id"].as_string()
    since = datetime.now(UTC) - timedelta(seconds=SENT_AGAIN)
    mine = (AssetEvent.asset_id == asset.id, AssetEvent.timestamp > since)
    return set(session.scalars(select(job_id).where(*mine, job_id.in_(list(job_ids)))))


def _register(session: Session, asset: AssetModel, jobs: Sequence[Job]) -> int:
    """Make an asset event for each job, and see that the next run of each DAG gets all of them.

    Before Airflow 3.4, a DAG has one place in its queue for an asset, with the time at which it was
    taken. The run gets the events up to then; those that come later, before the scheduler has made
    the run, would wait for yet another event.
    """
    one_place = not hasattr(AssetDagRunQueue, "asset_event_id")
    if one_place:
        _move_up(session, asset, datetime.now(UTC))  # and keep the scheduler from making a run meanwhile
    made = [
        asset_manager.register_asset_change(asset=asset, extra=dict(render_of_job(job)), session=session)
        for job in jobs
    ]
    events: list[AssetEvent] = [event for event in made if event]
    if one_place:
        now = datetime.now(UTC)
        for event in events:
            event.timestamp = now
        _move_up(session, asset, now)
    return len(events)


def _move_up(session: Session, asset: AssetModel, now: datetime) -> None:
    """Give the DAGs that wait for their run with this asset a later time in their queue."""
    places = update(AssetDagRunQueue).where(AssetDagRunQueue.asset_id == asset.id).values(created_at=now)
    session.execute(places, execution_options={"synchronize_session": False})
