"""The tasks of a shot, called as plain functions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from stages import tasks
from stages.delivery import publish
from stages.entries import about, read_entry, write_entry
from stages.tasks import keep_claim, note_failure, take_order

from renderjuice_provider.api.errors import RenderjuiceAuthenticationError, RenderjuiceInputError

NIGHT, RUN = "2026-11-23", "juice__1"


class Ti:
    """A task instance, with the XComs of its run and the states of all runs that Airflow knows."""

    dag_id = "renderjuice_shot"

    def __init__(self, run_id=RUN, task_id="take_order", **runs):
        self.run_id, self.task_id, self.runs, self.xcoms = run_id, task_id, runs, {}

    def xcom_push(self, key, value):
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, task_ids, key="return_value"):
        return self.xcoms.get(key if task_ids == "take_order" else f"{task_ids} {key}")

    def get_dr_count(self, *, run_ids, **_):
        return int(run_ids[0] in self.runs)

    def get_dagrun_state(self, *, run_id, **_):
        return self.runs[run_id]


@pytest.fixture
def params(tmp_path):
    (tmp_path / "juice.blend").write_bytes(b"juice")
    places = {"destination": str(tmp_path / "out"), "work": str(tmp_path / "work"), "shot_list": "/no/list"}
    return places | {"file": str(tmp_path / "juice.blend"), "shot": None, "date": NIGHT, "quality": "auto"}


def take(params, ti):
    dag_run = SimpleNamespace(run_after=datetime(2026, 11, 24, 2, tzinfo=UTC))
    return take_order.function(params=params, ti=ti, dag_run=dag_run)


@pytest.fixture
def delivered(params):
    """The order of a shot that was delivered, with nothing known of its run."""
    ti = Ti()
    take(params, ti)
    order = ti.xcoms["order"]
    fingerprint = order["fingerprint"]
    publish(order["delivery"], {"version": fingerprint[:16], "fingerprint": fingerprint, "night": "2026-11-22"}, {})
    return order


def test_an_order_is_a_row_for_each_layer_and_claims_the_shot(params, tmp_path):
    ti = Ti()

    (row,) = take(params, ti)

    order = ti.xcoms["order"]
    assert row == {"file_path": params["file"], "destination": f"{order['work']}/base"}
    assert ti.xcoms["layers"] == ["base"]
    assert json.loads(Path(order["claims"], "0001.json").read_text()) == {"run_id": RUN, "dag_id": "renderjuice_shot"}


def test_the_night_is_that_of_the_start_unless_it_is_said(params):
    ti = Ti()

    take(params | {"date": None}, ti)

    assert ti.xcoms["order"]["night"] == "2026-11-23"


@pytest.mark.parametrize(
    "wrong",
    [
        *({"file": None}, {"shot": "x"}, {"file": "/no/file"}, {"file": "/"}, {"quality": "great"}),
        *({"date": "tomorrow"}, {"destination": ""}, {"destination": "/dev/null/out"}),
    ],
)
def test_what_cannot_be_right_is_refused_once_and_claims_nothing(params, wrong, tmp_path):
    with pytest.raises(AirflowFailException, match=r"Nothing was sent, and nothing was spent\.$"):
        take(params | wrong, Ti())
    assert not (tmp_path / "work").exists()


def test_a_second_run_while_the_first_goes_on_is_refused_and_leaves_no_entry(params, tmp_path):
    take(params, Ti("first"))
    second = Ti("second", first="running")

    with pytest.raises(AirflowFailException, match=r"^The run first of renderjuice_shot has this shot") as refused:
        take(params, second)
    note_failure({"ti": second, "exception": refused.value})

    assert not (tmp_path / "out" / "nights").exists()
    assert second.xcoms["refused"] == str(refused.value)  # for the night's report
    take(params, Ti("third", first="failed"))


def test_a_run_that_is_cleared_while_another_has_its_shot_renders_nothing_and_leaves_that_ones_entry(params):
    first, second = Ti("first"), Ti("second", first="failed")
    take(params, first)
    take(params, second)
    write_entry(about(second.xcoms["order"], "second") | {"state": "rejected"}, second.xcoms["order"]["entry"])

    first.runs = {"second": "running"}
    with pytest.raises(AirflowFailException, match=r"^juice: The run second .+ has this shot.+nothing more\.$") as lost:
        keep_claim({"ti": first})
    note_failure({"ti": first, "exception": lost.value})

    assert read_entry(first.xcoms["order"]["entry"])["run_id"] == "second"
    keep_claim({"ti": second})


def test_a_run_that_is_cleared_after_another_claims_its_shot_again(params):
    first, second = Ti("first"), Ti("second", first="failed")
    take(params, first)
    take(params, second)

    first.runs = {"second": "success"}
    keep_claim({"ti": first})

    second.runs = {"first": "running"}
    with pytest.raises(AirflowFailException, match="The run first"):
        keep_claim({"ti": second})


def test_a_scene_named_like_a_shot_of_the_list_is_refused_before_it_takes_that_ones_place(params, delivered):
    publish(delivered["delivery"], {"version": "v", "fingerprint": "f", "show": "citrus"}, {})

    with pytest.raises(AirflowFailException, match="juice is a shot of citrus"):
        take(params, Ti("second"))


def test_what_is_delivered_is_skipped_and_its_entry_says_so(params, delivered):
    with pytest.raises(AirflowSkipException, match="juice is unchanged since its delivery of 2026-11-22"):
        take(params, Ti("second"))

    assert read_entry(delivered["entry"])["state"] == "skipped"


def test_a_delivery_of_this_night_stays_delivered_when_it_is_started_again(params, delivered):
    write_entry(about(delivered, RUN) | {"state": "delivered"}, delivered["entry"])

    with pytest.raises(AirflowSkipException):
        take(params, Ti("second", **{RUN: "success"}))

    assert read_entry(delivered["entry"])["state"] == "delivered"


@pytest.mark.parametrize(("state", "of_run"), [("failed", "failed"), ("delivered", "failed")])
def test_what_was_delivered_but_not_reported_to_the_tracker_is_gone_on_with(params, delivered, state, of_run):
    """The run that failed, or that was killed and left the entry of its delivery."""
    write_entry(about(delivered, RUN) | {"state": state}, delivered["entry"])

    assert take(params, Ti("second", **{RUN: of_run}))


def failed(order, error, task_id="render", **xcoms):
    ti = Ti(task_id=task_id)
    ti.xcoms = {"order": order} | xcoms
    note_failure({"ti": ti, "exception": error})
    return read_entry(order["entry"])


def test_a_failure_leaves_its_reason_its_task_and_what_it_spent(delivered):
    folder = Path(delivered["work"], "base")
    folder.mkdir(parents=True)
    job = {"job_id": "1", "run_id": RUN, "render_config": {"frameRanges": ["1-6"]}, "ordered_at": "x"}
    (folder / "jobs.json").write_text(json.dumps([job]))
    decision = {"branch": "final", "jobs": {"base": "1"}}

    entry = failed(delivered, ValueError("frame 4"), **{"decide decision": decision})

    assert (entry["state"], entry["reason"], entry["task"]) == ("failed", "frame 4", "render")
    assert (entry["run_id"], entry["spent"], entry["decision"]) == (RUN, {"1": None}, decision)


def test_what_a_probe_has_cost_is_known_as_soon_as_its_shot_ends(delivered):
    """Else the shot has no history for the next night's quote."""
    folder = Path(delivered["work"], "base")
    folder.mkdir(parents=True)
    jobs = [{"job_id": job, "run_id": RUN, "render_config": {"frameRanges": ["1-6"]}} for job in ("p", "r")]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    results = {"probe return_value": {"jobs": {"p": 3.0}}, "render return_value": [{"jobs": {"r": 9.0}}, None]}

    entry = failed(delivered, ValueError("x"), "composite", **results)

    assert (entry["spent"], entry["by_layer"]) == ({"p": 3.0, "r": 9.0}, {"base": {"p": 3.0, "r": 9.0}})


