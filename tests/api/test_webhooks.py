"""Webhooks: what the emulator really sends is believed, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceResponseError, RenderjuiceWebhookError
from renderjuice_provider.api.webhooks import read_webhook

SECRET, NOW = "whsec-of-the-test", 1_700_000_000.0
JOB = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
BODY = json.dumps({"event": "onRenderComplete", "status": "completed", "jobId": JOB, "outputs": None}).encode()


def mac(body: bytes = BODY, timestamp: str = "1700000000", secret: str = SECRET) -> bytes:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).digest()


def signed(signature: str, timestamp: str = "1700000000") -> dict[str, str]:
    return {"X-Renderjuice-Signature": signature, "X-Renderjuice-Timestamp": timestamp}


@pytest.fixture
def inbox():
    received = []

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", received
        server.shutdown()
        thread.join()


def test_what_the_emulator_sends_is_believed_in_every_encoding(inbox, tmp_path):
    url, received = inbox
    scene = write_scene(tmp_path / "shot.blend", frame_end=1)
    with (
        Emulator(webhook_url=url, webhook_secret=SECRET) as emulator,
        RenderjuiceClient(emulator.api_key, emulator.base_url) as client,
    ):
        for encoding in ("hex", "base64"):
            emulator.switches.webhook_encoding = encoding
            received.clear()
            job_id = client.create_job(client.upload(scene).slug).id
            client.validate_job(job_id)
            while client.get_job(job_id).status != "validated":
                time.sleep(0.01)
            client.start_render(job_id, {"colorManagementPreset": "default"})
            deadline = time.monotonic() + 10
            while not received:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            headers, body = received[0]
            event = read_webhook(headers, body, SECRET, time.time())
            assert (event.event, event.job_id, event.status) == ("onRenderComplete", job_id, "completed")
            with pytest.raises(RenderjuiceWebhookError):
                read_webhook(headers, body + b" ", SECRET, time.time())


@pytest.mark.parametrize(
    "signature",
    [mac().hex(), mac().hex().upper(), f"sha256={mac().hex()}", base64.b64encode(mac()).decode()],
)
def test_the_same_mac_in_any_writing_is_accepted(signature):
    assert read_webhook(signed(signature), BODY, SECRET, NOW).job_id == JOB


@pytest.mark.parametrize("secret", ["new", "old"])
def test_two_secrets_are_believed_while_one_is_rotated(secret):
    headers = signed(mac(secret=secret).hex())
    assert read_webhook(headers, BODY, ("new", "old"), NOW).job_id == JOB
    for others in (("newest", "new" if secret == "old" else "old"), ("", "other")):
        with pytest.raises(RenderjuiceWebhookError) as caught:
            read_webhook(headers, BODY, others, NOW)
        assert caught.value.refusal == "wrong_signature"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(""),
        signed(hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()),  # over the body alone
        signed(mac(secret="another").hex()),
        signed(mac().hex(), "1700000001"),
        signed(mac(timestamp="soon").hex(), "soon"),
        signed(mac(timestamp="\u0661\u0667").hex(), "\u0661\u0667"),
        signed("é" * 64),
    ],
)
def test_a_signature_that_is_missing_or_wrong_is_not_believed(headers):
    with pytest.raises(RenderjuiceWebhookError) as caught:
        read_webhook(headers, BODY, SECRET, NOW)
    assert SECRET not in str(caught.value)
    usable = headers.get("X-Renderjuice-Timestamp", "").isascii() and "1" in headers.get("X-Renderjuice-Timestamp", "")
    assert caught.value.refusal == ("wrong_signature" if usable else "no_timestamp")


@pytest.mark.parametrize("late", [301, -301])
def test_an_old_signature_is_a_replay(late):
    with pytest.raises(RenderjuiceWebhookError, match=f"301 s {'before' if late > 0 else 'after'} now") as caught:
        read_webhook(signed(mac().hex()), BODY, SECRET, NOW + late)
    assert caught.value.refusal == "not_recent"
    read_webhook(signed(mac().hex()), BODY, SECRET, NOW + late * 0.9)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"event": "x"}', b'{"event": "x", "jobId": "../jobs"}']
)
def test_a_genuine_request_that_is_not_an_event_has_an_error_of_its_own(body):
    with pytest.raises(RenderjuiceResponseError):
        read_webhook(signed(mac(body).hex()), body, SECRET, NOW)


@pytest.mark.parametrize("secret", ["", (), ("", "")])
def test_without_a_secret_nothing_is_believed(secret):
    with pytest.raises(RenderjuiceInputError, match="webhook_secret"):
        read_webhook(signed(mac(secret="").hex()), BODY, secret, NOW)
