"""The search for secrets finds what is planted.

If it could not, finding nothing would mean nothing.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from proofs.chaos.leaks import find_leaks
from renderjuice_emulator.signing import Signer

KEY, SECRET = "RJ-the-key", "whsec-the-secret"
FERNET_KEY = Fernet.generate_key().decode()
TOKEN = Signer().sign("get", "job/1", 2e9)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "airflow.db")) as database:
        database.execute("CREATE TABLE xcom (key TEXT, value BLOB, number INTEGER, note TEXT)")
        database.execute('CREATE TABLE "trigger" (classpath TEXT, kwargs TEXT)')
        database.execute("INSERT INTO xcom VALUES ('return_value', '{\"job_id\": \"7\"}', 7, NULL)")
        database.commit()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "attempt=1.log").write_text("Job 7 is rendering\n")
    return tmp_path


def leaks(home: Path) -> list[str]:
    return find_leaks(home, FERNET_KEY, (KEY, SECRET))


def execute(home: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        database.execute(statement, values)
        database.commit()


def test_a_clean_home_is_clean(home):
    wait = Fernet(FERNET_KEY).encrypt(b'{"job_id": "7"}').decode()
    execute(home, """INSERT INTO "trigger" VALUES ('a.Trigger', ?)""", wait)
    assert leaks(home) == []


@pytest.mark.parametrize(
    "planted", [KEY, SECRET, f"https://store/x?token={TOKEN}", TOKEN, json.dumps({"url": f"/x?token={TOKEN}"})]
)
def test_whatever_is_planted_wherever_is_found(home, planted):
    execute(home, "INSERT INTO xcom VALUES ('k', ?, 7, NULL)", planted.encode())
    assert any("table xcom, column value" in leak for leak in leaks(home))
    execute(home, "UPDATE xcom SET value = NULL, note = ?", planted)
    assert any("table xcom, column note" in leak for leak in leaks(home))
    execute(home, "DELETE FROM xcom")
    execute(home, "VACUUM")
    assert leaks(home) == []

    (home / "logs" / "attempt=1.log").write_text(f"looking at {planted}\n")
    assert any("attempt=1.log" in leak for leak in leaks(home))
    (home / "logs" / "attempt=1.log").unlink()

    secret = Fernet(FERNET_KEY).encrypt(planted.encode()).decode()
    execute(home, """INSERT INTO "trigger" VALUES ('a.Trigger', ?)""", secret)
    assert all(leak.startswith("arguments of a.Trigger") for leak in leaks(home))
    assert leaks(home)


def test_what_is_found_is_not_reported_once_more(home):
    (home / "logs" / "attempt=1.log").write_text(f"{KEY} {TOKEN}\n")
    assert not any(KEY in leak or TOKEN in leak for leak in leaks(home))
