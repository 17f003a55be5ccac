"""`renderjuice doctor`: each thing that may be wrong is named, with what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from renderjuice import checks
from renderjuice.exits import Exit
from renderjuice_emulator.testing import Emulator
from tests.cli.conftest import Run
from tests.support.http_server import Reply, answer, serving

Examined = Callable[..., dict[str, Any]]


@pytest.fixture
def examined(run: Run) -> Examined:
    """What doctor says, by the name of the check, and its code as `code`."""

    def examine(*options: object) -> dict[str, Any]:
        done = run("doctor", "--json", *options)
        return {each["check"]: each for each in done.objects} | {"code": done.code}

    return examine


def test_all_is_well(examined: Examined, emulator: Emulator) -> None:
    found = examined()
    assert found["code"] == 0
    assert {found[name]["state"] for name in ("version", "key", "address", "proxy")} == {"ok"}
    assert emulator.base_url in found["address"]["message"]
    assert "RENDERJUICE_API_KEY" in found["key"]["message"]


def test_it_is_read_by_people_too(run: Run) -> None:
    lines = run("doctor").lines
    assert [column.strip() for column in lines[1][:2]] == ["ok", "key"]


def test_a_refused_key(examined: Examined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERJUICE_API_KEY", "RJ-wrong-secret")
    found = examined()
    assert found["code"] == 3
    assert found["address"]["state"] == "wrong"
    assert "dashboard to where it was found" in found["address"]["message"]
    assert "wrong-secret" not in json.dumps(found)


def test_no_key_and_the_other_checks_all_the_same(bare_run: Run, emulator: Emulator) -> None:
    done = bare_run("doctor", "--json", "--url", emulator.base_url)
    assert done.code == 3
    assert [each["check"] for each in done.objects][:3] == ["version", "key", "clock"]


def test_nobody_answers(examined: Examined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERJUICE_BASE_URL", "http://127.0.0.1:9/api/external/v1")
    found = examined()
    assert found["code"] == 7
    assert "check host and port" in found["address"]["message"]
    assert found["clock"]["state"] == "note"


@pytest.mark.parametrize(
    ("wrong_by", "state", "words"), [(-3600, "wrong", "ahead"), (3600, "wrong", "behind"), (0, "ok", "within")]
)
def test_the_clock_is_compared_with_the_servers(wrong_by: float, state: str, words: str) -> None:
    def handle(_request: Any) -> Reply:
        return answer({}, 401, Date=formatdate(time.time() + wrong_by, usegmt=True))

    with serving(handle) as server:
        found = checks.check_clock(server.url)
    assert (found.state, words in found.message) == (state, True)
    assert "Authorization" not in server.requests[0].headers


def test_a_proxy_is_named_by_its_variable_and_its_password_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://someone:a-password@proxy.example:3128")
    found = checks.check_proxy("https://api.example/v1")
    assert (found.state, "HTTPS_PROXY" in found.message) == ("ok", True)
    assert "a-password" not in found.message


def test_a_socks_proxy_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example:1080")
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    found = checks.check_proxy("https://api.example/v1")
    assert (found.code, "renderjuice[socks]" in found.message) == (Exit.ERROR, True)


def test_little_room_is_a_note(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert checks.check_disk().state == "note"


def test_a_folder_that_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    found = checks.check_disk()
    assert (found.code, "nothing could be taken up" in found.message) == (Exit.ERROR, True)


def test_two_versions_of_the_same_modules_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "version", {"renderjuice": "0.1.0", "airflow-provider-renderjuice": "0.2.0"}.get)
    found = checks.check_versions()
    assert (found.code, "uninstall one" in found.message) == (Exit.ERROR, True)
    monkeypatch.setattr(checks, "version", lambda _: "0.1.0")
    assert checks.check_versions().state == "ok"


@pytest.mark.parametrize(
    ("script", "state", "words"),
    [("echo Blender 4.5.1", "ok", "Blender 4.5.1"), ("exit 3", "note", "does not run")],
)
def test_a_blender_is_asked_for_its_version(
    home: Path, monkeypatch: pytest.MonkeyPatch, script: str, state: str, words: str
) -> None:
    program = home / "blender"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv("BLENDER", str(program))
    found = checks.check_blender()
    assert (found.state, words in found.message) == (state, True)


def test_without_a_blender_nothing_is_wrong(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLENDER", raising=False)
    monkeypatch.setenv("PATH", str(home))
    assert checks.check_blender().code is Exit.OK


_MAKE_DATABASE = """
import sys
from airflow.models.base import Base
from airflow.models.connection import Connection
from airflow.models.pool import Pool
from airflow.models.team import Team
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
engine = create_engine(sys.argv[1])
Base.metadata.create_all(engine, tables=[each.__table__ for each in (Team, Connection, Pool)])
with Session(engine) as session:
    session.add(Connection(conn_id="farm", conn_type="renderjuice", host=sys.argv[2], password=sys.argv[3]))
    session.add(Pool(pool="renders", slots=8, include_deferred=False, description=""))
    session.commit()
"""


@pytest.mark.slow
def test_a_connection_and_a_pool_in_airflows_database(home: Path, emulator: Emulator) -> None:
    url = f"sqlite:///{home / 'airflow.db'}"
    variables = {
        **os.environ,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__CORE__FERNET_KEY": "",
    }

    def python(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, env={**variables, **more}, capture_output=True, text=True, timeout=120, check=False
        )

    made = python("-c", _MAKE_DATABASE, url, emulator.base_url, emulator.api_key)
    assert made.returncode == 0, made.stderr

    done = python("-m", "renderjuice", "doctor", "--json", "--connection", "farm", RENDERJUICE_POOL="renders")
    found = {each["check"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, done.stdout
    assert "the Airflow connection farm" in found["key"]["message"]
    assert found["airflow"]["state"] == "ok"
    assert "--include-deferred" in found["pool"]["message"]

    done = python("-m", "renderjuice", "doctor", "--json", "--connection", "nowhere", RENDERJUICE_POOL="none")
    found = {each["check"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 7
    assert "no Airflow connection 'nowhere'" in found["key"]["message"]
    assert "airflow pools set none" in found["pool"]["message"]
    assert emulator.api_key not in done.stdout + done.stderr
