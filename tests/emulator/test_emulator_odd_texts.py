"""A scene with texts that are not UTF-8, and numbers such as NaN, disturbs no other job."""

from __future__ import annotations

import json

import httpx
import pytest

from renderjuice_emulator.answers import plain
from renderjuice_emulator.rendering import SceneReport
from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient

ODD = SceneReport(missing_files=("caf\udce9.png", "a\0b"), fps=float("nan"), warnings=("\ud800",))


def test_everybody_is_answered_beside_a_scene_with_odd_texts(emulator: Emulator, raw_client: RawClient):
    job_id = raw_client.create()
    emulator.jobs[job_id].analysis = ODD
    emulator.jobs[job_id].failed_reason = {"name": "caf\udce9.png", "type": "missing"}
    emulator.ledger.entries[0].file_name = "caf\udce9.blend"
    for path in ("/jobs", f"/jobs/{job_id}"):
        answer = raw_client.http.get(path)
        assert answer.status_code == 200
        assert "\0" not in answer.text
        assert "NaN" not in answer.text
    analysis = raw_client.http.get(f"/jobs/{job_id}").json()["data"]["analysis"]
    assert (analysis["missingFiles"], analysis["fps"]) == (["caf\\udce9.png", "a\\x00b"], None)
    for control in ("ledger", "jobs"):
        answer = httpx.get(f"{emulator.control_url}/{control}")
        assert answer.status_code == 200
        assert "caf\\\\udce9" in answer.text


def test_a_name_that_is_not_utf_8_is_refused(raw_client: RawClient):
    answer = raw_client.http.post("/uploads", content=json.dumps({"fileName": "caf\udce9.blend", "fileType": "blend"}))
    assert answer.status_code == 400


@pytest.mark.parametrize("value", [{"a": [1, (2.5, None, True)]}, "häuser\n", 10**30])
def test_what_is_plain_stays_as_it_is(value):
    assert json.dumps(plain(value)) == json.dumps(value)
