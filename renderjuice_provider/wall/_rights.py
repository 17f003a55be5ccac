"""Which rows a user may see: those of DAGs whose tasks Airflow would show, too."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.models.dag import DagModel


def readable(user: Any, dag_ids: Collection[str]) -> set[str]:
    """Of these DAGs, those that the user may read, with their tasks. Blocks."""
    return {dag_id for dag_id in dag_ids if _may_read(user, dag_id)}


def _may_read(user: Any, dag_id: str) -> bool:
    known = {"team_name": DagModel.get_team_name(dag_id)} if hasattr(DagModel, "get_team_name") else {}
    details = DagDetails(id=dag_id, **known)
    manager = get_auth_manager()
    return all(
        manager.is_authorized_dag(method="GET", access_entity=entity, details=details, user=user)
        for entity in (None, DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)
    )
