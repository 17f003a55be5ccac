from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient

SECRET = "whsec-of-the-studio"


class Receiver(ThreadingHTTPServer):
    """A studio's webhook endpoint: keeps what it is sent, and answers what the test wants."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hooks/renderjuice"

    def events(self) -> list[dict[str, object]]:
        return [json.loads(body) for _, body in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


@pytest.fixture
def emulator(receiver: Receiver) -> Iterator[Emulator]:
    """With the time moved by hand, so that an advance has delivered what it made due."""
    with Emulator(manual_clock=True, webhook_url=receiver.url, webhook_secret=SECRET) as emulator:
        yield emulator


@pytest.fixture
def raw_client(emulator: Emulator, tmp_path: Path) -> Iterator[RawClient]:
    with RawClient(emulator, tmp_path) as raw_client:
        yield raw_client


def complete(raw_client: RawClient, **scene: object) -> str:
    """A completed job, and everything sent for it, with all retries."""
    job_id = raw_client.started(frame_end=2, **scene)
    raw_client.emulator.clock.advance(120)
    return job_id


def test_completion_is_announced_once_and_signed(raw_client: RawClient, emulator: Emulator, receiver: Receiver) -> None:
    job_id = complete(raw_client)
    ((headers, body),) = receiver.received
    event = json.loads(body)
    assert event["event"] == "onRenderComplete"
    assert (event["jobId"], event["status"]) == (job_id, "completed")
    assert event["workspaceId"] == raw_client.job(job_id)["workspaceId"]
    assert event["completedAt"].endswith("Z")
    assert [raw_client.store.get(url).status_code for url in event["outputs"]["frames"]] == [200, 200]
    message = headers["x-renderjuice-timestamp"].encode() + b"." + body
    assert headers["x-renderjuice-signature"] == hmac.new(SECRET.encode(), message, "sha256").hexdigest()
    assert abs(time.time() - int(headers["x-renderjuice-timestamp"])) < 60
    assert headers["content-type"] == "application/json"
    assert emulator.ledger.count("webhook", job_id=job_id, status=200) == 1


def test_failure_and_cancellation_are_never_announced(raw_client: RawClient, receiver: Receiver) -> None:
    complete(raw_client, fail_at_frame=1)
    raw_client.cancel(raw_client.started())
    raw_client.emulator.clock.advance(120)
    assert receiver.received == []


def test_a_refused_delivery_is_tried_again_after_a_growing_while(
    raw_client: RawClient, emulator: Emulator, receiver: Receiver
) -> None:
    receiver.answers = [500, 404, 200]
    complete(raw_client)
    entries = [entry for entry in emulator.ledger.entries if entry.operation == "webhook"]
    assert [entry.status for entry in entries] == [500, 404, 200]
    assert [round(after.time - before.time) for before, after in pairwise(entries)] == [5, 10]
    assert len({body for _, body in receiver.received}) == 1


def test_an_event_that_nobody_takes_is_given_up(raw_client: RawClient, emulator: Emulator, receiver: Receiver) -> None:
    receiver.answers = [503] * 10
    complete(raw_client)
    assert len(receiver.received) == emulator.switches.webhook_attempts == 4


def test_a_dead_receiver_does_not_hurt_the_job(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.webhooks.url = "http://127.0.0.1:1/nobody"
    assert raw_client.status(complete(raw_client)) == "completed"
    assert emulator.ledger.count("webhook", status=None) == 4


def test_faults_lose_repeat_and_spoil_deliveries(raw_client: RawClient, emulator: Emulator, receiver: Receiver) -> None:
    emulator.faults.add("webhook", "reset-before", "nonsense")
    complete(raw_client)
    assert [body[:6] for _, body in receiver.received] == [b"<html>"]
    emulator.faults.add("webhook", "reset-after", "503", "stall 0.01")
    receiver.received.clear()
    complete(raw_client)
    assert len(receiver.events()) == 3
    assert emulator.faults.left() == {}


def test_duplicates_are_delivered_on_demand(raw_client: RawClient, emulator: Emulator, receiver: Receiver) -> None:
    emulator.switches.webhook_duplicates = 2
    job_id = complete(raw_client)
    assert [event["jobId"] for event in receiver.events()] == [job_id] * 3


@pytest.mark.parametrize(
    ("encoding", "write"),
    [
        ("HEX", lambda mac: mac.hex().upper()),
        ("sha256=hex", lambda mac: f"sha256={mac.hex()}"),
        ("base64", lambda mac: base64.b64encode(mac).decode()),
    ],
)
def test_the_signature_can_be_written_otherwise(emulator: Emulator, encoding: str, write: object) -> None:
    emulator.switches.webhook_encoding = encoding  # type: ignore[assignment]
    headers = emulator.webhooks.signature(b"{}")
    mac = hmac.digest(SECRET.encode(), headers["X-Renderjuice-Timestamp"].encode() + b".{}", "sha256")
    assert headers["X-Renderjuice-Signature"] == write(mac)  # type: ignore[operator]


@pytest.mark.parametrize(("switch", "outputs"), [("empty", {"frames": []}), ("null", None), ("absent", "absent")])
def test_outputs_can_be_empty_null_or_absent(
    raw_client: RawClient, emulator: Emulator, receiver: Receiver, switch: str, outputs: object
) -> None:
    emulator.switches.webhook_outputs = switch  # type: ignore[assignment]
    complete(raw_client)
    assert receiver.events()[0].get("outputs", "absent") == outputs


def test_without_frames_there_are_no_outputs(raw_client: RawClient, receiver: Receiver) -> None:
    complete(raw_client, missing_output_frames=(1, 2))
    assert "outputs" not in receiver.events()[0]


def test_events_go_by_https_or_to_this_machine(emulator: Emulator) -> None:
    for url in ("http://studio.example/hooks", "ftp://127.0.0.1/x", "http://127.0.0.1.studio.example/"):
        with pytest.raises(ValueError, match="https"):
            emulator.webhooks.url = url
    emulator.webhooks.url = "https://studio.example/hooks"
    emulator.webhooks.url = "http://localhost:9000/hooks"
    emulator.webhooks.url = None
