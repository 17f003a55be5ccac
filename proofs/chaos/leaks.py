"""Whether anything that must stay secret was written down.

In Airflow's database, encrypted or not, or in any file of its home.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

Place = tuple[str, bytes]
"""Where, and what is written there."""
SIGNED = re.compile(rb"token(=|%3D)[\w.%-]{8}|\.eyJmb3IiOi")
"""The query of a signed URL of the emulator, or the claims of its token alone."""


def find_leaks(home: Path, fernet_key: str, secrets: Iterable[str]) -> list[str]:
    """The places in an Airflow home that hold one of `secrets` or a signed URL.

    Every column of every table is searched, whatever its type, and the arguments of triggers are
    decrypted first. So are all files: logs, settings, and the database's own file, where what was
    deleted may still be read.
    """
    database = home / "airflow.db"
    return find([*database_values(database), *trigger_arguments(database, fernet_key), *files(home)], secrets)


def find(places: Iterable[Place], secrets: Iterable[str]) -> list[str]:
    """The places that hold one of `secrets` or a signed URL."""
    needles = re.compile(b"|".join([*(re.escape(secret.encode()) for secret in secrets), SIGNED.pattern]))
    return sorted(
        {f"{where}: {found[0][:8].decode()}..." for where, text in places for found in needles.finditer(text)}
    )


def database_values(database: Path) -> Iterator[Place]:
    """Every value in every table."""
    with closing(_open(database)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = connection.execute(f'SELECT * FROM "{table.decode()}"')
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    if isinstance(value, bytes) and value:
                        yield f"table {table.decode()}, column {column}", value


def trigger_arguments(database: Path, fernet_key: str) -> Iterator[Place]:
    """What the triggers that wait at this moment were given, in clear.

    Airflow stores some encrypted and some not.
    """
    with closing(_open(database)) as connection:
        for classpath, encrypted in connection.execute('SELECT classpath, kwargs FROM "trigger"'):
            with suppress(InvalidToken):
                yield f"arguments of {classpath.decode()}", Fernet(fernet_key).decrypt(encrypted)


def _open(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)
    connection.text_factory = bytes
    return connection


def files(home: Path) -> Iterator[Place]:
    """Every file below `home`."""
    for path in home.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()
