"""`make hostile`: what an API can answer to harm who asks, to a real Airflow on PostgreSQL.

Exits with 1 if anything deviates.

Some hostile connections and an innocent one share a triggerer. It has to be the same process at the
end, every wait has to have ended as it should, the innocent ones have to have been looked after all
the time, and no secret may have been written down.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import psutil
from cryptography.fernet import Fernet

from proofs.chaos import leaks
from proofs.hostile import answers, plan
from proofs.hostile.database import Database
from proofs.hostile.server import HostileServer
from renderjuice_emulator.testing import Emulator, write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from tools.airflow_api import STATES_AT_END
from tools.local_airflow import LocalAirflow

FOLDER = Path(__file__).parents[2] / ".run" / "hostile"
INNOCENTS = 2
LONGEST_GAP = 20.0
"""Seconds between two polls of an innocent job: its poll interval is 1 s, and the machine is busy
starting tasks."""
PATIENCE = 420.0
"""Seconds for all hostile waits."""
SEARCH_EVERY = 20.0
"""Seconds between two searches for secrets while tasks wait: each one reads the whole database and
all logs."""
OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
SETTINGS = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "30",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "3",
}


def main() -> None:
    """All of it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with Trial(FOLDER) as trial:
        trial.run()
        wrong = trial.judge()
    print("\n".join(wrong) or "Nothing deviates.")
    sys.exit(bool(wrong))


