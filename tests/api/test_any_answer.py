"""Whatever comes back.

A result or a `RenderjuiceError`, never another exception, never an endless conversation.
"""

from __future__ import annotations

import contextlib
import json
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api._download import download
from renderjuice_provider.api._flow import Call, NoResponse, Response
from renderjuice_provider.api._listing import JobListing
from renderjuice_provider.api._paths import plan
from renderjuice_provider.api._upload import upload
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.job_poller import JobPoller, watch
from tests.support.flow_driver import Clock, Nowhere, drive, operations_of
from tests.support.http_server import JOB_ID

NAMES = """
    id status data jobs pagination page totalPages pageSize slug uploadUrl expiresAt frames compositeNodes transforms
    frameOutputs compositeNodeOutputs url fileName view relativePath compositeNodeName output isDeletedForClient
    failedReason name type message error errors detail normalizedSeconds createdAt jobId framesTotal framesCompleted
    percentage model_config __class__ is_over
"""
KEYS = st.sampled_from(NAMES.split())
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [JOB_ID, "created", "validated", "completed", "failed", "https://store.test/1.png?token=x", "http://[", ""]
    ),
    st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01", "9999-12-31T23:59:59-23:59", "\ud800", "nan"]),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=6), max_leaves=12
)
JOBS = st.builds(dict, id=st.just(JOB_ID) | SCALARS, status=TEXTS) | st.builds(
    dict, data=st.builds(dict, id=TEXTS, status=TEXTS)
)
PAGES = st.builds(
    dict, jobs=st.lists(JOBS, max_size=3), pagination=st.none() | st.dictionaries(KEYS, SCALARS, max_size=3)
)
ITEMS = st.lists(st.dictionaries(KEYS, SCALARS, max_size=4) | SCALARS, max_size=3)
DOWNLOADS = st.builds(dict, frames=ITEMS | SCALARS, compositeNodes=ITEMS | SCALARS, frameOutputs=ITEMS | SCALARS)
TARGETS = st.builds(dict, uploadUrl=TEXTS, slug=TEXTS, expiresAt=SCALARS)
DEEP = [
    b"[" * 5000 + b"]" * 5000,
    b'{"message":' * 400 + b"1" + b"}" * 400,
    b"[" * 900 + b"]" * 900,
    b"9" * 5000,
    b"\xff\xfe{",
]
BODIES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(DEEP),
    st.one_of(JSON, JOBS, PAGES, DOWNLOADS, TARGETS).map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "retry-after": st.sampled_from(
            ["", "0", "1.5", "-1", "nan", "inf", "1e400", "soon", "9" * 400, "\u0663", "1_0"]
        )
        | st.sampled_from(
            ["Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 99999 07:28:00 GMT", "Thu, 1 Jan 1970 00:00:00 -9999"]
        )
        | st.text(max_size=30),
        "content-type": st.text(max_size=10) | st.just("text/html"),
    },
)
STATUSES = st.sampled_from(
    [200, 200, 200, 200, 201, 202, 204, 206, 302, 400, 401, 402, 403, 404, 409, 410, 418, 429, 500, 503, 599, 700]
)
ANSWERS = st.builds(Response, STATUSES, HEADERS, BODIES) | st.builds(NoResponse, TEXTS, st.booleans())
CONVERSATIONS = st.lists(ANSWERS, min_size=1, max_size=8)
CONFIG = {"colorManagementPreset": "default"}

FLOWS = {
    "create_upload": lambda operations: operations.create_upload("shot.blend", "blend"),
    "create_job": lambda operations: operations.create_job("slug"),
    "get_job": lambda operations: operations.get_job(JOB_ID),
    "validate_job": lambda operations: operations.validate_job(JOB_ID),
    "start_render": lambda operations: operations.start_render(JOB_ID, CONFIG),
    "cancel_job": lambda operations: operations.cancel_job(JOB_ID),
    "get_progress": lambda operations: operations.get_progress(JOB_ID),
    "list_progress": lambda operations: operations.get_progress(),
    "get_downloads": lambda operations: operations.get_downloads(JOB_ID),
    "download": lambda operations: download(operations, JOB_ID, Nowhere()),
}


def from_(answers):
    """A server that says these things, and the last of them for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize("name", FLOWS)
@given(answers=CONVERSATIONS)
@example(answers=[Response(200, {}, struct.pack("<d", 0.0))])
@example(answers=[Response(200, {}, b'{"frames": [""], "compositeNodes": "x"}')])
@example(answers=[Response(200, {}, b'{"frames": ["http://["], "id": "x", "status": "completed"}')])
@example(answers=[Response(429, {"retry-after": "0"}, b"[[[[{}]]]]")])
@example(answers=[Response(403), Response(200, {}, b"{}")])
def test_any_answer_to_any_call_is_a_result_or_our_error(name, answers):
    clock = Clock()
    with contextlib.suppress(RenderjuiceError):
        result, _ = drive(FLOWS[name](operations_of(clock)), from_(answers), clock)
        repr(result)
        if name == "get_downloads":
            plan(result)


@given(answers=CONVERSATIONS)
def test_any_answer_to_the_list_is_a_list_or_our_error(answers):
    listing, reply, seen = JobListing(operations_of()), from_(answers), []
    with contextlib.suppress(RenderjuiceError):
        while listing.more:
            seen += drive(listing.next_page(), reply)[0]
            assert len(seen) < 100
    assert len({job.id for job in seen}) == len(seen)


@given(answers=CONVERSATIONS)
def test_any_answer_to_an_upload_is_a_target_or_our_error(tmp_path_factory, answers):
    scene = tmp_path_factory.getbasetemp() / "shot.blend"
    if not scene.exists():
        write_scene(scene)
    clock = Clock()
    with contextlib.suppress(RenderjuiceError):
        target, _ = drive(upload(operations_of(clock), scene), from_(answers), clock)
        assert target.slug


@given(answers=CONVERSATIONS)
def test_any_answers_while_waiting_end_in_an_outcome_by_the_deadline(answers):
    clock, lines = Clock(), []
    started = clock.now.timestamp()
    wait = JobPoller(
        JOB_ID, "completed", poll_interval=30, started=started, deadline=started + 3600, jitter=lambda: 0.5
    )
    outcome, steps = drive(watch(operations_of(clock), wait, lines.append), from_(answers), clock)
    assert json.dumps(outcome.to_event())
    assert (clock.now.timestamp() - started) <= 3600 + 500
    assert len(steps) < 2000
    assert all(line.encode() for line in lines)


@given(JSON)
def test_any_json_as_a_job_keeps_what_it_can(value):
    job = Job.model_validate(
        {"id": "x", "status": "created"} | {name: value for name in Job.model_fields if name not in {"id", "status"}}
    )
    assert (job.id, job.status) == ("x", "created")
    assert job.reason


def test_a_flow_asks_for_nothing_but_what_it_is_for():
    _, steps = drive(
        FLOWS["get_job"](operations_of()),
        lambda _: Response(200, {}, json.dumps({"id": JOB_ID, "status": "s"}).encode()),
    )
    assert steps == [Call("GET", f"/jobs/{JOB_ID}")]
