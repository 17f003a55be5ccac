"""The wall's routes: what people are shown, who they are, and sentences on bad days."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow import settings
from airflow.models.dagrun import DagRun
from sqlalchemy import delete, event, text

from renderjuice_emulator.testing import Emulator, write_scene
from renderjuice_provider import xcom_keys
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.wall import _farm_state, _rights, _routes, _shared
from tests.support.until import until
from tests.wall.served_airflow import ServedAirflow
from tests.wall.studio import CONFIG, Studio, scenes, shots, wall

SHOTS, SCENES = shots(), scenes()
RENDERING = {"upload": "success", "create": "success", "validate": "success", "render": "deferred"}
OVER = {**dict.fromkeys((*RENDERING, "composite", "deliver"), "success")}


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator() as found:
        connect(monkeypatch, found)
        yield found


def connect(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, **fields: Any) -> None:
    connection = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key} | fields
    monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", json.dumps(connection))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds for people takes less here."""
    monkeypatch.setattr(_shared, "LIFETIME", 0.0)
    monkeypatch.setattr(_farm_state, "INTERVAL", 0.05)


@pytest.fixture
def studio(airflow: ServedAirflow) -> Studio:
    for dag in (SHOTS, SCENES):
        airflow.add_dag(dag)
    return Studio(airflow)


@pytest.fixture
async def admin(airflow: ServedAirflow) -> AsyncIterator[httpx.AsyncClient]:
    async with wall(airflow) as client:
        yield client


def rendered(emulator: Emulator, folder: Path, frames: int = 3, status: str = "completed") -> str:
    """The id of a job that has come to this status."""
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        scene = write_scene(folder / "scene.blend", frame_end=frames)
        job_id = client.create_job(client.upload(scene).slug).id
        client.validate_job(job_id)
        until(lambda: client.get_job(job_id).status == "validated")
        client.start_render(job_id, CONFIG)
        until(lambda: client.get_job(job_id).status == status)
    return job_id


