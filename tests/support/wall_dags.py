"""Renders of a studio that has nothing of our example DAGs, for the tests of the render wall."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator

_RENDER: dict[str, Any] = {
    "render_config": {"colorManagementPreset": "default"},
    "poll_interval": 1,
    "retries": 0,
    "map_index_template": "{{ task.file_path.rpartition('/')[2].removesuffix('.blend') }}",
}

for _dag_id, _connection in (("any_renders", "renderjuice_default"), ("wrong_key", "wrong_key")):
    with DAG(_dag_id, schedule=None, params={"scenes": []}, is_paused_upon_creation=False):

        @task
        def scenes(params: Any = None) -> list[str]:
            """The scenes that the run was started with."""
            return list(params["scenes"])

        RenderjuiceRunJobOperator.partial(task_id="render_scene", renderjuice_conn_id=_connection, **_RENDER).expand(
            file_path=scenes()
        )
