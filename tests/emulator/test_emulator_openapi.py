"""The description that the emulator serves, held against the emulator that runs."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import DEFAULT, RawClient

PREFIX = "/api/external/v1"
# All but one: that a body fits the schema does not mean that it is accepted (the type has to match
# the extension).
HELD = [check for check in CHECKS.get_all() if check.__name__ != "positive_data_acceptance"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", GenerationMode)
def test_whatever_is_asked_the_answer_is_one_that_is_described(emulator: Emulator, mode: GenerationMode) -> None:
    headers = {"Authorization": f"Bearer {emulator.api_key}"}
    for operation in schemathesis.openapi.from_url(emulator.openapi_url).get_all_operations():

        @given(case=operation.ok().as_strategy(generation_mode=mode))
        @settings(max_examples=15, database=None, suppress_health_check=list(HealthCheck))
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers, checks=HELD)

        ask()


def test_every_answer_on_the_way_to_a_frame_is_one_that_is_described(raw_client: RawClient, emulator: Emulator) -> None:
    schema = schemathesis.openapi.from_url(emulator.openapi_url)
    ways: dict[tuple[str, str], list[httpx.Response]] = {}

    def note(way: str, method: str, answer: httpx.Response) -> httpx.Response:
        ways.setdefault((f"{PREFIX}{way}", method), []).append(answer)
        return answer

    def read_all(job_id: str) -> None:
        for way in ("/jobs/{id}", "/jobs/{id}/progress", "/jobs/{id}/downloads"):
            note(way, "GET", raw_client.http.get(way.replace("{id}", job_id)))
        note("/jobs", "GET", raw_client.http.get("/jobs"))
        note("/jobs/progress", "GET", raw_client.http.get("/jobs/progress"))

    note("/uploads", "POST", raw_client.http.post("/uploads", json={"fileName": "a.blend", "fileType": "blend"}))
    slug = raw_client.upload(views=("left", "right"), compositor_outputs=("Depth",), frame_end=2)
    job_id = note("/jobs", "POST", raw_client.http.post("/jobs", json={"slug": slug})).json()["id"]
    read_all(job_id)
    for _ in range(2):
        note("/jobs/{id}/validate", "POST", raw_client.http.post(f"/jobs/{job_id}/validate"))
    read_all(job_id)
    raw_client.until(job_id, "validated")
    for config in ({}, DEFAULT, DEFAULT):
        note("/jobs/{id}/render", "POST", raw_client.render(job_id, config))
        read_all(job_id)
    raw_client.until(job_id, "completed")
    read_all(job_id)
    read_all(raw_client.completed(frame_end=2, fail_at_frame=2))
    for _ in range(2):
        note("/jobs/{id}/cancel", "POST", raw_client.cancel(job_id if _ else raw_client.create()))
    assert {name for name, _ in ways} == set(schema.raw_schema["paths"])
    for (way, method), answers in ways.items():
        for answer in answers:
            schema[way][method].validate_response(answer)


def test_only_the_documented_api_is_described(emulator: Emulator) -> None:
    description = httpx.get(emulator.openapi_url).json()
    assert sorted(description["paths"]) == [
        f"{PREFIX}/jobs",
        f"{PREFIX}/jobs/progress",
        f"{PREFIX}/jobs/{{id}}",
        f"{PREFIX}/jobs/{{id}}/cancel",
        f"{PREFIX}/jobs/{{id}}/downloads",
        f"{PREFIX}/jobs/{{id}}/progress",
        f"{PREFIX}/jobs/{{id}}/render",
        f"{PREFIX}/jobs/{{id}}/validate",
        f"{PREFIX}/uploads",
    ]
    schemas = description["components"]["schemas"]
    assert schemas["JobObject"]["required"] == ["id", "status", "workspaceId", "createdAt", "updatedAt"]
    assert schemas["RenderConfig"]["required"] == ["colorManagementPreset"]
    assert schemas["Downloads"]["required"] == ["frames", "compositeNodes", "transforms"]
    assert "422" not in str(description)
