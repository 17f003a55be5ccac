"""The nightly's own tasks, called as plain functions: what is refused, and who gets to know why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from stages import night

NIGHT = "2026-11-23"
LIST = """\
show: citrus
defaults: {render: {colorManagementPreset: default}}
shots:
  - {name: juice, file: juice.blend}
"""


class Ti:
    """A task instance of the nightly, to which Airflow says of every shot's run that it failed."""

    dag_id, run_id = "renderjuice_nightly", "tonight"

    def __init__(self, refused=None):
        self.xcoms, self.refused, self.notes = {}, refused, []

    def xcom_push(self, key, value):
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, task_ids, key, dag_id="renderjuice_nightly", **_):
        if dag_id == "renderjuice_nightly":
            return self.xcoms.get(key)
        assert (dag_id, task_ids, key) == ("renderjuice_shot", "take_order", "refused")
        return self.refused

    def update_dagrun_note(self, note):
        self.notes.append(note)

    def get_dr_count(self, **_):
        return 1

    def get_dagrun_state(self, **_):
        return "failed"

    def get_task_states(self, *, run_ids, **_):
        return {run_ids[0]: {"take_order": "failed", "upload": "upstream_failed"}}


@pytest.fixture
def params(tmp_path):
    (tmp_path / "juice.blend").write_bytes(b"juice")
    (tmp_path / "shots.yaml").write_text(LIST)
    places = {"destination": str(tmp_path / "out"), "work": str(tmp_path / "work")}
    chosen = {"date": NIGHT, "shots": [], "failed_only": False, "quality": "auto", "dry_run": False}
    return places | chosen | {"shot_list": str(tmp_path / "shots.yaml")}


def plan(params, ti):
    return night.plan.function(params=params, ti=ti, dag_run=SimpleNamespace(run_after=datetime.now(UTC)))


def report(params, ti):
    with pytest.raises(AirflowFailException) as error:
        night.report.function(params=params, ti=ti)
    return str(error.value)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"shot_list": "/no/list"}, "The shot list /no/list cannot be read"),
        ({"destination": "out"}, "`destination` is 'out': write a whole path"),
        ({"work": "/dev/null/work"}, "Nothing can be written to `work`, /dev/null/work: "),
        ({"failed_only": True}, f"There is no summary of the night of {NIGHT}"),
    ],
)
def test_why_a_night_was_refused_is_in_the_report_and_in_the_note_of_its_run(params, wrong, reason):
    ti = Ti()
    with pytest.raises(AirflowFailException, match=f"^{reason}"):
        plan(params | wrong, ti)

    reported = report(params | wrong, ti)

    assert reported.startswith(f"Nothing was planned: {reason}")
    assert ti.notes == [reported]


def test_why_a_shot_was_refused_when_its_run_began_is_in_the_report(params):
    ti = Ti(refused="juice cannot be rendered: there is no file. Nothing was sent, and nothing was spent.")
    assert [row["conf"]["shot"] for row in plan(params, ti)] == ["juice"]

    reported = report(params, ti)

    assert reported.startswith(f"1 shot failed. juice: {ti.refused}")


def test_a_shot_whose_run_left_no_reason_is_reported_with_where_to_look(params):
    ti = Ti()
    plan(params, ti)

    assert "see the log of take_order" in report(params, ti)
