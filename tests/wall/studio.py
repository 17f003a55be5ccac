"""A studio for tests of the wall: DAGs, runs in a database, and the wall as people ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.variable import Variable
from airflow.models.xcom import XComModel
from airflow.sdk import DAG, task
from fastapi import FastAPI
from sqlalchemy import delete, select

from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from renderjuice_provider.wall._routes import make_wall_app
from renderjuice_provider.wall._steer import Steering
from renderjuice_provider.wall.farm import RenderjuiceFarm
from tests.wall.served_airflow import ServedAirflow

CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-3"]}
MAPPED = frozenset({"upload", "create", "validate", "render"})


class StudioRenderOperator(RenderjuiceRunJobOperator):
    """A studio's own."""


@task
def composite() -> None:
    """As in the example pipeline."""


@task
def deliver() -> None:
    """As in the example pipeline."""


def shots(dag_id: str = "shots") -> DAG:
    """A run is a shot, as `renderjuice_shot` is."""
    with DAG(dag_id, schedule=None, params={"shot": None, "quality": "auto"}) as dag:
        upload = RenderjuiceUploadOperator.partial(task_id="upload").expand(file_path=["/s/base.blend"])
        create = RenderjuiceCreateJobOperator.partial(task_id="create").expand(slug=upload.output)
        validate = RenderjuiceValidateJobOperator.partial(task_id="validate").expand(job_id=create.output)
        render = RenderjuiceRenderFramesOperator.partial(
            task_id="render", file_path="/s/base.blend", render_config="{{ params.quality }}"
        ).expand(destination=["/renders/base"])
        validate >> render >> composite() >> deliver()
    return dag


def scenes(dag_id: str = "scenes", conn_id: str = "renderjuice_default") -> DAG:
    """Each map index is a row, and a studio's own operator another."""
    with DAG(dag_id, schedule=None) as dag:
        RenderjuiceRunJobOperator.partial(task_id="render", renderjuice_conn_id=conn_id, render_config=CONFIG).expand(
            file_path=["/s/1.blend", "/s/2.blend"]
        )
        StudioRenderOperator(task_id="own", file_path="/s/3.blend", render_config=CONFIG)
    return dag


class Studio:
    """Runs in a database that starts empty."""

    def __init__(self, airflow: ServedAirflow) -> None:
        self.airflow = airflow
        with airflow.session() as session:
            for model in (XComModel, RenderedTaskInstanceFields, TaskStateStoreModel, TaskInstance, DagRun):
                session.execute(delete(model))

    def run(
        self,
        dag: DAG,
        run_id: str,
        states: Mapping[str, str | None],
        *,
        job_id: str | None = None,
        conf: Mapping[str, Any] | None = None,
        nights_ago: int = 0,
        over: str | None = None,
    ) -> None:
        """A run with the states of its tasks; `render 1` is a map index. Its render has the job."""
        self.airflow.add_run(dag, run_id, conf)
        for name, state in states.items():
            task_id, _, index = name.partition(" ")
            map_index = int(index) if index else 0 if task_id in MAPPED and dag.dag_id != "scenes" else -1
            job = job_id if task_id in {"create", "validate", "render", "own"} else None
            self.airflow.set_task(run_id, task_id, state, map_index=map_index, job_id=job)
        with self.airflow.session() as session:
            found = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
            found.run_after = datetime.now(UTC) - timedelta(days=nights_ago)
            if over:
                found.state, found.end_date = over, datetime.now(UTC) - timedelta(days=nights_ago)

    def leave(self, run_id: str, task_id: str, key: str, value: Any, map_index: int = -1) -> None:
        """An XCom, as a task leaves it."""
        with self.airflow.session() as session:
            run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
            XComModel.set(
                key=key,
                value=value,
                dag_id=run.dag_id,
                task_id=task_id,
                run_id=run_id,
                map_index=map_index,
                serialize=False,
                session=session,
            )

    def record(self, run_id: str, task_id: str, text: str) -> None:
        """What the state store keeps for a task of map index 0, as text."""
        with self.airflow.session() as session:
            run = session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()
            where = {"dag_run_id": run.id, "dag_id": run.dag_id, "run_id": run_id, "task_id": task_id, "map_index": 0}
            session.add(TaskStateStoreModel(**where, key="renderjuice_rounds", value=text))

    def forget_templates(self) -> None:
        """As Airflow does it once a task has had thirty newer runs."""
        with self.airflow.session() as session:
            session.execute(delete(RenderedTaskInstanceFields))


@asynccontextmanager
async def wall(airflow: ServedAirflow, user: str = "admin", role: str = "ADMIN") -> AsyncIterator[httpx.AsyncClient]:
    """The wall alone, as a user asks it on the running loop."""
    farm = RenderjuiceFarm()
    app = FastAPI()
    app.mount("/renderjuice/wall", make_wall_app(farm, Steering(airflow.app)))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://airflow.test/renderjuice/wall/",
        headers=airflow.headers(user, role),
    ) as client:
        try:
            yield client
        finally:
            await farm.close()
            with airflow.session() as session:  # what API servers know together
                session.execute(delete(Variable).where(Variable.key.startswith("renderjuice_wall_")))
