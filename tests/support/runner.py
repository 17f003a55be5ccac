"""Runs tasks as Airflow would.

Each phase by itself, each deferral through a serialized trigger and a JSON event.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import airflow.sdk
import pytest

from renderjuice_provider.compat import TaskDeferred

_HAS_STORE = hasattr(airflow.sdk, "NEVER_EXPIRE")
"""Airflow 3.3 and later keep a store for every task instance."""
needs_store = pytest.mark.skipif(not _HAS_STORE, reason="this Airflow keeps nothing between tries")
CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-3"]}


class FakeTaskInstance:
    """What our code asks of a task instance; XComs are kept here."""

    def __init__(self) -> None:
        self.dag_id, self.task_id, self.run_id, self.map_index, self.try_number = "dag", "task", "run", -1, 1
        self.max_tries = 0
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, key: str, map_indexes: int | None = None, **_: Any) -> Any:
        """Its own; without `map_indexes` a list with those of the other tasks of its mapping."""
        if self.map_index >= 0 and map_indexes is None:
            return [self.xcoms.get(key), self.xcoms.get(key)]
        return self.xcoms.get(key)


class FakeStore:
    """Airflow 3.3's task state store: JSON values that survive every try."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        assert value is not None
        self.values[key] = json.dumps(value)


class Runner:
    """Runs a task to its end.

    Each deferral goes through a serialized trigger and a JSON event, as in Airflow.
    """

    def __init__(self) -> None:
        self.ti = FakeTaskInstance()
        self.store = FakeStore()
        self.context: Any = {"ti": self.ti} | ({"task_state_store": self.store} if _HAS_STORE else {})
        self.triggers: list[Any] = []
        self.events: list[dict[str, Any]] = []

    def run(self, operator: Any) -> Any:
        try:
            return operator.execute(self.context)
        except TaskDeferred as deferral:
            return self.resume(operator, deferral)

    def resume(self, operator: Any, deferral: TaskDeferred) -> Any:
        event = json.loads(json.dumps(asyncio.run(self.fire(deferral.trigger))))
        self.events.append(event)
        try:
            kwargs = json.loads(json.dumps(deferral.kwargs or {}))
            return operator.resume_execution(deferral.method_name, kwargs | {"event": event}, self.context)
        except TaskDeferred as again:
            return self.resume(operator, again)

    async def fire(self, trigger: Any) -> Any:
        path, arguments = trigger.serialize()
        self.triggers.append(arguments)
        again = type(trigger)(**json.loads(json.dumps(arguments)))
        assert path == f"{type(again).__module__}.{type(again).__name__}"
        async for event in again.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")


def connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", json.dumps({"conn_type": "renderjuice"} | fields))
