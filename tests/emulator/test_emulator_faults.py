from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import httpx
import pytest

from renderjuice_emulator.faults import Fault
from renderjuice_emulator.operations import OPERATIONS
from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient
from tests.support.until import until

ASK_TO_RENDER = """
import json, sys, urllib.request
url, key = sys.argv[1:]
body = json.dumps({"requestedRenderConfig": {"colorManagementPreset": "default"}}).encode()
headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
urllib.request.urlopen(urllib.request.Request(url, body, headers))
"""


def test_faults_are_met_in_order_and_then_all_is_well(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("list_jobs", "503", "ok", "429 retry-after=2", "html 502")
    answers = [raw_client.http.get("/jobs") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [503, 200, 429, 502, 200]
    assert "Retry-After" not in answers[0].headers
    assert answers[2].headers["Retry-After"] == "2"
    assert answers[3].headers["Content-Type"].startswith("text/html")
    assert emulator.faults.left() == {}


def test_what_was_not_met_is_listed(emulator: Emulator) -> None:
    emulator.faults.add("get_job", "503", "stall 5")
    assert emulator.faults.left() == {"get_job": ["503", "stall 5"]}
    emulator.faults.clear()
    assert emulator.faults.left() == {}


def test_a_fault_can_be_meant_for_one_file(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("create_upload", "503", file_name="b.blend")
    emulator.faults.add("create_job", "503", file_name="b.blend")
    emulator.faults.add("put_upload", "503", file_name="b.blend")
    emulator.faults.add("get_job", "ok", "503", file_name="b.blend")
    assert emulator.faults.left()["get_job b.blend"] == ["ok", "503"]
    job_id = raw_client.completed(raw_client.scene("a.blend", frame_end=1))
    assert len(emulator.faults.left()) == 4

    target = {"fileName": "b.blend", "fileType": "blend"}
    assert raw_client.http.post("/uploads", json=target).status_code == 503
    target = raw_client.http.post("/uploads", json=target).json()
    assert [raw_client.store.put(target["uploadUrl"], content=b"BLENDER").status_code for _ in range(2)] == [503, 200]
    created = [raw_client.http.post("/jobs", json={"slug": target["slug"]}) for _ in range(2)]
    assert [answer.status_code for answer in created] == [503, 200]
    b = created[1].json()["id"]
    polls = [raw_client.http.get(f"/jobs/{job}").status_code for job in (b, job_id, b, b)]
    assert polls == [200, 200, 503, 200]
    assert emulator.faults.left() == {}
    assert {entry.file_name for entry in emulator.ledger.entries if entry.fault} == {"b.blend"}


def test_a_files_own_faults_go_before_those_of_the_operation(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.validated()
    emulator.faults.add("get_job", "502")
    emulator.faults.add("get_job", "ok", "503", file_name="shot_010.blend")
    assert [raw_client.http.get(f"/jobs/{job_id}").status_code for _ in range(4)] == [200, 503, 502, 200]


def test_a_list_concerns_no_single_file(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="no single file"):
        emulator.faults.add("list_jobs", "503", file_name="shot_010.blend")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"slug": 7}', b'{"slug": "unknown"}', b"{}"])
def test_a_body_that_names_no_file_meets_no_file_s_fault(
    raw_client: RawClient, emulator: Emulator, body: bytes
) -> None:
    emulator.faults.add("create_job", "503", file_name="shot_010.blend")
    headers = {"Content-Type": "application/json"}
    assert raw_client.http.post("/jobs", content=body, headers=headers).status_code in {400, 404}
    assert emulator.faults.left() == {"create_job shot_010.blend": ["503"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OK",
        "200",
        "600",
        "429 retry_after=2",
        "503 ",
        "stall",
        "stall soon",
        "json {",
        "html",
        "html 200",
        "kill",
        "redirect x",
        "slow",
        "slow 0B/s",
        "slow 10 kB/s",
    ],
)
def test_what_is_not_a_fault_is_refused(emulator: Emulator, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        emulator.faults.add("get_job", "503", text)
    assert emulator.faults.left() == {}


def test_faults_that_an_operation_cannot_have_are_refused(emulator: Emulator) -> None:
    for operation, text in (
        ("render", "503"),
        ("get_job", "expired"),
        ("webhook", "kill-after"),
        ("webhook", "truncate"),
    ):
        with pytest.raises(ValueError, match=r"."):
            emulator.faults.add(operation, text)


def test_every_operation_takes_faults(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.completed(frame_end=1)
    url, target = raw_client.downloads(job_id)["frames"][0], raw_client.target()["uploadUrl"]
    calls = {
        "create_upload": ("POST", "/uploads"),
        "put_upload": ("PUT", target),
        "create_job": ("POST", "/jobs"),
        "get_job": ("GET", f"/jobs/{job_id}"),
        "list_jobs": ("GET", "/jobs"),
        "validate_job": ("POST", f"/jobs/{job_id}/validate"),
        "start_render": ("POST", f"/jobs/{job_id}/render"),
        "cancel_job": ("POST", f"/jobs/{job_id}/cancel"),
        "get_progress": ("GET", f"/jobs/{job_id}/progress"),
        "list_progress": ("GET", "/jobs/progress"),
        "get_downloads": ("GET", f"/jobs/{job_id}/downloads"),
        "download_file": ("GET", url),
    }
    assert set(calls) == set(OPERATIONS) - {"webhook"}
    for operation, (method, path) in calls.items():
        emulator.faults.add(operation, "418")
        assert raw_client.http.request(method, path).status_code == 418, operation
    assert emulator.faults.left() == {}


def test_a_reset_before_the_work_leaves_nothing_done(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.validated()
    emulator.faults.add("start_render", "reset-before")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        raw_client.render(job_id)
    assert emulator.ledger.renders_started() == 0
    assert raw_client.status(job_id) == "validated"


def test_a_reset_after_the_work_loses_only_the_answer(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.validated()
    emulator.faults.add("start_render", "reset-after")
    with pytest.raises(httpx.ReadError, match="reset"):
        raw_client.render(job_id)
    assert emulator.ledger.renders_started(job_id) == 1
    assert raw_client.render(job_id).headers["X-Idempotent-Replay"] == "true"
    assert emulator.ledger.renders_started(job_id) == 1


def test_a_stall_delays_the_work_and_a_stall_after_only_the_answer(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("create_job", "stall 1", "stall-after 60")
    slug = raw_client.upload()
    with pytest.raises(httpx.ReadTimeout):
        raw_client.http.post("/jobs", json={"slug": slug}, timeout=0.05)
    assert len(emulator.jobs) == 0
    until(lambda: len(emulator.jobs) == 1)
    with pytest.raises(httpx.ReadTimeout):
        raw_client.http.post("/jobs", json={"slug": slug}, timeout=0.05)
    until(lambda: len(emulator.jobs) == 2)


def test_a_truncated_answer_promises_more_than_it_holds(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.validated()
    emulator.faults.add("start_render", "truncate")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        raw_client.render(job_id)
    assert emulator.ledger.renders_started(job_id) == 1


def test_a_slow_answer_trickles_and_is_whole(raw_client: RawClient, emulator: Emulator) -> None:
    url = raw_client.downloads(raw_client.completed(frame_end=1))["frames"][0]
    whole, seconds = raw_client.store.get(url).content, 0.5
    emulator.faults.add("download_file", f"slow {len(whole) / seconds:.0f}B/s", "slow 1MB/s")
    started = time.monotonic()
    with raw_client.store.stream("GET", url) as answer:
        pieces = list(answer.iter_raw())
    assert time.monotonic() - started > 0.9 * seconds
    assert len(pieces) > 1
    assert b"".join(pieces) == raw_client.store.get(url).content == whole


def test_a_truncated_download_ends_halfway(raw_client: RawClient, emulator: Emulator) -> None:
    url = raw_client.downloads(raw_client.completed(frame_end=1))["frames"][0]
    whole = raw_client.store.get(url).content
    emulator.faults.add("download_file", "truncate")
    received: list[bytes] = []
    with pytest.raises(httpx.RemoteProtocolError), raw_client.store.stream("GET", url) as answer:
        received.extend(answer.iter_raw())
    assert b"".join(received) == whole[: len(whole) // 2]


def test_nonsense_is_a_page_of_html_with_200(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("list_jobs", "nonsense")
    answer = raw_client.http.get("/jobs")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_any_json_can_be_answered(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("get_job", 'json {"data": {"status": "teleporting"}}')
    assert raw_client.http.get("/jobs/x").json() == {"data": {"status": "teleporting"}}


def test_a_redirect_leads_elsewhere(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("get_job", "redirect http://127.0.0.1:1/x")
    answer = raw_client.http.get("/jobs/x")
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://127.0.0.1:1/x")


def test_the_store_says_expired_in_its_own_words(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("put_upload", "expired")
    answer = raw_client.store.put(raw_client.target()["uploadUrl"], content=b"BLENDER")
    assert answer.status_code == 403
    assert "<Code>AccessDenied</Code>" in answer.text


def test_a_faulty_answer_to_a_large_body_reads_the_body_first(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("put_upload", "503")
    target = raw_client.target()
    assert raw_client.store.put(target["uploadUrl"], content=b"B" * 20_000_000).status_code == 503
    assert raw_client.http.post("/jobs", json={"slug": target["slug"]}).status_code == 400


@pytest.mark.parametrize(("fault", "renders"), [("kill-before", 0), ("kill-after", 1)])
def test_the_process_that_asked_is_killed(raw_client: RawClient, emulator: Emulator, fault: str, renders: int) -> None:
    job_id = raw_client.validated()
    emulator.faults.add("start_render", fault)
    url = f"{emulator.base_url}/jobs/{job_id}/render"
    with subprocess.Popen([sys.executable, "-c", ASK_TO_RENDER, url, emulator.api_key]) as process:
        assert process.wait(10) == -signal.SIGKILL
    assert emulator.ledger.renders_started(job_id) == renders
    assert emulator.ledger.entries[-1].peer_pid == process.pid
    assert emulator.ledger.entries[-1].status is None


def test_the_emulator_never_kills_itself(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("list_jobs", "kill-before")
    answer = raw_client.http.get("/jobs")
    assert answer.status_code == 500
    assert "no process but the emulator's own" in answer.json()["message"]


def test_a_stalled_request_does_not_hold_up_the_end() -> None:
    with Emulator() as emulator:
        emulator.faults.add("list_jobs", "stall 60")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(
                f"{emulator.base_url}/jobs", headers={"Authorization": f"Bearer {emulator.api_key}"}, timeout=0.05
            )
        started = time.monotonic()
    assert time.monotonic() - started < 1


def test_a_fault_remembers_how_it_was_written() -> None:
    fault = Fault.parse("429 retry-after=Fri, 31 Dec 2027 23:59:59 GMT")
    wanted = (429, "Fri, 31 Dec 2027 23:59:59 GMT")
    assert (fault.status, fault.retry_after) == wanted  # type: ignore[attr-defined]
    assert fault.text.startswith("429")
