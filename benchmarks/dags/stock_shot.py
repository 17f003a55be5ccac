"""A shot with Airflow's own HTTP provider, written as its documentation suggests.

Operators that order, sensors that wait.

`deferrable=True` is what everyone would write. With a `response_check` HttpSensor does not defer,
though: it polls on a worker.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG

CONNECTION = "{{ dag_run.conf['connection'] }}"
JOB = "jobs/{{ ti.xcom_pull(task_ids='create') }}"
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "short": {"timeout": 30, "retries": 1},
    "hurried": {"dagrun_timeout": timedelta(seconds=90)},
}


def order(task_id: str, endpoint: str, **arguments: Any) -> HttpOperator:
    """A POST."""
    headers = {"Content-Type": "application/json"}
    return HttpOperator(task_id=task_id, http_conn_id=CONNECTION, endpoint=endpoint, headers=headers, **arguments)


def status(task_id: str, wanted: str, **arguments: Any) -> HttpSensor:
    """A wait until the job has this status."""
    return HttpSensor(
        task_id=task_id,
        http_conn_id=CONNECTION,
        endpoint=JOB,
        response_check=lambda response: response.json()["data"]["status"] == wanted,
        poke_interval=1,
        deferrable=True,
        **{"timeout": 900} | arguments,
    )


def stock_dag(variant: str) -> DAG:
    """Create, validate, render, and a wait after each of the last two."""
    arguments = dict(VARIANTS[variant])
    defaults = {"retries": arguments.pop("retries", 4), "retry_delay": timedelta(seconds=1)}
    dagrun_timeout = arguments.pop("dagrun_timeout", None)
    name = f"stock_{variant}"
    with DAG(name, schedule=None, catchup=False, dagrun_timeout=dagrun_timeout, default_args=defaults) as dag:
        slug = json.dumps({"slug": "{{ dag_run.conf['slug'] }}"})
        config = json.dumps({"requestedRenderConfig": {"colorManagementPreset": "default"}})
        create = order("create", "jobs", data=slug, response_filter=lambda response: response.json()["id"])
        validate, render = order("validate", f"{JOB}/validate"), order("render", f"{JOB}/render", data=config)
        create >> validate >> status("validated", "validated") >> render >> status("shot", "completed", **arguments)
    return dag


for name in VARIANTS:
    globals()[f"stock_{name}"] = stock_dag(name)
