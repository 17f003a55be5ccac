"""Import every example DAG, and run each with `dag.test()` against an emulator.

Does this Airflow carry them?

    python -m proofs.matrix.try_dags

For the environments of `make matrix`, so it needs no more than Airflow and the extras `emulator`
and `media`. What the runs make is judged by tests/dags; here it is enough that each ends as it has
to.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from renderjuice_emulator.fast import FastRenderer
from renderjuice_emulator.rendering import RenderedFile, RenderFailedError, RenderOrder
from renderjuice_emulator.testing import Emulator, write_scene
from tools.local_airflow import LocalAirflow
from tools.started_runs import performed
from tools.tracker import LocalTracker

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
NIGHT = "2026-11-23"
SHOTS = """\
show: citrus
defaults: {render: {colorManagementPreset: default}}
shots:
  - {name: label, layers: {base: base.blend, over: over.blend}}
"""
AFTER_DELIVERIES = "renderjuice_reel"
"""Imported only: what starts it is that a scheduler hears of deliveries."""
UNLUCKY = 13
"""Samples of the scene whose renders fail at first."""


class Unlucky(FastRenderer):
    """Fails the unlucky scene for one night, so that there is something to repair."""

    bad_night = True

    async def render(self, order: RenderOrder) -> AsyncIterator[RenderedFile]:
        """As its base does, but for the one."""
        async for file in super().render(order):
            if order.report.samples == UNLUCKY and Unlucky.bad_night:
                raise RenderFailedError("this frame could not be rendered", "RENDER_ERROR")
            yield file


def main() -> None:
    """The command line.

    Exits with 1 when a DAG cannot be imported, warns, or does not end as it has to.
    """
    with tempfile.TemporaryDirectory() as folder, Emulator(renderer=Unlucky) as emulator:
        home = Path(folder)
        tracker = LocalTracker(home)
        renderjuice = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
        airflow = LocalAirflow(
            home / "airflow",
            DAGS,
            {
                "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(renderjuice),
                "AIRFLOW_CONN_PRODUCTION_TRACKER": json.dumps({"conn_type": "http", "host": tracker.url}),
                "RENDERJUICE_POLL_INTERVAL": "0.05",
                "RENDERJUICE_DEADLINE_HOURS": "0",  # dag.test() fails where a DAG has a deadline
            },
        )
        os.environ.update(airflow.environment)
        sys.path.append(str(DAGS))  # as Airflow does it for a bundle of DAGs
        try:
            airflow.prepare()
            airflow.command("dags", "reserialize")  # before Airflow 3.3, dag.test() does not do it
            trouble = _try_all(home)
        finally:
            tracker.program.stop()
    print("\n".join(trouble) or "Every example DAG imports without a warning, and runs.")
    sys.exit(bool(trouble))


def _try_all(folder: Path) -> list[str]:
    scene: dict[str, Any] = {"frame_end": 2, "resolution": (64, 36)}
    write_scene(folder / "base.blend", **scene)
    write_scene(folder / "over.blend", **scene, film_transparent=True, samples=UNLUCKY)
    (folder / "shots.yaml").write_text(SHOTS)
    bulk = folder / "bulk"
    bulk.mkdir()
    for name in ("one", "two"):
        write_scene(bulk / f"{name}.blend", frame_end=2, resolution=(16, 16))
    out = str(folder / "out")
    night = {"shot_list": str(folder / "shots.yaml"), "destination": out, "work": str(folder / "work"), "date": NIGHT}
    runs: list[tuple[str, dict[str, Any], str]] = [
        ("renderjuice_quickstart", {"scene": str(folder / "base.blend"), "destination": out + "/first"}, "success"),
        ("renderjuice_nightly", night, "failed"),
        ("renderjuice_nightly", night | {"failed_only": True}, "success"),
        ("renderjuice_shot", night | {"shot": None, "file": str(folder / "base.blend")}, "success"),
        ("renderjuice_bulk", {"scenes": str(bulk), "destination": out + "/bulk"}, "success"),
        ("renderjuice_on_complete", {"destination": out + "/completed", "days": 1}, "success"),
    ]

    from renderjuice_provider.triggers import renderjuice as triggers

    triggers.FIRST_POLL = 0.0  # there is no scheduler that could lag
    bag, warned = _dag_bag()
    trouble = [f"{path}: {error}" for path, error in bag.import_errors.items()] + warned
    if strange := bag.dags.keys() ^ {AFTER_DELIVERIES, *(dag_id for dag_id, _, _ in runs)}:
        trouble.append(f"not what there should be: {', '.join(sorted(strange))}")
    for dag_id, conf, expected in [] if trouble else runs:
        with performed(bag.dags):
            state = bag.dags[dag_id].test(run_conf=conf).state
        if state != expected:
            trouble.append(f"{dag_id} ended as {state}, not as {expected}")
        Unlucky.bad_night = Unlucky.bad_night and dag_id != "renderjuice_nightly"
    return trouble


def _dag_bag() -> tuple[Any, list[str]]:
    """The example DAGs, and every warning of reading them.

    By default Python hides deprecations, and a later Airflow refuses what this one warns of.
    """
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "GitWildMatchPattern")  # how Airflow reads .airflowignore
        bag = DagBag(str(DAGS))
    found = [f"{path}: {warning}" for path, captured in bag.captured_warnings.items() for warning in captured]
    return bag, found + [f"{warning.filename}: {warning.message}" for warning in caught]


if __name__ == "__main__":
    main()
