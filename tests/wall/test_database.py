"""Rows as they are read from Airflow's tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow import settings
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import delete, event, select

from renderjuice_provider import xcom_keys
from renderjuice_provider.wall import _database
from renderjuice_provider.wall._database import Rows, Window
from renderjuice_provider.wall._grouping import RowKey
from renderjuice_provider.wall.facts import RowFacts
from renderjuice_provider.wall.models import RowState
from tests.wall.facts import JOB, OTHER_JOB
from tests.wall.served_airflow import ServedAirflow
from tests.wall.studio import CONFIG, Studio, scenes, shots

SHOTS, SCENES = shots(), scenes()
RENDERING = {"upload": "success", "create": "success", "validate": "success", "render": "deferred"}


@pytest.fixture
def studio(airflow: ServedAirflow) -> Studio:
    for dag in (SHOTS, SCENES):
        airflow.add_dag(dag)
    return Studio(airflow)


def read(studio: Studio, window: Window | None = None) -> list[RowFacts]:
    with studio.airflow.session() as session:
        rows, more = Rows().read(session, window or Window())
    assert not more
    return rows


def test_a_shot_is_read_with_its_job_its_connection_and_its_tasks_in_order(studio: Studio) -> None:
    studio.run(SHOTS, "night", RENDERING, job_id=JOB, conf={"shot": "ab_010"})
    (row,) = read(studio)
    assert [task.task_id for task in row.tasks] == ["upload", "create", "validate", "render", "composite", "deliver"]
    assert row.conf == {"shot": "ab_010", "quality": "auto"}
    render = row.tasks[3]
    assert (render.state, render.map_index, render.job_id, render.conn_id) == (
        "deferred",
        0,
        JOB,
        "renderjuice_default",
    )
    assert row.jobs == {JOB: "renderjuice_default"}


def test_each_map_index_is_a_row_and_a_studios_own_operator_another(studio: Studio) -> None:
    studio.run(SCENES, "bulk", {"render 0": "success", "render 1": "deferred", "own": "deferred"}, job_id=JOB)
    keys = [RowKey.parse(row.id) for row in read(studio)]
    assert {(key.task_id, key.map_index) for key in keys if key} == {("render", 0), ("render", 1), ("own", -1)}


def test_runs_in_which_nothing_renders_are_no_rows(studio: Studio) -> None:
    from airflow.sdk import DAG, task

    @task
    def nothing() -> None: ...

    with DAG("others", schedule=None) as others:
        nothing()
    studio.airflow.add_dag(others)
    studio.run(others, "other", {"nothing": "success"})
    assert read(studio) == []


def test_what_the_dag_file_says_counts_where_airflow_kept_no_rendered_templates(studio: Studio) -> None:
    """It keeps those of a task's thirty newest runs: a night of shots has more."""
    studio.run(SCENES, "bulk", {"render 0": "deferred", "render 1": "deferred"}, job_id=JOB)
    studio.forget_templates()
    first = next(row for row in read(studio) if row.heart == "render").tasks[0]
    assert (first.conn_id, first.config) == ("renderjuice_default", CONFIG)


def test_a_template_in_the_dag_file_is_not_taken_for_its_value(studio: Studio) -> None:
    studio.run(SHOTS, "night", RENDERING, job_id=JOB, conf={"shot": "ab_010"})
    render = read(studio)[0].tasks[3]
    assert "render_config" not in render.fields
    assert render.config == {}


def test_a_render_leaves_its_configuration_its_reason_and_its_cost(studio: Studio) -> None:
    studio.run(SHOTS, "night", RENDERING | {"render": "failed"}, job_id=JOB, conf={"shot": "ab_010"})
    reason = {"state": "failed", "reason": "Two frames are missing.", "next_step": "Clear it."}
    studio.leave("night", "render", xcom_keys.CONFIG, CONFIG, 0)
    studio.leave("night", "render", xcom_keys.REASON, reason, 0)
    studio.leave("night", "render", "return_value", {"jobs": {OTHER_JOB: 12.5, JOB: None}}, 0)
    render = read(studio)[0].tasks[3]
    assert render.config == CONFIG
    assert render.left is not None
    assert (render.left.state, render.left.reason, render.left.next_step) == (
        RowState.FAILED,
        "Two frames are missing.",
        "Clear it.",
    )
    assert render.jobs == {OTHER_JOB: 12.5, JOB: None}


