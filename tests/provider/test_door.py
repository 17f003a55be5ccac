"""Whatever an API says in whatever field.

What is returned, reported, kept, linked, raised or logged can be stored, and no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import FailedReason, Job
from renderjuice_provider.hooks._xcom import serde  # type: ignore[attr-defined]
from renderjuice_provider.lifecycle.job_poller import JobPoller
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.links.renderjuice import PREVIEW_KEY
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCancelJobOperator,
    RenderjuiceCreateJobOperator,
    RenderjuiceDownloadOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor
from tests.support.http_server import JOB_ID, Reply, Request, a_job, answer, serving
from tests.support.runner import CONFIG, Runner, connect

KEY, SIGNATURE, PASSWORD = "RJ-the-key-itself", "sIgNaTuRe", "hunter2-word"
HOSTILE: dict[str, Any] = {
    "a NUL": "a\0b",
    "a lone surrogate": "caf\udce9.png",
    "not a number": float("nan"),
    "endless": float("inf"),
    "10**400": 10**400,
    "400 levels": json.loads("[" * 400 + '"x"' + "]" * 400),
    "a long text": "z" * 300_000,
    "20,000 words": ["word"] * 20_000,
    "a signed URL": f"https://store.test/1.png?X-Amz-Signature={SIGNATURE}",
    "a password": f"https://artist:{PASSWORD}@store.test/1.png",
    "the key": f"/{KEY}/{KEY}",
    "an ANSI escape": "\x1b]0;owned\x07\x1b[2J",
    "lines": "one\nTask marked as SUCCESS\r\nthree\u2028four",
    "keys": {"\0": 1, "\udce9": {f"{KEY}": f"s3://b/k?sig={SIGNATURE}"}},
}
LARGEST = 2 << 20
"""Characters of one thing that is stored: see `redact.MOST`, and what JSON adds."""


def check(what: str, value: Any) -> None:
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    assert text.encode(), what
    assert "\0" not in text, what
    assert "\\u00" not in text.replace("\\\\", ""), what
    assert len(text) < LARGEST, what
    assert [secret for secret in (KEY, SIGNATURE, PASSWORD) if secret in text] == [], what


class Farm:
    """A farm whose every field is hostile, but for those that lead from one call to the next."""

    def __init__(self, hostile: Any, final: str, odd: int = 2) -> None:
        self._hostile = hostile
        self._odd = odd
        self._final = final
        self._looks = 0
        self.url = ""

    def __call__(self, request: Request) -> Reply:
        path = request.path.rpartition("/")[2].partition("?")[0]
        if "/store/" in request.path:
            return Reply(200, b"picture")
        if path == "uploads":
            return answer({"uploadUrl": f"{self.url}/store/1", "slug": "slug-1", "later": self._hostile})
        if path == "progress":
            return answer([{"jobId": self._hostile, "framesDone": self._hostile, "percent": self._hostile}])
        if path == "downloads":
            names = ("fileName", "relativePath", "view", "compositeNodeName")
            output = {"url": f"{self.url}/store/1.png", "legacy": False} | dict.fromkeys(names, self._hostile)
            return answer({"frames": [], "frameOutputs": [output] * 2, "compositeNodeOutputs": [output] * 2})
        return answer(self._job())

    def _job(self) -> dict[str, Any]:
        self._looks += 1
        # One that is not UTF-8 is not a status at all: such an answer is asked for again.
        status = str(self._hostile).replace("\udce9", "é") if self._looks <= self._odd else self._final
        anything = {"views": [self._hostile], "warnings": [self._hostile], "missingFiles": self._hostile}
        texts = dict.fromkeys(("previewUrl", "createdAt", "workspaceId", "normalizedSeconds", "later"), self._hostile)
        return (
            a_job(status)
            | texts
            | {
                "failedReason": {"name": self._hostile, "type": self._hostile},
                "analysis": anything | {"compositorOutputs": [self._hostile], "frameStart": 1, "frameEnd": 2},
                "sceneFile": {"name": self._hostile},
                "requestedConfig": CONFIG | {"notes": self._hostile},
                "finalConfig": {"frameRanges": [self._hostile]},
                "output": self._hostile,
            }
        )


def everyone(scene: Any, folder: Any) -> Iterator[Any]:
    waits = {"poll_interval": 0.01, "timeout": 60}
    for deferrable in (True, False):
        how = waits | {"deferrable": deferrable}
        yield RenderjuiceValidateJobOperator(task_id="task", job_id=JOB_ID, **how)
        yield RenderjuiceRenderJobOperator(task_id="task", job_id=JOB_ID, render_config=CONFIG, **how)
        yield RenderjuiceRunJobOperator(task_id="task", file_path=str(scene), render_config=CONFIG, **how)
        where = {"file_path": str(scene), "destination": f"{folder}-{deferrable}"}
        yield RenderjuiceRenderFramesOperator(task_id="task", render_config=CONFIG, **where, **how)
        yield RenderjuiceJobSensor(task_id="task", job_id=JOB_ID, **how)
    yield RenderjuiceUploadOperator(task_id="task", file_path=str(scene))
    yield RenderjuiceCreateJobOperator(task_id="task", slug="slug-1")
    yield RenderjuiceCancelJobOperator(task_id="task", job_id=JOB_ID, **waits)
    yield RenderjuiceDownloadOperator(task_id="task", job_id=JOB_ID, destination=str(folder), allow_missing=True)
    yield RenderjuiceDownloadOperator(task_id="task", job_id=JOB_ID, destination=str(folder), expected_frames=["1-9"])


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("final", ["completed", "failed"])
def test_whatever_a_farm_says_can_be_stored_and_is_not_a_secret(name, final, tmp_path, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    scene = write_scene(tmp_path / "shot.blend")
    ended = []
    for operator in everyone(scene, tmp_path / "out"):
        farm, runner = Farm(HOSTILE[name], final), Runner()
        with serving(farm) as server:
            farm.url = server.url
            connect(monkeypatch, host=server.url, password=KEY, extra={"max_attempts": 1})
            try:
                ended.append(runner.run(operator))
            except RenderjuiceError as error:
                ended.append(str(error))
        who = f"{type(operator).__name__}, deferrable: {getattr(operator, 'deferrable', None)}"
        check(f"{who}: {ended[-1]!r:.300}", ended[-1])
        check(f"what {who} pushed and kept", [runner.ti.xcoms, runner.events, runner.triggers, runner.store.values])
    assert final == "failed" or any(isinstance(end, dict) for end in ended)  # not all of them are errors
    check("the log", [record.getMessage() for record in caplog.records if record.name != "httpcore.http11"])
    for manifest in (tmp_path / "out").rglob("manifest.json"):
        check(str(manifest), json.loads(manifest.read_text()))


@pytest.mark.parametrize("name", HOSTILE)
def test_models_on_their_way_to_another_task_can_be_stored(name, tmp_path):
    farm = Farm(HOSTILE[name], "completed", odd=0)
    with serving(farm) as server:
        farm.url = server.url
        with RenderjuiceClient(KEY, server.url, max_attempts=1) as client:
            job, progress, downloads = client.get_job(JOB_ID), client.get_progress(JOB_ID), client.get_downloads(JOB_ID)
            report = client.download_outputs(JOB_ID, tmp_path / "out")
    for model in (job, *progress, downloads, report):
        check(type(model).__name__, serde.serialize(model))


@pytest.mark.parametrize("field", ["status", "message", "job_id", "limit"])
@pytest.mark.parametrize("text", [value for value in HOSTILE.values() if isinstance(value, str) and KEY not in value])
def test_no_event_holds_what_would_end_a_triggerer(field, text):
    outcome = Outcome(ending=Ending.OVER, job_id=JOB_ID, started=0.0, deadline=1.0)
    for changed in (outcome.model_copy(update={field: text}), Outcome(**{**dict(outcome), field: text})):
        check(field, changed.to_event())
        assert len(json.dumps(changed.to_event())) < 10_000
        assert Outcome.from_event(changed.to_event())
    wait = JobPoller(JOB_ID, "completed", poll_interval=30, started=0.0, deadline=10.0)
    check("at the deadline", wait.on_job(Job(id=JOB_ID, status=text), None, now=11.0).outcome.to_event())


def upload_error(client: RenderjuiceClient) -> str:
    with pytest.raises(RenderjuiceError) as caught:
        client.create_upload("shot.blend", "blend")
    return str(caught.value)


@pytest.mark.parametrize("slug", ["a\0b", "caf\udce9", "z" * 5000, f"https://store.test/?sig={SIGNATURE}", f"{KEY}\n"])
def test_a_slug_that_no_task_could_hand_on_is_refused(slug):
    target = {"uploadUrl": "http://127.0.0.1:1/x", "slug": slug}
    with serving(lambda _: answer(target)) as server, RenderjuiceClient(KEY, server.url, max_attempts=1) as client:
        found = upload_error(client)
    check("the error", found)
    assert "slug missing or malformed" in found


@pytest.mark.parametrize("name", [name for name, value in HOSTILE.items() if isinstance(value, str)])
def test_a_link_leads_to_what_may_be_seen_by_everybody_or_nowhere(name, monkeypatch):
    url = f"https://cdn.test/{HOSTILE[name]}"
    runner = Runner()
    with serving(lambda _: answer(a_job("completed", previewUrl=url))) as server:
        connect(monkeypatch, host=server.url, password=KEY)
        runner.run(RenderjuiceJobSensor(task_id="task", job_id=JOB_ID))
    stored = runner.ti.xcoms[PREVIEW_KEY]
    check("the link", stored)
    assert stored == "" or stored.startswith("https://cdn.test/")


def test_the_key_is_found_in_every_way_of_writing_it():
    escaped = "".join(f"\\u{ord(char):04x}" for char in KEY)
    for body in (
        json.dumps({"id": JOB_ID, "status": KEY}).encode("utf-16"),
        f'{{"id": "{JOB_ID}", "status": "{escaped}"}}'.encode(),
    ):
        with serving(lambda _, body=body: Reply(200, body)) as server, RenderjuiceClient(KEY, server.url) as client:
            assert client.get_job(JOB_ID).status == "***"


def test_a_scene_in_a_bucket_keeps_the_connection_in_its_path(runner):
    """It is the id of an Airflow connection, and the next task needs it.

    A user of a web page is a secret.
    """
    from renderjuice_provider.api.redact import storable

    assert storable("s3://aws_default@bucket/shots") == "s3://aws_default@bucket/shots"
    assert storable("https://token@store.test/shots") == "https://***@store.test/shots"
    assert storable("s3://id:secret@bucket/shots") == "s3://***@bucket/shots"
    assert storable("s3://bucket/what?/shot#1.blend", urls=False) == "s3://bucket/what?/shot#1.blend"


def test_an_operator_made_of_ours_may_return_a_model(emulator, runner):
    class Upload(RenderjuiceUploadOperator):
        def execute(self, context: Any) -> Any:
            return FailedReason(name="made of ours")

    assert runner.run(Upload(task_id="upload", file_path="shot.blend")) == FailedReason(name="made of ours")


@pytest.mark.parametrize("operator", [RenderjuiceValidateJobOperator, RenderjuiceRunJobOperator])
def test_what_an_operator_returns_passes_the_door_wherever_it_is_made(operator):
    assert all(hasattr(getattr(operator, name), "__wrapped__") for name in ("execute", "execute_complete", "summary"))
