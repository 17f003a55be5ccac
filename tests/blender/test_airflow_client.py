"""What the extension asks of Airflow, and what it makes of the answers.

A real Airflow is asked in `test_pipeline.py`; here, one that answers what a real one seldom does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blender_extension import work as works
from blender_extension.airflow import Airflow, AirflowError, check_address, sign_in
from blender_extension.packing import Needs
from blender_extension.records import Record
from blender_extension.work import Pipeline, State, Work
from renderjuice_emulator.scenes import write_scene
from tests.support.http_server import Reply, Request, Server, answer, serving

RUN = "blender__sh010__20261127T080000"
Answers = dict[str, Callable[[Request], Reply]]


@pytest.fixture
def answers() -> Answers:
    """By the beginning of method and path, what is answered; tests replace them."""
    return {}


@pytest.fixture
def server(answers: Answers) -> Iterator[Server]:
    def reply(request: Request) -> Reply:
        said = f"{request.method} {request.path}"
        found = [name for name in answers if said.startswith(name)]
        return answers[max(found, key=len)](request) if found else answer({"detail": "Not Found"}, 404)

    with serving(reply) as server:
        yield server


@pytest.fixture
def airflow(server: Server) -> Airflow:
    return Airflow(server.url, "a-token")


def always(value: Any, status: int = 200, **headers: str) -> Callable[[Request], Reply]:
    return lambda _: answer(value, status, **headers)


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    """Each answer once, then the last for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


RUNS = "/api/v2/dags/renderjuice_shot/dagRuns"


def test_a_password_becomes_a_token(server: Server, answers: Answers) -> None:
    answers["POST /auth/token"] = always({"access_token": "a-token"}, 201)

    assert sign_in(server.url, "ada", "secret") == "a-token"
    assert json.loads(server.requests[0].body) == {"username": "ada", "password": "secret"}


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (answer({"detail": "Invalid credentials"}, 401), "refused the sign-in"),
        (answer({"detail": "no"}, 403), "ask who runs it"),
        (answer({}, 404), "check its address"),
        (answer({"detail": "conf: 'qualty' is unexpected"}, 400), "qualty"),
        (answer({"detail": [{"msg": "Field required"}]}, 422), "Field required"),
        (Reply(502, b"<html>nginx"), "in trouble"),
        (Reply(200, b"<html>a portal"), "not as Airflow does"),
        (answer({}, 307, Location="http://127.0.0.1:1/"), "leads elsewhere"),
        (Reply(418, b"teapot"), "418"),
    ],
)
def test_a_refusal_is_a_sentence(airflow: Airflow, answers: Answers, reply: Reply, sentence: str) -> None:
    answers["GET"] = lambda _: reply

    with pytest.raises(AirflowError, match=sentence):
        airflow.read(RUN)


def test_no_answer_is_worth_a_second_try() -> None:
    with pytest.raises(AirflowError, match="does not answer") as caught:
        Airflow("http://127.0.0.1:9", "a-token").read(RUN)
    assert caught.value.is_transient


def test_an_answer_without_a_token_is_said(server: Server, answers: Answers) -> None:
    answers["POST /auth/token"] = always({"detail": "no such flow"})

    with pytest.raises(AirflowError, match="gave no token"):
        sign_in(server.url, "ada", "secret")


def test_the_token_does_not_follow_a_redirect(airflow: Airflow, answers: Answers) -> None:
    with serving(always({"state": "running"})) as elsewhere:
        answers["GET"] = always({}, 302, Location=elsewhere.url)
        with pytest.raises(AirflowError):
            airflow.read(RUN)
    assert elsewhere.requests == []


def test_a_run_that_is_there_was_started_by_the_answer_that_got_lost(airflow: Airflow, answers: Answers) -> None:
    answers[f"POST {RUNS}"] = always({"detail": "DAGRun already exists"}, 409)

    airflow.start(RUN, {"file": "/mnt/sh010.zip"})


