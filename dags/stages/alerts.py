"""Messages to a chat: a night's report, and that a night is late ("not delivered by 07:00")."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions import deadline

from renderjuice_provider.notifications.deadline import log_missed_deadline
from renderjuice_provider.notifications.renderjuice import RenderjuiceNotifier, RenderjuiceRenderNotifier
from stages.compat import AsyncCallback, DeadlineAlert, DeadlineReference

HOURS = float(os.environ.get("RENDERJUICE_DEADLINE_HOURS") or "9")
"""Hours after which a night is late: see `_counted_from`. Nine, because the night
starts at 22:00 and people come at 07:00. 0 for no alert, as `dag.test()` needs it: it fails where a
DAG has a deadline (https://github.com/apache/airflow/issues/73428)."""
NOTIFY = os.environ.get("RENDERJUICE_NOTIFY", "")
"""The connection of the chat that gets reports and the alert: see `RenderjuiceNotifier`. Without
one, the triggerer logs the alert."""
MESSAGE = (
    "Not delivered in time: run {{ dag_run.dag_run_id }} of {{ dag_run.dag_id }} should have been a success by "
    "{{ deadline.deadline_time }}, and is {{ dag_run.state }}. Open it in Airflow: its tasks show why."
)


def late(hours: float = HOURS, connection: str = NOTIFY) -> DeadlineAlert | None:
    """For `DAG(deadline=...)`: a message, once, when a run is no success after `hours`.

    It comes for a run that has failed before, too: what is not delivered then is late. A run that
    goes on is left alone. The triggerer sends the message, so it comes while workers are busy too.

    Args:
        hours: 0 for no alert.
        connection: the chat's; empty to log only.
    """
    if not hours:
        return None
    callback = (
        AsyncCallback(RenderjuiceNotifier, {"http_conn_id": connection, "message": MESSAGE})
        if connection
        else AsyncCallback(log_missed_deadline)
    )
    return DeadlineAlert(reference=_counted_from(), interval=timedelta(hours=hours), callback=callback)


def reported(connection: str = NOTIFY) -> dict[str, Any]:
    """Callbacks for the task `report`, which send its short form to the chat; none without one.

    A dry run sends nothing: somebody has started it, and waits for it.
    """
    if not connection:
        return {}

    def send(context: Any) -> None:
        if not context["params"].get("dry_run"):
            RenderjuiceNotifier(http_conn_id=connection)(context)

    return {"on_success_callback": send, "on_failure_callback": send}


def rendered(connection: str = NOTIFY, *, failed_only: bool = False) -> dict[str, Any]:
    """Callbacks for a task that renders, which send what became of it; none without a chat.

    Not for the shots of a night: its report names them all.

    Args:
        connection: the chat's.
        failed_only: for hundreds of renders, whose successes nobody reads.
    """
    if not connection:
        return {}
    notifier = RenderjuiceRenderNotifier(http_conn_id=connection)
    return {"on_failure_callback": notifier} | ({} if failed_only else {"on_success_callback": notifier})


def _counted_from() -> Any:
    """When the run was queued; on Airflow 3.3 and later its logical date, which a night has.

    On Airflow 3.3.2 a run whose deadline counts from when it was queued cannot be cleared: the API
    answers 500, since it takes the interval for a number. A run without a logical date, such as one
    started by the API, has no deadline then.
    """
    if hasattr(deadline, "VariableInterval"):
        return DeadlineReference.DAGRUN_LOGICAL_DATE
    return DeadlineReference.DAGRUN_QUEUED_AT
