"""Carrying out what people do on the wall: planned by pure functions, done by Airflow's own API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow import settings
from airflow.models.dag import DagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

from renderjuice_provider._task_state import RECORD_KEY
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.redact import redact
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.kill import ENDED
from renderjuice_provider.wall._airflow_api import AirflowApi, NotDoneError
from renderjuice_provider.wall._claims import ClaimedError, claim, release
from renderjuice_provider.wall._rights import changeable
from renderjuice_provider.wall.actions import Intent, Kind, decide
from renderjuice_provider.wall.facts import JobFacts, Look, RowFacts, TaskFacts
from renderjuice_provider.wall.models import Act, Action, Done, Plan, Unsuccessful, WantedAction
from renderjuice_provider.wall.plans import make_plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request

    from renderjuice_provider.api.client import AsyncRenderjuiceClient

__all__ = [
    "Steering",
]

log = logging.getLogger(__name__)
_AT_ONCE = 4
"""Runs that are acted on side by side: Airflow's other users want its database, too. On SQLite it
is one: two requests of Airflow's API that write may wait for each other there."""
_READS_AT_ONCE = 8
CHANGED = "It has changed in this moment: look at what it does now, and choose again."
CLAIMED = "Somebody else acts on this run at this moment: try again when that is done."


class Steering:
    """What people do to rows; see `renderjuice_provider.wall.facts.Steer`.

    Args:
        app: Airflow's; None, the default: the one of this process.
    """

    def __init__(self, app: Any = None) -> None:
        self._app = app

    async def plan(
        self, request: Request, user: Any, wanted: WantedAction, rows: Sequence[RowFacts], look: Look
    ) -> Plan:
        """What an action would do, and what it would cost. It changes nothing."""
        return make_plan(wanted, await _intents(user, wanted, rows, look), look)

    async def act(self, request: Request, user: Any, wanted: Act, rows: Sequence[RowFacts], look: Look) -> Done | Plan:
        """Do it; or, when it would not be what the user has confirmed, the plan as it is now."""
        intents = await _intents(user, wanted, rows, look)
        plan = make_plan(wanted, intents, look)
        if plan.confirm != wanted.confirm:
            return plan
        # The one who asked may go away: what was begun is carried out.
        found = await asyncio.shield(asyncio.create_task(self._perform(request, intents)))
        found |= {row.id: row.refused for row in plan.rows if row.refused}
        return Done(
            done=[row.id for row in plan.rows if not found[row.id]],
            failed=[Unsuccessful(id=row.id, why=found[row.id]) for row in plan.rows if found[row.id]],
        )

    async def _perform(self, request: Request, intents: Sequence[Intent]) -> dict[str, str]:
        """By row, why it could not be done; empty where it was."""
        by_run: dict[tuple[str, str], list[Intent]] = {}
        for intent in intents:
            if intent.kind is not None:
                by_run.setdefault((intent.row.dag_id, intent.row.run_id), []).append(intent)
        turns = asyncio.Semaphore(1 if _is_sqlite() else _AT_ONCE)
        async with AirflowApi(request, self._app) as api:

            async def in_turn(group: list[Intent]) -> dict[str, str]:
                async with turns:
                    return await _perform(api, group)

            found = await asyncio.gather(*map(in_turn, by_run.values()))
        return {row: why for each in found for row, why in each.items()}


async def _intents(user: Any, wanted: WantedAction, rows: Sequence[RowFacts], look: Look) -> list[Intent]:
    chosen = [row for row in rows if row.id in set(wanted.rows)]
    # A look may be a minute old: a job that was canceled since would be ordered again, and paid.
    jobs = await _jobs_now(chosen) if wanted.action is Action.TAKE_UP else look.jobs
    intents = [decide(wanted.action, row, jobs, wanted.settings) for row in chosen]
    hindered = await asyncio.to_thread(_hindrances, user, wanted.action, {row.dag_id for row in chosen})
    return [
        Intent(intent.row, refused=why, mark=why) if (why := hindered.get(intent.row.dag_id)) else intent
        for intent in intents
    ]


async def _jobs_now(rows: Sequence[RowFacts]) -> dict[str, JobFacts]:
    """The newest job of each task, as Renderjuice says now; without those that cannot be read."""
    by_conn: dict[str, set[str]] = {}
    for task in (task for row in rows for task in row.tasks if task.job_id and task.conn_id):
        by_conn.setdefault(task.conn_id, set()).add(str(task.job_id))
    turns = asyncio.Semaphore(_READS_AT_ONCE)
    found: dict[str, JobFacts] = {}

    async def read(client: AsyncRenderjuiceClient, job_id: str) -> None:
        async with turns:
            try:
                found[job_id] = JobFacts(job_id, (await client.get_job(job_id)).status)
            except RenderjuiceError as error:
                log.warning("Job %s could not be read to be taken up: %s", job_id, error.what)

    for conn_id, job_ids in by_conn.items():
        try:
            client = await RenderjuiceHook(conn_id).get_async_client()
        except Exception as error:  # noqa: BLE001 - no such connection, or one that cannot be used
            log.warning("The connection %s cannot be used: %s", conn_id, redact(str(error)))
            continue
        async with client:
            await asyncio.gather(*(read(client, job_id) for job_id in job_ids))
    return found