@pytest.mark.parametrize("url", ["", "airflow.studio", "ftp://airflow", "https://ada:secret@airflow", "https://a/?x=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(AirflowError, match="as in the browser"):
        check_address(url)


def test_a_password_goes_over_plain_http_to_this_machine_alone() -> None:
    assert check_address("http://localhost:8080/ ") == "http://localhost:8080"
    assert check_address("https://airflow.studio/base/") == "https://airflow.studio/base"
    with pytest.raises(AirflowError, match="unencrypted"):
        check_address("http://airflow.studio")
    assert check_address("http://airflow.studio", allow_http=True) == "http://airflow.studio"


def test_a_run_shows_the_task_that_is_at_work(airflow: Airflow, answers: Answers) -> None:
    tasks = [("take_order", "success"), ("validate", "running"), ("render", None)]
    answers[f"GET {RUNS}/{RUN}"] = always({"state": "running"})
    answers[f"GET {RUNS}/{RUN}/taskInstances"] = always(
        {"task_instances": [{"task_id": name, "state": state} for name, state in tasks]}
    )

    run = airflow.read(RUN)

    assert (run.stage, run.is_over, run.done) == ("validating", False, None)


def test_the_render_wall_says_how_many_frames_are_done(airflow: Airflow, answers: Answers) -> None:
    answers[f"GET {RUNS}/{RUN}"] = always({"state": "running"})
    answers["GET /renderjuice/wall/night"] = always(
        {"rows": [{"state": "rendering", "frames": {"total": 24, "done": 7, "failed": 0}}]}
    )

    run = airflow.read(RUN)

    assert (run.stage, run.done, run.total) == ("rendering", 7, 24)


def test_names_are_quoted_in_addresses(server: Server, answers: Answers) -> None:
    answers["GET"] = always({"state": "failed", "note": "failed: no camera"})
    airflow = Airflow(server.url, "a-token", "show/nights")

    assert airflow.read("a b/c").reason == "failed: no camera"
    assert server.requests[0].path == "/api/v2/dags/show%2Fnights/dagRuns/a%20b%2Fc"
    assert airflow.page("a b") == f"{server.url}/dags/show%2Fnights/runs/a%20b"


class Studio:
    """A shared folder with what the pipeline delivers, and a render of a scene through it."""

    def __init__(self, tmp_path: Path, airflow: Airflow, answers: Answers) -> None:
        self.shared, self.scene = tmp_path / "shared", write_scene(tmp_path / "sh010.blend")
        self.record = Record(tmp_path / "renders", str(self.scene))
        self.frames = tmp_path / "frames"
        self.pipeline = Pipeline(airflow, self.shared, "/mnt/studio", {"frames": "1-2", "quality": "auto"})
        delivery = self.shared / "deliveries" / "shots" / "sh010" / "0123456789abcdef"
        (delivery / "frames").mkdir(parents=True)
        for number in (1, 2):
            (delivery / "frames" / f"sh010.{number:04d}.png").write_bytes(b"\x89PNG")
        manifest = {"manifest": "/mnt/studio/deliveries/shots/sh010/0123456789abcdef/manifest.json"}
        answers[f"POST {RUNS}"] = always({})
        answers[f"GET {RUNS}/{RUN}"] = in_turn(answer({"state": "running"}), answer({"state": "success"}))
        answers[f"GET {RUNS}/{RUN}/taskInstances/deliver/xcomEntries"] = always({"value": manifest})

    def work(self) -> Work:
        return Work(self.pipeline.render(Needs(self.scene), [], self.record, RUN, self.frames))

    def ended(self) -> State:
        work = self.work()
        work.start()
        assert work.wait(30)
        return work.state


@pytest.fixture
def studio(tmp_path: Path, airflow: Airflow, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setattr(works, "PAUSE", 0.01)
    return Studio(tmp_path, airflow, answers)


def test_the_frames_of_the_delivery_come_back(studio: Studio, server: Server) -> None:
    state = studio.ended()

    assert state.error == ""
    assert [path.name for path in state.frames] == ["sh010.0001.png", "sh010.0002.png"]
    assert all(path.is_relative_to(studio.frames) for path in state.frames)
    assert not studio.record.read()["is_running"]
    started = json.loads(next(each.body for each in server.requests if each.method == "POST"))
    assert started["dag_run_id"] == RUN
    assert started["conf"].pop("file").startswith("/mnt/studio/sh010-")
    assert started["conf"] == {"frames": "1-2", "quality": "auto"}


def test_a_start_whose_answer_is_lost_is_sent_again_with_the_same_name(
    studio: Studio, answers: Answers, server: Server
) -> None:
    answers[f"POST {RUNS}"] = in_turn(Reply(503, b""), answer({"detail": "already exists"}, 409))

    assert len(studio.ended().frames) == 2
    names = {json.loads(each.body)["dag_run_id"] for each in server.requests if each.method == "POST"}
    assert names == {RUN}


def test_a_start_that_is_refused_leaves_nothing_running(studio: Studio, answers: Answers) -> None:
    answers[f"POST {RUNS}"] = always({"detail": "no such param"}, 400)

    assert "no such param" in studio.ended().error
    assert not studio.record.read()["is_running"]


def test_an_airflow_that_restarts_is_waited_for(studio: Studio, answers: Answers) -> None:
    running, over = answer({"state": "running"}), answer({"state": "success"})
    answers[f"GET {RUNS}/{RUN}"] = in_turn(running, Reply(502, b""), Reply(503, b""), over)

    assert len(studio.ended().frames) == 2


def test_a_session_that_expires_leaves_the_run_to_be_taken_up(studio: Studio, answers: Answers) -> None:
    answers[f"GET {RUNS}/{RUN}"] = in_turn(answer({"state": "running"}), answer({}, 401))
    assert "sign in again" in studio.ended().error
    assert studio.record.read()["is_running"]

    answers[f"GET {RUNS}/{RUN}"] = always({"state": "success"})
    after = Work(studio.pipeline.follow(studio.record, studio.frames))
    after.start()

    assert after.wait(30)
    assert len(after.state.frames) == 2


def test_a_run_that_failed_says_what_it_noted(studio: Studio, answers: Answers) -> None:
    answers[f"GET {RUNS}/{RUN}"] = always({"state": "failed", "note": "rejected: no active camera"})

    assert "no active camera" in studio.ended().error
    assert not studio.record.read()["is_running"]


def test_a_run_that_noted_nothing_is_shown_where_it_is(studio: Studio, answers: Answers, server: Server) -> None:
    answers[f"GET {RUNS}/{RUN}"] = always({"state": "failed", "note": None})

    assert f"{server.url}/dags/renderjuice_shot/runs/{RUN}" in studio.ended().error


def test_a_run_that_rejected_the_scene_says_so(studio: Studio, answers: Answers) -> None:
    answers[f"GET {RUNS}/{RUN}"] = always({"state": "success", "note": "rejected: missing wood.png"})
    del answers[f"GET {RUNS}/{RUN}/taskInstances/deliver/xcomEntries"]

    assert "missing wood.png" in studio.ended().error


def test_a_delivery_that_this_computer_cannot_read_is_named(studio: Studio, answers: Answers) -> None:
    answers[f"GET {RUNS}/{RUN}/taskInstances/deliver/xcomEntries"] = always(
        {"value": json.dumps({"manifest": "s3://deliveries/sh010/0123/manifest.json"})}
    )

    assert "s3://deliveries/sh010/0123, which this computer cannot read" in studio.ended().error
    assert studio.record.read()["is_running"]  # it can be fetched once the folder is there


def test_stop_ends_the_run(studio: Studio, answers: Answers, server: Server) -> None:
    answers[f"GET {RUNS}/{RUN}"] = always({"state": "running"})
    answers[f"PATCH {RUNS}/{RUN}"] = always({"state": "failed"})
    polled = threading.Event()

    def tasks(_: Request) -> Reply:
        polled.set()
        return answer({"task_instances": []})

    answers[f"GET {RUNS}/{RUN}/taskInstances"] = tasks
    work = studio.work()
    work.start()
    assert polled.wait(30)
    work.stop()

    assert work.wait(30)
    assert "Stopped" in work.state.error
    assert [json.loads(each.body) for each in server.requests if each.method == "PATCH"] == [{"state": "failed"}]
    assert not studio.record.read()["is_running"]


def test_the_token_is_sent_to_airflow_and_written_nowhere(studio: Studio, server: Server, tmp_path: Path) -> None:
    studio.ended()

    assert {each.headers["Authorization"] for each in server.requests} == {"Bearer a-token"}
    written = [path for path in tmp_path.rglob("*") if path.is_file() and b"a-token" in path.read_bytes()]
    assert written == []
