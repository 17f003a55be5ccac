"""Report to the studio's production tracker what was delivered."""

from __future__ import annotations

from typing import Any

from airflow.providers.http.operators.http import HttpOperator

CONNECTION = "production_tracker"
"""An Airflow connection of type `http`. For another tracker, change `endpoint`, `data` and
`headers`."""


def tracker_task(delivered: Any) -> HttpOperator:
    """A task that PUTs what `deliver` returned, as JSON, to `/shots/<shot>/deliveries/<version>`.

    Each version has its own address, so sending it again, in a retry or by a later run, changes
    nothing.
    """
    delivery = f"ti.xcom_pull(task_ids='{delivered.operator.task_id}')"
    tell_tracker = HttpOperator(
        task_id="tell_tracker",
        http_conn_id=CONNECTION,
        method="PUT",
        endpoint=f"shots/{{{{ {delivery}['shot'] }}}}/deliveries/{{{{ {delivery}['version'] }}}}",
        data=f"{{{{ {delivery} | tojson }}}}",
        headers={"Content-Type": "application/json"},
        retries=3,
    )
    delivered >> tell_tracker
    return tell_tracker
