"""Submitting: once, again, many, and with what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from tests.cli.conftest import Run

DEFAULT = ("--preset", "default", "--every", "0.02")


def test_a_scene_is_submitted_and_its_job_is_printed(run: Run, emulator: Emulator, scene: Path) -> None:
    done = run("submit", scene, *DEFAULT)
    ((job_id, status, name),) = done.lines
    assert done.code == 0
    assert (name, status in {"booting", "rendering"}) == ("sh010", True)
    assert emulator.ledger.renders_started(job_id) == 1


def test_data_is_json_where_that_is_asked_for(run: Run, scene: Path) -> None:
    (fields,) = run("submit", scene, "--wait", "--json", *DEFAULT).objects
    assert fields["status"] == "completed"
    assert fields["exit"] == 0
    assert fields["normalized_seconds"] > 0


def test_a_folder_is_downloaded_each_scene_into_its_own(run: Run, emulator: Emulator, shots: Path, home: Path) -> None:
    done = run("submit", shots, "--download", home / "out", *DEFAULT)
    assert done.code == 0
    assert sorted(line[2] for line in done.lines) == ["sh010", "sh020", "sh030"]
    assert len(list((home / "out" / "sh020").rglob("*.png"))) == 2
    assert emulator.ledger.renders_started() == 3


def test_given_again_it_takes_up_and_renders_nothing_twice(run: Run, emulator: Emulator, shots: Path) -> None:
    first = run("submit", shots, *DEFAULT)
    second = run("submit", shots, "--wait", *DEFAULT)
    assert {line[0] for line in first.lines} == {line[0] for line in second.lines}
    assert "taking it up" in second.err
    assert emulator.ledger.renders_started() == 3
    assert emulator.ledger.count("create_upload") == 3


def test_the_same_scene_under_another_name_is_the_same_order(run: Run, emulator: Emulator, scene: Path) -> None:
    copy = scene.with_name("copy.blend")
    copy.write_bytes(scene.read_bytes())
    assert run("submit", scene, *DEFAULT).lines[0][0] == run("submit", copy, *DEFAULT).lines[0][0]
    assert emulator.ledger.renders_started() == 1


def test_other_settings_are_another_order_and_the_first_goes_on(run: Run, emulator: Emulator, scene: Path) -> None:
    first = run("submit", scene, *DEFAULT).lines[0][0]
    second = run("submit", scene, "--samples", "64", *DEFAULT).lines[0][0]
    assert first != second
    assert not emulator.ledger.accounts[first].canceled


def test_again_renders_again(run: Run, emulator: Emulator, scene: Path) -> None:
    first = run("submit", scene, "--wait", *DEFAULT).lines[0][0]
    second = run("submit", scene, "--wait", "--again", *DEFAULT).lines[0][0]
    assert first != second
    assert emulator.ledger.renders_started() == 2
    assert run("submit", scene, "--wait", *DEFAULT).lines[0][0] == second


def test_a_job_that_failed_is_rendered_again_by_the_same_command(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "bad.blend", fail_at_frame=2)
    done = run("submit", scene, "--wait", *DEFAULT)
    assert done.code == 1
    assert "bad failed: RENDER_ERROR" in done.err
    assert "normalized seconds are billed" in done.err
    assert "give the same command again" in done.err
    assert run("submit", scene, "--wait", *DEFAULT).code == 1
    assert emulator.ledger.renders_started() == 2


def test_one_bad_scene_does_not_keep_the_others_from_rendering(run: Run, emulator: Emulator, shots: Path) -> None:
    (shots / "zz.blend").write_bytes(b"no scene")
    done = run("submit", shots, "--wait", *DEFAULT)
    assert done.code == 2
    assert "zz.blend is not a Blender file" in done.err
    assert [line[:2] for line in done.lines if line[2] == "zz"] == [["-", "error"]]
    assert emulator.ledger.renders_started() == 3


def test_a_list_on_the_standard_input_may_have_settings_of_its_own(run: Run, emulator: Emulator, shots: Path) -> None:
    lines = [
        str(shots / "sh010.blend"),
        json.dumps({"scene": str(shots / "sh020.blend"), "config": {"frameRanges": ["7"]}}),
    ]
    done = run("submit", "-", "--wait", *DEFAULT, stdin="\n".join(lines))
    jobs = {line[2]: emulator.jobs[line[0]] for line in done.lines}
    assert (jobs["sh010"].frames_total, jobs["sh020"].frames_total) == (2, 1)


def test_options_and_a_file_make_the_configuration(run: Run, emulator: Emulator, scene: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"colorManagementPreset": "aces", "sampleCount": 4, "fps": 24}')
    options = ("--config", config, "--samples", 8, "--frames", "1-2", "--resolution", "64x32", "--set", "fps=25")
    job_id = run("submit", scene, *options, "--percentage", 50, "--every", "0.02").lines[0][0]
    assert emulator.jobs[job_id].requested_config == {
        "colorManagementPreset": "aces",
        "sampleCount": 8,
        "fps": 25.0,
        "frameRanges": ["1-2"],
        "resolution": [64, 32],
        "resolutionPercentage": 50,
    }


def test_a_validated_job_is_rendered_by_its_id(run: Run, emulator: Emulator, scene: Path) -> None:
    ((job_id, status, *_),) = run("validate", scene, "--every", "0.02").lines
    assert status == "validated"
    assert emulator.ledger.renders_started() == 0
    done = run("submit", job_id, "--wait", *DEFAULT)
    assert done.lines[0][:2] == [job_id, "completed"]


def test_validate_prints_what_validation_warns_of(run: Run, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "sh.blend", warnings=("a texture is missing",))
    assert run("validate", scene, "--every", "0.02").lines[0][3] == "a texture is missing"
    (fields,) = run("validate", scene, "--json", "--every", "0.02").objects
    assert fields["analysis"]["warnings"] == ["a texture is missing"]


def test_a_scene_that_fails_validation_costs_nothing(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "bad.blend", fail_validation=("no camera", "NO_CAMERA"))
    assert run("validate", scene, "--every", "0.02").code == 1
    done = run("submit", scene, "--wait", *DEFAULT)
    assert done.code == 1
    assert "nothing is billed" in done.err
    assert emulator.ledger.renders_started() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sh010.blend"], "add --preset default"),
        (["sh010.blend", "--preset", "default", "--set", "fps"], "--set takes NAME=VALUE"),
        (["sh010.blend", "--config", "{]"], "--config is no JSON"),
        (["sh010.blend", "--config", "[]"], "cannot be read"),
        (["sh010.blend", "--config", "nowhere.json"], "cannot be read"),
        (["sh010.blend", "--preset", "default", "--samples", "0"], "sampleCount"),
        (["empty", "--preset", "default"], "no .blend and no .zip"),
        (["nowhere.blend", "--preset", "default"], "No such file"),
        (["a/one.blend", "b/one.blend", "--preset", "default", "--download", "out"], "into one folder"),
        (["-", "--preset", "default"], "No scene was named"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_sent(
    run: Run, emulator: Emulator, scene: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(scene.parent)
    for folder in ("empty", "a", "b"):
        Path(folder).mkdir()
    for folder in ("a", "b"):
        write_scene(Path(folder, "one.blend"))
    done = run("submit", *arguments)
    assert done.code == 2
    assert words in done.err
    assert emulator.ledger.entries == []


def test_a_line_that_is_no_scene_is_refused(run: Run) -> None:
    assert "is neither" in run("submit", "-", *DEFAULT, stdin='{"config": {}}').err


def test_after_the_time_to_wait_the_render_goes_on(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "long.blend", seconds_per_frame=100_000)
    done = run("submit", scene, "--wait", "--timeout", "1", *DEFAULT)
    assert done.code == 4
    assert "renderjuice cancel" in done.err
    assert len(emulator.ledger.jobs_left_running()) == 1


def test_the_time_to_wait_may_end_the_render(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "long.blend", seconds_per_frame=100_000)
    done = run("submit", scene, "--wait", "--timeout", "1", "--cancel-on-timeout", *DEFAULT)
    assert done.code == 4
    assert emulator.ledger.jobs_left_running() == []


def test_missing_frames_are_named_and_have_a_code_of_their_own(run: Run, home: Path, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "gap.blend", frame_end=4, missing_output_frames=(3,))
    done = run("submit", scene, "--download", home / "out", *DEFAULT)
    assert done.code == 8
    assert "frames 3" in done.err


def test_a_lost_answer_to_the_start_of_a_render_costs_no_second_one(run: Run, emulator: Emulator, scene: Path) -> None:
    emulator.faults.add("start_render", "reset-after")
    assert run("submit", scene, "--wait", *DEFAULT).code == 0
    assert emulator.ledger.renders_started() == 1


DAMAGED: dict[str, Callable[[str], str | bytes]] = {
    "is cut short": lambda text: text[:40],
    "is empty": lambda _: "",
    "is a list": lambda _: "[1]",
    "is a number": lambda _: "7",
    "has a record of text": lambda text: json.dumps(json.loads(text) | {"record": "x"}),
    "has a record without times": lambda text: json.dumps(json.loads(text) | {"record": {"job_id": "x"}}),
    "has a job that is no text": lambda text: text.replace('"job_id": "', '"job_id": 7, "was": "'),
    "has a scene of numbers": lambda text: json.dumps(json.loads(text) | {"scene": 3}),
    "was written in the year 300,000": lambda text: json.dumps(json.loads(text) | {"ordered_at": 1e16}),
    "was written at no time": lambda text: text.replace('"ordered_at": ', '"ordered_at": NaN, "was": '),
    "is not text": lambda _: b"\xff\xfe\0",
    "has no end of brackets": lambda _: "[" * 100_000,
}
"""What may become of a file of the order book."""


@pytest.mark.parametrize("damage", list(DAMAGED))
def test_an_order_that_cannot_be_read_hides_no_other_and_is_not_paid_for_twice(
    run: Run, emulator: Emulator, scene: Path, home: Path, tmp_path: Path, damage: str
) -> None:
    run("submit", scene, *DEFAULT)
    (file,) = (home / "state").rglob("*.json")
    other = write_scene(tmp_path / "sh020.blend", frame_end=2)
    assert run("submit", other, *DEFAULT).code == 0
    spoilt = DAMAGED[damage](file.read_text())
    file.write_bytes(spoilt if isinstance(spoilt, bytes) else spoilt.encode())

    assert {line[2] for line in run("list").lines} == {"sh010", "sh020"}
    assert run("status", other).lines[0][2] == "sh020"
    done = run("submit", scene, *DEFAULT)
    assert (done.code, emulator.ledger.renders_started()) == (2, 2)
    assert str(file) in done.err
    assert "renderjuice list" in done.err


def test_what_another_version_adds_to_the_order_book_is_left_alone(
    run: Run, emulator: Emulator, scene: Path, home: Path
) -> None:
    run("submit", scene, *DEFAULT)
    (file,) = (home / "state").rglob("*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"added": 1}))
    assert run("submit", scene, *DEFAULT).code == 0
    assert emulator.ledger.renders_started() == 1


def test_no_key_and_no_url_is_kept_in_the_order_book(run: Run, emulator: Emulator, scene: Path, home: Path) -> None:
    run("submit", scene, "--wait", *DEFAULT)
    (file,) = (home / "state").rglob("*.json")
    text = file.read_text()
    assert emulator.api_key not in text
    assert "token=" not in text
    assert "signature" not in text
    assert file.stat().st_mode & 0o777 == 0o600
