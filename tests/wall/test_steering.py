"""Actions, carried out by Airflow's own API on a database."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.variable import Variable
from airflow.sdk import DAG, task
from sqlalchemy import delete, select
from starlette.requests import Request

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api import RenderjuiceClient
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from renderjuice_provider.wall import _claims, _steer
from renderjuice_provider.wall._airflow_api import AirflowApi, NotDoneError
from renderjuice_provider.wall._database import Rows, Window
from renderjuice_provider.wall._steer import Steering
from renderjuice_provider.wall.facts import JobFacts, Look, RowFacts
from renderjuice_provider.wall.models import Act, Action, Done, Plan, WantedAction
from tests.support.runner import connect
from tests.wall.served_airflow import ServedAirflow

CONFIG = {"colorManagementPreset": "default"}
numbers = itertools.count(1)


@task
def collect() -> None:
    """What comes after a render."""


def steps() -> DAG:
    with DAG("steps", schedule=None, params={"config": CONFIG}) as dag:
        upload = RenderjuiceUploadOperator(task_id="upload", file_path="/shots/one.blend")
        create = RenderjuiceCreateJobOperator(task_id="create", slug=upload.output)
        validate = RenderjuiceValidateJobOperator(task_id="validate", job_id=create.output)
        render = RenderjuiceRenderJobOperator(
            task_id="render", job_id=create.output, render_config="{{ params.config }}"
        )
        validate >> render >> collect()
    return dag


def bulk() -> DAG:
    scenes = [{"file_path": f"/shots/{number}.blend"} for number in range(4)]
    with DAG("bulk", schedule=None) as dag:
        RenderjuiceRunJobOperator.partial(task_id="render", render_config=CONFIG).expand_kwargs(scenes) >> collect()
    return dag


def shot() -> DAG:
    layers = [{"destination": f"/renders/{layer}"} for layer in ("base", "over")]
    with DAG("shot", schedule=None, params={"shot": "sh010", "render": {}, "quality": "auto"}) as dag:
        render = RenderjuiceRenderFramesOperator.partial(task_id="render", file_path="/s.blend", render_config=CONFIG)
        render.expand_kwargs(layers) >> collect()
    return dag


@dataclass
class Wall:
    """A user at the wall, which has no cache here."""

    airflow: ServedAirflow
    dags: Mapping[str, DAG]
    jobs: Mapping[str, JobFacts]
    role: str = "ADMIN"

    def run(
        self,
        dag_id: str,
        states: Mapping[str, str | None],
        run_state: str = "running",
        *,
        run_id: str = "",
        **conf: Any,
    ) -> str:
        """A new run whose task instances have these states; `render 1` is of a map index."""
        run_id = run_id or f"run-{next(numbers)}"
        self.airflow.add_run(self.dags[dag_id], run_id, conf)
        for name, state in states.items():
            task_id, _, index = name.partition(" ")
            job_id = f"job of {name}" if task_id == "render" else None
            self.airflow.set_task(run_id, task_id, state, map_index=int(index or -1), job_id=job_id)
        self.airflow.end_run(run_id, run_state)
        return run_id

    def rows(self, *run_ids: str) -> list[RowFacts]:
        with self.airflow.session() as session:
            return [row for run_id in run_ids for row in Rows().read(session, Window(run_id=run_id))[0]]

    def request(self) -> Request:
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers().items()]
        return Request({"type": "http", "headers": headers, "client": ("127.0.0.1", 4321)})

    def headers(self) -> dict[str, str]:
        return self.airflow.headers("someone", self.role)

    async def plan(self, action: Action, rows: list[RowFacts], settings: dict[str, Any] | None = None) -> Plan:
        wanted = WantedAction(action=action, rows=[row.id for row in rows], settings=settings)
        return await Steering(self.airflow.app).plan(self.request(), self.user(), wanted, rows, Look(self.jobs))

    async def act(self, plan: Plan, action: Action, rows: list[RowFacts], **more: Any) -> Done | Plan:
        wanted = Act(action=action, rows=[row.id for row in rows], confirm=plan.confirm, **more)
        return await Steering(self.airflow.app).act(self.request(), self.user(), wanted, rows, Look(self.jobs))

    async def do(self, action: Action, rows: list[RowFacts], settings: dict[str, Any] | None = None) -> Done:
        """As a user does it who says yes."""
        found = await self.act(await self.plan(action, rows, settings), action, rows, settings=settings)
        assert isinstance(found, Done)
        return found

    def user(self) -> Any:
        return self.airflow.user("someone", self.role)


@pytest.fixture(scope="module")
def dags(airflow: ServedAirflow) -> dict[str, DAG]:
    found = {dag.dag_id: dag for dag in (steps(), bulk(), shot())}
    for dag in found.values():
        airflow.add_dag(dag)
    return found


@pytest.fixture
def wall(airflow: ServedAirflow, dags: dict[str, DAG]) -> Wall:
    jobs = {"job of render": JobFacts("job of render", "completed")}
    return Wall(airflow, dags, jobs)


def whys(done: Done) -> list[str]:
    return [each.why for each in done.failed]


async def test_stop_marks_the_chosen_rows_as_failed_and_no_other(wall: Wall) -> None:
    states = {"render 0": "success", "render 1": "deferred", "render 2": "up_for_retry", "render 3": "deferred"}
    run = wall.run("bulk", states)
    chosen = [row for row in wall.rows(run) if row.tasks[0].map_index in {1, 2}]
    done = await wall.do(Action.STOP, chosen)
    assert (done.done, done.failed) == ([row.id for row in chosen], [])
    assert wall.airflow.states(run) == states | {"render 1": "failed", "render 2": "failed", "collect": None}


async def test_a_row_that_ended_by_itself_meanwhile_keeps_its_end(wall: Wall) -> None:
    run = wall.run("bulk", {"render 0": "deferred", "render 1": "deferred"})
    chosen = wall.rows(run)[:2]
    wall.airflow.set_task(run, "render", "success", map_index=0)
    done = await wall.do(Action.STOP, chosen)
    assert (done.done, whys(done)) == ([chosen[1].id], ["It was over before it could be stopped."])
    assert wall.airflow.states(run)["render 0"] == "success"


async def test_again_clears_from_the_task_that_makes_the_job(wall: Wall) -> None:
    done = dict.fromkeys(("upload", "create", "validate"), "success")
    run = wall.run("steps", done | {"render": "failed", "collect": "upstream_failed"}, "failed")
    await wall.do(Action.AGAIN, wall.rows(run))
    assert wall.airflow.states(run) == dict.fromkeys(("create", "validate", "render", "collect")) | {
        "upload": "success"
    }
    assert wall.airflow.run_state(run) == "queued"


async def test_again_makes_a_task_forget_its_job(wall: Wall) -> None:
    run = wall.run("bulk", {"render 0": "success", "render 1": "success"}, "success")
    for index in (0, 1):
        wall.airflow.keep(run, "render", index, {"job_id": "old"})
    await wall.do(Action.AGAIN, wall.rows(run)[1:2])
    assert (wall.airflow.kept(run, "render", 0), wall.airflow.kept(run, "render", 1)) == ([{"job_id": "old"}], [])
    assert (wall.airflow.states(run)["render 0"], wall.airflow.states(run)["render 1"]) == ("success", None)


async def test_missing_clears_what_failed_and_what_comes_after_it(wall: Wall) -> None:
    run = wall.run("shot", {"render 0": "success", "render 1": "failed", "collect": "upstream_failed"}, "failed")
    await wall.do(Action.MISSING, wall.rows(run))
    assert wall.airflow.states(run) == {"render 0": "success", "render 1": None, "collect": None}


@pytest.mark.parametrize("is_canceled", [False, True])
async def test_a_job_is_taken_up_only_if_it_is_wanted_still(
    wall: Wall, renderjuice_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_canceled: bool
) -> None:
    """Whatever the wall has read of it before: canceled since, it would be ordered again."""
    connect(monkeypatch, host=renderjuice_emulator.base_url, password=renderjuice_emulator.api_key)
    with RenderjuiceClient(renderjuice_emulator.api_key, renderjuice_emulator.base_url) as client:
        job = client.create_job(client.upload(write_scene(tmp_path / "one.blend")).slug)
        if is_canceled:
            client.cancel_job(job.id)
    run = wall.run("steps", {"create": "success"})
    fields = {"renderjuice_conn_id": "renderjuice_default"}
    wall.airflow.set_task(run, "render", "failed", job_id=job.id, fields=fields)
    wall.airflow.end_run(run, "failed")
    wall.jobs = {job.id: JobFacts(job.id, "rendering")}
    done = await wall.do(Action.TAKE_UP, wall.rows(run))
    canceled = ["Its job is canceled, so there is nothing to take up: render it again."]
    assert whys(done) == (canceled if is_canceled else [])
    assert wall.airflow.states(run)["render"] == ("failed" if is_canceled else None)
    assert wall.airflow.states(run)["create"] == "success"


@pytest.mark.parametrize("conn_id", ["there_is_no_such_connection", "renderjuice_default"])
async def test_a_job_that_cannot_be_read_is_not_taken_up(
    wall: Wall, renderjuice_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, conn_id: str
) -> None:
    connect(monkeypatch, host=renderjuice_emulator.base_url, password=renderjuice_emulator.api_key)
    run = wall.run("steps", {"create": "success"})
    fields = {"renderjuice_conn_id": conn_id}
    wall.airflow.set_task(run, "render", "failed", job_id=str(uuid.uuid4()), fields=fields)
    wall.airflow.end_run(run, "failed")
    assert "has not said yet" in whys(await wall.do(Action.TAKE_UP, wall.rows(run)))[0]


async def test_other_settings_are_a_new_run_and_only_one(wall: Wall) -> None:
    run = wall.run("shot", {"render 0": "success", "render 1": "success"}, "success", shot="sh020")
    rows = wall.rows(run)
    assert not (await wall.do(Action.SETTINGS, rows, {"samples": 128, "quality": "final"})).failed
    with wall.airflow.session() as session:
        found = session.scalars(select(DagRun).where(DagRun.run_id.startswith(f"{run}__settings"))).all()
    assert [each.conf for each in found] == [{"shot": "sh020", "render": {"sampleCount": 128}, "quality": "final"}]
    assert found[0].triggering_user_name == "someone"
    again = await wall.do(Action.SETTINGS, rows, {"samples": 128, "quality": "final"})
    assert whys(again) == [f"The run {found[0].run_id} was started already: go on there."]


async def test_failed_rows_of_many_runs_are_cleared_together(wall: Wall) -> None:
    runs = [wall.run("bulk", {f"render {index}": "failed" for index in range(4)}, "failed") for _ in range(5)]
    rows = wall.rows(*runs)
    assert len((await wall.do(Action.AGAIN, rows)).done) == 20
    assert {state for run in runs for state in wall.airflow.states(run).values()} == {None}
    assert {wall.airflow.clear_number(run) for run in runs} == {1}, "one request for each run"


async def test_a_plan_that_does_not_hold_any_more_is_asked_again(wall: Wall) -> None:
    run = wall.run("bulk", {"render 0": "failed"}, "failed")
    row = wall.rows(run)[:1]
    plan = await wall.plan(Action.AGAIN, row)
    assert plan.question.startswith("Render render 0 again")
    wall.airflow.set_task(run, "render", "success", map_index=0)
    now = wall.rows(run)[:1]
    found = await wall.act(plan, Action.AGAIN, now)
    assert isinstance(found, Plan)
    assert found.confirm != plan.confirm
    assert wall.airflow.states(run)["render 0"] == "success"


async def test_of_two_who_press_at_once_one_does_it(wall: Wall) -> None:
    run = wall.run("bulk", {"render 0": "failed"}, "failed")
    row = wall.rows(run)[:1]
    plan = await wall.plan(Action.AGAIN, row)
    found = await asyncio.gather(*(wall.act(plan, Action.AGAIN, row) for _ in range(6)))
    assert all(isinstance(each, Done) for each in found)
    assert sorted(len(each.done) for each in found if isinstance(each, Done)) == [0, 0, 0, 0, 0, 1]
    reasons = {why for each in found if isinstance(each, Done) for why in whys(each)}
    assert reasons <= {_steer.CHANGED, _steer.CLAIMED}
    assert wall.airflow.clear_number(run) == 1


async def test_two_who_stop_the_same_stop_it(wall: Wall) -> None:
    run = wall.run("bulk", {"render 0": "deferred"})
    row = wall.rows(run)[:1]
    plan = await wall.plan(Action.STOP, row)
    await asyncio.gather(*(wall.act(plan, Action.STOP, row) for _ in range(3)))
    assert wall.airflow.states(run)["render 0"] == "failed"


def test_a_claim_keeps_others_away_until_it_is_released_or_old(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    _claims.claim("dag", "run")
    with pytest.raises(_claims.ClaimedError):
        _claims.claim("dag", "run")
    _claims.claim("dag", "another run")
    _claims.release("dag", "run")
    _claims.claim("dag", "run")
    after = time.time() + _claims.LIFETIME + 1
    monkeypatch.setattr(time, "time", lambda: after)
    _claims.claim("dag", "run")
    with wall.airflow.session() as session:
        assert len(session.scalars(select(Variable)).all()) == 2
        session.execute(delete(Variable))


async def test_a_viewer_is_refused_and_changes_nothing(wall: Wall) -> None:
    wall.role = "VIEWER"
    run = wall.run("bulk", {"render 0": "deferred"})
    row = wall.rows(run)[:1]
    plan = await wall.plan(Action.STOP, row)
    assert plan.rows[0].refused is not None
    assert plan.rows[0].refused.startswith("You may not change the tasks of bulk")
    found = await wall.act(plan, Action.STOP, row)
    assert isinstance(found, Done)
    assert (found.done, whys(found)) == ([], [plan.rows[0].refused])
    assert wall.airflow.states(run)["render 0"] == "deferred"


async def test_airflow_itself_refuses_who_may_only_look(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    wall.role = "VIEWER"
    monkeypatch.setattr(_steer, "changeable", lambda user, dag_ids: dag_ids)
    run = wall.run("bulk", {"render 0": "deferred", "render 1": "failed"})
    for action, row in zip((Action.STOP, Action.AGAIN), wall.rows(run)[:2], strict=True):
        if action is Action.AGAIN:
            wall.airflow.end_run(run, "failed")
            row = wall.rows(run)[1]  # noqa: PLW2901 - as it is now
        assert "you may not do this" in whys(await wall.do(action, [row]))[0]
    assert wall.airflow.states(run) == {"render 0": "deferred", "render 1": "failed"} | dict.fromkeys(
        ("render 2", "render 3", "collect")
    )


async def test_a_paused_dag_begins_nothing_but_can_be_stopped(wall: Wall) -> None:
    failed, running = wall.run("bulk", {"render 0": "failed"}, "failed"), wall.run("bulk", {"render 0": "deferred"})
    with wall.airflow.session() as session:
        session.get_one(DagModel, "bulk").is_paused = True
    try:
        plan = await wall.plan(Action.AGAIN, wall.rows(failed)[:1])
        assert plan.rows[0].refused == "The DAG bulk is paused, so nothing would happen: unpause it first."
        assert not (await wall.do(Action.STOP, wall.rows(running)[:1])).failed
    finally:
        with wall.airflow.session() as session:
            session.get_one(DagModel, "bulk").is_paused = False


async def test_what_is_done_is_in_airflows_audit_log_with_the_users_name(wall: Wall) -> None:
    run = wall.run("bulk", {"render 0": "deferred", "render 1": "failed"})
    await wall.do(Action.STOP, wall.rows(run)[:1])
    wall.airflow.end_run(run)
    await wall.do(Action.AGAIN, wall.rows(run)[1:2])
    with wall.airflow.session() as session:
        found = session.scalars(select(Log).where(Log.run_id == run).order_by(Log.id)).all()
    assert [(each.event, each.owner) for each in found] == [
        ("patch_task_instance", "someone"),
        ("post_clear_task_instances", "someone"),
    ]


async def test_trouble_with_one_run_leaves_the_others(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (wall.run("bulk", {"render 0": "deferred"}) for _ in range(2))
    fail = AirflowApi.fail

    async def broken(self: AirflowApi, found: Any) -> None:
        if found.run_id == first:
            raise OSError("the database is gone")
        await fail(self, found)

    monkeypatch.setattr(AirflowApi, "fail", broken)
    rows = [*wall.rows(first)[:1], *wall.rows(second)[:1]]
    done = await wall.do(Action.STOP, rows)
    assert (done.done, whys(done)) == (
        [rows[1].id],
        ["It could not be done (OSError): see the log of the API server."],
    )


@pytest.mark.parametrize("name", [".", "..", "a.b"])
async def test_a_run_of_any_name_is_that_run_and_no_folder(
    wall: Wall, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__ALLOW_DOUBLE_DOT_IN_IDS", "True")
    other = wall.run("bulk", {"render 0": "deferred"})
    rows = wall.rows(wall.run("bulk", {"render 0": "deferred"}, run_id=name))[:1]
    done = await wall.do(Action.STOP, rows)
    assert (done.done, whys(done)) == ([rows[0].id], [])
    assert (wall.airflow.states(name)["render 0"], wall.airflow.states(other)["render 0"]) == ("failed", "deferred")


async def test_what_airflow_refuses_is_said_in_its_words(wall: Wall) -> None:
    run = wall.run("bulk", {"render 0": "failed"}, "failed")
    (task_facts,) = wall.rows(run)[0].tasks
    async with AirflowApi(wall.request(), wall.airflow.app) as api:
        with pytest.raises(NotDoneError, match=r"\(404\): The Dag with ID: `gone` was not found|gone"):
            await api.start("gone", "run", {}, "")
        with pytest.raises(NotDoneError, match=r"\(422\): "):
            await api.start("bulk", "run", {}, note=1)  # type: ignore[arg-type]
        await api.fail(task_facts)
        await api.forget(task_facts, "renderjuice")
    async with AirflowApi(Request({"type": "http", "headers": [], "client": None}), wall.airflow.app) as api:
        with pytest.raises(NotDoneError, match="log in again"):
            await api.fail(task_facts)


def test_no_claim_is_left(wall: Wall) -> None:
    with wall.airflow.session() as session:
        assert session.scalars(select(Variable.key)).all() == []
