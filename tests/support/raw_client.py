"""Renderjuice by plain HTTP, for the emulator's own tests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx

from renderjuice_emulator.testing import Emulator, write_scene

_PLAIN: dict[str, Any] = {
    "trust_env": False,
    "verify": False,
}  # Loading certificates would take longer than most tests.
DEFAULT = {"colorManagementPreset": "default"}


class RawClient:
    """One workspace's view of an emulator. Use as a context manager."""

    def __init__(self, emulator: Emulator, folder: Path, api_key: str | None = None) -> None:
        self.emulator = emulator
        self.folder = folder
        headers = {"Authorization": f"Bearer {api_key or emulator.api_key}"}
        self.http = httpx.Client(base_url=emulator.base_url, headers=headers, timeout=10, **_PLAIN)
        self.store = httpx.Client(timeout=60, **_PLAIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.store.close()

    def scene(self, name: str = "shot_010.blend", **description: Any) -> Path:
        return write_scene(self.folder / name, **description)

    def target(self, name: str = "shot_010.blend") -> dict[str, Any]:
        body = {"fileName": name, "fileType": name.rpartition(".")[2]}
        return dict(self.http.post("/uploads", json=body).raise_for_status().json())

    def upload(self, path: Path | None = None, **description: Any) -> str:
        path = path or self.scene(**description)
        target = self.target(path.name)
        self.store.put(target["uploadUrl"], content=path.read_bytes()).raise_for_status()
        return str(target["slug"])

    def create(self, path: Path | None = None, **description: Any) -> str:
        slug = self.upload(path, **description)
        return str(self.http.post("/jobs", json={"slug": slug}).raise_for_status().json()["id"])

    def validated(self, path: Path | None = None, **description: Any) -> str:
        job_id = self.create(path, **description)
        self.http.post(f"/jobs/{job_id}/validate").raise_for_status()
        self.until(job_id, "validated", "failed")
        return job_id

    def started(self, path: Path | None = None, config: Mapping[str, Any] = DEFAULT, **description: Any) -> str:
        job_id = self.validated(path, **description)
        self.render(job_id, config).raise_for_status()
        return job_id

    def completed(self, path: Path | None = None, config: Mapping[str, Any] = DEFAULT, **description: Any) -> str:
        job_id = self.started(path, config, **description)
        self.until(job_id, "completed", "failed")
        return job_id

    def render(self, job_id: str, config: Mapping[str, Any] = DEFAULT) -> httpx.Response:
        return self.http.post(f"/jobs/{job_id}/render", json={"requestedRenderConfig": dict(config)})

    def cancel(self, job_id: str) -> httpx.Response:
        return self.http.post(f"/jobs/{job_id}/cancel")

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/jobs/{job_id}").raise_for_status().json()["data"])

    def status(self, job_id: str) -> str:
        return str(self.job(job_id)["status"])

    def downloads(self, job_id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/jobs/{job_id}/downloads").raise_for_status().json())

    def until(self, job_id: str, *statuses: str) -> None:
        """Wait until the job has one of these statuses; move a manual clock second by second."""
        deadline = time.monotonic() + 10
        while self.status(job_id) not in statuses:
            assert time.monotonic() < deadline, f"{self.job(job_id)} is not one of {statuses}"
            if self.emulator.clock.speed:
                time.sleep(0.002)
            else:
                self.emulator.clock.advance(1)
