"""Which rows a user may see and change: those of DAGs whose tasks Airflow would let them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.models.dag import DagModel


def readable(user: Any, dag_ids: Collection[str]) -> set[str]:
    """Of these DAGs, those that the user may read, with their runs and tasks. Blocks."""
    entities = (None, DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE)
    return {dag_id for dag_id in dag_ids if all(_may(user, "GET", entity, dag_id) for entity in entities)}


def changeable(user: Any, dag_ids: Collection[str]) -> set[str]:
    """Of these DAGs, those whose tasks the user may change. Blocks."""
    return {dag_id for dag_id in dag_ids if _may(user, "PUT", DagAccessEntity.TASK_INSTANCE, dag_id)}


def _may(user: Any, method: Literal["GET", "PUT"], entity: DagAccessEntity | None, dag_id: str) -> bool:
    known = {"team_name": DagModel.get_team_name(dag_id)} if hasattr(DagModel, "get_team_name") else {}
    details = DagDetails(id=dag_id, **known)
    manager = get_auth_manager()
    return bool(manager.is_authorized_dag(method=method, access_entity=entity, details=details, user=user))
