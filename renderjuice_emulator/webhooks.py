"""Webhooks, signed and repeated as documented.

See https://www.renderjuice.com/docs/api/webhooks/events

Only `onRenderComplete` is sent: failures and cancellations never are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from renderjuice_emulator.answers import iso
from renderjuice_emulator.clock import Clock
from renderjuice_emulator.delivery import Delivery
from renderjuice_emulator.faults import Faults
from renderjuice_emulator.jobs import Job
from renderjuice_emulator.ledger import Ledger
from renderjuice_emulator.storage import Storage
from renderjuice_emulator.switches import Switches

TIMEOUT_SECONDS = 7.0


class Webhooks:
    """Sends an event for each completed job; set `url` and `secret` to switch it on."""

    def __init__(self, *, clock: Clock, switches: Switches, faults: Faults, ledger: Ledger, storage: Storage) -> None:
        self.secret = ""
        self._url: str | None = None
        self._clock = clock
        self._switches = switches
        self._faults = faults
        self._ledger = ledger
        self._storage = storage

    @property
    def url(self) -> str | None:
        """Where events go. https, as Renderjuice demands; http is allowed to this machine only."""
        return self._url

    @url.setter
    def url(self, url: str | None) -> None:
        if url is not None:
            parts = urlsplit(url)
            if not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))):
                raise ValueError("a webhook's address is https, or http on the loopback address")
        self._url = url

    def notify(self, job: Job) -> None:
        """Begin to deliver the event of a completed job."""
        if self._url:
            self._clock.spawn(self._deliver(self._url, job))

    async def _deliver(self, url: str, job: Job) -> None:
        body = json.dumps(self._event(job)).encode()
        wait = self._switches.webhook_backoff_seconds
        # Loading certificates holds up the loop, so only where they are needed.
        verify = url.startswith("https:")
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False, verify=verify) as client:
            for attempt in range(self._switches.webhook_attempts):
                if attempt:
                    await self._clock.sleep(wait * 2 ** (attempt - 1))
                if await self._post(client, url, job, body):
                    break
            else:
                return
            for _ in range(self._switches.webhook_duplicates):
                await self._post(client, url, job, body)

    async def _post(self, client: httpx.AsyncClient, url: str, job: Job, body: bytes) -> bool:
        fault = self._faults.take("webhook", job.upload.file_name)
        entry = self._ledger.open("webhook", "POST", urlsplit(url).path, had_authorization=False)
        entry.job_id, entry.file_name, entry.fault = job.id, job.upload.file_name, fault.noted
        await fault.deliver(Delivery(client, url, body, self.signature, entry))
        return entry.status is not None and 200 <= entry.status < 300

    def signature(self, body: bytes) -> dict[str, str]:
        """The two signature headers for a body that is sent now.

        The time is the machine's, not the emulated one: receivers compare it with their own clock.
        """
        timestamp = str(int(time.time()))
        mac = hmac.digest(self.secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
        texts = {
            "hex": mac.hex(),
            "HEX": mac.hex().upper(),
            "sha256=hex": f"sha256={mac.hex()}",
            "base64": base64.b64encode(mac).decode(),
        }
        return {
            "X-Renderjuice-Signature": texts[self._switches.webhook_encoding],
            "X-Renderjuice-Timestamp": timestamp,
        }

    def _event(self, job: Job) -> dict[str, Any]:
        event: dict[str, Any] = {
            "event": "onRenderComplete",
            "status": "completed",
            "jobId": job.id,
            "workspaceId": job.workspace_id,
            "completedAt": iso(job.updated_at),
        }
        frames = [self._storage.file_url(job, place) for place, file in enumerate(job.outputs) if file.kind == "frame"]
        shapes: dict[str, Any] = {"frames": {"frames": frames}, "empty": {"frames": []}, "null": None}
        # Documented: `outputs` is left out when there are no frames.
        if frames and self._switches.webhook_outputs in shapes:
            event["outputs"] = shapes[self._switches.webhook_outputs]
        return event


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
