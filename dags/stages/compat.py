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

__all__ = [
    "XCOM_SKIPMIXIN_FOLLOWED",
    "XCOM_SKIPMIXIN_KEY",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSkipException",
    "BaseBranchOperator",
    "CronTriggerTimetable",
    "DownstreamTasksSkipped",
    "conf",
]
