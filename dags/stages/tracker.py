"""Report to the studio's production tracker what was delivered."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import task

CONNECTION = "production_tracker"
"""An Airflow connection of type `http`. For another tracker, change what `tracker_task` sends."""


@task(task_id="tell_tracker", retries=3, weight_rule="absolute", priority_weight=-1)
def tracker_task(delivered: dict[str, Any]) -> None:
    """PUT what `deliver` returned, as JSON, to `/shots/<shot>/deliveries/<version>`.

    Each version has its own address, so sending it again, in a retry or by a later run, changes
    nothing.
    """
    # Imported here: with the HTTP libraries that it brings, it takes longer than all else that each
    # task of the DAG reads when it starts.
    from airflow.providers.http.hooks.http import HttpHook

    endpoint = f"shots/{delivered['shot']}/deliveries/{delivered['version']}"
    HttpHook(method="PUT", http_conn_id=CONNECTION).run(
        endpoint, data=json.dumps(delivered), headers={"Content-Type": "application/json"}
    )
