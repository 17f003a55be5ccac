"""A file that the stages did not write, or that was damaged, is one clear error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stages.contact_sheet import contact_sheet
from stages.delivery import lost_passes
from stages.morning_report import write
from stages.planning import plan_night
from stages.records import RecordError
from stages.summary import keep

NIGHT = "2026-11-23"
FILE = {"place": "frames/0001.png", "kind": "frame", "size": 9}
ENTRY = {
    "shot": "ice",
    "state": "failed",
    "reason": "frame 6",
    "order": {"shot": "ice", "files": {"base": "ice.blend"}, "content": {"base": "0"}, "work": "w"},
    "decision": {"frames": ["1-6"], "jobs": {"base": "1"}, "configs": {"base": {}}},
}


def without(field, entry):
    return {name: value for name, value in entry.items() if name != field}


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        ([], "all of it"),
        ("a text", "all of it"),
        (7, "all of it"),
        ({"files": 7}, "files"),
        ({"files": ["frames/0001.png"]}, "files.0"),
        ({"files": [without("kind", FILE)]}, "files.0.kind"),
        ({"files": [FILE | {"place": 7}]}, "files.0.place"),
        ({"files": [FILE | {"size": None}]}, "files.0.size"),
        ({"files": [FILE], "requested_frames": {"1": 2}}, "requested_frames"),
    ],
)
def test_a_manifest_of_something_else_makes_no_contact_sheet(tmp_path, manifest, field):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest))

    with pytest.raises(RecordError, match=rf"manifest\.json is damaged.*malformed: {field}\. Restore the file"):
        contact_sheet.function({"destination": str(tmp_path), "manifest": str(path)})


@pytest.mark.parametrize(
    ("manifest", "field"), [([], "all of it"), ({"missing": 7}, "missing"), ({"missing": ["Depth"]}, "missing.0")]
)
def test_nor_does_it_say_which_passes_are_lost(tmp_path, manifest, field):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(RecordError, match=f"malformed: {field}"):
        lost_passes({"work": str(tmp_path), "files": {"base": "a.blend"}})


def add(folder):
    keep(folder, NIGHT, [{"shot": "juice", "state": "skipped", "reason": "unchanged"}])


def plan(folder):
    params = {"shots": [], "quality": "auto", "destination": folder, "work": folder}
    plan_night([], [], params, NIGHT, "a-run")


def plan_again(folder):
    params = {"shots": [], "quality": "auto", "destination": folder, "work": folder, "failed_only": True}
    plan_night([], [], params, NIGHT, "a-run")


def write_report(folder):
    write(folder, NIGHT)


@pytest.mark.parametrize("use", [add, plan, plan_again, write_report])
@pytest.mark.parametrize(
    ("summary", "field"),
    [
        ([], "all of it"),
        ({}, "shots"),
        ({"shots": [ENTRY]}, "shots"),
        ({"shots": {"ice": "failed"}}, "shots.ice"),
        ({"shots": {"ice": without("state", ENTRY)}}, "shots.ice.state"),
        ({"shots": {"ice": without("shot", ENTRY)}}, "shots.ice.shot"),
        ({"shots": {"ice": ENTRY | {"spent": {"1": "much"}}}}, "shots.ice.spent.1"),
        ({"shots": {"ice": ENTRY | {"frames": None}}}, "shots.ice.frames"),
        ({"shots": {"ice": ENTRY | {"missing": [{"frames": [1]}]}}}, "shots.ice.missing.0.layer"),
        ({"shots": {"ice": ENTRY | {"order": "all"}}}, "shots.ice.order"),
    ],
)
def test_a_summary_of_something_else_is_neither_used_nor_overwritten(tmp_path, use, summary, field):
    path = tmp_path / "nights" / NIGHT / "summary.json"
    path.parent.mkdir(parents=True)
    path.write_text(before := json.dumps(summary))

    with pytest.raises(RecordError, match=rf"summary\.json is damaged.*malformed: {field}"):
        use(str(tmp_path))
    assert path.read_text() == before


def test_an_entry_of_something_else_is_not_kept_and_leaves_the_summary_as_it_was(tmp_path):
    path = Path(keep(str(tmp_path), NIGHT, [ENTRY]))
    before = path.read_text()

    with pytest.raises(RecordError, match=r"An entry in .*shots is damaged.*malformed: shots\.ice\.frames"):
        keep(str(tmp_path), NIGHT, [ENTRY | {"frames": "all"}])
    assert path.read_text() == before


def test_a_long_list_of_mistakes_is_cut_short(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"files": list(range(100))}))

    with pytest.raises(RecordError, match=r"files\.4, \.\.\.\. Restore"):
        contact_sheet.function({"destination": str(tmp_path), "manifest": str(path)})
