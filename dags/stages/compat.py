"""Names that Airflow 3.2 moved into its Task SDK: from there, or on 3.1 from where they were."""

from __future__ import annotations

try:
    from airflow.sdk import BaseBranchOperator, CronTriggerTimetable
    from airflow.sdk.bases.skipmixin import XCOM_SKIPMIXIN_FOLLOWED, XCOM_SKIPMIXIN_KEY
    from airflow.sdk.configuration import conf
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
        DownstreamTasksSkipped,
    )
except ImportError:
    from airflow.configuration import conf
    from airflow.exceptions import (  # type: ignore[attr-defined, no-redef]
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSkipException,
        DownstreamTasksSkipped,
    )
    from airflow.providers.standard.operators.branch import BaseBranchOperator  # type: ignore[assignment]
    from airflow.providers.standard.utils.skipmixin import XCOM_SKIPMIXIN_FOLLOWED, XCOM_SKIPMIXIN_KEY
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
    "XCOM_SKIPMIXIN_FOLLOWED",
    "XCOM_SKIPMIXIN_KEY",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "AsyncCallback",
    "BaseBranchOperator",
    "CronTriggerTimetable",
    "DeadlineAlert",
    "DeadlineReference",
    "DownstreamTasksSkipped",
    "conf",
]
