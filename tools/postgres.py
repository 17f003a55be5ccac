"""PostgreSQL as its official image runs it, with the distribution's programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

DATA = "/var/lib/postgresql/data"
"""The image's PGDATA."""
_USER = "postgres"


def programs() -> Path:
    """The folder of `initdb` and `postgres`.

    Debian keeps them off the path, in a folder for each version.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else Path(shutil.which("postgres") or "/usr/bin/postgres").parent


def as_its_user() -> list[str]:
    """What to put before a command: PostgreSQL refuses to run as root."""
    if os.geteuid():
        return []
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--init-groups", "--"]


def make_database(environment: Mapping[str, str]) -> None:
    """What the image does before its first start.

    A cluster with the user, password and database of the environment.
    """
    data = Path(environment["PGDATA"])
    if (data / "PG_VERSION").exists():
        return
    if not os.geteuid():
        shutil.chown(data, _USER, _USER)
    user, database = environment["POSTGRES_USER"], environment["POSTGRES_DB"]
    password = data.with_name(f"{data.name}.password")
    password.touch(0o600)
    password.write_text(environment["POSTGRES_PASSWORD"])
    try:
        if not os.geteuid():
            shutil.chown(password, _USER, _USER)
        settings = ["--username", user, "--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8"]
        _run(environment, "initdb", "--pgdata", str(data), *settings)
    finally:
        password.unlink()
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("unix_socket_directories = ''\n")  # their usual folder belongs to the distribution's server
    _run(environment, "postgres", "--single", "-D", str(data), "postgres", stdin=f'CREATE DATABASE "{database}"\n')


def _run(environment: Mapping[str, str], *command: str, stdin: str = "") -> None:
    done = subprocess.run(
        [*as_its_user(), *command], env=dict(environment), input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
