from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from stages import decisions, orders
from stages.delivery import publish
from stages.entries import about, write_entry
from stages.orders import fingerprint, mark_of, night_of
from stages.planning import plan_night
from stages.shot_list import ListedShot
from stages.shot_text import Problem
from stages.storage import put_json
from stages.summary import keep

NIGHT, NIGHTLY = "2026-11-23", "scheduled__2026-11-23T21:00:00+00:00"
MARK = mark_of(NIGHTLY)


@pytest.fixture
def studio(tmp_path):
    (tmp_path / "a.blend").write_bytes(b"scene a")
    return tmp_path


@pytest.fixture
def params(studio):
    return {"shots": [], "quality": "auto", "destination": str(studio / "out"), "work": str(studio / "work")}


@pytest.fixture
def juice(studio):
    return ListedShot(
        name="juice",
        show="citrus",
        files={"base": str(studio / "a.blend")},
        frames=["1-3"],
        fps=24.0,
        priority=50,
        hero=False,
        render={"colorManagementPreset": "default"},
    )


def planned(shots, params, problems=()):
    found = plan_night(shots, problems, params, NIGHT, NIGHTLY)
    return [shot["order"] for shot in found["shots"]], found["entries"]


def run_ids(shots, params):
    return [shot["run_id"] for shot in plan_night(shots, [], params, NIGHT, NIGHTLY)["shots"]]


def delivered(order):
    publish(
        order["delivery"],
        {"version": order["fingerprint"][:16], "fingerprint": order["fingerprint"], "night": NIGHT},
        {},
    )


def test_a_new_shot_is_ordered_and_once_delivered_it_is_skipped(juice, params):
    (order,), entries = planned([juice], params)
    assert entries == []
    delivered(order)

    orders, (entry,) = planned([juice], params)

    assert orders == []
    assert entry == {"shot": "juice", "state": "skipped", "reason": f"unchanged since its delivery of {NIGHT}"}


def test_a_changed_scene_is_rendered_again_and_a_moved_one_is_not(juice, params, studio):
    (order,), _ = planned([juice], params)
    delivered(order)
    (studio / "moved.blend").write_bytes(b"scene a")

    orders, _ = planned([replace(juice, files={"base": str(studio / "moved.blend")}, priority=99)], params)
    assert orders == []

    (studio / "a.blend").write_bytes(b"scene a, with more lemon")
    orders, _ = planned([juice], params)
    assert [order["shot"] for order in orders] == ["juice"]


@pytest.mark.parametrize(
    "change",
    [
        {"frames": ["1-4"]},
        {"fps": 25.0},
        {"hero": True},
        {"render": {"colorManagementPreset": "aces"}},
    ],
)
def test_every_setting_of_the_shot_is_in_its_fingerprint(juice, change):
    content = {"base": "0"}
    assert fingerprint(replace(juice, **change), content, "auto") != fingerprint(juice, content, "auto")


def test_neither_a_note_to_the_farm_nor_another_way_to_write_the_frames_renders_a_shot_again(juice):
    before = fingerprint(juice, {"base": "0"}, "auto")

    noted = replace(juice, render=juice.render | {"notes": "version 7", "minimumRam": 64, "gpuCount": 2})
    assert fingerprint(noted, {"base": "0"}, "auto") == before
    for frames in (["1", "2-3"], ["001-003"], ["3", "1-2"], ["1-3:1"]):
        assert fingerprint(replace(juice, frames=frames), {"base": "0"}, "auto") == before


def test_quality_and_the_pipelines_own_settings_are_in_the_fingerprint(juice, monkeypatch):
    before = fingerprint(juice, {"base": "0"}, "auto")
    assert fingerprint(juice, {"base": "0"}, "final") != before
    assert fingerprint(juice, {"base": "0", "over": "1"}, "auto") != before

    monkeypatch.setitem(decisions.CAPS, "CYCLES", 65)
    changed = fingerprint(juice, {"base": "0"}, "auto")
    monkeypatch.undo()
    monkeypatch.setattr(orders, "PIPELINE", 2)
    assert len({before, changed, fingerprint(juice, {"base": "0"}, "auto")}) == 3


def failed(order, **more):
    return {"shot": "juice", "state": "failed", "reason": "frame 2", "order": order, "render_seconds": 3.0, **more}