class Trial:
    """One run. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waits = plan.waits()
        self._hostile = [wait for group in self._waits.values() for wait in group]
        self._innocent: list[plan.Wait] = []
        self._stack = ExitStack()
        self._began = time.monotonic()
        self._leaks: set[str] = set()
        self._gone: list[int] = []
        self._searched = 0.0
        self._run_id = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._database = stack.enter_context(Database(self._folder / "postgres.log"))
            self._emulator = stack.enter_context(Emulator(speed=1))
            self._server = stack.enter_context(
                HostileServer(
                    {wait.job_id: wait.kinds for wait in self._hostile},
                    stays={wait.job_id for group in ("ending", "late") for wait in self._waits[group]},
                    at_once={wait.job_id for wait in self._waits["found"]},
                )
            )
            self._innocent = [plan.innocent(self._render(number), number) for number in range(INNOCENTS)]
            path = self._folder / "plan.json"
            path.write_text(json.dumps([wait.task for wait in (*self._innocent, *self._hostile)]))
            place = {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._database.url,
                "RENDERJUICE_HOSTILE_PLAN": str(path),
            }
            dags = Path(__file__).parent / "dags"
            self._airflow = LocalAirflow(self._folder / "airflow", dags, SETTINGS | place)
            stack.callback(self._airflow.stop)
            self._airflow.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _render(self, number: int) -> str:
        """A job of the emulator that renders for hours, unless its time is moved on."""
        scene = write_scene(self._folder / f"innocent-{number}.blend", frame_end=10, seconds_per_frame=3600)
        with RenderjuiceClient(self._emulator.api_key, self._emulator.base_url) as client:
            job = client.validate_job(client.create_job(client.upload(scene).slug).id)
            _until(lambda: client.get_job(job.id).status == "validated", 60, "a validated job")
            client.start_render(job.id, {"colorManagementPreset": "default"})
        return job.id

    def run(self) -> None:
        """Wait for everything."""
        hosts = dict.fromkeys(plan.CONNECTIONS, f"http://127.0.0.1:{self._server.port}/api/external/v1")
        for name, host in (hosts | {plan.INNOCENT: self._emulator.base_url}).items():
            key = self._emulator.api_key if name == plan.INNOCENT else answers.KEY
            extra = json.dumps({"timeout": 2})
            body = {"connection_id": name, "conn_type": "renderjuice", "host": host, "password": key, "extra": extra}
            self._airflow.make("/connections", body)
        before = self._triggerer()
        self._log(
            f"{len(self._hostile)} hostile waits and {len(self._innocent)} innocent ones; triggerer {sorted(before)}"
        )
        self._run_id = self._airflow.trigger("hostile")
        names = {wait.task["task_id"] for wait in self._hostile}
        with suppress(TimeoutError):  # then the states of the tasks say more
            _until(lambda: names <= self._over() or not before <= self._triggerer(), PATIENCE, "the hostile waits")
            self._log(f"{len(names & self._over())} hostile waits are over")
            self._search_for_leaks()
            self._emulator.clock.advance(100_000)
            ended = partial(self._airflow.run_state, "hostile", self._run_id)
            _until(lambda: ended() in STATES_AT_END, 120, "the innocent waits")
        self._gone = sorted(before - self._triggerer())
        self._search_for_leaks()
        self._log(f"The end; triggerer {sorted(self._triggerer())}")

    def _triggerer(self) -> set[int]:
        """The ids of its processes; none once it is gone."""
        with suppress(psutil.Error):
            program = psutil.Process(self._airflow.programs["triggerer"].pid)
            if program.status() != psutil.STATUS_ZOMBIE:
                return {program.pid, *(child.pid for child in program.children(recursive=True))}
        return set()

    def _over(self) -> set[str]:
        if time.monotonic() - self._searched > SEARCH_EVERY:
            self._search_for_leaks()
            self._searched = time.monotonic()
        return {task["task_id"] for task in self._airflow.tasks("hostile", self._run_id) if task["state"] in OVER}

    def _search_for_leaks(self) -> None:
        """Also while tasks wait: a trigger's row is gone when it has fired."""
        fernet = Fernet(self._airflow.environment["AIRFLOW__CORE__FERNET_KEY"])

        def places() -> Iterator[leaks.Place]:
            yield from self._database.values()
            for text in self._database.trigger_arguments():
                yield (
                    "arguments of a trigger",
                    fernet.decrypt(text.encode()) if text.startswith("gAAAA") else text.encode(),
                )
            yield from leaks.files(self._airflow.home)

        self._leaks |= set(leaks.find(places(), answers.SECRETS))

    def judge(self) -> list[str]:
        """What is not as it should be."""
        states = {task["task_id"]: task["state"] for task in self._airflow.tasks("hostile", self._run_id)}
        waits = [*self._innocent, *self._hostile]
        disturbed = [wait for wait in self._innocent if states.get(wait.task["task_id"]) != wait.ends]
        gap = self._longest_gap()
        never = self._never_answered()
        leaks_before = sorted(self._leaks)
        self._database.plant(answers.KEY)
        self._search_for_leaks()
        wrong = [f"triggerer process {pid} is gone" for pid in self._gone]
        wrong += [f"never answered: {name}" for name in never]
        wrong += [f"a secret was written down: {leak}" for leak in leaks_before]
        wrong += [
            f"{wait.task['task_id']} ({wait.kinds[0][0] if wait.kinds else 'innocent'}) is {states[wait.task['task_id']]}"
            for wait in waits
            if states.get(wait.task["task_id"]) != wait.ends
        ]
        wrong += [f"an innocent job was not polled for {gap:.0f} s"] if gap > LONGEST_GAP else []
        wrong += [] if "table log" in " ".join(self._leaks - set(leaks_before)) else ["a planted secret was not found"]
        print(f"kinds of answers: {len(self._server.served)}, {sum(self._server.served.values())} answers")
        print(f"triggerers that died: {len(self._gone)}")
        print(f"innocent waits disturbed: {len(disturbed)}; longest time without a poll: {gap:.1f} s")
        print(f"secrets found in the database, the logs and all other files: {len(leaks_before)}")
        return wrong

    def _never_answered(self) -> list[str]:
        planned = {name for wait in self._hostile for name, _ in wait.kinds}
        return sorted(planned - self._server.served.keys())

    def _longest_gap(self) -> float:
        """Seconds between two polls of the innocent jobs, before their time was moved.

        Only a triggerer asks for progress.
        """
        polls = [entry.time for entry in self._emulator.ledger.entries if entry.operation.endswith("_progress")]
        ended = [after - before for before, after in pairwise(polls) if after - before < 10_000]
        return max(ended, default=float("inf"))

    def _log(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {text}", flush=True)


def _until(condition: Any, patience: float, what: str) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience:.0f} s")
        time.sleep(2)


if __name__ == "__main__":
    main()
