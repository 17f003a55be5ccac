"""A real Airflow on this machine.

SQLite and LocalExecutor by default, every component a process of its own.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from tools.airflow_api import AirflowApi
from tools.processes import Program, free_port

COMPONENTS = ("scheduler", "dag-processor", "api-server", "triggerer")


class LocalAirflow(AirflowApi):
    """Airflow's components around one home folder.

    Args:
        home: `AIRFLOW_HOME`; made if it does not exist.
        dags: the folder of DAG files.
        environment: further variables, such as connections and settings.
        port: of the web UI, if it is free; by default any that is, so that several can start at
            once.
        password: of the user `admin`; made up when empty.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        environment: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        password: str = "",
    ) -> None:
        super().__init__(f"http://localhost:{free_port(port)}", password or secrets.token_urlsafe(9))
        self.home = home
        self.environment = os.environ | self._settings(dags) | dict(environment or {})
        self.programs: dict[str, Program] = {}

    def _settings(self, dags: Path) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            # Each worker process costs memory, and two cores do no more than this at once.
            "AIRFLOW__CORE__PARALLELISM": "4",
            # SQLite has one writer at a time: a process waits for it for 60 s instead of 5.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__PORT": self.url.rpartition(":")[2],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(24),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

    def start(self, components: Iterable[str] = COMPONENTS) -> None:
        """Make the database, start the components, and return when all are healthy."""
        self.prepare()
        for component in components:
            self.start_component(component)
        self._until_healthy()

    def prepare(self) -> None:
        """Make the home and the database."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)  # its database and logs are for this user alone
        passwords = self.home / "passwords.json"
        passwords.touch(0o600)
        passwords.write_text(json.dumps({"admin": self.password}))
        self.command("db", "migrate")
        if (self.home / "airflow.db").exists():
            _use_no_trigger_id_twice(self.home / "airflow.db")

    def start_component(self, component: str, name: str = "", **environment: str) -> Program:
        """Start one more component, options included, with further variables."""
        name = name or component
        command = [sys.executable, "-m", "airflow", *component.split()]
        self.programs[name] = Program(name, command, self.home / "logs" / f"{name}.log", self.environment | environment)
        return self.programs[name]

    def until_answers(self, url: str = "", patience: float = 180) -> None:
        """Return when an API server answers, whatever the other components do.

        Args:
            url: of one that was started beside the first.
            patience: seconds.
        """
        deadline = time.monotonic() + patience
        while not self.answers(url):
            for program in self.programs.values():
                program.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"No API server answered within {patience:.0f} s; see {self.home / 'logs'}")
            time.sleep(0.2)

    def command(self, *arguments: str) -> str:
        """Run an `airflow` command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def stop(self) -> None:
        """End every component, and everything that they started."""
        for program in reversed(self.programs.values()):
            program.stop()
        self.close()

    def _until_healthy(self, patience: float = 180) -> None:
        deadline = time.monotonic() + patience
        while not self.is_healthy():
            for program in self.programs.values():
                program.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"Airflow did not become healthy within {patience:.0f} s; see {self.home / 'logs'}")
            time.sleep(0.5)


def _use_no_trigger_id_twice(path: Path) -> None:
    """Have a database of SQLite count triggers as the databases of production do.

    SQLite gives the id of a removed row to the next one. A triggerer that has not noticed yet that
    a trigger was removed takes the next one for it: it does not run that one, a user's kill does
    not reach it, and the old one's event resumes the wrong task.
    """
    with closing(sqlite3.connect(path)) as database, database:
        query = "SELECT sql FROM sqlite_master WHERE tbl_name = 'trigger' AND sql IS NOT NULL ORDER BY type DESC"
        table, *indexes = [sql for (sql,) in database.execute(query)]
        counting = re.sub(r",\s*(CONSTRAINT \w+ )?PRIMARY KEY \(id\)", "", table)  # the last line before Airflow 3.3
        counting = counting.replace("id INTEGER NOT NULL", "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", 1)
        if "AUTOINCREMENT" in table or database.execute('SELECT 1 FROM "trigger"').fetchone():
            return
        database.execute('DROP TABLE "trigger"')
        for sql in (counting, *indexes):
            database.execute(sql)
