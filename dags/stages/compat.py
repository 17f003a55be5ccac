"""Names that Airflow 3.2 moved into its Task SDK: from there, or on 3.1 from where they were."""

from __future__ import annotations

try:
    from airflow.sdk import CronTriggerTimetable
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
    )
except ImportError:
    from airflow.configuration import conf
    from airflow.exceptions import (  # type: ignore[attr-defined, no-redef]
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
    )
    from airflow.timetables.trigger import CronTriggerTimetable  # type: ignore[assignment]

try:
    from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference  # type: ignore[attr-defined]
except ImportError:
    from airflow.sdk.definitions.deadline import (  # type: ignore[attr-defined]
        AsyncCallback,
        DeadlineAlert,
        DeadlineReference,
    )

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "AsyncCallback",
    "CronTriggerTimetable",
    "DeadlineAlert",
    "DeadlineReference",
    "conf",
]