def _hindrances(user: Any, action: Action, dag_ids: Collection[str]) -> dict[str, str]:
    """By DAG, why nobody, or not this user, can do it. Blocks for queries.

    Airflow asks for these rights again when it is done. But nobody is to be asked about money for
    nothing.
    """
    with create_session(scoped=False) as session:
        paused = set(session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids), DagModel.is_paused)))
    hindered = {
        dag_id: f"The DAG {dag_id} is paused, so nothing would happen: unpause it first."
        for dag_id in (paused if action is not Action.STOP else ())
    }
    return hindered | {
        dag_id: f"You may not change the tasks of {dag_id}: ask an administrator for that right."
        for dag_id in set(dag_ids) - changeable(user, dag_ids)
    }


def _is_sqlite() -> bool:
    return settings.engine is not None and settings.engine.dialect.name == "sqlite"


async def _perform(api: AirflowApi, intents: Sequence[Intent]) -> dict[str, str]:
    """What is to be done to rows of one run."""
    row = intents[0].row
    try:
        if intents[0].kind is Kind.END:
            found = [await _end(api, intent) for intent in intents]
        else:
            async with _alone(row):
                found = await _clear_or_start(api, intents)
    except ClaimedError:
        found = [CLAIMED] * len(intents)
    except Exception as error:  # other runs go on, and the user hears of this one
        log.warning("An action on the run %s of %s was not done", row.run_id, row.dag_id, exc_info=True)
        found = [f"It could not be done ({type(error).__name__}): see the log of the API server."] * len(intents)
    return {intent.row.id: why for intent, why in zip(intents, found, strict=True)}


@asynccontextmanager
async def _alone(row: RowFacts) -> AsyncIterator[None]:
    await asyncio.to_thread(claim, row.dag_id, row.run_id)
    try:
        yield
    finally:
        await asyncio.to_thread(release, row.dag_id, row.run_id)


async def _end(api: AirflowApi, intent: Intent) -> str:
    """A task that has ended by itself in the meantime stays as it is."""
    states = await asyncio.to_thread(_states, intent.tasks)
    left = [task for task in intent.tasks if states.get(task.id) not in ENDED]
    if not left:
        return "It was over before it could be stopped."
    try:
        for task in left:
            await api.fail(task)
    except NotDoneError as error:
        return str(error)
    return ""


async def _clear_or_start(api: AirflowApi, intents: Sequence[Intent]) -> list[str]:
    states = await asyncio.to_thread(_states, [task for intent in intents for task in intent.tasks])
    same = [intent for intent in intents if all(states.get(task.id, "") == task.state for task in intent.tasks)]
    why = dict.fromkeys((intent.row.id for intent in intents), CHANGED)
    try:
        await _clear(api, [intent for intent in same if intent.kind is Kind.CLEAR])
        for intent in same:
            if intent.kind is Kind.START:
                await _start(api, intent)
        why |= dict.fromkeys((intent.row.id for intent in same), "")
    except NotDoneError as error:
        why |= dict.fromkeys((intent.row.id for intent in same), str(error))
    return [why[intent.row.id] for intent in intents]


async def _clear(api: AirflowApi, intents: Sequence[Intent]) -> None:
    """In one request: of two, the second could meet what the first has begun."""
    for task in (task for intent in intents if intent.forgets for task in intent.tasks):
        await api.forget(task, RECORD_KEY)
    tasks = list({task.id: task for intent in intents for task in intent.tasks}.values())
    if tasks:
        await api.clear(tasks)


async def _start(api: AirflowApi, intent: Intent) -> None:
    row = intent.row
    try:
        await api.start(row.dag_id, intent.run_id, intent.conf, f"Started from the run {row.run_id}. {intent.will}")
    except NotDoneError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        raise NotDoneError(HTTPStatus.CONFLICT, f"The run {intent.run_id} was started already: go on there.") from None


def _states(tasks: Sequence[TaskFacts]) -> dict[str, str | None]:
    """The states of task instances of one run now, by Airflow's ids. Blocks for a query."""
    if not tasks:
        return {}
    query = select(TaskInstance.id, TaskInstance.state).where(
        TaskInstance.dag_id == tasks[0].dag_id,
        TaskInstance.run_id == tasks[0].run_id,
        TaskInstance.task_id.in_({task.task_id for task in tasks}),
    )
    with create_session(scoped=False) as session:
        return {str(found): None if state is None else str(state) for found, state in session.execute(query)}
