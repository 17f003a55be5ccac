"""How the tasks of DAG versions hang together, kept: reading a DAG takes long."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from airflow.models.dagbag import DBDagBag
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import select

from renderjuice_provider.api.redact import redact
from renderjuice_provider.wall._structure import Structure

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MOST_KEPT = 500
_OURS = "Renderjuice"
_UNKNOWN = Structure({}, {}, {})
log = logging.getLogger(__name__)


class DagVersions:
    """By version, how tasks hang together. A version that is changed in place is read again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, str], Structure] = {}

    def read(self, session: Session, versions: Collection[Any]) -> dict[Any, Structure]:
        """Those of the versions that Airflow still has."""
        wanted = [version for version in versions if version is not None]
        columns = (SerializedDagModel.dag_version_id, SerializedDagModel.dag_hash)
        found: dict[Any, Structure] = {}
        for version, dag_hash in session.execute(
            select(*columns).where(SerializedDagModel.dag_version_id.in_(wanted))
        ).all():
            key = (version, dag_hash)
            if key not in self._kept:
                self._kept = dict(list(self._kept.items())[-MOST_KEPT:])
                self._kept[key] = _read(session, version)
            found[version] = self._kept[key]
        return found

    @staticmethod
    def together(structures: Iterable[Structure]) -> Structure:
        """Of a run whose tasks may be of several versions."""
        found = list({id(structure): structure for structure in structures}.values())
        if len(found) < 2:
            return found[0] if found else _UNKNOWN
        operators: dict[str, str] = {}
        after: dict[str, frozenset[str]] = {}
        params: dict[str, object] = {}
        for structure in found:
            operators |= structure.operators
            params |= structure.params
            after |= {task: after.get(task, frozenset()) | others for task, others in structure.after.items()}
        fields = {task: values for structure in found for task, values in structure.fields.items()}
        return Structure(operators, after, params, fields)


def _read(session: Session, version: Any) -> Structure:
    try:
        dag: Any = DBDagBag(load_op_links=False).get_dag(version, session=session)
        if dag is None:
            return _UNKNOWN
        tasks = dag.task_dict
        return Structure(
            {task_id: str(task.task_type) for task_id, task in tasks.items()},
            {task_id: frozenset(task.downstream_task_ids) for task_id, task in tasks.items()},
            dict(dag.params.dump()),
            {task_id: _fields(task) for task_id, task in tasks.items() if str(task.task_type).startswith(_OURS)},
        )
    except Exception as error:  # noqa: BLE001 - one DAG that cannot be read must not hide all others
        log.warning("A version of a DAG could not be read: %s", redact(f"{type(error).__name__}: {error}"))
        return _UNKNOWN


def _fields(task: Any) -> dict[str, Any]:
    """What the DAG file says of a task's arguments, where that is no template."""
    given = getattr(task, "partial_kwargs", None)
    found = {name: given.get(name) if given is not None else getattr(task, name, None) for name in task.template_fields}
    found["renderjuice_conn_id"] = found.get("renderjuice_conn_id") or "renderjuice_default"
    return {name: value for name, value in found.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    try:
        return value is not None and "{{" not in json.dumps(value) and "{%" not in json.dumps(value)
    except (TypeError, ValueError):
        return False
