"""Waits for renders that go on, and keeps when each task was resumed."""

from __future__ import annotations

import time
from typing import Any

from airflow.sdk import DAG, Context, task

from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor


class Noting(RenderjuiceJobSensor):
    """Keeps the moment at which a worker went on with it, in seconds since the epoch."""

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """Note the time, and go on."""
        context["ti"].xcom_push(key="resumed", value=time.time())
        return super().execute_complete(context, event)


with DAG("waiting_renders", schedule=None, catchup=False):

    @task
    def jobs(**context: Any) -> list[str]:
        """The jobs that the run is about."""
        return list(context["dag_run"].conf["job_ids"])

    Noting.partial(task_id="wait", poll_interval=300).expand(job_id=jobs())
