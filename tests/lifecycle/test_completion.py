"""What is said of a completed render, and which completed jobs are new."""

from __future__ import annotations

import json
import uuid

import pytest

from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.completion import KnownCompletions, asset_key, notes_with_shot, render_of_job
from tests.support.both_clients import CONFIG, completed, validated

JOB_ID = "9f1c7a52-5d0b-4f0e-9d6e-0c4a7f3b2a10"


def said(**fields):
    return render_of_job(Job.model_validate({"id": JOB_ID, "status": "completed"} | fields))


def shot(notes, **fields):
    return said(requestedConfig={"colorManagementPreset": "default", "notes": notes}, **fields)["shot"]


def test_a_job_that_says_nothing_more_is_an_id():
    assert said() == {
        "job_id": JOB_ID,
        "shot": None,
        "scene": None,
        "normalized_seconds": None,
        "event": "onRenderComplete",
    }


@pytest.mark.parametrize(
    ("notes", "name"),
    [
        ("shot: cit_010_juice", "cit_010_juice"),
        ("For Anna.\n  Shot:  cit_010 juice \nthanks", "cit_010 juice"),
        ("shot: old\nshot: new", "new"),
        ("this shot: is not at the start of its line", None),
        ("shot:", None),
        ("shot: \n", None),
        ("shot: " + "x" * 101, None),
        ("shot: https://store/x?token=secret", None),
        ("shot: \x1b[2J", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_the_shot_is_what_a_line_of_the_notes_says(notes, name):
    assert shot(notes) == name


@pytest.mark.parametrize("notes", ["", "for Anna"])
def test_the_notes_that_the_pipeline_writes_name_the_shot(notes):
    written = notes_with_shot("cit_010_juice", notes)
    assert shot(written) == "cit_010_juice"
    assert written.startswith(notes)


def test_the_shot_is_found_where_only_the_final_configuration_has_the_notes():
    assert said(requestedConfig=None, finalConfig=json.dumps({"notes": "shot: juice"}))["shot"] == "juice"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ({"name": "juice.blend", "sizeBytes": 3}, "juice.blend"),
        ({"fileName": "juice.zip"}, "juice.zip"),
        ("C:\\scenes\\juice.blend", "juice.blend"),
        ("https://store/a/juice.blend?token=secret", "juice.blend"),
        ({"name": "../../etc/passwd"}, "passwd"),
        ({"name": ["juice.blend"]}, None),
        ("/", None),
        (7, None),
    ],
)
def test_the_scene_is_the_name_of_its_file_alone(file, name):
    assert said(sceneFile=file)["scene"] == name


def test_what_is_said_of_a_render_holds_no_url_and_no_secret(emulator, client, tmp_path):
    job = completed(client, tmp_path, CONFIG | {"notes": notes_with_shot("juice")})
    found = render_of_job(client.get_job(job.id))

    assert (found["job_id"], found["shot"], found["scene"]) == (job.id, "juice", "shot.blend")
    assert found["normalized_seconds"] == pytest.approx(emulator.jobs[job.id].normalized_seconds)
    assert "://" not in json.dumps(found)


def test_a_connection_id_of_any_letters_makes_one_name_and_one_uri():
    assert asset_key("renderjuice_default") == (
        "renderjuice_completed_renderjuice_default",
        "renderjuice://renderjuice_default/completed",
    )
    assert asset_key("a/b (c)")[1] == "renderjuice://a%2Fb%20%28c%29/completed"


def fresh(client, known, **options):
    return [job.id for job in client.run(known.fresh(client.operations, **options))]


def test_what_was_completed_before_is_not_new_and_what_completes_later_is_new_once(client, tmp_path):
    completed(client, tmp_path)
    known = KnownCompletions()
    assert known.is_first
    assert (fresh(client, known), known.is_first) == ([], False)

    running = validated(client, tmp_path)
    assert fresh(client, known) == []
    later = completed(client, tmp_path)
    assert (fresh(client, known), fresh(client, known)) == ([later.id], [])
    assert running.id != later.id


def test_what_completes_after_an_empty_start_is_new(client, tmp_path):
    known = KnownCompletions()
    assert fresh(client, known) == []
    assert fresh(client, known) == [] != (later := completed(client, tmp_path))
    assert fresh(client, known) == [later.id]


def test_what_is_remembered_goes_on_where_it_was(client, tmp_path):
    known = KnownCompletions()
    completed(client, tmp_path)
    assert fresh(client, known) == []
    later = completed(client, tmp_path)

    restarted = KnownCompletions(known.marks)
    assert fresh(client, restarted) == [later.id]
    assert fresh(client, KnownCompletions(restarted.marks)) == []


def test_nothing_at_all_is_remembered_too(client, tmp_path):
    known = KnownCompletions()
    assert (fresh(client, known), known.marks) == ([], "")
    later = completed(client, tmp_path)
    assert fresh(client, KnownCompletions("")) == [later.id]


def test_a_list_of_many_pages_costs_one_request_while_nothing_completes(client, emulator, tmp_path):
    emulator.switches.max_page_size = 2
    for _ in range(5):
        completed(client, tmp_path)
    known = KnownCompletions()
    assert fresh(client, known) == []

    before = emulator.ledger.count("list_jobs")
    assert fresh(client, known) == []
    assert emulator.ledger.count("list_jobs") - before == 1
    assert fresh(client, known, whole=True) == []
    assert emulator.ledger.count("list_jobs") - before == 1 + 3


@pytest.mark.parametrize("switch", ["status_filter_ignored", "page_parameter_ignored"])
def test_a_server_that_ignores_a_parameter_is_listed_all_the_same(client, emulator, tmp_path, switch):
    setattr(emulator.switches, switch, True)
    validated(client, tmp_path)
    known = KnownCompletions()
    assert fresh(client, known) == []
    later = completed(client, tmp_path)
    assert (fresh(client, known), fresh(client, known)) == ([later.id], [])


def test_a_list_that_breaks_off_loses_nothing(new_client, emulator, tmp_path):
    client = new_client(max_attempts=1)
    emulator.switches.max_page_size = 1
    known = KnownCompletions("")
    jobs = {completed(client, tmp_path).id for _ in range(3)}
    emulator.faults.add("list_jobs", "ok")
    emulator.faults.add("list_jobs", "500")

    with pytest.raises(RenderjuiceError):
        fresh(client, known)
    assert set(fresh(client, known)) == jobs


def test_ids_of_any_form_fit_into_little_room():
    known = KnownCompletions(" ".join(f"{uuid.uuid4().hex[:12]}" for _ in range(5000)))
    assert len(known.marks) <= 65_535
