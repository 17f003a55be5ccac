"""The Airflow that tests and demo start, without starting it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tools.local_airflow import LocalAirflow, _use_no_trigger_id_twice

COLUMNS = 'CREATE TABLE "trigger" (id INTEGER NOT NULL, queue VARCHAR(256), triggerer_id INTEGER'
KEY = "CONSTRAINT trigger_pkey PRIMARY KEY (id)"
FOREIGN = "CONSTRAINT fk_triggerer FOREIGN KEY(triggerer_id) REFERENCES job (id)"
TABLES = {
    "Airflow 3.3": f"{COLUMNS}, {KEY}, {FOREIGN})",
    "Airflow 3.1": f"{COLUMNS}, {KEY})",
    "a key without a name": f"{COLUMNS},\n\tPRIMARY KEY (id)\n)",
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_id_of_a_trigger_that_is_gone_is_not_given_again(tmp_path, table):
    path = tmp_path / "airflow.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(table)
        database.execute('CREATE INDEX of_queue ON "trigger" (queue)')

    _use_no_trigger_id_twice(path)

    with closing(sqlite3.connect(path)) as database, database:
        for _ in range(2):
            (last,) = database.execute('INSERT INTO "trigger" (queue) VALUES (NULL) RETURNING id').fetchone()
            database.execute('DELETE FROM "trigger"')
        assert last == 2
        assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'of_queue'").fetchone() == (1,)


def test_nobody_else_can_read_the_password(tmp_path, monkeypatch):
    airflow = LocalAirflow(tmp_path / "home", tmp_path, password="sesame")
    monkeypatch.setattr(airflow, "command", lambda *_: "")

    airflow.prepare()

    (password,) = (path for path in airflow.home.rglob("*") if path.is_file() and "sesame" in path.read_text())
    assert password.stat().st_mode & 0o077 == 0
    assert airflow.home.stat().st_mode & 0o077 == 0
