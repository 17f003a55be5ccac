from __future__ import annotations

import json

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient


def test_every_request_is_noted_in_order(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.create()
    raw_client.job(job_id)
    raw_client.http.get("/nothing")
    entries = emulator.ledger.entries
    assert [entry.operation for entry in entries] == ["create_upload", "put_upload", "create_job", "get_job", "other"]
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.status for entry in entries] == [200, 200, 200, 200, 404]
    assert [entry.job_id for entry in entries] == [None, None, job_id, job_id, None]
    assert {entry.file_name for entry in entries[:4]} == {"shot_010.blend"}
    assert [entry.had_authorization for entry in entries] == [True, False, True, True, True]


def test_requests_are_counted_by_operation_job_and_answer(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.faults.add("get_job", "503", "503")
    first, second = raw_client.create(), raw_client.create()
    for job_id in (first, first, first, second):
        raw_client.http.get(f"/jobs/{job_id}")
    assert emulator.ledger.count("get_job") == 4
    assert emulator.ledger.count("get_job", job_id=first) == 3
    assert emulator.ledger.count("get_job", status=503) == 2


def test_the_money_is_counted_by_job_and_by_file(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    first = manual_raw_client.completed(manual_raw_client.scene("a.blend", frame_end=1))
    second = manual_raw_client.started(manual_raw_client.scene("b.blend"))
    assert manual_emulator.ledger.renders_started() == 2
    assert manual_emulator.ledger.renders_started(first) == 1
    assert manual_emulator.ledger.renders_started(file_name="b.blend") == 1
    assert manual_emulator.ledger.jobs_left_running() == [second]
    manual_raw_client.cancel(second)
    assert manual_emulator.ledger.jobs_left_running() == []
    assert [account.canceled for account in manual_emulator.ledger.accounts.values()] == [False, True]


def test_neither_keys_nor_signatures_are_written_down(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.completed(frame_end=1)
    raw_client.store.get(raw_client.downloads(job_id)["frames"][0])
    text = json.dumps(emulator.ledger.to_json())
    assert "token" not in text
    assert emulator.api_key not in text
