"""What comes to renders by chance: of which share, to which frames, and the same each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from stages.pictures import is_whole, read_picture

from renderjuice_emulator.images import FORMATS
from renderjuice_emulator.mishaps import Mishaps, RenderMishaps, damage, spoil
from renderjuice_emulator.testing import Emulator
from tests.support.blender_renders import blender_test
from tests.support.raw_client import DEFAULT, RawClient

FRAMES = range(1, 41)


def names(raw_client: RawClient, job_id: str) -> set[str]:
    return {item["fileName"] for item in raw_client.downloads(job_id)["frameOutputs"]}


def saved(raw_client: RawClient, job_id: str, folder: Path) -> dict[int, Path]:
    """The frames of a job, each in a file."""
    folder.mkdir()
    found = {}
    for item in raw_client.downloads(job_id)["frameOutputs"]:
        response = raw_client.store.get(item["url"])
        assert len(response.content) == int(response.headers["Content-Length"])
        path = folder / item["fileName"]
        path.write_bytes(response.content)
        found[int(path.stem)] = path
    return found


# What is drawn


def test_each_mishap_has_its_share() -> None:
    mishaps = Mishaps.parse("drop=5% damage=1% fail=3% seed=7")
    assert mishaps == Mishaps(0.05, 0.01, 0.03, 7)
    renders = [mishaps.of_render(f"{shot}.blend", 0, FRAMES) for shot in range(2000)]
    frames = len(renders) * len(FRAMES)
    assert sum(len(render.dropped) for render in renders) / frames == pytest.approx(0.05, rel=0.05)
    assert sum(len(render.damaged) for render in renders) / frames == pytest.approx(0.01, rel=0.1)
    assert sum(bool(render.never_rendered) for render in renders) / len(renders) == pytest.approx(0.03, rel=0.2)
    assert not any(render.dropped & render.damaged for render in renders)


@pytest.mark.parametrize("depth", ["8", "16"])
def test_a_spoilt_picture_is_whole_and_another(tmp_path: Path, depth: str) -> None:
    looks = set()
    for shade in range(12):
        path = tmp_path / f"{shade}.png"
        path.write_bytes(FORMATS["PNG"].encode([bytes((200, 90, shade, 255)) * 16] * 9, "RGBA", depth))
        before = read_picture(path).image.get_pixels()
        spoil(path)
        after = read_picture(path).image.get_pixels()
        assert is_whole(path)
        assert after.shape == before.shape
        same = (after == before).all(axis=(1, 2))
        looks.add("black" if not after[:, :, :3].any() else "half" if same.any() else "noise")
    assert looks == {"black", "half", "noise"}


def test_what_is_spoilt_is_neither_dropped_nor_damaged() -> None:
    mishaps = Mishaps.parse("drop=20% damage=20% spoil=20%").of_render("a.blend", 0, range(1, 1001))
    assert 150 < len(mishaps.spoilt) < 250
    assert not mishaps.spoilt & (mishaps.dropped | mishaps.damaged)


def test_luck_is_the_same_each_time_and_depends_on_seed_scene_and_earlier_renders() -> None:
    mishaps = Mishaps.parse("drop=30% damage=30% fail=50% seed=1")
    first = mishaps.of_render("a.blend", 0, FRAMES)
    assert mishaps.of_render("a.blend", 0, FRAMES) == first
    others = [
        mishaps.of_render("b.blend", 0, FRAMES),
        mishaps.of_render("a.blend", 1, FRAMES),
        Mishaps.parse("drop=30% damage=30% fail=50% seed=2").of_render("a.blend", 0, FRAMES),
    ]
    assert all(other.dropped != first.dropped for other in others)


def test_the_luck_of_a_frame_does_not_depend_on_what_else_is_ordered() -> None:
    mishaps = Mishaps(drop=0.5, seed=3)
    whole, part = mishaps.of_render("a.blend", 1, FRAMES), mishaps.of_render("a.blend", 1, range(10, 20))
    assert part.dropped == whole.dropped & set(range(10, 20))


@pytest.mark.parametrize(("frames", "fewest"), [(1, 0), (2, 1), (24, 1)])
def test_a_job_that_fails_has_rendered_some_of_its_frames_and_not_all(frames: int, fewest: int) -> None:
    order = range(1, frames + 1)
    rendered = {
        frames - len(Mishaps(fail=1, seed=seed).of_render("a.blend", 0, order).never_rendered) for seed in range(300)
    }
    assert rendered == set(range(fewest, max(frames, 1)))


@pytest.mark.parametrize(
    "text",
    ["drop=5", "drop=5% drop=1%", "drop=101%", "drop=60% damage=41%", "fail=101%", "lose=5%", "seed=x", "drop = 5%"],
)
def test_what_is_misspelt_is_refused(emulator: Emulator, text: str) -> None:
    with pytest.raises(ValueError, match=r"mishaps|100%"):
        Mishaps.parse(text)
    with pytest.raises(ValidationError):
        emulator.switches.mishaps = text
    assert emulator.switches.mishaps == ""


# What a client sees


def test_nothing_goes_wrong_by_default(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.completed(frame_end=40)
    assert emulator.jobs[job_id].mishaps == RenderMishaps()
    assert len(names(raw_client, job_id)) == 40


def test_dropped_frames_are_billed_and_never_seen(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.mishaps = "drop=50% seed=1"
    job_id = raw_client.completed(frame_end=10, compositor_outputs=("Depth",))
    dropped = emulator.jobs[job_id].mishaps.dropped
    assert 0 < len(dropped) < 10
    there = {f"{frame:04d}.png" for frame in range(1, 11) if frame not in dropped}
    assert names(raw_client, job_id) == there
    downloads = raw_client.downloads(job_id)
    assert {item["fileName"] for item in downloads["compositeNodeOutputs"]} == there
    assert len(downloads["frames"]) == len(there)
    assert raw_client.status(job_id) == "completed"
    account = emulator.ledger.accounts[job_id]
    assert account.frames_rendered == 10
    assert account.normalized_seconds >= 20


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_frames_are_there_and_cannot_be_read_to_the_end(
    raw_client: RawClient, emulator: Emulator, tmp_path: Path, name: str
) -> None:
    emulator.switches.mishaps = "damage=50% seed=2"
    job_id = raw_client.completed(config=DEFAULT | {"outputFormat": name}, frame_end=30)
    frames = saved(raw_client, job_id, tmp_path / "frames")
    assert frames.keys() == set(range(1, 31))
    damaged = emulator.jobs[job_id].mishaps.damaged
    assert 5 < len(damaged) < 25
    assert {frame for frame, path in frames.items() if not is_whole(path)} == damaged


def test_a_damaged_png_ends_early_or_has_garbage_in_the_middle(raw_client: RawClient, tmp_path: Path) -> None:
    frames = saved(raw_client, raw_client.completed(frame_end=30, resolution=(16, 9)), tmp_path / "frames")
    kept_size = set()
    for path in frames.values():
        size = path.stat().st_size
        assert is_whole(path)
        damage(path)
        assert not is_whole(path)
        kept_size.add(path.stat().st_size == size)
    assert kept_size == {True, False}


def test_a_job_that_fails_midway_keeps_and_bills_what_it_rendered(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    manual_emulator.switches.mishaps = "fail=100% seed=4"
    job_id = manual_raw_client.completed(frame_end=10, seconds_per_frame=60)
    job = manual_raw_client.job(job_id)
    lost = manual_emulator.jobs[job_id].mishaps.never_rendered
    assert (job["status"], job["failedReason"]["type"]) == ("failed", "WORKER_LOST")
    assert names(manual_raw_client, job_id) == {f"{frame:04d}.png" for frame in range(1, min(lost))}
    account = manual_emulator.ledger.accounts[job_id]
    assert (account.status, account.frames_rendered) == ("failed", 10 - len(lost))
    assert account.normalized_seconds == 60 * account.frames_rendered
    assert manual_emulator.ledger.jobs_left_running() == []


def test_one_scene_can_lose_its_first_render_and_no_other(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.worker_lost_at = {"ice.blend": 3}
    ice = raw_client.scene("ice.blend", frame_end=4)
    first, second = raw_client.completed(ice), raw_client.completed(ice)
    assert raw_client.job(first)["failedReason"]["type"] == "WORKER_LOST"
    assert names(raw_client, first) == {"0001.png", "0002.png"}
    assert len(names(raw_client, second)) == 4
    assert len(names(raw_client, raw_client.completed(raw_client.scene("cube.blend", frame_end=4)))) == 4


def test_the_first_render_of_a_scene_can_hang_until_it_is_canceled(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    manual_emulator.switches.hangs_at = {"ice.blend": 3}
    ice = manual_raw_client.scene("ice.blend", frame_end=4, seconds_per_frame=60)
    job_id = manual_raw_client.started(ice)
    manual_emulator.clock.advance(7 * 24 * 3600)
    assert manual_raw_client.job(job_id)["status"] == "rendering"
    assert manual_emulator.ledger.accounts[job_id].frames_rendered == 2
    manual_raw_client.cancel(job_id)
    assert manual_raw_client.job(job_id)["status"] == "canceled"
    assert names(manual_raw_client, job_id) == {"0001.png", "0002.png"}
    assert manual_raw_client.job(manual_raw_client.completed(ice))["status"] == "completed"


def test_a_second_job_for_the_same_scene_has_new_luck_and_a_night_can_be_repeated(
    raw_client: RawClient, emulator: Emulator
) -> None:
    def night(*shots: str) -> dict[str, list[set[str]]]:
        emulator.reset()
        emulator.switches.mishaps = "drop=50% seed=5"
        scenes = {shot: raw_client.scene(f"{shot}.blend", frame_end=12) for shot in shots}
        return {shot: [names(raw_client, raw_client.completed(path)) for _ in (1, 2)] for shot, path in scenes.items()}

    first = night("one", "two")
    assert night("two", "one") == first
    renders = [each for shot in first.values() for each in shot]
    assert len({frozenset(each) for each in renders}) == 4


def test_the_controls_set_the_mishaps_and_a_reset_ends_them(emulator: Emulator) -> None:
    with httpx.Client(base_url=emulator.control_url, verify=False, trust_env=False) as control:
        text = "drop=5% seed=7"
        assert control.patch("/switches", json={"mishaps": text}).json()["mishaps"] == text
        assert emulator.switches.mishaps == text
        assert control.patch("/switches", json={"mishaps": "drop=many"}).status_code == 400
        assert emulator.switches.mishaps == text
        control.post("/reset")
    assert emulator.switches.mishaps == ""


@blender_test
def test_blenders_frames_meet_them_too(build: Callable[..., Path], tmp_path: Path) -> None:
    with Emulator(renderer="blender") as emulator, RawClient(emulator, tmp_path) as raw_client:

        def rendered(mishaps: str) -> str:
            emulator.switches.mishaps = mishaps
            return raw_client.completed(build(), DEFAULT | {"frameRanges": ["1-2"]})

        damaged = saved(raw_client, rendered("damage=100%"), tmp_path / "damaged")
        assert [is_whole(path) for path in damaged.values()] == [False, False]
        assert names(raw_client, rendered("drop=100%")) == set()
        assert names(raw_client, failed := rendered("fail=100%")) == {"0001.png"}
        assert raw_client.job(failed)["failedReason"]["type"] == "WORKER_LOST"
        assert [account.frames_rendered for account in emulator.ledger.accounts.values()] == [2, 2, 1]