@pytest.mark.parametrize("left", ["text", 7, None, {"state": "delivered"}, {"state": []}, {"reason": "x"}, ["failed"]])
def test_what_another_task_left_under_our_keys_breaks_nothing(left: object, studio: Studio) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    for key in (xcom_keys.REASON, xcom_keys.CONFIG, xcom_keys.JOB_ID, "return_value"):
        studio.leave("night", "render", key, left, 0)
    render = read(studio)[0].tasks[3]
    assert render.left is None
    assert render.job_id in {None, "text"}


def test_rounds_that_are_over_are_known_from_the_record_while_the_next_one_renders(studio: Studio) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    done = [{"job_id": OTHER_JOB, "normalized_seconds": 30.0}]
    studio.record("night", "render", json.dumps({"job_id": JOB, "done": done}))
    row = read(studio)[0]
    assert row.tasks[3].jobs == {OTHER_JOB: 30.0}
    assert row.tasks[3].job_id == JOB
    assert row.job_ids == (OTHER_JOB, JOB)


@pytest.mark.parametrize("value", ["no JSON", "7", '{"done": 7}', '{"done": [7, {"job_id": 7}]}'])
def test_a_record_that_cannot_be_read_is_left_out(value: str, studio: Studio) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    studio.record("night", "render", value)
    assert read(studio)[0].tasks[3].job_id is None


def test_a_window_has_what_is_alive_or_ended_in_it(studio: Studio) -> None:
    studio.run(SHOTS, "alive", RENDERING, conf={"shot": "a"}, nights_ago=9)
    studio.run(SHOTS, "tonight", RENDERING, conf={"shot": "b"}, over="success")
    studio.run(SHOTS, "long_ago", RENDERING, conf={"shot": "c"}, nights_ago=3, over="success")
    since = datetime.now(UTC) - timedelta(hours=24)
    assert {row.run_id for row in read(studio, Window(since))} == {"alive", "tonight"}
    assert {row.run_id for row in read(studio, Window(run_id="long_ago"))} == {"long_ago"}
    assert read(studio, Window(since, dag_id="scenes")) == []


def test_a_window_of_a_task_has_the_rows_that_it_belongs_to(studio: Studio) -> None:
    studio.run(SCENES, "bulk", {"render 0": "success", "render 1": "deferred"}, job_id=JOB)
    assert len(read(studio, Window(run_id="bulk", task_id="render"))) == 2
    (one,) = read(studio, Window(run_id="bulk", task_id="render", map_index=1))
    assert one.tasks[0].map_index == 1
    assert read(studio, Window(run_id="bulk", task_id="nothing")) == []


def test_more_rows_than_are_shown_are_said_to_be_there(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_database, "MOST_RUNS", 2)
    for number in range(3):
        studio.run(SHOTS, f"run_{number}", RENDERING, conf={"shot": f"s{number}"})
    with studio.airflow.session() as session:
        rows, more = Rows().read(session, Window())
    assert (len(rows), more) == (2, True)
    monkeypatch.setattr(_database, "MOST_ROWS", 1)
    with studio.airflow.session() as session:
        rows, more = Rows().read(session, Window(run_id="run_0"))
    assert (len(rows), more) == (1, False)


def test_a_version_of_the_dag_that_is_gone_or_cannot_be_read_hides_no_row(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    broken, gone = shots("broken"), shots("gone")
    for dag in (broken, gone):
        studio.airflow.add_dag(dag)
    studio.run(broken, "other", RENDERING, job_id=JOB, conf={"shot": "ab_020"})
    studio.run(gone, "night", RENDERING, job_id=JOB, conf={"shot": "ab_010"})
    with studio.airflow.session() as session:
        stored = session.scalars(select(SerializedDagModel).where(SerializedDagModel.dag_id == "broken")).all()
        for version in stored:
            version._data = {"no": "DAG"}
        session.execute(delete(SerializedDagModel).where(SerializedDagModel.dag_id == "gone"))
    rows = read(studio)
    assert {row.run_id for row in rows} == {"other", "night"}
    assert "could not be read" in caplog.text


def test_a_night_of_shots_is_a_handful_of_queries(studio: Studio) -> None:
    for number in range(20):
        studio.run(SHOTS, f"run_{number}", RENDERING, job_id=JOB, conf={"shot": f"s{number}"})
    rows, seen = Rows(), []
    count = lambda *arguments: seen.append(arguments[2])  # noqa: E731

    def queries() -> int:
        seen.clear()
        with studio.airflow.session() as session:
            assert len(rows.read(session, Window())[0]) == 20
        return len(seen)

    event.listen(settings.engine, "before_cursor_execute", count)
    try:
        first, second = queries(), queries()
    finally:
        event.remove(settings.engine, "before_cursor_execute", count)
    assert second == 6, json.dumps(seen, indent=1)
    assert first <= second + 3, "the version of the DAG is read once"