def test_what_was_paid_in_vain_this_night_is_not_paid_again_until_it_changes_or_another_night_comes(juice, params):
    (order,), _ = planned([juice], params)
    keep(params["destination"], NIGHT, [failed(order, decision={"jobs": {"base": "1"}})])

    orders, (entry,) = planned([juice], params)
    assert orders == []
    assert (entry["state"], entry["carried_over"]) == ("failed", True)

    assert plan_night([juice], [], params, "2026-11-24", NIGHTLY)["shots"] != []
    assert planned([replace(juice, hero=True)], params)[0] != []


def test_what_failed_before_anything_was_paid_is_tried_again_the_same_night(juice, params):
    (order,), _ = planned([juice], params)
    keep(params["destination"], NIGHT, [failed(order, decision=None)])

    assert planned([juice], params)[0] == [order]


def test_a_shot_with_mistakes_in_the_list_is_rejected_with_all_of_them(juice, params):
    problems = [Problem(4, "no file", "ice"), Problem(5, "unknown key", "ice")]

    orders, entries = planned([juice], params, problems)

    assert len(orders) == 1
    assert entries == [{"shot": "ice", "state": "rejected", "reason": "line 4: no file; line 5: unknown key"}]


def test_a_subset_is_planned_alone_and_a_name_that_is_not_in_the_list_is_an_error(juice, params):
    other = replace(juice, name="ice")
    assert [order["shot"] for order in planned([juice, other], params | {"shots": ["ice"]})[0]] == ["ice"]

    assert len(planned([juice, other], params | {"shots": [" ice ", ""]})[0]) == 1  # as a form hands it over
    with pytest.raises(ValueError, match="has no iec"):
        planned([juice, other], params | {"shots": ["iec"]})


def test_a_night_is_named_in_one_way_only(juice, params):
    assert plan_night([juice], [], params, " 2026-11-23 ", NIGHTLY)["night"] == NIGHT
    for wrong in ("20261123", "2026-W48-1", "../2026"):
        with pytest.raises(ValueError, match="is not a date: write it as 2026-11-23"):
            plan_night([juice], [], params, wrong, NIGHTLY)


def test_the_id_of_a_run_names_shot_version_and_night_and_is_the_same_for_the_same(juice, params, studio):
    (order,), _ = planned([juice], params)

    assert run_ids([juice], params) == [f"juice__{order['fingerprint'][:8]}__{NIGHT}"]
    (studio / "a.blend").write_bytes(b"another scene")
    assert run_ids([juice], params) != [f"juice__{order['fingerprint'][:8]}__{NIGHT}"]


@pytest.mark.parametrize("state", ["rejected", "failed", "delivered"])
def test_what_had_a_run_this_night_gets_another_that_the_same_nightly_finds_again(juice, params, state):
    """Also what was delivered, when someone has removed the delivery."""
    (first,) = run_ids([juice], params)
    (order,), _ = planned([juice], params)
    write_entry(about(order, first) | {"state": state}, order["entry"])

    (again,) = run_ids([juice], params)

    assert again == f"{first}__{MARK}"
    write_entry(about(order, again) | {"state": state}, order["entry"])
    assert run_ids([juice], params) == [again]
    assert plan_night([juice], [], params, NIGHT, "another run")["shots"][0]["run_id"] != again


def test_what_failed_by_hand_is_known_to_the_nightly_before_any_summary(juice, params):
    (order,), _ = planned([juice], params)
    write_entry(failed(order, run_id="manual", spent={"1": 3.0}), order["entry"])

    orders, (entry,) = planned([juice], params)

    assert (orders, entry["carried_over"]) == ([], True)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")])
def test_a_scene_that_cannot_be_read_rejects_its_shot_and_no_other(juice, params, studio, monkeypatch, error):
    locked = str(studio / "locked.blend")

    def read(path):
        if path == locked:
            raise error
        return "0" * 64

    monkeypatch.setattr(orders, "sha256", read)

    found, (entry,) = planned([replace(juice, name="ice", files={"base": locked}), juice], params)

    assert [order["shot"] for order in found] == ["juice"]
    assert entry == {"shot": "ice", "state": "rejected", "reason": f"{locked} cannot be read: {error.strerror}"}


def test_failed_only_takes_up_a_night_of_the_release_before(juice, params):
    """Its orders named no layers and no place for an entry, and its entries no run."""
    (order,), _ = planned([juice], params)
    old = {name: order[name] for name in order if name not in {"layers", "blends", "sequence", "claims", "entry"}}
    entry = failed(old, decision={"jobs": {"base": "1"}, "configs": {"base": {}}}, task="render", spent={"1": 7.0})
    put_json(f"{params['destination']}/nights/{NIGHT}", "summary.json", {"night": NIGHT, "shots": {"juice": entry}})

    (shot,) = plan_night([juice], [], again(params), NIGHT, NIGHTLY)["shots"]

    assert (shot["order"]["work"], shot["why"], shot["replaces"]) == (old["work"], "started again", None)
    assert plan_night([juice], [], params, NIGHT, NIGHTLY)["entries"] == [entry | {"carried_over": True}]


