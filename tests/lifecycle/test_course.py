"""The course of a job, walked by hand: whatever dies, one render is paid, and the end stays."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import (
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceJobOverError,
    RenderjuiceOtherOrderError,
    RenderjuiceTimeoutError,
)
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.lifecycle.record import FINGERPRINT, JobRecord, Order
from renderjuice_provider.lifecycle.stuck import Patience
from tests.support.farm import Died, Farm, Task
from tests.support.flow_driver import START

CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-3"]}
GIVEN = "3c90c3cc-0d44-4b50-8888-000000000000"
NOW = START.timestamp()


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    scene = write_scene(tmp_path_factory.mktemp("scene") / "shot.blend", frame_end=3)
    return Order(
        JobStatus.COMPLETED,
        3600.0,
        render_config=CONFIG,
        scene=scene,
        source=str(scene),
        content="the bytes",
        cancel_on_kill=True,
        cancel_on_timeout=True,
        name="shot.blend",
    )


def given_job(shot, **changes):
    return replace(shot, **{"job_id": GIVEN, "scene": None, "source": None, "content": None} | changes)


def made_by_hand(status, **fields):
    farm = Farm(renders_for_ever=True)
    farm.jobs[GIVEN] = {"id": GIVEN, "status": status} | fields
    return farm


both_ways = pytest.mark.parametrize("deferred", [False, True], ids=["on the worker", "deferred"])
cuts = st.tuples(st.integers(1, 40), st.booleans())


# Properties


@both_ways
@pytest.mark.parametrize("is_slow_to_show", [False, True], ids=["shown at once", "shown late"])
def test_a_cut_at_any_step_costs_one_render_and_ends_alike(shot, deferred, is_slow_to_show):
    whole = Task(Farm(is_slow_to_show=is_slow_to_show), deferred=deferred)
    end = whole.run(shot)
    assert (end.status, len(whole.farm.renders)) == ("completed", 1)
    for cut in range(1, whole.steps + 1):
        for after in (False, True):
            farm = Farm(is_slow_to_show=is_slow_to_show)
            task = Task(farm, deferred=deferred)
            with pytest.raises(Died):
                task.run(shot, cut, after=after)
            assert task.run(shot).status == "completed"
            assert len(farm.renders) == farm.most_at_once == 1
            assert farm.uploads <= 2


@given(deaths=st.lists(cuts, max_size=6), deferred=st.booleans(), is_slow_to_show=st.booleans())
def test_any_number_of_deaths_costs_one_render(shot, deaths, deferred, is_slow_to_show):
    task = Task(Farm(is_slow_to_show=is_slow_to_show), deferred=deferred)
    for cut, after in deaths:
        try:
            task.run(shot, cut, after=after)
        except Died:
            continue
    assert task.run(shot).status == "completed"
    assert len(task.farm.renders) == task.farm.most_at_once == 1


def cleared(task, order):
    task.max_tries += 1
    return order


def failing(task, order):
    task.farm.fails += 1
    return order


def late(task, order):
    task.clock.now += timedelta(seconds=order.timeout + 1)
    return order


CHANGES = {
    "nothing": lambda task, order: order,
    "a clear": cleared,
    "another scene": lambda task, order: replace(order, content=f"{order.content} again"),
    "other pixels": lambda task, order: replace(order, render_config=CONFIG | {"sampleCount": len(task.saved) + 1}),
    "a priority": lambda task, order: replace(order, render_config={**order.render_config, "priority": 9}),
    "a render that fails": failing,
    "time": late,
}


@given(
    walk=st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), cuts), max_size=8),
    on_clear=st.sampled_from(["reattach", "resubmit"]),
    deferred=st.booleans(),
)
def test_whatever_happens_at_most_one_render_is_paid_at_a_time_and_it_is_on_record(shot, walk, on_clear, deferred):
    task, order = Task(Farm(renders_for_ever=not deferred), deferred=deferred), replace(shot, on_clear=on_clear)
    for change, (cut, after) in walk:
        order = CHANGES[change](task, order)
        with suppress(Died, RenderjuiceJobError):
            task.run(order, cut, after=after)
        assert task.farm.most_at_once <= 1
        assert set(task.farm.paid()) <= {(task.stored or {}).get("job_id")}


# What a retry does


def on_record(shot, status, **fields):
    """A task whose earlier try has left a job with this status."""
    task = Task(Farm())
    with pytest.raises(Died):
        task.run(shot, 9, after=True)
    assert task.stored["job_id"] == GIVEN
    task.farm.jobs[GIVEN] |= {"status": status} | fields
    return task


@pytest.mark.parametrize("status", ["created", "validating", "validated", "booting", "rendering"])
def test_a_retry_goes_on_with_a_job_on_its_way(shot, status):
    order = replace(shot, wait=False)
    assert on_record(shot, status).run(order).id == GIVEN


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_retry_starts_a_new_job_where_the_old_one_cannot_succeed(shot, status):
    task = on_record(shot, status)
    assert task.run(shot).id != GIVEN
    assert task.farm.uploads == 2


@pytest.mark.parametrize(
    ("status", "on_clear", "is_kept"),
    [
        ("created", "reattach", True),
        ("rendering", "reattach", True),
        ("completed", "reattach", True),
        ("failed", "reattach", False),
        ("canceled", "reattach", False),
        ("created", "resubmit", False),
        ("rendering", "resubmit", False),
        ("completed", "resubmit", False),
        ("failed", "resubmit", False),
        ("canceled", "resubmit", False),
    ],
)
def test_what_a_clear_does(shot, status, on_clear, is_kept):
    order = replace(shot, on_clear=on_clear, wait=False)
    task = on_record(order, status)
    task.max_tries += 1
    job = task.run(order)
    assert (job.id == GIVEN) is is_kept
    assert task.stored["max_tries"] == 1
    assert is_kept or GIVEN not in task.farm.paid()


def test_a_job_that_renderjuice_does_not_know_is_created_again_from_its_upload(shot):
    task = on_record(shot, "created")
    del task.farm.jobs[GIVEN]
    assert task.run(shot).status == "completed"
    assert task.farm.uploads == 1
    assert any("unknown to this connection" in line for line in task.log.lines)


def test_a_given_job_that_is_over_is_an_error_that_no_retry_can_help(shot):
    with pytest.raises(RenderjuiceJobOverError, match=r"^shot.blend failed: no reason given"):
        Task(made_by_hand("failed")).run(given_job(shot))


def test_a_given_job_that_nobody_validated_is_refused(shot):
    task = Task(made_by_hand("created"))
    with pytest.raises(RenderjuiceInputError, match="not validated"):
        task.run(given_job(shot))
    assert task.farm.renders == []


def test_a_given_job_that_renders_something_else_is_left_as_it_is(shot):
    task = Task(made_by_hand("rendering", requestedConfig=CONFIG | {"sampleCount": 4}))
    with pytest.raises(RenderjuiceOtherOrderError, match="sampleCount: 4, which was not ordered"):
        task.run(given_job(shot))
    assert task.farm.paid() == [GIVEN]


def test_a_retry_stops_an_overdue_render_and_fails(shot):
    task = on_record(shot, "rendering", requestedConfig=CONFIG)
    task.farm.renders_for_ever = True
    late(task, shot)
    with pytest.raises(RenderjuiceJobError, match="its deadline has passed"):
        task.run(shot)
    assert task.farm.paid() == []


def test_an_overdue_render_that_is_not_to_be_cancelled_gets_a_new_deadline(shot):
    order = replace(shot, cancel_on_timeout=False)
    task = on_record(order, "rendering", requestedConfig=CONFIG)
    late(task, order)
    assert task.run(order).status == "completed"
    assert task.stored["deadline"] > NOW + 2 * order.timeout


@both_ways
def test_the_deadline_stops_the_render(shot, deferred):
    task = Task(Farm(renders_for_ever=True), deferred=deferred)
    with pytest.raises(RenderjuiceJobError, match=r"timed out \(timeout\).+cancelled and is canceled"):
        task.run(shot)
    assert task.farm.paid() == []


def test_the_end_of_the_try_is_the_deadline_where_it_comes_first(shot):
    task = Task(Farm(renders_for_ever=True))
    with pytest.raises(RenderjuiceTimeoutError, match=r"timed out \(execution_timeout\).+a retry re-attaches"):
        task.run(replace(shot, try_ends=NOW + 60, cancel_on_timeout=False))
    assert task.clock.now.timestamp() == NOW + 60


def test_a_validation_keeps_no_record(shot):
    task = Task(made_by_hand("created"))
    order = Order(JobStatus.VALIDATED, 3600.0, job_id=GIVEN)
    assert task.run(order).status == "validated"
    assert task.saved == []


# The record

UNDER_WAY = {
    "version": 1,
    "work": "4c083a3d9b633c3a4c7ff1994405836fc5c62935aa228648169e14f9cfb8973e",
    "content": "the bytes",
    "source": "/shots/shot.blend",
    "slug": "slug-1",
    "job_id": GIVEN,
    "started": NOW - 60,
    "deadline": NOW + 3540,
    "max_tries": 2,
}
"""As the release before has stored it for a run that is under way, with `CONFIG`."""


def test_a_run_that_the_release_before_began_goes_on(shot):
    task = Task(made_by_hand("rendering", requestedConfig=CONFIG))
    task.stored, task.max_tries = UNDER_WAY, 2
    assert task.run(replace(shot, wait=False)).id == GIVEN
    assert task.farm.renders == []
    assert task.saved == [UNDER_WAY | {"source": shot.source, "spent": []}] * 2


def test_a_render_of_a_given_job_that_the_release_before_began_goes_on(shot):
    task = Task(made_by_hand("rendering", requestedConfig=CONFIG | {"sampleCount": 4}))
    mark = "4ea857ca200d00ee8b51567fd19918f6f7c348e8d4e4e0bf15859d9896762d4a"
    task.stored = UNDER_WAY | {"work": mark, "content": None, "source": None, "slug": None, "max_tries": 0}
    assert task.run(given_job(shot, wait=False)).status == "rendering"


OTHER_VALUES = {
    "goal": JobStatus.VALIDATED,
    "timeout": 1.0,
    "job_id": GIVEN,
    "slug": "other",
    "render_config": CONFIG | {"sampleCount": 4},
    "scene": "/shots/other.blend",
    "content": "other bytes",
    "source": "/shots/other.blend",
    "account": ("other", "https://other.example"),
    "wait": False,
    "on_clear": "resubmit",
    "replaces_job": False,
    "cancel_on_kill": False,
    "cancel_on_timeout": False,
    "most": 1.0,
    "patience": Patience(10.0),
    "spent": (1.0,),
    "try_ends": 1.0,
    "name": "other",
}


@pytest.mark.parametrize("name", [each.name for each in fields(Order)])
def test_what_makes_other_work_of_an_order_is_said_in_one_place(shot, name):
    assert OTHER_VALUES.keys() == {each.name for each in fields(Order)}
    # Where the scene lies stands for its bytes once they are gone.
    order = replace(shot, content=None) if name == "source" else shot
    record = JobRecord.of(order, NOW, 0)
    assert record.is_about(replace(order, **{name: OTHER_VALUES[name]})) is (name not in FINGERPRINT)


def test_a_priority_that_changes_does_not_pay_twice(shot):
    task = on_record(shot, "rendering", requestedConfig=CONFIG)
    assert task.run(replace(shot, render_config=CONFIG | {"priority": 9, "notes": "soon"})).id == GIVEN
    assert task.farm.renders == []
