"""The nightly's row for a shot: it starts the shot's run, and waits for it without a worker."""

from __future__ import annotations

import inspect
from typing import Any, NoReturn

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.external_task import DagStateTrigger
from airflow.utils.state import DagRunState

from stages.compat import AirflowFailException
from stages.runs import is_paused, run_state

_TAKES_NOTE = "note" in inspect.signature(TriggerDagRunOperator.__init__).parameters
_OVER = [DagRunState.SUCCESS, DagRunState.FAILED]


class StartShotOperator(TriggerDagRunOperator):
    """Start the run of a shot, or find it, and wait until it is over.

    A run of this id may be there already: the worker died between starting it and waiting for it,
    or the nightly was cleared. Then it is waited for, and nothing is started twice.

    Args:
        note: of the run that is started, where Airflow takes one (3.3 and later).
        **kwargs: as of `TriggerDagRunOperator`: `trigger_dag_id`, `trigger_run_id`, `conf`,
            `poke_interval`.

    Raises:
        AirflowFailException: when the shot's run failed, so that this row fails, once; or when its
            DAG is paused, so that no run of it would ever begin (known from Airflow 3.2 on).
    """

    template_fields = ()
    """Names and paths of a shot list are no templates."""

    def __init__(self, *, note: str | None = None, **kwargs: Any) -> None:
        if _TAKES_NOTE:
            kwargs["note"] = note
        super().__init__(logical_date=None, wait_for_completion=True, deferrable=True, **kwargs)

    def execute(self, context: Any) -> None:
        """Start the run, unless it is there."""
        ti, run_id = context["ti"], str(self.trigger_run_id)
        state = run_state(ti, self.trigger_dag_id, run_id)
        if state not in _OVER and is_paused(ti, self.trigger_dag_id):
            raise AirflowFailException(
                f"{self._shot}: {self.trigger_dag_id} is paused, so its run would never begin. Unpause it, and clear this task"
            )
        if state is None:
            super().execute(context)
            return
        self.log.info("The run %s of %s is there already: %s", run_id, self.trigger_dag_id, state)
        ti.xcom_push("trigger_run_id", run_id)
        if state in _OVER:
            self._end(state)
        else:
            self._wait(run_id)

    def execute_complete(self, context: Any, event: Any) -> None:
        """The run is over, or was cleared since and goes on."""
        state = run_state(context["ti"], self.trigger_dag_id, str(self.trigger_run_id))
        if state in {DagRunState.QUEUED, DagRunState.RUNNING}:
            self._wait(str(self.trigger_run_id))
        self._end(state)

    def _wait(self, run_id: str) -> NoReturn:
        trigger = DagStateTrigger(self.trigger_dag_id, _OVER, run_ids=[run_id], poll_interval=self.poke_interval)
        self.defer(trigger=trigger, method_name="execute_complete")

    def _end(self, state: str | None) -> None:
        if state != DagRunState.SUCCESS:
            raise AirflowFailException(
                f"{self._shot} failed: see its run {self.trigger_run_id} of {self.trigger_dag_id}. To go on with it, clear what "
                "failed in that run; then clear `report` here"
            )

    @property
    def _shot(self) -> str:
        return str((self.conf or {}).get("shot"))
