"""One shot of a scenario: a scene, a DAG run, and what the two came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proofs.chaos.case import Case, Figures
from proofs.chaos.harness import Harness
from renderjuice_emulator.ledger import Account
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.states import RENDER_RUNS
from renderjuice_provider.api.client import RenderjuiceClient
from tools.airflow_api import STATES_AT_END

TASK = "shot"
OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
GONE = "gone"
"""The state of a task instance that Airflow does not have any more."""


class Shot:
    """A scene, and the DAG run that is to render it.

    Args:
        harness: where.
        case: what it goes through, and what is to become of it.
        number: among the shots of the scenario.
    """

    def __init__(self, harness: Harness, case: Case, number: int = 0) -> None:
        self.harness = harness
        self.case = case
        self.run_id = ""
        self._conf: dict[str, Any] = {}
        name = case.name if case.shots == 1 else f"{case.name}-{number:03d}"
        self.file_name = f"{name}.blend"
        self.scene = write_scene(
            harness.folder / "scenes" / self.file_name,
            frame_end=case.frames,
            seconds_per_frame=case.seconds,
            validation_seconds=1.5,
            resolution=(16, 9),
        )

    def start(self) -> None:
        """Start the DAG run.

        What it needs is made first, and only its own requests meet the scenario's faults.
        """
        self._conf = {"connection": self.case.connection} | self.subject()
        if self.case.lost_at:
            self.harness.lose_worker(self.file_name, self.case.lost_at)
        for operation, texts in self.case.faults:
            self.harness.emulator.faults.add(operation, *texts, file_name=self.file_name)
        self.start_run(Path(self.file_name).stem)

    def start_run(self, run_id: str) -> None:
        """A run about this shot; from now on it is the one that counts."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": self._conf}
        self.harness.make(f"/dags/{self.case.dag_id}/dagRuns", body)
        self.run_id = run_id

    def subject(self) -> dict[str, Any]:
        """What the run is about.

        A scene, or a job that is validated already, by the client and not by Airflow.
        """
        if self.case.operator == "frames":
            return {"scene": str(self.scene), "destination": str(self._destination)}
        if self.case.operator == "run":
            return {"scene": str(self.scene)}
        with RenderjuiceClient(self.harness.emulator.api_key, self.harness.emulator.base_url) as client:
            job = client.validate_job(client.create_job(client.upload(self.scene).slug).id)
            self.harness.until(
                lambda: client.get_job(job.id).status == "validated", 60, f"validation of {self.file_name}"
            )
            if self.case.ordered:
                client.start_render(job.id, self.case.ordered)
            return {"job_id": job.id}

    @property
    def _destination(self) -> Path:
        return self.harness.folder / "frames" / self.scene.stem

    # What Airflow says

    @property
    def path(self) -> str:
        """Of the task instance, in Airflow's API."""
        return f"/dags/{self.case.dag_id}/dagRuns/{self.run_id}/taskInstances/{TASK}"

    def state(self) -> str:
        """Of the task, as Airflow has it now."""
        try:
            return str(self.harness.airflow.api("GET", self.path)["state"])
        except RuntimeError as error:
            if " 404 " not in str(error):
                raise
            return GONE

    def is_over(self) -> bool:
        """Whether Airflow is done with the run."""
        if (self.case.dag_id, self.run_id) in self.harness.active_runs():
            return False
        state = self.state()
        if state == GONE:  # with its run, since no task instance of a run that goes on stays away
            return True
        return state in OVER and self.harness.airflow.run_state(self.case.dag_id, self.run_id) in STATES_AT_END

    def logs(self) -> Path:
        """The folder of the logs of all tries."""
        return (
            self.harness.airflow.home
            / "logs"
            / f"dag_id={self.case.dag_id}"
            / f"run_id={self.run_id}"
            / f"task_id={TASK}"
        )

    def has_result(self) -> bool:
        """Whether the task returned a completed render with all its frames."""
        try:
            summary: dict[str, Any] = self.harness.airflow.xcom(self.case.dag_id, self.run_id, TASK)
        except RuntimeError:
            return False
        if self.case.operator == "frames":
            there = list((self._destination / "frames").glob("*.png"))
            return summary.get("complete") is True and len(there) == self.case.frames
        frames = (summary.get("frames_delivered"), summary.get("frames_missing"))
        return summary.get("status") == "completed" and frames == (self.case.frames, [])

    # What Renderjuice says

    def accounts(self) -> list[Account]:
        """Of all jobs that were made of the scene, oldest first."""
        return [one for one in list(self.harness.emulator.ledger.accounts.values()) if one.file_name == self.file_name]

    def status(self) -> str | None:
        """Of the newest job; None before there is one."""
        accounts = self.accounts()
        return accounts[-1].status if accounts else None

    def faults_left(self) -> list[str]:
        """Faults that were meant for this shot, and that no request of it met."""
        left = self.harness.emulator.faults.left()
        return [f"{of} {text}" for of, texts in left.items() if of.endswith(f" {self.file_name}") for text in texts]

    def bill(self) -> tuple[int, int, int]:
        """Renders started, renders that go on, renders that were cancelled."""
        accounts = self.accounts()
        return (
            sum(one.renders_started for one in accounts),
            sum(one.status in RENDER_RUNS for one in accounts),
            sum(one.canceled for one in accounts if one.renders_started),
        )

    def figures(self) -> Figures:
        """What it came to."""
        renders, running, canceled = self.bill()
        if not self.run_id:
            return Figures("not started", result=False, renders=renders, running=running, canceled=canceled)
        return Figures(self.state(), self.has_result(), renders, running, canceled)
