"""Both clients behind one interface that blocks: a test is written once and holds for both."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api._journal import JOURNAL
from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.retry import RetryPolicy

KINDS = ("blocking", "asynchronous")
CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-3"]}
QUICK = RetryPolicy(first_pause=0.002, longest_pause=0.01, jitter=lambda: 0.0)
"""Five attempts, as by default, without long pauses."""


class _Side:
    """What both sides share: a client that is impatient, and closed in the end."""

    def __init__(self, kind: type[Any], key: str, base_url: str, **options: Any) -> None:
        timeout = options.pop("timeout", 5.0)
        retry = options.pop("retry", replace(QUICK, max_attempts=options.pop("max_attempts", 5)))
        self.client = kind(key, base_url, timeout, retry=retry, **options)
        # A store gets 300 s, which no client takes as an argument, and no test has.
        wire = self.client._wire
        for one in (wire, getattr(wire, "_in_threads", wire)):
            one._settings = replace(one._settings, storage_timeout=timeout)


class Blocking(_Side):
    """The blocking client as it is, but for lists."""

    def __init__(self, key: str, base_url: str, **options: Any) -> None:
        super().__init__(RenderjuiceClient, key, base_url, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def list_jobs(self, status: str | None = None) -> list[Job]:
        return list(self.client.list_jobs(status))


class Asynchronous(_Side):
    """The asynchronous client on an event loop of its own."""

    def __init__(self, key: str, base_url: str, **options: Any) -> None:
        super().__init__(AsyncRenderjuiceClient, key, base_url, **options)
        self._loop = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.client, name)
        if not inspect.iscoroutinefunction(value):
            return value
        return lambda *args, **kwargs: self._loop.run(value(*args, **kwargs))

    def list_jobs(self, status: str | None = None) -> list[Job]:
        async def collect() -> list[Job]:
            return [job async for job in self.client.list_jobs(status)]

        return self._loop.run(collect())

    def close(self) -> None:
        self._loop.run(self.client.close())
        self._loop.run(asyncio.sleep(0.01))  # a connection that was aborted is closed by the loop, a moment later
        self._loop.close()


Client = Blocking | Asynchronous


def connect(kind: str, emulator: Emulator, **options: Any) -> Client:
    side = Blocking if kind == "blocking" else Asynchronous
    return side(options.pop("api_key", emulator.api_key), options.pop("base_url", emulator.base_url), **options)


def wait_for(client: Client, job_id: str, *statuses: str) -> Job:
    """Poll until the job has one of these statuses."""
    deadline = time.monotonic() + 10
    while (job := client.get_job(job_id)).status not in statuses:
        assert time.monotonic() < deadline, f"{job} did not become {statuses}"
        time.sleep(0.003)
    return job


def created(client: Client, folder: Path, name: str = "shot.blend", **scene: Any) -> Job:
    """A job from a fresh upload."""
    return client.create_job(client.upload(write_scene(folder / name, **{"frame_end": 3} | scene)).slug)


def validated(client: Client, folder: Path, **scene: Any) -> Job:
    """A job that is ready to render."""
    job = created(client, folder, **scene)
    client.validate_job(job.id)
    return wait_for(client, job.id, "validated")


def completed(client: Client, folder: Path, config: dict[str, Any] | None = None, **scene: Any) -> Job:
    """A job whose frames are there."""
    job = validated(client, folder, **scene)
    client.start_render(job.id, config or CONFIG)
    return wait_for(client, job.id, "completed")


def operations(emulator: Emulator) -> list[str]:
    """What was asked, in order."""
    return [entry.operation for entry in emulator.ledger.entries]


def files_below(folder: Path) -> set[str]:
    """All files, hidden ones too, but for the journal of a download."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {file for file in files if PurePosixPath(file).name != JOURNAL.name}


def secrets_in(text: str, secrets: Iterable[str]) -> list[str]:
    return [secret for secret in secrets if secret in text]
