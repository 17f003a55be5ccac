from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from renderjuice_emulator.guard import Guard
from renderjuice_emulator.middleware import LONGEST_BODY
from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(allowed_hosts=("farm.studio",)) as emulator:
        yield emulator


def post(emulator: Emulator, url: str, headers: dict[str, str]) -> int:
    key = {"Authorization": f"Bearer {emulator.api_key}"}
    body = {"fileName": "a.blend", "fileType": "blend"}
    with httpx.Client(trust_env=False, verify=False) as http:
        return http.post(url, json=body, headers=key | headers).status_code


def port(emulator: Emulator) -> int:
    return urlsplit(emulator.base_url).port or 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.test:{port}"},
        {"Host": "evil.test:{port}", "Origin": "http://evil.test:{port}"},  # as after DNS rebinding
        {"Host": "localhost.evil.test:{port}"},
        {"Host": "127.0.0.1.evil.test"},
        {"Host": "user@evil.test"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_site_can_use_nothing(emulator: Emulator, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=port(emulator)) for name, value in headers.items()}
    store = f"{emulator.storage_url}/uploads/x/a.blend"
    for url in (f"{emulator.base_url}/uploads", f"{emulator.control_url}/reset", store):
        assert post(emulator, url, headers) == 403
    assert emulator.ledger.entries == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:{port}", "Origin": "http://localhost:{port}", "Sec-Fetch-Site": "same-origin"},
        {"Host": "studio.localhost:{port}"},
        {"Host": "192.0.2.7:{port}"},
        {"Host": "[::1]:{port}"},
        {"Host": "Farm.Studio:{port}"},
    ],
    ids=str,
)
def test_its_own_names_are_answered(emulator: Emulator, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=port(emulator)) for name, value in headers.items()}
    assert post(emulator, f"{emulator.base_url}/uploads", headers) == 200


@pytest.mark.parametrize("path", ["/ledger", "/reset", "/wrong-token/ledger", "//ledger", ""])
def test_controls_want_the_token(emulator: Emulator, path: str) -> None:
    origin = emulator.control_url.rpartition("/")[0]
    assert httpx.post(f"{origin}{path}").status_code == 403
    assert emulator.control_url.rpartition("/")[2] not in httpx.get(f"{origin}/health").text


def test_health_is_open_to_all_on_this_machine(emulator: Emulator) -> None:
    assert httpx.get(f"{emulator.control_url.rpartition('/')[0]}/health").json()["status"] == "ok"


def test_tokens_differ_and_can_be_given() -> None:
    assert Guard().token != Guard().token
    assert Guard(token="mine").control_path("/_emulator/mine/clock/advance") == "/_emulator/clock/advance"


def test_the_key_is_checked_before_the_body_is_read(emulator: Emulator) -> None:
    with socket.create_connection(("127.0.0.1", port(emulator)), timeout=10) as client:
        client.sendall(
            b"POST /api/external/v1/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 401 ")  # not one byte of the body was sent


def test_a_call_with_a_long_body_is_refused(emulator: Emulator) -> None:
    for url in (f"{emulator.base_url}/jobs", f"{emulator.control_url}/faults"):
        headers = {"Authorization": f"Bearer {emulator.api_key}"}
        answer = httpx.post(url, content=bytes(LONGEST_BODY + 1), headers=headers)
        assert answer.status_code == 413
        assert str(LONGEST_BODY) in answer.text


def test_the_clock_cannot_be_moved_out_of_its_calendar(emulator: Emulator) -> None:
    for seconds in ("1e308", "1e12", "-1", "NaN", "Infinity"):
        body = f'{{"seconds": {seconds}}}'
        answer = httpx.post(f"{emulator.control_url}/clock/advance", content=body)
        assert answer.status_code == 400
        assert httpx.get(f"{emulator.control_url}/health").status_code == 200
    with pytest.raises(ValueError, match="moved by 0 to"):
        emulator.clock.advance(1e12)


def test_uploads_have_a_quota(tmp_path: Path) -> None:
    with Emulator() as emulator, RawClient(emulator, tmp_path) as raw_client:
        emulator.switches.quota_bytes = 100
        first, second = raw_client.target("a.blend"), raw_client.target("b.blend")
        assert raw_client.store.put(first["uploadUrl"], content=bytes(60)).status_code == 200
        refused = raw_client.store.put(second["uploadUrl"], content=bytes(60))
        assert refused.status_code == 507
        assert "quota_bytes" in refused.text
        # In place of what was there.
        assert raw_client.store.put(first["uploadUrl"], content=bytes(90)).status_code == 200