def test_a_reason_is_bounded_and_shows_no_signature(juice, params):
    problem = Problem(4, "there is no file https://x.test/a.blend?sig=s3cr3t " + "x" * 10_000, "ice")

    _, (entry,) = planned([], params, [problem])

    assert len(entry["reason"]) <= 1000
    assert "s3cr3t" not in entry["reason"]


def again(params, **more):
    return params | {"failed_only": True} | more


def test_failed_only_starts_the_failed_shots_of_that_night_again_and_no_others(juice, params):
    ice, new = replace(juice, name="ice"), replace(juice, name="new")
    (order, _), _ = planned([ice, juice], params)
    keep(params["destination"], NIGHT, [failed(order, decision={"jobs": {}}) | {"shot": "ice"}])
    keep(params["destination"], NIGHT, [{"shot": "juice", "state": "rejected", "reason": "no camera"}])

    found = plan_night([juice, ice, new], [], again(params), NIGHT, NIGHTLY)

    assert [(shot["order"]["shot"], shot["why"]) for shot in found["shots"]] == [("ice", "started again")]
    assert found["shots"][0]["run_id"].endswith(f"{NIGHT}__{MARK}")
    assert found["entries"] == []


def test_failed_only_goes_on_with_the_quality_of_the_night_and_reports_what_the_tracker_missed(juice, params):
    (order,), _ = planned([juice], params | {"quality": "final"})
    keep(params["destination"], NIGHT, [failed(order, task="tell_tracker", decision={"jobs": {}})])
    delivered(order)

    (shot,) = plan_night([juice], [], again(params), NIGHT, NIGHTLY)["shots"]

    assert shot["order"]["fingerprint"] == order["fingerprint"]


def test_failed_only_renders_the_new_version_of_a_scene_that_was_corrected(juice, params, studio):
    (order,), _ = planned([juice], params)
    keep(params["destination"], NIGHT, [failed(order, decision={"jobs": {}})])
    (studio / "a.blend").write_bytes(b"corrected")

    (shot,) = plan_night([juice], [], again(params), NIGHT, NIGHTLY)["shots"]

    assert shot["order"]["work"] != order["work"]  # frames of two versions are never mixed


def test_failed_only_reports_a_failed_shot_that_is_not_in_the_list_any_more_or_has_a_mistake_now(juice, params):
    (order,), _ = planned([juice], params)
    keep(params["destination"], NIGHT, [failed(order), failed(order) | {"shot": "ice"}])

    found = plan_night([], [Problem(4, "no file", "ice")], again(params), NIGHT, NIGHTLY)

    assert found["shots"] == []
    assert {entry["shot"]: entry["state"] for entry in found["entries"]} == {"ice": "rejected", "juice": "failed"}
    assert "does not have it any more" in found["entries"][1]["reason"]


def test_failed_only_refuses_a_night_without_a_summary_and_a_shot_that_the_night_did_not_have(juice, params):
    with pytest.raises(ValueError, match=f"no summary of the night of {NIGHT}"):
        plan_night([juice], [], again(params), NIGHT, NIGHTLY)
    (order,), _ = planned([juice], params)
    keep(params["destination"], NIGHT, [failed(order)])

    with pytest.raises(ValueError, match=f"The night of {NIGHT} had no iec"):
        plan_night([juice], [], again(params, shots=["iec"]), NIGHT, NIGHTLY)
    assert len(plan_night([juice], [], again(params, shots=[" juice ", ""]), NIGHT, NIGHTLY)["shots"]) == 1


def test_a_misspelt_quality_is_refused_before_anything_is_hashed(juice, params):
    with pytest.raises(ValueError, match="There is no quality 'great': write auto, economical or final"):
        plan_night([replace(juice, files={"base": "/no/file"})], [], params | {"quality": "great"}, NIGHT, NIGHTLY)


def test_a_night_ends_at_noon():
    assert night_of(datetime(2026, 11, 23, 21, 0, tzinfo=UTC), "Europe/Berlin") == "2026-11-23"
    assert night_of(datetime(2026, 11, 24, 2, 0, tzinfo=UTC), "Europe/Berlin") == "2026-11-23"
    assert night_of(datetime(2026, 11, 24, 11, 0, tzinfo=UTC), "Europe/Berlin") == "2026-11-24"
