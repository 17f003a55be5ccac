"""A night by hand: the tasks of the nightly DAG and of each shot, one after the other.

They are the DAGs' own tasks and operators. What Airflow does for them (XComs, states of runs) is
done here in memory, without a database: so a shot takes a second, and not ten.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from proofs.nights.studio import DAG, DAGS, SHOT_DAG

_POLL_INTERVAL = 0.02


class _FailedError(Exception):
    """A task failed, and its callback has left an entry."""


class _TaskInstance:
    """What the tasks ask of theirs. One serves all tasks of a run."""

    try_number, max_tries = 1, 0

    def __init__(self, dag_id: str, run_id: str, states: dict[str, str]) -> None:
        self.dag_id, self.run_id, self.task_id, self.map_index = dag_id, run_id, "", -1
        self._states = states
        self._xcoms: dict[tuple[str, str], dict[int, Any]] = defaultdict(dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self._xcoms[self.task_id, key][self.map_index] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str = "return_value", **_: Any) -> Any:
        found = self._xcoms[task_ids, key]
        return found[-1] if -1 in found else list(found.values()) or None

    def get_dr_count(self, *, dag_id: str, run_ids: list[str]) -> int:
        return sum(run_id in self._states for run_id in run_ids) if dag_id == SHOT_DAG else 0

    def get_dagrun_state(self, *, dag_id: str, run_id: str) -> str:
        return self._states[run_id]

    def get_task_states(self, **_: Any) -> dict[str, Any]:
        return {}

    def update_dagrun_note(self, note: str) -> None:
        """There is no list of runs."""


class _Store:
    """Airflow's task state store."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self._values[key]) if key in self._values else default

    def set(self, key: str, value: Any, **_: Any) -> None:
        self._values[key] = json.dumps(value)


class _Run:
    """One DAG run: calls tasks, executes operators, keeps what they return."""

    def __init__(self, dag_id: str, run_id: str, params: Mapping[str, Any], states: dict[str, str]) -> None:
        self.ti = _TaskInstance(dag_id, run_id, states)
        self._params = params

    def call(self, task: Any, *arguments: Any) -> Any:
        """Call a decorated task."""
        function = task.function
        takes_context = any(each.kind is each.VAR_KEYWORD for each in inspect.signature(function).parameters.values())

        def work(context: dict[str, Any]) -> Any:
            return function(*arguments, **context if takes_context else {})

        return self._perform(function.__name__, -1, work)

    def execute(self, operator: Any, map_index: int) -> Any:
        """Execute an operator."""
        return self._perform(operator.task_id, map_index, operator.execute)

    def _perform(self, task_id: str, map_index: int, work: Callable[[dict[str, Any]], Any]) -> Any:
        from stages.tasks import note_failure

        self.ti.task_id, self.ti.map_index = task_id, map_index
        event = SimpleNamespace(extra={}, add_partitions=lambda _: None)
        context = {
            "ti": self.ti,
            "params": self._params,
            "task": SimpleNamespace(outlets=[]),
            "task_state_store": _Store(),
            "outlet_events": defaultdict(lambda: event),
        }
        try:
            returned = work(context)
        except Exception as error:
            if self.ti.dag_id == SHOT_DAG:
                note_failure(context | {"exception": error})
            raise _FailedError from error
        self.ti.xcom_push("return_value", returned)
        return returned


def prepare(home: Path, environment: Mapping[str, str]) -> None:
    """Make the tasks ready; before Airflow is imported, which writes its settings into `home`."""
    os.environ |= {"AIRFLOW_HOME": str(home), **environment}
    sys.path.append(str(DAGS))
    from stages import contact_sheet

    contact_sheet.WIDTH = 32  # nobody looks at them, and large ones take more time than all else


def walk_night(params: Mapping[str, Any]) -> None:
    """Plan a night, make each of its shots, report."""
    from stages import night
    from stages.compat import AirflowFailException

    states: dict[str, str] = {}
    nightly = _Run(DAG, f"night of {params['date']}", params, states)
    for row in nightly.call(night.plan):
        run_id = row["trigger_run_id"]
        states[run_id] = "running"
        try:
            _walk_shot(_Run(SHOT_DAG, run_id, {"file": None, "frames": None} | row["conf"], states))
            states[run_id] = "success"
        except _FailedError:
            states[run_id] = "failed"
    try:
        nightly.call(night.report)
    except _FailedError as error:
        if not isinstance(error.__cause__, AirflowFailException):  # else it is red because a shot failed
            raise


def _walk_shot(run: _Run) -> None:
    from stages import tasks

    from renderjuice_provider.operators.renderjuice import (
        RenderjuiceCreateJobOperator,
        RenderjuiceRenderFramesOperator,
        RenderjuiceUploadOperator,
        RenderjuiceValidateJobOperator,
    )

    def each(make: Callable[[int], Any]) -> list[Any]:
        """A mapped task: a layer that fails does not stop the others."""
        found, failure = [], None
        for index in range(len(layers)):
            try:
                found.append(run.execute(make(index), index))
            except _FailedError as error:
                failure = error
        if failure:
            raise failure
        return found

    waits: dict[str, Any] = {"deferrable": False, "poll_interval": _POLL_INTERVAL}
    layers: list[dict[str, Any]] = run.call(tasks.take_order)
    order = run.ti.xcom_pull("take_order", "order")
    slugs = each(lambda index: RenderjuiceUploadOperator(task_id="upload", file_path=layers[index]["file_path"]))
    jobs = each(lambda index: RenderjuiceCreateJobOperator(task_id="create", slug=slugs[index]))
    found = each(lambda index: RenderjuiceValidateJobOperator(task_id="validate", job_id=jobs[index], **waits))
    branch = run.call(tasks.decide, order, found)
    decision, configs = (run.ti.xcom_pull("decide", key) for key in ("decision", "configs"))
    if branch == "reject":
        run.call(tasks.reject, order, decision)
        return
    renders = each(
        lambda index: RenderjuiceRenderFramesOperator(
            task_id="render",
            job_id=jobs[index],
            render_config=configs[index],
            is_whole=tasks.is_whole,
            **layers[index],
            **waits,
        )
    )
    composited = run.call(tasks.composite, order, decision)
    run.call(tasks.deliver, order, decision, composited, renders)
