from __future__ import annotations

import hashlib
import json
from pathlib import Path

import av
import pytest
from stages import delivery
from stages.delivery import check_not_anothers, current_delivery, deliver, publish
from stages.storage import storage
from stages.summary import report

ORDER = {"shot": "juice", "show": "citrus", "night": "2026-11-23", "content": {"base": "0" * 64}}
DECISION = {"fps": 24.0, "branch": "final", "frames": ["1-5"], "jobs": {"base": "job-1"}}
COMPOSITED = {"frames": 5, "width": 32, "height": 18, "view": "Un-tone-mapped"}


@pytest.fixture
def frames(sequence):
    return sequence("frames", range(1, 6))


@pytest.fixture(params=["folder", "object store"])
def shots(request, tmp_path):
    """A shot's folder in two kinds of store."""
    return str(tmp_path / "shots") if request.param == "folder" else f"memory://{tmp_path.name}/shots"


def order(where, content="1"):
    return ORDER | {"delivery": f"{where}/juice", "fingerprint": hashlib.sha256(content.encode()).hexdigest()}


def everything(where):
    """Bytes and time of change of every object."""
    files = [path for path in storage(where).rglob("*") if path.is_file()]
    return {str(path): (path.read_bytes(), str(path.stat().st_mtime)) for path in files}


