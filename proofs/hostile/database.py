"""A PostgreSQL of our own, and everything that is written in it."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

import psycopg2  # type: ignore[import-untyped]

from proofs.chaos.leaks import Place
from tools import postgres
from tools.processes import Program, free_port

_NAME = "airflow"


class Database:
    """A cluster with one database, on a free port of the loopback address.

    A context manager; nothing is left of it.

    Args:
        log: the file of its output.
        fsync: whether what is committed survives a loss of power. That costs time, so a test goes
            without.

    Attributes:
        url: for SQLAlchemy.
    """

    def __init__(self, log: Path, *, fsync: bool = False) -> None:
        self._log = log
        self._fsync = "on" if fsync else "off"
        self._port = free_port()
        self._password = secrets.token_urlsafe(12)
        self.url = f"postgresql+psycopg2://{_NAME}:{self._password}@127.0.0.1:{self._port}/{_NAME}"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="renderjuice-postgres-"))
        self._folder.chmod(0o755)  # PostgreSQL runs as another user than root
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        path = f"{postgres.programs()}:{os.environ['PATH']}"
        names = {"POSTGRES_USER": _NAME, "POSTGRES_DB": _NAME, "POSTGRES_PASSWORD": self._password}
        environment = os.environ | names | {"PGDATA": str(data), "PATH": path}
        postgres.make_database(environment)
        options = {"listen_addresses": "127.0.0.1", "port": self._port, "fsync": self._fsync, "max_connections": 200}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [*postgres.as_its_user(), str(postgres.programs() / "postgres"), "-D", str(data), *settings]
        self._program = Program("postgres", command, self._log, environment)
        self._until_it_answers()
        return self

    def __exit__(self, *_: object) -> None:
        self._program.stop()
        shutil.rmtree(self._folder)

    def _until_it_answers(self, patience: float = 60) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self._program.check()
            with suppress(psycopg2.OperationalError):
                self._connect().close()
                return
            time.sleep(0.2)
        raise TimeoutError(f"PostgreSQL did not answer within {patience:.0f} s; see {self._log}")

    def _connect(self) -> Any:
        return psycopg2.connect(
            host="127.0.0.1", port=self._port, user=_NAME, dbname=_NAME, password=self._password, client_encoding="UTF8"
        )

    def values(self) -> Iterator[Place]:
        """Every value in every table."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in cursor.fetchall():
                cursor.execute(f'SELECT * FROM "{table}"')
                for row in cursor.fetchall():
                    for value in row:
                        whole = (
                            value.tobytes() if isinstance(value, memoryview) else str(value).encode(errors="replace")
                        )
                        yield f"table {table}", whole

    def trigger_arguments(self) -> Iterator[str]:
        """What waits at this moment was given, as it is stored."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT kwargs FROM trigger")
            yield from (kwargs for (kwargs,) in cursor.fetchall())

    def plant(self, text: str) -> None:
        """Write `text` where a search for it has to find it."""
        with closing(self._connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO log (dttm, event, extra) VALUES (now(), 'planted', %s)", (text,))
