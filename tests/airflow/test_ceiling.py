"""A night with a ceiling on a real Airflow: quotes, shares, a second wave, and what is held."""

from __future__ import annotations

import csv
import json

import pytest

from renderjuice_emulator.scenes import write_scene
from tests.airflow.test_nights import NIGHTLY, Studio

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
NIGHT = "2026-10-01"
CEILING = 450.0
FRAMES = {"dear_1": 12, "dear_2": 12, "late_1": 12, "huge_1": 400}
"""With 10 s each: 120 s for each of three, of which two fit at once, and 4,000 s."""


class CeilingStudio(Studio):
    patience = 500  # probes, renders, and a second wave

    def __init__(self, airflow, emulator, folder):
        self.airflow, self.emulator, self.folder = airflow, emulator, folder
        shots = []
        for name, frames in FRAMES.items():
            write_scene(folder / f"{name}.blend", frame_end=frames, resolution=(64, 36), seconds_per_frame=10)
            shots.append({"name": name, "file": f"{name}.blend"})
        content = {"show": "citrus", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
        (folder / "shots.json").write_text(json.dumps(content))
        self.places = {"destination": str(folder / "out"), "work": str(folder / "work"), "date": NIGHT}
        self.places |= {"shot_list": str(folder / "shots.json")}

    def summary(self):
        return json.loads((self.folder / "out/nights" / NIGHT / "summary.json").read_text())["shots"]

    def shares(self):
        """All that the log of shares says, one after the other."""
        folder = self.folder / "out/nights" / NIGHT / "shares"
        return [json.loads(path.read_text()) for path in sorted(folder.glob("0*.json"))]


@pytest.fixture(scope="module")
def studio(airflow, emulator, tmp_path_factory):
    return CeilingStudio(airflow, emulator, tmp_path_factory.mktemp("ceiling"))


@pytest.fixture(scope="module")
def night(studio):
    run_id = studio.airflow.trigger(NIGHTLY, studio.places | {"ceiling": CEILING})
    assert studio.ends(NIGHTLY, run_id) == "success", [
        studio.log(NIGHTLY, run_id, task)[-3000:] for task in ("plan", "report")
    ]
    return run_id


def test_what_fits_is_delivered_what_waits_comes_later_and_what_is_too_dear_is_held(studio, night):
    assert {name: entry["state"] for name, entry in studio.summary().items()} == {
        "dear_1": "delivered",
        "dear_2": "delivered",
        "late_1": "delivered",
        "huge_1": "held",
    }


def test_what_was_handed_out_never_exceeded_the_ceiling(studio, night):
    for state in studio.shares():
        handed_out = sum(sum(shot["given"].values()) + sum(shot["spent"].values()) for shot in state["shots"].values())
        assert handed_out <= CEILING + 1


def test_every_frame_was_paid_once(studio, night):
    accounts = [
        account
        for account in studio.emulator.ledger.accounts.values()
        if account.file_name.startswith(("dear", "late"))
    ]
    assert sum(account.frames_rendered for account in accounts) == 36


def test_the_bill_knows_what_each_job_has_cost_probes_too(studio, night):
    """Also the entries, of which the next night makes its quotes."""
    bill = (studio.folder / "out/nights" / NIGHT / "bill.csv").read_text()
    rows = list(csv.DictReader(bill.splitlines()))
    (whole,) = [row for row in rows if row["level"] == "night"]
    assert (whole["jobs_of_unknown_cost"], float(whole["ceiling"])) == ("0", CEILING)
    assert float(whole["seconds"]) == pytest.approx(sum(float(row["seconds"]) for row in rows if row["level"] == "job"))
    assert 0 < float(whole["seconds"]) <= CEILING + 1
    for name in ("dear_1", "dear_2", "late_1"):
        entry = json.loads((studio.folder / "out/nights" / NIGHT / f"shots/{name}.json").read_text())
        assert None not in entry["by_layer"]["base"].values()
        assert entry["quote"]["least"] <= entry["quote"]["most"] == entry["share"]
        (shot,) = [row for row in rows if row["level"] == "shot" and row["shot"] == name]
        assert (shot["frames_ordered"], shot["frames_again"]) == ("12", "0")