def test_a_delivery_holds_movie_frames_contact_sheet_and_a_manifest_of_their_hashes(shots, frames):
    reported = deliver(order(shots), DECISION, COMPOSITED, frames)

    manifest = current_delivery(f"{shots}/juice")
    folder = storage(f"{shots}/juice/{reported['version']}")
    names = ["contact_sheet.png", *(f"frames/juice.{n:04d}.png" for n in range(1, 6)), "juice.mp4"]
    assert [file["path"] for file in manifest["files"]] == names
    for file in manifest["files"]:
        content = folder.joinpath(file["path"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert manifest["frame_ranges"] == ["1-5"]
    assert manifest["jobs"] == {"base": "job-1"}
    assert manifest["burn_in"] is True
    assert reported["new"] is True
    with storage(reported["movie"]).open("rb") as file, av.open(file) as movie:
        assert len(list(movie.decode(video=0))) == 5


def test_what_looks_wrong_and_stays_is_in_the_manifest_of_the_delivery(shots, frames, tmp_path):
    (tmp_path / "work/base").mkdir(parents=True)
    found = {"files": [], "remarks": {"frames/0002.png": "it is black"}, "again": ["frames/0002.png"]}
    (tmp_path / "work/base/manifest.json").write_text(json.dumps(found))
    of_layer = {"work": str(tmp_path / "work"), "files": {"base": "juice.blend"}}
    for _ in range(2):
        reported = deliver(order(shots) | of_layer, DECISION, COMPOSITED, frames)
        for said in (reported, current_delivery(f"{shots}/juice")):
            assert said["remarks"] == {"base/frames/0002.png": "it is black"}
            assert said["again"] == ["base/frames/0002.png"]


def test_delivering_the_same_twice_changes_nothing_not_even_on_another_night(shots, frames):
    first = deliver(order(shots), DECISION, COMPOSITED, frames)
    before = everything(shots)

    second = deliver(order(shots) | {"night": "2026-11-24"}, DECISION, COMPOSITED, frames)

    assert everything(shots) == before
    assert second == first | {"new": False}


def test_a_new_version_leaves_the_old_one_untouched_and_takes_its_place(shots, frames):
    old = deliver(order(shots, "old"), DECISION, COMPOSITED, frames)
    before = everything(f"{shots}/juice/{old['version']}")

    new = deliver(order(shots, "new"), DECISION, COMPOSITED, frames)

    assert everything(f"{shots}/juice/{old['version']}") == before
    assert current_delivery(f"{shots}/juice")["version"] == new["version"] != old["version"]


def test_a_scene_that_was_put_back_only_moves_the_pointer(shots, frames):
    old = deliver(order(shots, "old"), DECISION, COMPOSITED, frames)
    deliver(order(shots, "new"), DECISION, COMPOSITED, frames)
    before = everything(shots)

    deliver(order(shots, "old"), DECISION, COMPOSITED, frames)

    changed = {path for path, content in everything(shots).items() if content != before[path]}
    assert [path.rpartition("/")[2] for path in changed] == ["current.json"]
    assert current_delivery(f"{shots}/juice")["version"] == old["version"]


class KilledError(Exception):
    pass


def test_a_death_at_any_write_leaves_readers_with_the_old_delivery_whole_and_the_next_try_completes(
    tmp_path, sequence, monkeypatch
):
    """Dies before and after each write of a second delivery, one after the other."""
    shots = str(tmp_path / "shots")
    pictures = sequence("frames", [1, 2])
    files = {
        "juice.mp4": pictures / "0001.png",
        "frames/1.png": pictures / "0001.png",
        "frames/2.png": pictures / "0002.png",
    }
    publish(f"{shots}/juice", {"version": "old", "fingerprint": "old"}, files)
    whole = current_delivery(f"{shots}/juice")
    real = Path.replace
    steps = 0

    def dies_at(step, *, after):
        left = step

        def replace(self, target):
            nonlocal left
            left -= 1
            if left == 0 and not after:
                raise KilledError
            result = real(self, target)
            if left == 0:
                raise KilledError
            return result

        return replace

    for step in range(1, 50):
        for after in (False, True):
            about = {"version": f"new-{step}-{after}", "fingerprint": f"{step}-{after}"}
            monkeypatch.setattr(Path, "replace", dies_at(step, after=after))
            try:
                publish(f"{shots}/juice", about, files)
                died = False
            except KilledError:
                died = True
            monkeypatch.setattr(Path, "replace", real)
            now = current_delivery(f"{shots}/juice")
            for file in now["files"]:
                content = Path(shots, "juice", now["version"], file["path"]).read_bytes()
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
            if not died:
                assert steps == 5  # three files, the manifest, the pointer
                return
            pointer_was_written = step == 5 and after
            assert now == (whole if not pointer_was_written else now)
            publish(f"{shots}/juice", about, files)
            assert current_delivery(f"{shots}/juice")["version"] == about["version"]
            whole = current_delivery(f"{shots}/juice")
        steps = step


def test_the_manifest_is_the_last_file_of_a_version_and_the_pointer_the_last_of_all(tmp_path, sequence, monkeypatch):
    written = []
    real = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, target: written.append(Path(target).name) or real(self, target))

    deliver(order(str(tmp_path / "shots")), DECISION, COMPOSITED, sequence("frames", range(1, 6)))

    assert written[-2:] == [delivery.MANIFEST, delivery.POINTER]


def test_a_delivery_that_someone_removed_is_not_a_delivery(tmp_path, frames):
    shots = str(tmp_path / "shots")
    reported = deliver(order(shots), DECISION, COMPOSITED, frames)
    Path(reported["manifest"]).unlink()

    assert current_delivery(f"{shots}/juice") is None
    assert deliver(order(shots), DECISION, COMPOSITED, frames)["new"] is True


def test_a_manifest_holds_no_signed_url_and_no_key(tmp_path, frames):
    reported = deliver(order(str(tmp_path)), DECISION, COMPOSITED, frames)

    assert "token" not in json.dumps(current_delivery(f"{tmp_path}/juice")) + json.dumps(reported)


def test_only_the_frames_that_were_decided_on_are_delivered_and_all_of_them(tmp_path, sequence):
    frames = sequence("frames", [-1, 0, 1, 2, 9])
    (frames / "-001.png").rename(frames / "-0001.png")
    decision = DECISION | {"frames": ["-1-2"]}

    reported = deliver(order(str(tmp_path)), decision, COMPOSITED | {"frames": 4}, frames)
    names = [file["path"] for file in current_delivery(f"{tmp_path}/juice")["files"]]
    assert [name for name in names if name.startswith("frames/")] == [
        "frames/juice.-0001.png",
        *(f"frames/juice.{number:04d}.png" for number in (0, 1, 2)),
    ]
    assert (reported["complete"], reported["missing"]) == (True, [])

    with pytest.raises(ValueError, match=r"^Composited frames 3, 4 of juice are not there"):
        deliver(order(str(tmp_path), "2"), DECISION | {"frames": ["1-4"]}, COMPOSITED, frames)


def test_passes_that_the_compositor_did_not_write_are_reported_in_manifest_and_summary(tmp_path, frames):
    work = tmp_path / "work"
    (work / "base").mkdir(parents=True)
    gaps = [{"node": "Depth", "frames": [2, 3]}, {"frames": [9]}]
    (work / "base" / "manifest.json").write_text(json.dumps({"missing": gaps}))
    shot = order(str(tmp_path / "shots")) | {"files": {"base": "a.blend", "over": "b.blend"}, "work": str(work)}

    reported = deliver(shot, DECISION, COMPOSITED, frames)

    manifest = current_delivery(f"{tmp_path}/shots/juice")
    lost = [{"layer": "base", "node": "Depth", "frames": [2, 3]}]
    assert (reported["complete"], reported["missing"]) == (manifest["complete"], manifest["missing"]) == (False, lost)
    again = deliver(shot, DECISION, COMPOSITED, frames)
    assert (again["new"], again["complete"], again["missing"]) == (False, False, lost)
    found = report("2026-11-23", [reported | {"state": "delivered"}])
    assert found["delivered"]["juice"].endswith("(not complete: frames 2, 3 of node Depth (base) are missing)")


def by_hand(shots, file, content="1"):
    return order(shots, content) | {"show": "", "files": {"base": file}}


def test_a_scene_by_hand_replaces_its_own_delivery_and_not_that_of_another_file_of_its_name(shots, frames):
    check_not_anothers(by_hand(shots, "/a/juice.blend"))
    deliver(by_hand(shots, "/a/juice.blend"), DECISION, COMPOSITED, frames)

    check_not_anothers(by_hand(shots, "/a/juice.blend", "corrected"))
    with pytest.raises(ValueError, match=r"juice was delivered from /a/juice.blend, .* Rename /b/juice.blend"):
        check_not_anothers(by_hand(shots, "/b/juice.blend", "another"))
    check_not_anothers(order(shots, "the list's"))  # the list is the studio's own


def test_a_scene_by_hand_does_not_replace_the_delivery_of_a_shot_of_the_list(shots, frames):
    deliver(order(shots), DECISION, COMPOSITED, frames)

    with pytest.raises(ValueError, match=r"^juice is a shot of citrus, .* Start it by its name \(`shot`\)"):
        check_not_anothers(by_hand(shots, "/a/juice.blend", "another"))
