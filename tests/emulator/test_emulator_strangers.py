"""Calls without a good key, about things of others, and about things that do not exist."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import DEFAULT, RawClient


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer RJ-wrong"}, {"Authorization": "Basic abc"}])
def test_without_a_good_key_every_call_is_401(emulator: Emulator, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/uploads"), ("GET", "/jobs"), ("GET", "/jobs/progress"), ("POST", "/jobs/x/render")):
        answer = httpx.request(
            method,
            emulator.base_url + path,
            headers=headers,
            json={"requestedRenderConfig": DEFAULT, "fileType": "blend"},
        )
        assert answer.status_code == 401, path


def test_another_workspace_sees_nothing(tmp_path: Path) -> None:
    with (
        Emulator(api_keys=("RJ-one", "RJ-two")) as emulator,
        RawClient(emulator, tmp_path) as one,
        RawClient(emulator, tmp_path, "RJ-two") as two,
    ):
        job_id, slug = one.create(), one.upload()
        assert two.http.get(f"/jobs/{job_id}").status_code == 404
        assert two.cancel(job_id).status_code == 404
        assert two.http.get("/jobs").json()["jobs"] == []
        assert two.http.post("/jobs", json={"slug": slug}).status_code == 404


def test_unknown_jobs_and_slugs_are_404(raw_client: RawClient) -> None:
    assert raw_client.http.get("/jobs/6f2a0a3e-0000-4000-8000-000000000000").status_code == 404
    assert raw_client.http.get("/jobs/no-uuid").status_code == 404
    assert raw_client.http.post("/jobs", json={"slug": "unheard-of"}).status_code == 404
    assert raw_client.http.get("/nothing").status_code == 404


def test_a_slug_whose_upload_never_happened_is_refused(raw_client: RawClient) -> None:
    assert raw_client.http.post("/jobs", json={"slug": raw_client.target()["slug"]}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"fileName": "shot.blend", "fileType": "zip"},
        {"fileName": "shot.max", "fileType": "max"},
        {"fileName": "", "fileType": "blend"},
        {"fileType": "blend"},
    ],
)
def test_an_upload_target_needs_a_matching_name_and_type(raw_client: RawClient, body: dict[str, str]) -> None:
    assert raw_client.http.post("/uploads", json=body).status_code == 400