def test_a_failure_after_the_delivery_keeps_where_that_is(delivered):
    write_entry(about(delivered, RUN) | {"state": "delivered", "movie": "m"}, delivered["entry"])

    entry = failed(delivered, OSError("502"), "tell_tracker")

    assert (entry["state"], entry["movie"], entry["task"]) == ("failed", "m", "tell_tracker")


def test_a_failure_is_not_mixed_with_the_entry_of_another_run(delivered):
    write_entry(about(delivered, "before") | {"state": "delivered", "movie": "m"}, delivered["entry"])

    assert "movie" not in failed(delivered, ValueError("frame 4"))


def test_a_scene_that_cannot_be_opened_is_rejected_and_a_farm_that_refuses_us_is_not_the_artists_fault(delivered):
    assert failed(delivered, RenderjuiceInputError("not a scene"), "upload")["state"] == "rejected"
    assert failed(delivered, RenderjuiceAuthenticationError("no", status_code=403), "upload")["state"] == "failed"
    assert failed(delivered, RenderjuiceInputError("no such setting"), "render")["state"] == "failed"


def test_a_kill_without_a_reason_says_so_and_a_key_in_a_reason_is_not_kept(delivered):
    assert failed(delivered, None)["reason"] == "it was killed"
    assert "token=" not in failed(delivered, OSError("https://x.test/a?token=s3cr3t"))["reason"]


def test_a_rejection_names_all_reasons(delivered):
    ti = Ti(task_id="reject")

    tasks.reject.function(delivered, {"reasons": ["no usable camera", "zero frames"]}, ti=ti)

    entry = read_entry(delivered["entry"])
    assert (entry["state"], entry["reason"], entry["run_id"]) == ("rejected", "no usable camera; zero frames", RUN)


def test_a_decision_is_a_branch_with_a_configuration_for_each_layer_in_order(tmp_path):
    order = {"shot": "juice", "layers": ["z", "a"], "files": {"a": "a", "z": "z"}, "frames": ["1-3"], "fps": 24.0}
    order |= {"hero": True, "quality": "auto", "render": {"colorManagementPreset": "default"}, "blends": {}}
    order |= {"delivery": str(tmp_path), "entry": str(tmp_path / "nights" / NIGHT / "shots" / "juice.json")}
    found = [
        {"job_id": layer, "analysis": {"filmTransparent": True, "samples": n}} for n, layer in ((1, "z"), (2, "a"))
    ]
    ti = Ti()

    assert tasks.decide.function(order, found, ti=ti, params={}) == "render"

    assert ti.xcoms["decision"]["jobs"] == {"z": "z", "a": "a"}
    assert [config["frameRanges"] for config in ti.xcoms["configs"]] == [["1-3"], ["1-3"]]
    assert [config["frameRanges"] for config in ti.xcoms["probes"]] == [["1-3"], ["1-3"]]
    assert (ti.xcoms["timeout"], ti.xcoms["seconds_per_frame"]) == (12 * 3600, None)
    found[0]["analysis"]["cameras"] = []
    rejected = Ti()
    assert tasks.decide.function(order, found, ti=rejected, params={}) == "reject"
    assert "configs" not in rejected.xcoms  # so that nothing can be rendered by it
