"""A file that the stages did not write, or that was damaged, is one clear error."""

from __future__ import annotations

import json

import pytest
from stages.contact_sheet import contact_sheet
from stages.delivery import lost_passes
from stages.planning import plan_night
from stages.records import RecordError
from stages.rerender import plan_repairs
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


def repair(folder):
    plan_repairs(folder, NIGHT, (), pytest.fail)


def add(folder):
    keep(folder, NIGHT, [{"shot": "juice", "state": "skipped", "reason": "unchanged"}])


def plan(folder):
    plan_night([], [], {"shots": [], "quality": "auto", "destination": folder, "work": folder}, NIGHT)


@pytest.mark.parametrize("use", [repair, add, plan])
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


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (without("order", ENTRY), "order"),
        (ENTRY | {"order": without("work", ENTRY["order"])}, "order.work"),
        (ENTRY | {"order": ENTRY["order"] | {"content": {}}}, "all of it"),
        (ENTRY | {"decision": without("jobs", ENTRY["decision"])}, "decision.jobs"),
        (ENTRY | {"decision": ENTRY["decision"] | {"configs": {"over": {}}}}, "all of it"),
        (ENTRY | {"decision": ENTRY["decision"] | {"configs": 7}}, "decision.configs"),
    ],
)
def test_a_failed_shot_is_not_repaired_by_halves(tmp_path, entry, field):
    keep(str(tmp_path), NIGHT, [entry])

    with pytest.raises(RecordError, match=rf"The entry of ice in .*summary\.json is damaged.*malformed: {field}"):
        repair(str(tmp_path))


def test_a_shot_that_failed_while_it_was_rejected_was_never_paid(tmp_path):
    keep(str(tmp_path), NIGHT, [ENTRY | {"decision": {"branch": "reject", "reasons": ["no camera"]}}])

    (entry,) = plan_repairs(str(tmp_path), NIGHT, (), pytest.fail)["entries"]

    assert "it never came to rendering" in entry["reason"]


def test_a_long_list_of_mistakes_is_cut_short(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"files": list(range(100))}))

    with pytest.raises(RecordError, match=r"files\.4, \.\.\.\. Restore"):
        contact_sheet.function({"destination": str(tmp_path), "manifest": str(path)})
