"""Airflow's own API on a database of its own, without anything that runs tasks."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow import settings
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from renderjuice_provider.xcom_keys import JOB_ID

with warnings.catch_warnings():  # of Airflow, about what it imports
    warnings.simplefilter("ignore")
    from airflow.api_fastapi.app import create_app, get_auth_manager, purge_cached_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

BUNDLE = "dags-of-the-tests"


class ServedAirflow:
    """The API, and hands on its database: what a scheduler and workers would write."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.app = create_app(apps="core")

    def headers(self, user: str = "admin", role: str = "ADMIN") -> dict[str, str]:
        """Of a request of a user."""
        return {"Authorization": f"Bearer {get_auth_manager().generate_jwt(self.user(user, role))}"}

    def user(self, user: str = "admin", role: str = "ADMIN") -> SimpleAuthManagerUser:
        """A user as Airflow hands it to a route."""
        return SimpleAuthManagerUser(username=user, role=role)

    def client(self, user: str = "admin", role: str = "ADMIN") -> httpx.AsyncClient:
        """Asks the API on the running loop, as a user."""
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(
            transport=transport, base_url="http://airflow.test", headers=self.headers(user, role), timeout=60
        )

    def add_dag(self, dag: DAG) -> None:
        """As the DAG processor does it."""
        with self.session() as session:
            if session.get(DagBundleModel, BUNDLE) is None:
                session.add(DagBundleModel(name=BUNDLE))
                session.flush()
            lazy = LazyDeserializedDAG.from_dag(dag)
            SerializedDAG.bulk_write_to_db(BUNDLE, None, [lazy], session=session)
            SerializedDagModel.write_dag(lazy, bundle_name=BUNDLE, session=session)
            session.get_one(DagModel, dag.dag_id).is_paused = False

    def add_run(self, dag: DAG, run_id: str, conf: Mapping[str, Any] | None = None) -> None:
        """A run that is under way, with its task instances, none of them scheduled."""
        now = datetime.now(UTC)
        with self.session() as session:
            serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag))
            serialized.create_dagrun(
                run_id=run_id,
                logical_date=None,
                data_interval=None,
                run_after=now,
                conf=dict(conf or {}),
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.REST_API,
                state=DagRunState.RUNNING,
                start_date=now,
                session=session,
            )

    def set_task(
        self,
        run_id: str,
        task_id: str,
        state: str | None,
        *,
        map_index: int = -1,
        job_id: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """What a task instance has come to."""
        with self.session() as session:
            ti = self._task(session, run_id, task_id, map_index)
            ti.state, ti.try_number, ti.start_date = state, 1, datetime.now(UTC)
            if fields:
                session.add(RenderedTaskInstanceFields(ti, render_templates=False, rendered_fields=dict(fields)))
            if job_id:
                XComModel.set(
                    key=JOB_ID,
                    value=job_id,
                    dag_id=ti.dag_id,
                    task_id=task_id,
                    run_id=run_id,
                    map_index=map_index,
                    serialize=False,
                    session=session,
                )

    def end_run(self, run_id: str, state: str = "failed") -> None:
        """As the scheduler does it, once nothing of it is to be done."""
        with self.session() as session:
            session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one().state = state

    def states(self, run_id: str) -> dict[str, str | None]:
        """Of the task instances of a run; those of a mapped task as `render 3`."""
        with self.session() as session:
            found = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id))
            return {f"{ti.task_id} {ti.map_index}" if ti.map_index >= 0 else ti.task_id: ti.state for ti in found}

    def run_state(self, run_id: str) -> str:
        """Of a run."""
        return str(self._run(run_id).state)

    def clear_number(self, run_id: str) -> int:
        """How often something of a run was cleared."""
        return self._run(run_id).clear_number

    def keep(self, run_id: str, task_id: str, map_index: int, value: Mapping[str, Any]) -> None:
        """What a task instance keeps over its tries."""
        run = self._run(run_id)
        with self.session() as session:
            session.add(
                TaskStateStoreModel(
                    dag_run_id=run.id,
                    dag_id=run.dag_id,
                    run_id=run_id,
                    task_id=task_id,
                    map_index=map_index,
                    key="renderjuice",
                    value=json.dumps(value),
                )
            )

    def kept(self, run_id: str, task_id: str, map_index: int) -> list[Any]:
        """What a task instance has kept."""
        model = TaskStateStoreModel
        query = select(model.value).where(
            model.run_id == run_id, model.task_id == task_id, model.map_index == map_index
        )
        with self.session() as session:
            return [json.loads(value) for value in session.scalars(query)]

    def _run(self, run_id: str) -> DagRun:
        with self.session() as session:
            return session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction."""
        assert settings.NonScopedSession is not None
        with settings.NonScopedSession.begin() as session:
            yield session

    def _task(self, session: Session, run_id: str, task_id: str, map_index: int) -> TaskInstance:
        tasks = session.scalars(
            select(TaskInstance).where(TaskInstance.run_id == run_id, TaskInstance.task_id == task_id)
        ).all()
        found = next((ti for ti in tasks if ti.map_index == map_index), None)
        if found is not None:
            return found
        unmapped = tasks[0]  # is expanded
        if unmapped.map_index == -1:
            unmapped.map_index = map_index
            return unmapped
        assert unmapped.task is not None
        found = TaskInstance(unmapped.task, unmapped.dag_version_id, run_id=run_id, map_index=map_index)
        session.add(found)
        return found


@contextmanager
def served_airflow(folder: Path) -> Iterator[ServedAirflow]:
    """Airflow's API on a new database."""
    engine = create_engine(f"sqlite:///{folder / 'airflow.db'}?timeout=5")
    import_all_models()
    Base.metadata.create_all(engine)
    sessions = sessionmaker(bind=engine, autoflush=False, expire_on_commit=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "engine", engine)
        patch.setattr(settings, "NonScopedSession", sessions)
        patch.setattr(settings, "Session", scoped_session(sessions))
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of the tests, as long as one that signs tokens ought to be"
        )
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(folder / "passwords.json"))
        purge_cached_app()
        try:
            yield ServedAirflow()
        finally:
            purge_cached_app()
            engine.dispose()
