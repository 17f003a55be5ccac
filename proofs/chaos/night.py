"""A night of the example DAGs, in which workers die and people get in the way.

The nightly starts a run for each shot, under a ceiling. In the end there is one run for each, every
shot is delivered, each of its frames is paid once, no more was handed out than the ceiling, and the
run that wanted a shot that another run has says so.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from proofs.chaos.harness import Harness
from proofs.chaos.proxy import Proxy
from renderjuice_emulator.scenes import write_scene
from tools.airflow_api import STATES_AT_END
from tools.demo_services import NIGHTLY, SHOT
from tools.tracker import LocalTracker

DAGS = Path(__file__).parents[2] / "dags"
BEFORE, AFTER, CLEARED, TWICE, UNQUOTED, QUOTED, *_ = SHOTS = [f"night_{number}" for number in range(8)]
"""Of these, a worker dies before it starts the run, or right after it; one is cleared while it
renders; somebody starts a second run of one; a worker dies before, or right after, it has reported
what a shot may spend: between its quote, its share, and its render."""
FRAMES, SECONDS = 8, 5
CEILING = 600
"""Normalized seconds. A shot costs 40, and is handed out up to 60."""
AT_ONCE = 4
"""Tasks on workers: fewer than shots, so that some are not started yet when the workers die."""
PATIENCE = 900.0


class Night:
    """The night, and what is wrong with it."""

    def __init__(self, harness: Harness, proxy: Proxy, folder: Path) -> None:
        self._airflow = harness.airflow
        self._harness = harness
        self._proxy = proxy
        self._folder = folder
        self._by_hand = ""
        self._started_before = 0
        self.seconds = 0.0

    def perform(self) -> None:
        """Start the nightly, disturb it, and wait for its end."""
        began = time.monotonic()
        self._proxy.add(rf"POST /execution/dag-runs/{SHOT}/{BEFORE}__.*", "kill-before")
        self._proxy.add(rf"POST /execution/dag-runs/{SHOT}/{AFTER}__.*", "kill-after")
        self._proxy.add(rf"POST /execution/xcoms/{SHOT}/{UNQUOTED}__.*/share/renderjuice_quote.*", "kill-before")
        self._proxy.add(rf"POST /execution/xcoms/{SHOT}/{QUOTED}__.*/share/renderjuice_quote.*", "kill-after")
        run = self._airflow.trigger(NIGHTLY, {"ceiling": CEILING})
        starts = f"/execution/dag-runs/{SHOT}"
        self._until(
            lambda: len(self._runs()) >= AT_ONCE - 1 and not any(starts in death for death in self._proxy.left()),
            "the first shots' runs",
        )
        self._harness.send(signal.SIGKILL, "scheduler")  # and all workers, between two runs that they start
        self._started_before = len(self._runs())
        for shot in (CLEARED, TWICE):
            self._until(lambda shot=shot: self._renders(shot), f"the render of {shot}")
        (cleared,) = self._runs_of(CLEARED)
        self._harness.change("POST", f"/dags/{SHOT}/dagRuns/{cleared}/clear", {"dry_run": False, "only_failed": False})
        self._by_hand = self._airflow.trigger(SHOT, {"shot": TWICE})
        self._until(lambda: self._airflow.run_state(SHOT, self._by_hand) in STATES_AT_END, "the second run of a shot")
        self._harness.send(signal.SIGKILL, "triggerer")
        self._until(lambda: self._airflow.run_state(NIGHTLY, run) in STATES_AT_END, "the end of the night")
        self.state = self._airflow.run_state(NIGHTLY, run)
        self.seconds = time.monotonic() - began

    def deviations(self) -> list[str]:
        """Everything that is not as it has to be."""
        runs = Counter(run.partition("__")[0] for run in self._runs() if run != self._by_hand)
        frames = Counter[str]()
        accounts = self._harness.emulator.ledger.accounts.values()
        for account in accounts:
            frames[account.file_name.removesuffix(".blend")] += account.frames_rendered
        spent = sum(account.normalized_seconds for account in accounts)
        shares = [
            json.loads(path.read_text()) for path in sorted(self._folder.glob("deliveries/nights/*/shares/0*.json"))
        ]
        most = max(
            sum(sum((*shot["given"].values(), *shot["spent"].values())) for shot in each["shots"].values())
            for each in shares
        )
        delivered = {path.parent.name for path in self._folder.glob("deliveries/shots/*/current.json")}
        logs = self._airflow.home / "logs" / f"dag_id={SHOT}" / f"run_id={self._by_hand}" / "task_id=take_order"
        log = "".join(path.read_text() for path in logs.iterdir())
        checks = {
            "the night": (self.state, "success"),
            "runs of each shot": (runs, Counter(SHOTS)),
            "shots of which frames were paid twice": (
                {name for name in SHOTS if frames[name] > FRAMES} - {CLEARED},
                set(),
            ),
            "whether more was handed out than the ceiling": (most > CEILING, False),
            "whether more was spent than the ceiling": (spent > CEILING, False),
            "shots delivered": (delivered, set(SHOTS)),
            "jobs left running": (self._harness.emulator.ledger.jobs_left_running(), []),
            "deaths that no request has met": (self._proxy.left(), []),
            "the second run of a shot": (self._airflow.run_state(SHOT, self._by_hand), "failed"),
            "whether its log names the run that has the shot": (f"The run {TWICE}__" in log, True),
            "whether workers died between two runs that they start": (self._started_before < len(SHOTS), True),
        }
        return [f"night: {what}: {found}, not {wanted}" for what, (found, wanted) in checks.items() if found != wanted]

    def _until(self, condition: Any, what: str) -> None:
        self._harness.until(condition, PATIENCE, what, pause=0.3)

    def _runs(self) -> list[str]:
        runs = self._airflow.api("GET", f"/dags/{SHOT}/dagRuns", params={"limit": 100})["dag_runs"]
        return [run["dag_run_id"] for run in runs]

    def _runs_of(self, shot: str) -> list[str]:
        return [run for run in self._runs() if run.startswith(f"{shot}__")]

    def _renders(self, shot: str) -> bool:
        tasks = [task for run in self._runs_of(shot) for task in self._airflow.tasks(SHOT, run, "deferred")]
        return any(task["task_id"] == "render" for task in tasks)


def night(folder: Path) -> list[str]:
    """Perform the night in a harness of its own, and return what is wrong with it."""
    folder.mkdir()
    with ExitStack() as stack:
        tracker = LocalTracker(folder)
        stack.callback(tracker.program.stop)
        proxy = stack.enter_context(Proxy())
        environment = {
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{proxy.port}/execution/",
            "AIRFLOW_CONN_PRODUCTION_TRACKER": json.dumps({"conn_type": "http", "host": tracker.url}),
            "RENDERJUICE_SHOT_LIST": str(_write_shots(folder / "shots")),
            "RENDERJUICE_DELIVERIES": str(folder / "deliveries"),
            "RENDERJUICE_WORK": str(folder / "work"),
            "RENDERJUICE_POLL_INTERVAL": "2",
        }
        harness = Harness(folder, DAGS, AT_ONCE, environment)
        proxy.target = f"http://localhost:{harness.execution_port}"
        stack.enter_context(harness)
        performed = Night(harness, proxy, folder)
        try:
            performed.perform()
        except Exception as error:  # noqa: BLE001 - a line beside the others, not the end of the run
            return [f"night: {error!r}"]
        wrong = performed.deviations() + [f"night: a secret was written down: {leak}" for leak in harness.leaks()]
    print(f"a night of {len(SHOTS)} shots, {len(proxy.met)} workers and all of them killed: {performed.seconds:.0f} s")
    return wrong


def _write_shots(folder: Path) -> Path:
    folder.mkdir()
    for shot in SHOTS:
        write_scene(folder / f"{shot}.blend", frame_end=FRAMES, seconds_per_frame=SECONDS, resolution=(64, 36))
    shots = [{"name": shot, "file": f"{shot}.blend"} for shot in SHOTS]
    shot_list = {"show": "chaos", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
    path = folder / "shots.json"
    path.write_text(json.dumps(shot_list))
    return path
