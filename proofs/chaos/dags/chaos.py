"""The DAGs of the chaos run.

One for each operator, mode and variant, with one task; one with a safety net; one to fill a pool;
one that completed renders start.

What a task is about comes with its run: `conf` holds `scene` (or `job_id`) and `connection`.
"""

from __future__ import annotations

import itertools
import time
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, XComArg, task

from renderjuice_provider.assets import completed_renders
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCancelJobOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
)
from renderjuice_provider.xcom_keys import JOB_ID

OPERATORS: dict[str, Any] = {
    "run": (RenderjuiceRunJobOperator, {"file_path": "{{ dag_run.conf['scene'] }}"}),
    "render": (RenderjuiceRenderJobOperator, {"job_id": "{{ dag_run.conf['job_id'] }}"}),
    "frames": (
        RenderjuiceRenderFramesOperator,
        {"file_path": "{{ dag_run.conf['scene'] }}", "destination": "{{ dag_run.conf['destination'] }}"},
    ),
}
MODES = {"deferred": True, "sync": False}
SHORT = timedelta(seconds=60)
"""A deadline after the render began, even when Airflow takes half a minute for a task."""
PLAIN = {"colorManagementPreset": "default"}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "short": {"timeout": SHORT, "retries": 1},
    "lenient": {"timeout": SHORT, "cancel_on_timeout": False},
    "spared": {"cancel_on_kill": False},
    "limited": {"execution_timeout": SHORT, "retries": 0},
    # Longer than SHORT: in the second of the deferral, no triggerer has the trigger yet, and no
    # process learns of the end.
    "hurried": {"dagrun_timeout": timedelta(seconds=90)},
    "resubmit": {"on_clear": "resubmit"},
    "once": {"retries": 0},
    "noted": {"render_config": PLAIN | {"notes": "{{ run_id }}, try {{ ti.try_number }}"}},
    # An event is what ends the wait, or it takes this long.
    "rare": {"poll_interval": 45},
    # DAGs of their own: what happens to one would happen to everyone's.
    "paused": {"timeout": SHORT, "retries": 0},
    "resting": {},
    "deleted": {},
    "crowded": {"timeout": SHORT, "retries": 0, "pool": "chaos_narrow"},
}
DEFAULTS: dict[str, Any] = {
    "renderjuice_conn_id": "{{ dag_run.conf['connection'] }}",
    "render_config": PLAIN,
    "poll_interval": 1,
    "timeout": 900,
    "retries": 6,  # four deaths of one shot are the most that we inflict; Airflow in a storm takes tasks for dead by itself
    "retry_delay": timedelta(seconds=1),
}


def chaos_dag(operator: str, mode: str, variant: str) -> DAG:
    """One DAG with one task, `shot`."""
    make, subject = OPERATORS[operator]
    arguments = DEFAULTS | subject | {"deferrable": MODES[mode]} | VARIANTS[variant]
    dagrun_timeout = arguments.pop("dagrun_timeout", None)
    with DAG(f"chaos_{operator}_{mode}_{variant}", schedule=None, catchup=False, dagrun_timeout=dagrun_timeout) as dag:
        make(task_id="shot", **arguments)
    return dag


for names in itertools.product(OPERATORS, MODES, VARIANTS):
    if names[0] == "run" or names[2] != "resubmit":  # only a task that makes its job can make another
        globals()["_".join(names)] = chaos_dag(*names)

with DAG("chaos_occupant", schedule=None, catchup=False):

    @task(pool=VARIANTS["crowded"]["pool"])
    def occupy() -> None:
        """Hold the pool's slot until somebody ends this task."""
        time.sleep(900)

    occupy()

with DAG("chaos_netted", schedule=None, catchup=False) as netted:
    _, file = OPERATORS["run"]
    shot = RenderjuiceRunJobOperator(task_id="shot", **DEFAULTS | file)
    stop = RenderjuiceCancelJobOperator(
        task_id="stop", job_id=XComArg(shot, key=JOB_ID), renderjuice_conn_id=DEFAULTS["renderjuice_conn_id"]
    )
    stop.as_teardown()

# Its one task needs no worker; what counts is that somebody wants the asset's events.
with DAG("chaos_on_complete", schedule=completed_renders("renderjuice_webhooks"), catchup=False):
    EmptyOperator(task_id="seen")
