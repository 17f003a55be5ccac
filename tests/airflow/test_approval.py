"""A shot that waits for a person on a real Airflow: approved, refused, and not answered."""

from __future__ import annotations

import json
import re

import pytest

from renderjuice_emulator.scenes import write_scene
from tests.airflow.test_nights import SHOT, Studio

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
NIGHT = "2026-10-02"
FRAMES = 12
ANSWERS = {"wanted": "Approve", "refused": "Reject", "forgotten": None}


class ApprovalStudio(Studio):
    patience = 400

    def __init__(self, airflow, emulator, folder):
        self.airflow, self.emulator, self.folder = airflow, emulator, folder
        shots = []
        for name in ANSWERS:
            write_scene(folder / f"{name}.blend", frame_end=FRAMES, resolution=(64, 36), seconds_per_frame=10)
            shots.append({"name": name, "file": f"{name}.blend"})
        content = {"show": "citrus", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
        (folder / "shots.json").write_text(json.dumps(content))
        self.places = {"destination": str(folder / "out"), "work": str(folder / "work"), "date": NIGHT}
        self.places: dict[str, object] = {**self.places, "shot_list": str(folder / "shots.json"), "ask_above": 10}

    def question(self, run_id):
        path = f"/dags/{SHOT}/dagRuns/{run_id}/taskInstances/share/-1/hitlDetails"
        response = self.airflow.request("GET", f"/api/v2{path}")
        return response.json() if response.is_success else None

    def answer(self, run_id, option):
        path = f"/dags/{SHOT}/dagRuns/{run_id}/taskInstances/share/-1/hitlDetails"
        self.airflow.api("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def entry(self, shot):
        return json.loads((self.folder / "out/nights" / NIGHT / "shots" / f"{shot}.json").read_text())

    def frames_paid(self, shot):
        accounts = self.emulator.ledger.accounts.values()
        return sum(account.frames_rendered for account in accounts if account.file_name == f"{shot}.blend")


@pytest.fixture(scope="module")
def studio(airflow, emulator, tmp_path_factory):
    return ApprovalStudio(airflow, emulator, tmp_path_factory.mktemp("approval"))


@pytest.fixture(scope="module")
def runs(studio):
    """Each shot's run, which is over; and the question that it asked."""
    found = {}
    for shot in ANSWERS:
        run_id = studio.airflow.trigger(SHOT, studio.places | {"shot": shot})
        found[shot] = run_id, studio.until(lambda run_id=run_id: studio.question(run_id), f"the question of {shot}")
    for shot, option in ANSWERS.items():
        if option:
            studio.answer(found[shot][0], option)
    for run_id, _ in found.values():
        assert studio.ends(SHOT, run_id) == "success", studio.log(SHOT, run_id, "share")[-3000:]
    return found


def test_the_question_has_the_quote_the_reason_and_a_frame(studio, runs):
    _, question = runs["wanted"]

    assert "wanted" in question["subject"]
    assert "normalized seconds** are likely" in question["body"]
    assert "`ask_above`, 10" in question["body"]
    picture = studio.airflow.request("GET", re.search(r"!\[.*\]\((.*)\)", question["body"])[1])
    assert picture.headers["content-type"].startswith("image/"), picture.text


def test_what_is_approved_is_rendered_once_and_delivered(studio, runs):
    assert studio.entry("wanted")["state"] == "delivered"
    assert studio.frames_paid("wanted") == FRAMES


@pytest.mark.parametrize(("shot", "why"), [("refused", "has refused it"), ("forgotten", "nobody has answered")])
def test_what_is_refused_or_not_answered_costs_its_probe_and_no_more(studio, runs, shot, why):
    entry = studio.entry(shot)

    assert entry["state"] == "held"
    assert why in entry["reason"]
    assert studio.frames_paid(shot) == 3
    assert studio.emulator.ledger.jobs_left_running() == []