async def night(client: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    response = await client.get("night", params=params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def known(client: httpx.AsyncClient) -> dict[str, Any]:
    """The night, once Renderjuice has answered."""
    async with asyncio.timeout(20):
        while True:
            found = await night(client)
            if found["farms"] and found["farms"][0]["answers"] and found["rows"][0]["frames"]:
                return found
            await asyncio.sleep(0.05)


async def test_a_night_joins_what_airflow_and_renderjuice_say(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, emulator, extra={"rate": 3.6, "currency": "EUR"})
    job_id = rendered(emulator, tmp_path)
    studio.run(SHOTS, "night", OVER, job_id=job_id, conf={"shot": "ab_010"}, over="success")
    found = await known(admin)
    (row,) = found["rows"]
    assert (row["name"], row["sequence"], row["state"]) == ("ab_010", "ab", "delivered")
    assert row["frames"] == {"total": 3, "done": 3, "failed": 0}
    assert row["normalized_seconds"] > 0
    assert row["money"]["amount"] == pytest.approx(row["normalized_seconds"] / 1000, abs=1e-4)
    assert found["total"]["by_state"] == {"delivered": 1}
    assert found["total"]["jobs_of_unknown_cost"] == 0
    assert found["more"] is False


async def test_a_row_opens_with_its_frames_its_history_and_what_has_changed(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient, tmp_path: Path
) -> None:
    job_id = rendered(emulator, tmp_path)
    shot = {"shot": "ab_010"}
    before = CONFIG | {"sampleCount": 64, "notes": "first", "outputSettings": {"colorDepth": "8"}}
    now = CONFIG | {"sampleCount": 128, "notes": "second", "outputSettings": {"colorDepth": "16"}}
    result = {"normalized_seconds": 30.0, "jobs": {"a job": 30.0}, "frames_requested": 3, "frames_missing": []}
    studio.run(SHOTS, "monday", OVER, conf=shot, nights_ago=2, over="success")
    studio.leave("monday", "render", "return_value", result, 0)
    studio.run(SHOTS, "tuesday", OVER | {"render": "failed"}, conf=shot, nights_ago=1, over="failed")
    studio.leave("tuesday", "render", xcom_keys.CONFIG, before, 0)
    studio.run(SHOTS, "another", OVER, conf={"shot": "ab_020"}, nights_ago=1, over="success")
    studio.run(SHOTS, "tonight", OVER, job_id=job_id, conf=shot, over="success")
    studio.leave("tonight", "render", xcom_keys.CONFIG, now, 0)
    row = next(row for row in (await night(admin))["rows"] if row["run_id"] == "tonight")

    async def detail() -> dict[str, Any]:
        opened: dict[str, Any] = (await admin.get(f"rows/{row['id']}")).json()
        return opened

    async with asyncio.timeout(20):
        while True:
            found = await detail()
            if found["frames"] and found["frames"][0]["picture"]:
                break
            await asyncio.sleep(0.1)
    assert [frame["state"] for frame in found["frames"]] == ["done"] * 3
    assert [(past["run_id"], past["state"]) for past in found["history"]] == [
        ("tuesday", "failed"),
        ("monday", "delivered"),
    ]
    monday = found["history"][1]
    assert (monday["frames"], monday["normalized_seconds"], monday["seconds_per_frame"]) == (3, 30.0, 10.0)
    assert found["config"]["changes"] == [
        {"field": "outputSettings.colorDepth", "before": "8", "now": "16"},
        {"field": "sampleCount", "before": 64, "now": 128},
    ]
    picture = await admin.get(f"pictures/{found['frames'][0]['picture']}")
    assert picture.status_code == 200
    assert picture.headers["content-type"].startswith("image/")
    assert picture.headers["cache-control"].startswith("private")
    again = await admin.get(
        f"pictures/{found['frames'][0]['picture']}", headers={"If-None-Match": picture.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_shot_that_was_never_rendered_before_has_nothing_to_be_compared_with(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient
) -> None:
    studio.run(SCENES, "bulk", {"render 0": "deferred", "render 1": "deferred"})
    for row in (await night(admin))["rows"]:
        found = (await admin.get(f"rows/{row['id']}")).json()
        assert found["history"] == []
        assert found["config"] == {"now": CONFIG, "before": None, "changes": []}


async def test_a_mapped_render_has_the_history_of_its_label(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient
) -> None:
    for run_id, days in (("before", 1), ("now", 0)):
        studio.run(SCENES, run_id, {"render 0": "success", "render 1": "success"}, nights_ago=days)
    row = next(row for row in (await night(admin, run_id="now"))["rows"] if row["map_index"] == 1)
    found = (await admin.get(f"rows/{row['id']}")).json()
    assert [past["run_id"] for past in found["history"]] == ["before"]


async def test_the_tab_of_a_run_and_of_a_task_show_only_theirs(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient
) -> None:
    studio.run(SCENES, "bulk", {"render 0": "success", "render 1": "deferred"}, nights_ago=5)
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    assert {row["dag_id"] for row in (await night(admin, dag_id="scenes", run_id="bulk"))["rows"]} == {"scenes"}
    task = {"dag_id": "scenes", "run_id": "bulk", "task_id": "render", "map_index": 1}
    assert [row["map_index"] for row in (await night(admin, **task))["rows"]] == [1]


async def test_nobody_sees_anything_without_being_signed_in(studio: Studio, emulator: Emulator) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    async with wall(studio.airflow) as client:
        row_id = (await night(client))["rows"][0]["id"]
        del client.headers["Authorization"]
        for path in ("night", f"rows/{row_id}", f"pictures/{row_id}~x"):
            response = await client.get(path)
            assert response.status_code == 401
            assert "sign in" in response.json()["error"]
        for path in ("plan", "act"):
            response = await client.post(path, json={"action": "stop", "rows": [row_id]})
            assert response.status_code == 401


async def test_a_user_sees_rows_pictures_and_plans_of_dags_that_airflow_shows_alone(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    studio.run(SCENES, "bulk", {"render 0": "deferred", "render 1": "deferred"})
    hidden = [row["id"] for row in (await night(admin))["rows"] if row["dag_id"] == "scenes"]
    may = _rights._may
    monkeypatch.setattr(
        _rights,
        "_may",
        lambda user, method, entity, dag_id: dag_id == "shots" and may(user, method, entity, dag_id),
    )
    found = await night(admin)
    assert {row["dag_id"] for row in found["rows"]} == {"shots"}
    assert found["total"]["rows"] == 1
    for row_id in hidden:
        for path in (f"rows/{row_id}", f"pictures/{row_id}~3c90c3cc-0d44-4b50-8888-8dd25736052a.a1"):
            response = await admin.get(path)
            assert response.status_code == 404
            assert "may not see it" in response.json()["error"]
    plan = (await admin.post("plan", json={"action": "stop", "rows": hidden})).json()
    assert all(row["refused"] for row in plan["rows"])


async def test_a_viewer_is_shown_everything_and_offered_nothing(studio: Studio, emulator: Emulator) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    async with wall(studio.airflow) as admin, wall(studio.airflow, "viewer", "VIEWER") as viewer:
        (allowed,), (row,) = (await night(admin))["rows"], (await night(viewer))["rows"]
        assert allowed["can"] == ["stop"]
        assert row["can"] == []
        assert {**row, "can": 0, "elapsed": 0, "last_sign": 0} == {**allowed, "can": 0, "elapsed": 0, "last_sign": 0}
        assert (await viewer.get(f"rows/{row['id']}")).json()["row"]["can"] == []


async def test_what_many_ask_for_at_once_is_read_once(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_shared, "LIFETIME", 60.0)
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    statements: list[str] = []
    count = lambda *arguments: statements.append(arguments[2])  # noqa: E731
    event.listen(settings.engine, "before_cursor_execute", count)
    try:
        answers = await asyncio.gather(*(admin.get("night") for _ in range(20)))
    finally:
        event.remove(settings.engine, "before_cursor_execute", count)
    assert len({answer.content for answer in answers}) == 1
    assert len([each for each in statements if "FROM task_instance JOIN dag_run" in each]) == 1


@pytest.mark.parametrize("path", ["night", "rows/x", "pictures/x", "static/wall.js", "nothing", "docs", "openapi.json"])
async def test_every_answer_says_that_nothing_of_it_is_run_framed_or_guessed(
    path: str, admin: httpx.AsyncClient
) -> None:
    headers = (await admin.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"]


async def test_json_is_kept_nowhere(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("night")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("GET", "docs", 404),
        ("GET", "redoc", 404),
        ("GET", "openapi.json", 404),
        ("GET", "rows/nonsense", 404),
        ("GET", "rows/WyJhIiwiYiIsImMiLDBd", 404),
        ("GET", "pictures/nonsense", 404),
        ("GET", "night?hours=0", 422),
        ("GET", "night?hours=nan", 422),
        ("GET", "night?hours=99999", 422),
        ("GET", "night?map_index=x", 422),
        ("GET", f"night?dag_id={'x' * 300}", 422),
        ("POST", "night", 405),
        ("GET", "plan", 405),
    ],
)
async def test_what_cannot_be_answered_is_a_sentence(
    method: str, path: str, status: int, admin: httpx.AsyncClient
) -> None:
    response = await admin.request(method, path)
    assert response.status_code == status, response.text
    assert response.json()["error"].endswith((".", ".)"))


async def test_a_run_that_is_deleted_while_its_row_is_open_is_a_sentence(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient
) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    row_id = (await night(admin))["rows"][0]["id"]
    with studio.airflow.session() as session:
        session.execute(delete(DagRun))
    response = await admin.get(f"rows/{row_id}")
    assert response.status_code == 404
    assert "was deleted" in response.json()["error"]


async def test_a_database_that_does_not_answer_is_a_sentence_and_one_line_in_the_log(
    studio: Studio, admin: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with studio.airflow.session() as session:
        session.execute(text("ALTER TABLE task_instance RENAME TO gone"))
    try:
        response = await admin.get("night")
    finally:
        with studio.airflow.session() as session:
            session.execute(text("ALTER TABLE gone RENAME TO task_instance"))
    assert response.status_code == 503
    assert "database" in response.json()["error"]
    assert "could not answer" in caplog.text
    assert "Traceback" not in caplog.text
    assert (await admin.get("night")).status_code == 200


async def test_without_a_connection_rows_are_shown_with_a_sentence_about_it(
    studio: Studio, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", raising=False)
    studio.run(SHOTS, "night", RENDERING, job_id="3c90c3cc-0d44-4b50-8888-8dd25736052a", conf={"shot": "ab_010"})
    found = await night(admin)
    assert found["rows"][0]["state"] == "rendering"
    (farm,) = found["farms"]
    assert farm["answers"] is False
    assert "renderjuice_default" in farm["error"]


async def test_nothing_that_is_answered_holds_a_key_or_a_signed_url(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient, tmp_path: Path
) -> None:
    job_id = rendered(emulator, tmp_path)
    shot = {"shot": "https://store.test/x.blend?X-Amz-Signature=0f0f0f"}
    studio.run(SHOTS, "night", OVER | {"render": "failed"}, job_id=job_id, conf=shot, over="failed")
    reason = {"state": "failed", "reason": "lost https://store.test/a.exr?X-Amz-Signature=0f0f0f", "next_step": ""}
    studio.leave("night", "render", xcom_keys.REASON, reason, 0)
    studio.leave(
        "night", "render", xcom_keys.CONFIG, CONFIG | {"notes": "see https://store.test/b?X-Amz-Signature=0f0f0f"}, 0
    )
    row_id = (await known(admin))["rows"][0]["id"]
    for path in ("night", f"rows/{row_id}"):
        body = (await admin.get(path)).text
        assert emulator.api_key not in body
        assert "0f0f0f" not in body
        assert "Signature" not in body


async def test_a_name_that_is_markup_stays_a_name(studio: Studio, emulator: Emulator, admin: httpx.AsyncClient) -> None:
    name = "<img src=x onerror=alert(1)>"
    studio.run(SHOTS, "night", RENDERING, conf={"shot": name})
    response = await admin.get("night")
    assert response.json()["rows"][0]["name"] == name
    assert response.headers["content-type"] == "application/json"


async def test_the_page_is_served_as_a_script_and_kept_by_its_version(
    admin: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_routes, "BUNDLE", tmp_path / "wall.js")
    missing = await admin.get("static/wall.js")
    assert missing.status_code == 404
    assert "make web" in missing.json()["error"]
    (tmp_path / "wall.js").write_text("globalThis.x = 1")
    found = await admin.get("static/wall.js?v=1")
    assert found.headers["content-type"].startswith("text/javascript")
    assert "immutable" in found.headers["cache-control"]
    assert (await admin.get("static/wall.js")).headers["cache-control"] == "no-cache"


async def test_a_plan_says_what_happens_and_an_act_that_is_about_something_else_is_asked_again(
    studio: Studio, emulator: Emulator, admin: httpx.AsyncClient
) -> None:
    studio.run(SHOTS, "night", RENDERING, conf={"shot": "ab_010"})
    row_id = (await night(admin))["rows"][0]["id"]
    wanted = {"action": "stop", "rows": [row_id, "nonsense"]}
    plan = await admin.post("plan", json=wanted)
    assert plan.status_code == 200
    assert [row["id"] for row in plan.json()["rows"] if not row["refused"]] == [row_id]
    other = await admin.post("act", json=wanted | {"confirm": "something else"})
    assert other.status_code == 409
    assert other.json()["confirm"] == plan.json()["confirm"]
    done = await admin.post("act", json=wanted | {"confirm": plan.json()["confirm"]})
    assert done.status_code == 200
    assert done.json()["done"] == [row_id]
    assert studio.airflow.states("night")["render 0"] == "failed"
    assert (await night(admin))["rows"][0]["state"] == "failed"


async def test_a_foreign_page_can_neither_ask_for_a_plan_nor_act(admin: httpx.AsyncClient) -> None:
    for path in ("plan", "act"):
        foreign = await admin.post(
            path, json={"action": "stop", "rows": ["x"]}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert foreign.status_code == 403
        form = await admin.post(path, content=b"action=stop", headers={"Content-Type": "text/plain"})
        assert form.status_code == 415
        assert form.json()["error"]
