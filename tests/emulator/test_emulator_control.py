from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient


@pytest.fixture
def control(manual_emulator: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=manual_emulator.control_url, verify=False, trust_env=False) as control:
        yield control


def test_another_process_can_do_what_a_test_can(
    control: httpx.Client, manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    assert control.get("/health").json()["renderer"] == "fast"
    added = control.post("/faults", json={"operation": "get_job", "faults": ["503", "reset-after"]})
    assert added.json() == {"get_job": ["503", "reset-after"]} == manual_emulator.faults.left()
    limited = control.post("/faults", json={"operation": "get_job", "faults": ["503"], "file_name": "a.blend"})
    assert limited.json()["get_job a.blend"] == ["503"]
    assert control.patch("/switches", json={"boot_seconds": 7}).json()["boot_seconds"] == 7.0
    assert manual_emulator.switches.boot_seconds == 7
    manual_emulator.faults.clear()
    assert control.get("/faults").json() == {}
    job_id = manual_raw_client.started(frame_end=1, seconds_per_frame=3600)
    before = control.get("/clock").json()["emulatedTime"]
    assert control.post("/clock/advance", json={"seconds": 4000}).json()["emulatedTime"] > before
    (job,) = control.get("/jobs").json()
    assert (job["id"], job["status"], job["fileName"]) == (job_id, "completed", "shot_010.blend")
    ledger = control.get("/ledger").json()
    assert (ledger["rendersStarted"], ledger["jobsLeftRunning"]) == (1, [])
    assert ledger["jobs"][0]["job_id"] == job_id


def test_controls_leave_no_trace_in_the_ledger(control: httpx.Client, manual_emulator: Emulator) -> None:
    control.get("/health")
    control.post("/clock/advance", json={"seconds": 1})
    assert manual_emulator.ledger.entries == []


def test_reset_forgets_everything(
    control: httpx.Client, manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    job_id = manual_raw_client.started(frame_end=100)
    manual_emulator.faults.add("get_job", "503")
    manual_emulator.switches.error_shape = "empty"
    assert control.post("/reset").status_code == 200
    assert (manual_emulator.jobs, manual_emulator.faults.left(), manual_emulator.ledger.entries) == ({}, {}, [])
    assert manual_emulator.switches.error_shape == "nest"
    assert manual_raw_client.http.get(f"/jobs/{job_id}").status_code == 404
    manual_raw_client.completed(frame_end=1)
    manual_emulator.reset()
    assert manual_emulator.jobs == {}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"operation": "get_job", "faults": ["boom"]}),
        ("POST", "/faults", {"operation": "fly", "faults": ["503"]}),
        ("POST", "/faults", {"operation": "get_job"}),
        ("POST", "/clock/advance", {"seconds": -1}),
        ("PATCH", "/switches", {"boot_seconds": 5, "error_shape": "xml"}),
        ("PATCH", "/switches", {"bot_seconds": 5}),
        ("PUT", "/webhook", {"url": "http://studio.example"}),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    control: httpx.Client, manual_emulator: Emulator, method: str, path: str, body: dict[str, object]
) -> None:
    assert control.request(method, path, json=body).status_code == 400
    assert manual_emulator.faults.left() == {}
    assert manual_emulator.switches.boot_seconds == 10


def test_the_webhook_can_be_set(control: httpx.Client, manual_emulator: Emulator) -> None:
    answer = control.put("/webhook", json={"url": "http://127.0.0.1:9/hooks", "secret": "s3cret"})
    assert answer.json() == {"url": "http://127.0.0.1:9/hooks"}
    assert (manual_emulator.webhooks.url, manual_emulator.webhooks.secret) == ("http://127.0.0.1:9/hooks", "s3cret")


def test_no_control_shows_a_signed_url_or_the_key(
    control: httpx.Client, manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    job_id = manual_raw_client.completed(frame_end=1)
    manual_raw_client.store.get(manual_raw_client.downloads(job_id)["frames"][0])
    for path in ("/health", "/ledger", "/jobs", "/switches", "/faults", "/clock"):
        text = control.get(path).text
        assert "token=" not in text
        assert manual_emulator.api_key not in text
