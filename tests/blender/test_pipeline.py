"""From Blender, and from a shell, through a real Airflow to a delivery."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from tests.blender.test_other_tools_page import PIPELINE, STOP_RUN, run
from tests.stages.test_real_blenders import PYTHONS
from tests.support.in_blender import NEEDS_BLENDER, Use
from tests.support.night import tracking
from tests.support.until import until
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.airflow, *NEEDS_BLENDER]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def python() -> str:
    """The newest Blender: what differs between them is tested without Airflow."""
    return list(PYTHONS.values())[-1]


@pytest.fixture
def tracker() -> Iterator[str]:
    """The URL of a production tracker, which the pipeline reports to at its end."""
    with tracking() as url:
        yield url


@pytest.fixture
def airflow(farm: Emulator, tracker: str, tmp_path: Path) -> Iterator[LocalAirflow]:
    connection = {"conn_type": "renderjuice", "host": farm.base_url, "password": farm.api_key}
    environment = {
        "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_PRODUCTION_TRACKER": json.dumps({"conn_type": "http", "host": tracker}),
        "RENDERJUICE_POLL_INTERVAL": "1",
        "RENDERJUICE_DELIVERIES": str(tmp_path / "shared" / "deliveries"),
        "RENDERJUICE_WORK": str(tmp_path / "work"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    airflow = LocalAirflow(tmp_path / "airflow", ROOT / "dags", environment)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()


def test_the_pipeline_is_started_from_blender_and_from_a_shell(
    use: Use, airflow: LocalAirflow, farm: Emulator, tmp_path: Path
) -> None:
    until(lambda: not airflow.request("GET", "/api/v2/dags/renderjuice_shot").is_error, 120)
    shared = {"folder": str(tmp_path / "shared"), "airflow_url": airflow.url, "user": "admin"}

    wrong = use("pipeline", password="not the password", preferences=shared)
    assert "refused the sign-in" in wrong["error"]
    done = use("pipeline", password=airflow.password, preferences=shared)

    assert done["error"] == ""
    assert [Path(frame).name for frame in done["frames"]] == [f"sh010.{number:04d}.png" for number in (1, 2, 3)]
    assert done["colours"] == ["red", "green", "blue"]
    assert airflow.run_state("renderjuice_shot", done["run_id"]) == "success"
    assert farm.ledger.renders_started() == 1

    variables = {"AIRFLOW": airflow.url, "AIRFLOW_USER": "admin", "AIRFLOW_PASSWORD": airflow.password, "PAUSE": "1"}
    scene = use("saved")["scene"]
    shell = run(PIPELINE, tmp_path, SCENE=scene, **variables)
    assert shell.returncode == 0, shell.stderr
    assert (manifest := Path(shell.stdout.splitlines()[-1])).name == "manifest.json"
    assert len(json.loads(manifest.read_text())["files"]) == 5  # three frames, the movie, the contact sheet
    assert farm.ledger.renders_started() == 2


def test_a_run_that_is_stopped_from_a_shell_cancels_its_job(
    use: Use, airflow: LocalAirflow, farm: Emulator, tmp_path: Path
) -> None:
    """Its render waits behind another one, so it cannot end by itself."""
    scene = Path(use("saved")["scene"])
    client = RenderjuiceClient(farm.api_key, base_url=farm.base_url)
    first = client.validate_job(client.create_job(client.upload(scene).slug).id)
    until(lambda: client.get_job(first.id).status == "validated", 120)
    client.start_render(first.id, {"colorManagementPreset": "default", "frameRanges": ["1-50000"]})
    later = tmp_path / "later.blend"
    later.write_bytes(scene.read_bytes())
    run_id = airflow.trigger("renderjuice_shot", {"file": str(later), "frames": "1-3"})
    until(lambda: farm.ledger.renders_started() == 2, 120)
    until(lambda: [ti["state"] for ti in airflow.tasks("renderjuice_shot", run_id, "deferred")], 120)

    token = airflow.request("GET", "/api/v2/version").request.headers["Authorization"].removeprefix("Bearer ")
    stopped: subprocess.CompletedProcess[str] = run(STOP_RUN, tmp_path, AIRFLOW=airflow.url, RUN=run_id, TOKEN=token)

    assert stopped.stdout.strip() == "failed", stopped.stderr
    (own,) = farm.ledger.accounts.keys() - {first.id}
    until(lambda: farm.ledger.accounts[own].canceled, 120)
    client.cancel_job(first.id)
    client.close()
    assert farm.ledger.jobs_left_running() == []
