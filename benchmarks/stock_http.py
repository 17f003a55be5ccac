"""The same misfortunes for this provider and for Airflow's own HttpOperator and HttpSensor.

Run with `make bench-chaos`. It reports; what is proven, and fails when it is not true, is `make
chaos`.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proofs.chaos.case import Faults, Figures
from proofs.chaos.driver import Report, judge, perform
from proofs.chaos.harness import DAGS, KEY, Harness
from proofs.chaos.kill_points import POINTS
from proofs.chaos.moves import mark, outage, send, until_job_is, until_task_is
from proofs.chaos.network import storm
from proofs.chaos.scenario import Move, Scenario
from proofs.chaos.shots import Shot
from proofs.chaos.table import table
from renderjuice_provider.api.client import RenderjuiceClient

FOLDER = Path(__file__).parents[1] / ".run" / "bench-chaos"
STOCK_DAGS = Path(__file__).parent / "dags"
SEED = 1
ENDLESS = 100
"""Frames of a scene that nobody here sees completed."""


class StockShot(Shot):
    """A shot whose DAG is made of stock operators.

    The scene is uploaded for it: a PUT of a file is nothing that they do.
    """

    def subject(self) -> dict[str, Any]:
        """The slug, and a connection of type http."""
        with RenderjuiceClient(KEY, self.harness.emulator.base_url) as client:
            slug = client.upload(self.scene).slug
        relay, base = self.harness.relays.get(self.case.connection), urlsplit(self.harness.emulator.base_url)
        host = base._replace(netloc=f"127.0.0.1:{relay.port}") if relay else base
        connection = {"connection_id": f"http-{self.file_name}", "conn_type": "http", "host": host.geturl()}
        extra = json.dumps({"Authorization": f"Bearer {KEY}"})
        self.harness.change("POST", "/connections", connection | {"extra": extra})
        return {"slug": slug, "connection": connection["connection_id"]}

    def has_result(self) -> bool:
        """There is no summary: that the last wait succeeded is all there is."""
        return self.state() == "success"


def clear_run(harness: Harness, shots: Sequence[Shot]) -> None:
    """As the button "clear run" does."""
    for shot in shots:
        harness.change(
            "POST",
            f"/dags/{shot.case.dag_id}/dagRuns/{shot.run_id}/clear",
            {"dry_run": False, "only_failed": False},
        )


def misfortunes() -> list[Scenario]:
    """What both are put through, as expected of a shot that is rendered once and returned."""

    def scenario(group: str, *moves: Move, faults: Faults = (), variant: str = "plain", **more: Any) -> Scenario:
        name = group.replace(" ", "-").replace(",", "")
        return Scenario(group, name, "run", "deferred", variant, faults=faults, moves=moves, **more)

    waiting = (until_job_is("rendering"), until_task_is("running", "deferred"))
    stopped = Figures(state="failed", result=False, canceled=1)
    found = [
        scenario(f"{point} at {call}", faults=((call, ("ok",) * spared + (point,)),), seconds=5)
        for call, spared in (("create_job", 0), ("validate_job", 0), ("get_job", 1), ("start_render", 0))
        for point in POINTS
    ]
    return [
        *found,
        scenario("marked failed", *waiting, mark("failed"), frames=ENDLESS, expect=stopped),
        scenario("run cleared", *waiting, clear_run, seconds=8),
        scenario("run timed out", variant="hurried", frames=ENDLESS, expect=replace(stopped, state="skipped")),
        scenario("a poll answered with 503", *waiting, faults=(("get_job", ("ok", "503")),)),
        scenario("a poll answered with html", *waiting, faults=(("get_job", ("ok", "nonsense")),)),
        scenario(
            "unreachable for a minute",
            until_job_is("rendering"),
            outage("refuse", 60),
            connection="relay",
            relayed=True,
        ),
    ]


def main() -> None:
    """Both, one after the other, and the table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(FOLDER, ignore_errors=True)
    dags = FOLDER / "dags"
    shutil.copytree(DAGS, dags)
    shutil.copytree(STOCK_DAGS, dags, dirs_exist_ok=True)
    with Harness(FOLDER, dags) as harness:
        print("Airflow and the emulator are up", flush=True)
        for title, make in (("this provider", Shot), ("HttpOperator and HttpSensor", StockShot)):
            reports = judge(_perform(harness, make))
            print(f"\n{title}\n{table(reports)}", flush=True)


def _perform(harness: Harness, make: type[Shot]) -> list[Report]:
    scenarios = [*misfortunes(), *(one for one in storm(SEED) if "run-deferred" in one.name)][:34]
    power = Scenario(
        "kill -9 of the scheduler and its workers",
        "scheduler-killed",
        "run",
        "deferred",
        shots=4,
        seconds=10,
        moves=(until_job_is("rendering"), send(signal.SIGKILL, "scheduler")),
    )
    return perform(harness, _of(make, scenarios), 16, make) + perform(harness, _of(make, [power]), 1, make)


def _of(make: type[Shot], scenarios: Sequence[Scenario]) -> list[Scenario]:
    if make is Shot:
        return list(scenarios)
    return [replace(one, name=f"stock-{one.name}", dag=f"stock_{one.variant}") for one in scenarios]


if __name__ == "__main__":
    main()
