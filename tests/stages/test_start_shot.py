from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DagRunTriggerException
from airflow.sdk.exceptions import AirflowFailException, AirflowRuntimeError, ErrorType, TaskDeferred
from stages.start_shot import StartShotOperator

RUN = "juice__0a1b2c3d__2026-11-23"
FAILED = f"juice failed: see its run {RUN} of renderjuice_shot"


class Airflow:
    """What a task instance asks Airflow, which has at most the one run."""

    def __init__(self, state=None, *, paused=False):
        self.state, self.paused, self.xcoms = state, paused, {}

    def get_dr_count(self, *, dag_id, run_ids):
        assert (dag_id, run_ids) == ("renderjuice_shot", [RUN])
        return int(self.state is not None)

    def get_dagrun_state(self, *, dag_id, run_id):
        assert (dag_id, run_id) == ("renderjuice_shot", RUN)
        return self.state

    def get_dag(self, _dag_id):
        return SimpleNamespace(is_paused=self.paused)

    def xcom_push(self, key, value):
        self.xcoms[key] = value


@pytest.fixture
def row():
    return StartShotOperator(
        task_id="shot",
        trigger_dag_id="renderjuice_shot",
        trigger_run_id=RUN,
        conf={"shot": "juice"},
        poke_interval=30,
        note="juice of citrus",
    )


def execute(row, airflow):
    return row.execute({"ti": airflow})


def test_a_run_that_is_not_there_is_started_without_a_logical_date_and_waited_for_deferred(row):
    with pytest.raises(DagRunTriggerException) as started:
        execute(row, Airflow())

    asked = started.value
    assert (asked.trigger_dag_id, asked.dag_run_id, asked.conf) == ("renderjuice_shot", RUN, {"shot": "juice"})
    assert (asked.logical_date, asked.reset_dag_run, asked.skip_when_already_exists) == (None, False, False)
    assert (asked.wait_for_completion, asked.deferrable, asked.poke_interval) == (True, True, 30)
    assert getattr(asked, "note", "juice of citrus") == "juice of citrus"  # Airflow 3.3 and later


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_that_a_dead_worker_had_started_is_waited_for_and_none_is_started(row, state):
    airflow = Airflow(state)

    with pytest.raises(TaskDeferred) as deferred:
        execute(row, airflow)

    assert (deferred.value.trigger.dag_id, deferred.value.trigger.run_ids) == ("renderjuice_shot", [RUN])
    assert set(deferred.value.trigger.states) == {"success", "failed"}
    assert airflow.xcoms == {"trigger_run_id": RUN}  # the link "Triggered DAG"


def test_a_run_that_went_well_before_is_enough(row):
    assert execute(row, Airflow("success")) is None


def test_a_run_that_failed_before_or_while_it_was_waited_for_fails_the_row_once_and_is_named(row):
    with pytest.raises(AirflowFailException, match=FAILED):
        execute(row, Airflow("failed"))
    with pytest.raises(AirflowFailException, match=FAILED):
        row.execute_complete({"ti": Airflow("failed")}, ["trigger", {}])
    assert row.execute_complete({"ti": Airflow("success")}, ["trigger", {}]) is None


def test_a_run_that_was_cleared_at_the_moment_it_ended_is_waited_for_again(row):
    with pytest.raises(TaskDeferred):
        row.execute_complete({"ti": Airflow("running")}, ["trigger", {}])


def test_a_run_that_was_deleted_while_it_was_waited_for_is_no_success(row):
    with pytest.raises(AirflowFailException, match=FAILED):
        row.execute_complete({"ti": Airflow(None)}, ["trigger", {}])


@pytest.mark.parametrize("state", [None, "queued"])
def test_a_paused_dag_is_reported_and_not_waited_for(row, state):
    with pytest.raises(AirflowFailException, match="juice: renderjuice_shot is paused, so its run would never begin"):
        execute(row, Airflow(state, paused=True))


@pytest.mark.parametrize(
    ("status", "raised", "sentence"),
    [
        (404, AirflowFailException, "^Airflow has no DAG renderjuice_shot: put its file into the DAG folder"),
        (503, AirflowRuntimeError, "503"),
    ],
)
def test_a_dag_that_is_not_there_is_reported_at_once_and_an_airflow_that_is_busy_is_asked_again(
    row, status, raised, sentence
):
    class Without(Airflow):
        def get_dag(self, _dag_id):
            raise AirflowRuntimeError(SimpleNamespace(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status}))

    with pytest.raises(raised, match=sentence):
        execute(row, Without())


def test_what_is_over_needs_no_dag_that_runs(row):
    assert execute(row, Airflow("success", paused=True)) is None


def test_where_a_task_cannot_ask_about_a_dag_the_run_is_started(row):
    """As before Airflow 3.2."""

    class Older(Airflow):
        get_dag = property(lambda _self: (_ for _ in ()).throw(AttributeError("get_dag")))

    with pytest.raises(DagRunTriggerException):
        execute(row, Older(paused=True))


def test_names_and_paths_of_a_shot_list_are_no_templates(row):
    assert StartShotOperator.template_fields == ()
